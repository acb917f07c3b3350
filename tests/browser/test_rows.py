"""The list: rows of a document each, drawn only in sight, and the focus of a keyboard in them."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.service_page import ServicePage
from tests.browser.stand_in import StandIn, row, standing_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = pytest.mark.slow  # a browser

MANY = 3000


@pytest.fixture
def service() -> StandIn:
    return StandIn()


@pytest.fixture
def shown(service: StandIn, page: Page) -> Iterator[ServicePage]:
    with standing_in(service) as url:
        yield ServicePage(page, url)


def test_each_state_is_a_word_and_offers_what_can_be_done(
    service: StandIn, shown: ServicePage
) -> None:
    for state in ("uploading", "waiting", "converting", "ready", "failed", "cancelled"):
        service.documents.append(row(f"a/{state}.djvu", state))
    shown.open()
    for state in ("uploading", "waiting", "converting"):
        shown.expect_state(f"a/{state}.djvu", state)
        expect(shown.button(f"Cancel a/{state}.djvu")).to_be_visible()
        expect(shown.button(f"Remove a/{state}.djvu")).to_have_count(0)
    for state in ("ready", "failed", "cancelled"):
        shown.expect_state(f"a/{state}.djvu", state)
        expect(shown.button(f"Remove a/{state}.djvu")).to_be_visible()
        expect(shown.button(f"Cancel a/{state}.djvu")).to_have_count(0)
    expect(shown.button("Retry a/failed.djvu")).to_be_visible()
    expect(shown.button("Retry a/cancelled.djvu")).to_be_visible()
    expect(shown.button("Retry a/ready.djvu")).to_have_count(0)


def test_a_ready_document_has_its_pdf_its_picture_and_the_day_it_goes(
    service: StandIn, shown: ServicePage
) -> None:
    service.documents.append(row("a/b.djvu", id="one"))
    shown.open()
    link = shown.link("Download a/b.pdf")
    expect(link).to_have_attribute("href", "documents/one/pdf")
    expect(shown.tab.get_by_role("img", name="First page of a/b.djvu")).to_be_visible()
    expect(shown.row("a/b.djvu")).to_contain_text("Kept until Monday 6 May, 11:30")
    expect(shown.link("Download all")).to_have_attribute("href", "documents.zip")


def test_a_failed_document_says_why_and_has_no_link(service: StandIn, shown: ServicePage) -> None:
    service.documents.append(row("a/b.djvu", "failed"))
    shown.open()
    expect(shown.row("a/b.djvu")).to_contain_text("engine_error: page 3 is damaged")
    expect(shown.row("a/b.djvu")).to_contain_text("Scan it again.")
    expect(shown.row("a/b.djvu").get_by_role("link")).to_have_count(0)
    expect(shown.link("Download all")).to_be_hidden()


def test_markup_in_a_name_is_text(service: StandIn, shown: ServicePage) -> None:
    name = "<img src=x onerror=alert(1)>/\u202e<b>.djvu"
    service.documents.append(row(name, "failed", error={"code": "<i>", "message": "<u>&amp;"}))
    shown.open()
    shown.expect_names(name)
    expect(shown.row(name)).to_contain_text("<i>: <u>&amp;")
    expect(shown.table.locator("img, b, i, u")).to_have_count(0)


def test_changes_arrive_while_one_looks(service: StandIn, shown: ServicePage) -> None:
    document = row("a.djvu", "waiting", place=2)
    service.documents.append(document)
    shown.open()
    expect(shown.row("a.djvu")).to_contain_text("2nd in the queue")
    service.soon(lambda: service.touch(document, state="converting", place=None))
    shown.expect_state("a.djvu", "converting")
    service.soon(lambda: service.add(row("b.djvu", "waiting")))
    shown.expect_names("a.djvu", "b.djvu")
    service.soon(lambda: service.remove(document))
    shown.expect_names("b.djvu")


@pytest.fixture
def many(service: StandIn) -> StandIn:
    for number in range(MANY):
        state = "failed" if number % 100 == 7 else "ready"
        service.documents.append(row(f"box {number // 100}/{number:04}.djvu", state))
    return service


def test_of_thousands_only_those_in_sight_are_drawn(many: StandIn, shown: ServicePage) -> None:
    shown.open()
    expect(shown.table).to_have_attribute("aria-rowcount", str(MANY + 1))
    expect(shown.row("box 0/0000.djvu")).to_have_attribute("aria-rowindex", "2")
    shown.tab.keyboard.press("End")
    last = shown.row(f"box {(MANY - 1) // 100}/{MANY - 1}.djvu")
    expect(last).to_be_in_viewport()
    expect(last).to_have_attribute("aria-rowindex", str(MANY + 1))
    assert shown.table.get_by_role("row").count() < 60
    shown.tab.keyboard.press("Home")
    expect(shown.row("box 0/0000.djvu")).to_have_count(1)
    fetched = [one for one in many.requests if one == "GET /api/documents"]
    assert len(fetched) < 12


@pytest.mark.parametrize("higher", [range(12, 40), range(60, 100)], ids=["passed", "awaited"])
def test_an_end_is_found_where_rows_are_higher_than_thought(
    higher: range, service: StandIn, shown: ServicePage
) -> None:
    advice = "Scan it again, " * 40
    error = {"code": "engine_error", "message": "page 3 is damaged", "advice": advice}
    for number in range(1000):
        document = row(f"{number:03}.djvu")
        if number % 100 in higher:
            document |= {"state": "failed", "error": error}
        service.documents.append(document)
    shown.open()
    expect(shown.row("000.djvu")).to_have_count(1)
    for key, name in (("End", "999.djvu"), ("Home", "000.djvu"), ("End", "999.djvu")):
        shown.tab.keyboard.press(key)
        expect(shown.row(name)).to_be_in_viewport()
        expect(shown.table.locator("tr.missing")).to_have_count(0)
        expect(shown.row(name)).to_be_in_viewport()


def test_an_end_is_awaited_until_one_goes_elsewhere(many: StandIn, shown: ServicePage) -> None:
    shown.open()
    expect(shown.row("box 0/0000.djvu")).to_have_count(1)
    many.refuse = many.refusing("GET", "/documents", 503, "busy")
    shown.tab.keyboard.press("End")
    expect(shown.tab.get_by_role("list", name="Notices")).to_contain_text("busy")
    expect(shown.table.locator(f'tr.missing[aria-rowindex="{MANY + 1}"]')).to_be_in_viewport()
    shown.tab.mouse.move(300, 300)
    shown.tab.mouse.wheel(0, -400_000)
    expect(shown.row("box 0/0000.djvu")).to_be_in_viewport()


def test_a_list_is_narrowed_by_name_and_by_state(many: StandIn, shown: ServicePage) -> None:
    shown.open()
    shown.filter.fill("BOX 3/")
    expect(shown.table).to_have_attribute("aria-rowcount", "101")
    shown.tab.get_by_label("State", exact=True).select_option("failed")
    shown.expect_names("box 3/0307.djvu")
    expect(shown.status).to_contain_text(f"{MANY:,} documents")
    shown.filter.fill("no such name")
    shown.expect_names()
    expect(shown.tab.get_by_text("No document matches the filter.")).to_be_visible()
    del many


def test_the_focus_stays_where_it_is_when_rows_change(service: StandIn, shown: ServicePage) -> None:
    documents = [row(f"{letter}.djvu", "waiting") for letter in "abc"]
    service.documents.extend(documents)
    shown.open()
    shown.button("Cancel b.djvu").focus()
    service.soon(lambda: service.remove(documents[0]))
    shown.expect_names("b.djvu", "c.djvu")
    expect(shown.button("Cancel b.djvu")).to_be_focused()
    # Its button goes: the next best of the same row has the focus.
    service.soon(lambda: service.touch(documents[1], state="ready", pdf_bytes=5))
    expect(shown.link("Download b.pdf")).to_be_focused()
    # Its row goes: the row that takes its place has it.
    service.soon(lambda: service.remove(documents[1]))
    expect(shown.button("Cancel c.djvu")).to_be_focused()
    service.soon(lambda: service.remove(documents[2]))
    expect(shown.tab.get_by_role("heading", name="Documents")).to_be_focused()


def test_a_row_with_the_focus_outlives_being_scrolled_away(
    many: StandIn, shown: ServicePage
) -> None:
    shown.open()
    shown.link("Download box 0/0001.pdf").focus()
    shown.tab.mouse.move(300, 300)
    shown.tab.mouse.wheel(0, 60_000)
    expect(shown.row("box 0/0000.djvu")).to_have_count(0)
    expect(shown.link("Download box 0/0001.pdf")).to_be_focused()
    del many


def test_a_reader_keeps_the_place_when_rows_above_go(many: StandIn, shown: ServicePage) -> None:
    shown.open()
    expect(shown.row("box 0/0000.djvu")).to_have_count(1)
    shown.filter.hover()
    shown.tab.mouse.wheel(0, 60_000)
    expect(shown.row("box 0/0000.djvu")).to_have_count(0)
    reading = shown.table.locator("tbody tr:not(.gap, .missing)").nth(10).get_by_role("rowheader")
    name = reading.inner_text()
    before = shown.row(name).bounding_box()
    many.soon(lambda: many.remove(many.documents[0]))
    expect(shown.table).to_have_attribute("aria-rowcount", str(MANY))
    shown.tab.evaluate("new Promise(requestAnimationFrame)")
    after = shown.row(name).bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2


def test_a_click_beside_the_table_takes_the_focus_out_of_it(
    service: StandIn, shown: ServicePage
) -> None:
    document = row("a.djvu", "waiting")
    service.documents.append(document)
    shown.open()
    shown.button("Cancel a.djvu").focus()
    shown.tab.get_by_role("heading", level=1).click()
    service.soon(lambda: service.touch(document, state="converting"))
    shown.expect_state("a.djvu", "converting")
    expect(shown.button("Cancel a.djvu")).not_to_be_focused()


def test_one_document_is_cancelled_tried_again_and_removed(
    service: StandIn, shown: ServicePage
) -> None:
    service.documents.append(row("a.djvu", "waiting"))
    shown.open()
    shown.button("Cancel a.djvu").click()
    shown.expect_state("a.djvu", "cancelled")
    shown.button("Retry a.djvu").click()
    shown.expect_state("a.djvu", "waiting")
    shown.button("Cancel a.djvu").click()
    shown.button("Remove a.djvu").click()
    shown.expect_names()
    expect(shown.tab.get_by_text("What you choose or drop appears here")).to_be_visible()


def test_many_are_tried_again_cancelled_and_removed_at_once(
    service: StandIn, shown: ServicePage
) -> None:
    service.documents += [row("a.djvu", "failed"), row("b.djvu"), row("c.djvu", "converting")]
    shown.open()
    shown.button("Retry all failed").click()
    shown.expect_state("a.djvu", "waiting")
    expect(shown.button("Retry all failed")).to_be_disabled()
    shown.button("Remove all ended").click()
    shown.expect_names("a.djvu", "c.djvu")
    shown.button("Cancel all").click()
    shown.expect_state("a.djvu", "cancelled")
    shown.expect_state("c.djvu", "cancelled")
    expect(shown.button("Cancel all")).to_be_disabled()


def test_a_refused_action_is_told(service: StandIn, shown: ServicePage) -> None:
    service.documents.append(row("a.djvu", "waiting"))
    shown.open()
    service.refuse = service.refusing("POST", "/cancel", 409, "it is being published")
    shown.button("Cancel a.djvu").click()
    notices = shown.tab.get_by_role("list", name="Notices")
    expect(notices).to_contain_text("Could not cancel a.djvu: it is being published")
    notices.get_by_role("button", name="Dismiss").click()
    expect(notices.get_by_role("listitem")).to_have_count(0)


def test_totals_are_shown_at_once_and_spoken_at_quarters(
    service: StandIn, shown: ServicePage
) -> None:
    documents = [row(f"{number:02}.djvu", "waiting") for number in range(8)]
    service.documents.extend(documents)
    shown.open()
    spoken = shown.status.locator(".visually-hidden")
    expect(spoken).to_have_text("8 documents: 8 waiting.")
    service.soon(lambda: service.touch(documents[0], state="ready"))
    expect(shown.status.locator(".totals")).to_contain_text(re.compile("7 waiting +1 ready"))
    expect(shown.tab.get_by_role("progressbar", name="All documents")).to_have_attribute(
        "aria-valuetext", "1 of 8 documents done"
    )
    service.soon(lambda: service.touch(documents[1], state="failed"))
    expect(spoken).to_have_text("8 documents: 6 waiting, 1 ready, 1 failed.")
    for document in documents[2:]:
        service.soon(partial(service.touch, document, state="ready"))
    expect(spoken).to_have_text("8 documents: 7 ready, 1 failed.")
    assert shown.tab.get_by_role("status").count() == 1


def test_places_in_the_queue_move_up(service: StandIn, shown: ServicePage) -> None:
    first, second = (row(f"{n}.djvu", "waiting", place=n) for n in (1, 2))
    service.documents += [first, second]
    shown.open()
    expect(shown.row("2.djvu")).to_contain_text("2nd in the queue")
    second["place"] = 1
    service.soon(lambda: service.touch(first, state="converting", place=None))
    expect(shown.row("2.djvu")).to_contain_text("1st in the queue")
