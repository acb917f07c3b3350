"""How files get to the service: chosen or dropped, in pieces, through what may go wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from playwright.sync_api import expect

from tests.browser.service_page import ServicePage
from tests.browser.stand_in import StandIn, row, standing_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.slow  # a browser

DJVU = b"AT&TFORM" + bytes(200_000)
SMALL = b"AT&TFORM made up"


@pytest.fixture
def service() -> StandIn:
    return StandIn()


@pytest.fixture
def shown(service: StandIn, page: Page) -> Iterator[ServicePage]:
    with standing_in(service) as url:
        yield ServicePage(page, url).open()


def test_chosen_files_are_sent_in_pieces_and_converted(
    service: StandIn, shown: ServicePage
) -> None:
    shown.choose({"a.djvu": DJVU, "b.djvu": SMALL})
    shown.expect_state("a.djvu", "ready")
    shown.expect_state("b.djvu", "ready")
    sizes = {one["name"]: one["received_bytes"] for one in service.documents}
    assert sizes == {"a.djvu": len(DJVU), "b.djvu": len(SMALL)}
    assert service.largest_seen_bytes == service.chunk_bytes


def test_three_are_sent_at_once_and_all_have_their_rows(
    service: StandIn, shown: ServicePage
) -> None:
    service.refuse = service.refusing("PATCH", "", 503, "busy")
    shown.choose({f"{number}.djvu": SMALL for number in range(7)})
    for number in range(7):
        shown.expect_state(f"{number}.djvu", "uploading")
    expect(shown.status).to_contain_text("7 documents")
    expect(shown.table.get_by_text("It goes on by itself.")).to_have_count(3)
    assert len(service.documents) == 3
    expect(shown.tab.get_by_text("Sending 7 files")).to_be_visible()
    service.refuse = lambda _request: None
    expect(shown.status).to_contain_text("7 ready")
    shown.expect_names(*(f"{number}.djvu" for number in range(7)))


def test_a_folder_keeps_its_paths_and_passes_over_what_is_no_djvu(
    service: StandIn, shown: ServicePage, tmp_path: Path
) -> None:
    folder = tmp_path / "scans"
    write(folder, "a.djvu", "1911/b.DJVU", "1911/maps/c.djv", "1911/notes.txt", "cover.jpg")
    shown.choose_folder(folder)
    expect(shown.status).to_contain_text("3 ready")
    assert {one["name"] for one in service.documents} == {
        "a.djvu", "1911/b.DJVU", "1911/maps/c.djv",
    }  # fmt: skip
    notices = shown.tab.get_by_role("list", name="Notices")
    expect(notices).to_contain_text(
        "2 files passed over, as their names do not end in .djvu or .djv"
    )
    expect(notices).to_contain_text("notes.txt")


def test_a_dropped_folder_is_read_to_its_end(
    service: StandIn, shown: ServicePage, tmp_path: Path
) -> None:
    names = [f"deep/{number:03}.djvu" for number in range(230)]
    write(tmp_path / "scans", *names, "deep/er/x.djv", "deep/notes.txt")
    shown.drop(tmp_path / "scans")
    expect(shown.status).to_contain_text("231 ready", timeout=60_000)
    assert sorted(one["name"] for one in service.documents) == sorted([*names, "deep/er/x.djv"])
    assert shown.tab.url == shown.url


def test_folders_dropped_together_keep_their_own_names(shown: ServicePage, tmp_path: Path) -> None:
    write(tmp_path, "one/a.djvu", "two/a.djvu", "b.djvu")
    shown.drop(tmp_path / "one", tmp_path / "two", tmp_path / "b.djvu")
    expect(shown.status).to_contain_text("3 ready")
    names = shown.table.get_by_role("rowheader").all_inner_texts()
    assert sorted(names) == ["b.djvu", "one/a.djvu", "two/a.djvu"]


def test_an_empty_folder_is_said_to_be_empty(shown: ServicePage, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    shown.drop(tmp_path / "scans")
    expect(shown.tab.get_by_text("There is no file in it.").first).to_be_visible()


@pytest.mark.parametrize("content", [b"%PDF-1.7 no scan" * 9999, b"AT&TFOR", b"at&tform"])
def test_what_is_no_djvu_is_refused_in_its_row_after_a_few_bytes(
    service: StandIn, shown: ServicePage, content: bytes
) -> None:
    shown.choose({"report.djvu": content, "b.djvu": SMALL})
    shown.expect_state("report.djvu", "failed")
    expect(shown.row("report.djvu")).to_contain_text("not_djvu")
    assert service.largest_seen_bytes <= 16
    shown.expect_state("b.djvu", "ready")
    shown.tab.reload()
    expect(shown.row("report.djvu")).to_contain_text("not_djvu")


def test_an_empty_file_is_refused_without_asking(service: StandIn, shown: ServicePage) -> None:
    shown.choose({"a.djvu": b""})
    shown.expect_state("a.djvu", "failed")
    expect(shown.row("a.djvu")).to_contain_text("not_djvu: The file is empty.")
    expect(shown.status).to_contain_text("1 failed")
    assert not service.documents
    shown.button("Remove a.djvu").click()
    shown.expect_names()


def test_a_file_beyond_the_limit_is_refused_and_can_be_tried_again(
    service: StandIn, shown: ServicePage
) -> None:
    service.refuse = service.refusing("POST", "/uploads", 413, "At most 5 MB.", times=1)
    shown.choose({"a.djvu": DJVU})
    expect(shown.row("a.djvu")).to_contain_text("too_large: At most 5 MB.")
    shown.button("Retry a.djvu").click()
    shown.expect_state("a.djvu", "ready")


def test_a_full_service_is_waited_for(service: StandIn, shown: ServicePage) -> None:
    service.refuse = service.refusing("POST", "/uploads", 507, "The disk is full.")
    shown.choose({"a.djvu": SMALL})
    expect(shown.row("a.djvu")).to_contain_text("The disk is full. It goes on by itself.")
    shown.expect_state("a.djvu", "uploading")
    service.refuse = lambda _request: None
    shown.expect_state("a.djvu", "ready")


def test_a_proxy_that_takes_only_small_pieces_gets_smaller_ones(
    service: StandIn, shown: ServicePage
) -> None:
    service.chunk_bytes, service.largest_piece_bytes = 400_000, 120_000
    shown.tab.reload()
    shown.choose({"a.djvu": DJVU})
    shown.expect_state("a.djvu", "ready")


def test_a_proxy_that_takes_none_is_named_in_plain_words(
    service: StandIn, shown: ServicePage
) -> None:
    service.largest_piece_bytes = 5
    shown.choose({"a.djvu": DJVU})
    expect(shown.row("a.djvu")).to_contain_text("nginx: client_max_body_size")
    shown.expect_state("a.djvu", "uploading")


def test_an_upload_goes_on_from_where_the_service_is(service: StandIn, shown: ServicePage) -> None:
    once = [70_000]

    def lose_the_end(request: web.Request) -> web.Response | None:
        if request.headers.get("Upload-Offset") == "131072" and once:
            service.touch(service.documents[0], received_bytes=once.pop())
        return None

    service.refuse = lose_the_end
    shown.choose({"a.djvu": DJVU})
    shown.expect_state("a.djvu", "ready")
    assert not once


def test_a_lost_answer_makes_no_second_row(service: StandIn, shown: ServicePage) -> None:
    def take_and_say_nothing(request: web.Request) -> web.Response | None:
        if request.method != "POST" or not request.path.endswith("/uploads"):
            return None
        service.refuse = lambda _request: None
        service.add(row("a.djvu", "uploading", size_bytes=len(DJVU), received_bytes=0))
        return web.Response(status=502, text="<h1>Bad gateway</h1>", content_type="text/html")

    service.refuse = take_and_say_nothing
    shown.choose({"a.djvu": DJVU})
    shown.expect_state("a.djvu", "ready")
    shown.expect_names("a.djvu")
    assert len(service.documents) == 1


def test_after_a_reload_the_same_file_goes_on_where_it_stopped(
    service: StandIn, shown: ServicePage, tmp_path: Path
) -> None:
    scan = tmp_path / "a.djvu"
    scan.write_bytes(DJVU)
    service.refuse = lambda request: (
        web.Response(status=503) if request.headers.get("Upload-Offset") == "65536" else None
    )
    shown.tab.get_by_label("Choose files").set_input_files(scan)
    expect(shown.row("a.djvu")).to_contain_text("66 kB of 200 kB")
    shown.tab.on("dialog", lambda dialog: dialog.accept())
    shown.tab.reload()
    expect(shown.row("a.djvu")).to_contain_text("Choose the same file again")
    service.refuse = lambda _request: None
    service.documents[0]["submitted_at"] = "2999-01-01T00:00:00Z"
    service.largest_seen_bytes = 0
    shown.tab.get_by_label("Choose files").set_input_files(scan)
    shown.expect_state("a.djvu", "ready")
    assert len(service.documents) == 1
    assert [offset for offset in service.offsets if offset == 0] == [0]


def test_leaving_is_warned_about_only_while_something_is_sent(
    service: StandIn, shown: ServicePage
) -> None:
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]  # Playwright gives it no type
        dialog.dismiss()  # type: ignore[attr-defined]  # the same

    shown.tab.on("dialog", stay)
    shown.tab.reload()
    assert not asked
    service.refuse = service.refusing("PATCH", "", 503, "busy")
    shown.choose({"a.djvu": SMALL})
    shown.expect_state("a.djvu", "uploading")
    shown.tab.get_by_role("heading", level=1).click()
    shown.tab.evaluate("location.hash = 'x'")  # no leaving
    with shown.tab.expect_event("dialog"):
        shown.tab.evaluate("setTimeout(() => location.reload(), 0)")
    assert asked == ["beforeunload"]
    service.refuse = lambda _request: None
    shown.expect_state("a.djvu", "ready")
    shown.tab.reload()
    assert asked == ["beforeunload"]


def test_an_upload_is_cancelled_and_wanted_after_all(service: StandIn, shown: ServicePage) -> None:
    service.refuse = service.refusing("PATCH", "", 503, "busy")
    shown.choose({f"{number}.djvu": SMALL for number in range(4)})
    shown.button("Cancel 3.djvu").click()  # the service has not heard of it
    shown.expect_state("3.djvu", "cancelled")
    shown.button("Cancel 0.djvu").click()
    shown.expect_state("0.djvu", "cancelled")
    service.again = "uploading"
    shown.button("Retry 0.djvu").click()
    shown.button("Retry 3.djvu").click()
    service.refuse = lambda _request: None
    expect(shown.status).to_contain_text("4 ready")
    shown.expect_state("0.djvu", "ready")


def test_bytes_that_are_there_already_are_not_sent_again(
    service: StandIn, shown: ServicePage
) -> None:
    there = row("a.djvu")
    service.documents.append(there)
    answer = {"id": there["id"], "offset": len(SMALL), "known": True}
    service.refuse = lambda request: (
        web.json_response(answer) if request.path == "/api/uploads" else None
    )
    shown.tab.reload()
    shown.choose({"a.djvu": SMALL})
    notices = shown.tab.get_by_role("list", name="Notices")
    expect(notices).to_contain_text("a.djvu is here already: its bytes were not sent again.")
    shown.expect_names("a.djvu")
    assert not service.offsets


def test_the_same_bytes_under_another_name_are_another_document(
    service: StandIn, shown: ServicePage
) -> None:
    service.documents.append(there := row("a.djvu"))
    answer = {"id": there["id"], "offset": len(SMALL), "known": True}
    once = [answer]
    service.refuse = lambda request: (
        web.json_response(once.pop()) if request.path == "/api/uploads" and once else None
    )
    shown.tab.reload()
    shown.choose({"b.djvu": SMALL})
    shown.expect_state("b.djvu", "ready")
    shown.expect_names("a.djvu", "b.djvu")
    assert not once


def test_a_session_that_ends_meanwhile_asks_and_goes_on(
    service: StandIn, shown: ServicePage
) -> None:
    service.account, service.signed_in = ("me", "right"), True
    shown.tab.reload()
    service.refuse = service.refusing("PATCH", "", 503, "busy")
    shown.choose({"a.djvu": SMALL})
    expect(shown.row("a.djvu")).to_contain_text("busy")
    service.signed_in = False
    service.refuse = lambda _request: None
    sign_in(shown, "me", "wrong")
    expect(shown.tab.get_by_role("alert")).to_contain_text("do not belong together")
    sign_in(shown, "me", "right")
    shown.expect_state("a.djvu", "ready")
    shown.button("Sign out").click()
    expect(shown.tab.get_by_label("Client ID")).to_be_visible()
    expect(shown.table).to_be_hidden()


def test_files_that_come_before_one_has_signed_in_wait_for_it(
    service: StandIn, shown: ServicePage
) -> None:
    service.account = ("me", "right")
    shown.tab.reload()
    expect(shown.tab.get_by_label("Client ID")).to_be_visible()
    shown.choose({"a.djvu": SMALL})
    sign_in(shown, "me", "right")
    shown.expect_state("a.djvu", "ready")


def sign_in(shown: ServicePage, client_id: str, secret: str) -> None:
    shown.tab.get_by_label("Client ID").fill(client_id)
    shown.tab.get_by_label("Client secret").fill(secret)
    shown.button("Sign in").click()


def test_the_page_works_below_a_path(page: Page) -> None:
    with standing_in(StandIn(), below="/tools/convert/") as url:
        shown = ServicePage(page, url).open()
        shown.choose({"a.djvu": SMALL})
        shown.expect_state("a.djvu", "ready")
        picture = shown.tab.get_by_role("img", name="First page of a.djvu")
        expect(picture).to_have_js_property("complete", value=True)
        assert picture.evaluate("picture => picture.naturalWidth") > 0


def test_a_file_named_like_no_djvu_may_be_chosen_by_hand(shown: ServicePage) -> None:
    shown.choose({"scan": SMALL, "notes.txt": b"words"})
    shown.expect_state("scan", "ready")
    expect(shown.row("notes.txt")).to_contain_text(re.compile("failed.*not_djvu"))


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SMALL + name.encode())
