"""Files on their way in through the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from batch_converter.errors import OutputError
from batch_converter.server.page import uploads
from batch_converter.server.page.uploads import CHUNK_BYTES
from tests.support.clocks import ManualClock
from tests.support.page_client import Browser, another, browsing
from tests.support.service import DJVU, HandConverter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LONG = DJVU + bytes(range(256)) * 4096
DAY_S = 86_400


async def test_a_file_in_pieces_becomes_a_document(tmp_path: Path, engine: HandConverter) -> None:
    async with browsing(tmp_path, engine) as browser:
        started = await browser.start("a/b.djvu", LONG)
        assert started["offset"] == 0
        upload = started["id"]
        for offset in range(0, len(LONG), CHUNK_BYTES):
            row = await browser.document(upload)
            assert (row["state"], row["received_bytes"]) == ("uploading", offset)
            assert row["started_at"] is None
            async with browser.piece(upload, offset, LONG[offset : offset + CHUNK_BYTES]) as answer:
                assert answer.status == 204
                end = min(len(LONG), offset + CHUNK_BYTES)
                assert answer.headers["Upload-Offset"] == str(end)
        assert await browser.get(f"api/uploads/{upload}") == {"offset": len(LONG)}
        engine.gate.set()
        row = await browser.until(upload, "ready")
    assert engine.documents == [LONG]
    assert (row["name"], row["pdf_name"]) == ("a/b.djvu", "a/b.pdf")
    assert (row["size_bytes"], row["received_bytes"]) == (len(LONG), len(LONG))


async def test_a_piece_for_another_offset_is_told_the_right_one(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as browser:
        upload = (await browser.start("a.djvu", LONG))["id"]
        assert await browser.send(upload, 0, LONG[:100]) == 204
        for wrong in (0, 99, 101):
            async with browser.piece(upload, wrong, LONG[wrong : wrong + 10]) as answer:
                assert answer.status == 409
                assert answer.headers["Upload-Offset"] == "100"
        assert await browser.get(f"api/uploads/{upload}") == {"offset": 100}
        whole = await browser.upload("b.djvu", DJVU)
        async with browser.piece(whole, 0, DJVU) as answer:
            assert answer.status == 409
            assert answer.headers["Upload-Offset"] == str(len(DJVU))


@pytest.mark.parametrize("offset", ["", "-1", "1.5", "x", "9" * 40, "²"])
async def test_an_offset_has_to_be_a_number(
    tmp_path: Path, engine: HandConverter, offset: str
) -> None:
    async with browsing(tmp_path, engine) as browser:
        upload = (await browser.start("a.djvu", LONG))["id"]
        headers = {"X-CSRF-Token": browser.csrf, "Upload-Offset": offset}
        async with browser.http.patch(
            f"api/uploads/{upload}", data=b"AT", headers=headers
        ) as answer:
            assert answer.status == 400


async def test_pieces_are_bounded(tmp_path: Path, engine: HandConverter) -> None:
    async def chunked(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 1024 + 1):
            yield b"x" * 1024

    async with browsing(tmp_path, engine) as browser:
        upload = (await browser.start("a.djvu", LONG))["id"]
        assert await browser.send(upload, 0, b"AT&TFORM" + bytes(CHUNK_BYTES - 7)) == 413
        async with browser.piece(upload, 0, chunked(CHUNK_BYTES)) as answer:
            assert answer.status == 413
        assert await browser.send(upload, 0, b"") == 400
        short = (await browser.start("b.djvu", DJVU))["id"]
        assert await browser.send(short, 0, DJVU + b"x") == 413
        assert await browser.send(short, 0, DJVU) == 204
        assert await browser.get(f"api/uploads/{upload}") == {"offset": 0}


@pytest.mark.parametrize("pieces", [[b"%PDF-1.7 is no DjVu"], [b"AT", b"&X and so on"], [b"AT&T"]])
async def test_what_is_no_djvu_is_refused_with_its_reason_in_its_row(
    tmp_path: Path, engine: HandConverter, pieces: list[bytes]
) -> None:
    content = b"".join(pieces)
    async with browsing(tmp_path, engine) as browser:
        upload = (await browser.start("a.djvu", content))["id"]
        statuses = []
        for number, piece in enumerate(pieces):
            offset = len(b"".join(pieces[:number]))
            statuses.append(await browser.send(upload, offset, piece))
        assert statuses == [204] * (len(pieces) - 1) + [415]
        row = await browser.document(upload)
        assert (row["state"], row["error"]["code"]) == ("failed", "not_djvu")
        assert "AT&TFORM" in row["error"]["message"]
        assert row["error"]["advice"].endswith(".")
        assert await browser.status("POST", f"api/documents/{upload}/retry") == 409
        assert await browser.send(upload, len(content), b"more") == 404
        assert browser.service.files() == []


async def test_what_was_refused_is_not_whole_though_all_of_it_has_come(
    tmp_path: Path, engine: HandConverter
) -> None:
    content = b"%PDF-1.7 is no DjVu"
    async with browsing(tmp_path, engine) as browser:
        upload = (await browser.start("a.djvu", content))["id"]
        assert await browser.send(upload, 0, content) == 415
        (tmp_path / f"task-{upload}.djvu").write_bytes(content)  # as a kill before its removal does
        assert await browser.status("POST", f"api/documents/{upload}/retry") == 409
        assert await browser.status("GET", f"api/uploads/{upload}") == 404


async def test_a_magic_in_small_pieces_is_read_whole(tmp_path: Path, engine: HandConverter) -> None:
    async with browsing(tmp_path, engine) as browser:
        upload = (await browser.start("a.djvu", DJVU))["id"]
        for offset in range(len(DJVU)):
            assert await browser.send(upload, offset, DJVU[offset : offset + 1]) == 204
        assert (await browser.document(upload))["state"] in {"waiting", "converting"}


async def test_the_same_bytes_are_not_sent_again(tmp_path: Path, engine: HandConverter) -> None:
    async with browsing(tmp_path, engine) as browser, another(browser.service) as other:
        first = await browser.upload("a.djvu", sha256=False)
        known = {"id": first, "offset": len(DJVU), "known": True}
        assert await browser.start("a.djvu", DJVU) == known
        assert [row["name"] for row in await browser.documents()] == ["a.djvu"]
        assert "known" not in await other.start("a.djvu", DJVU)
        await browser.until(first, "converting")
        assert await browser.status("DELETE", f"api/documents/{first}") == 204
        assert "known" not in await browser.start("a.djvu", DJVU)


async def test_the_same_bytes_under_another_name_are_a_document_of_their_own(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as browser:
        first = await browser.upload("a.djvu", sha256=False)
        again = await browser.start("elsewhere/b.djvu", DJVU)
        assert (again["offset"], again["known"]) == (len(DJVU), True)
        assert again["id"] != first
        assert (await browser.start("elsewhere/b.djvu", DJVU))["id"] == again["id"]
        assert (await browser.start("a.djvu", DJVU))["id"] == first
        await browser.until(first, "converting")
        assert await browser.status("DELETE", f"api/documents/{first}") == 204
        engine.gate.set()
        await browser.until(again["id"], "ready")
        assert engine.documents == [DJVU, DJVU]
        assert [row["name"] for row in await browser.documents()] == ["elsewhere/b.djvu"]


async def test_the_same_bytes_are_sent_again_where_they_are_gone(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as browser:
        first = await browser.upload("a.djvu")
        (tmp_path / f"task-{first}.djvu").unlink()
        upload = await browser.start("b.djvu", DJVU)
        assert (upload["offset"], "known" in upload) == (0, False)


async def test_what_came_has_to_be_what_was_announced(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as browser:
        upload = (await browser.start("a.djvu", DJVU))["id"]
        assert await browser.send(upload, 0, DJVU[:-1] + b"?") == 409
        row = await browser.document(upload)
        assert (row["state"], row["error"]["code"]) == ("failed", "unreadable")
        assert browser.service.files() == []


async def test_of_two_writers_one_is_refused(tmp_path: Path, engine: HandConverter) -> None:
    begun, go_on = anyio.Event(), anyio.Event()

    async def slowly(piece: bytes) -> AsyncIterator[bytes]:
        yield piece[:10]
        begun.set()
        await go_on.wait()
        yield piece[10:]

    async def first(browser: Browser, upload: str) -> None:
        async with browser.piece(upload, 0, slowly(LONG[:1000])) as answer:
            assert (answer.status, answer.headers["Upload-Offset"]) == (409, "2000")

    async with browsing(tmp_path, engine) as browser:
        upload = (await browser.start("a.djvu", LONG))["id"]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first, browser, upload)
            await begun.wait()
            assert await browser.send(upload, 0, LONG[:2000]) == 204
            go_on.set()
        assert await browser.get(f"api/uploads/{upload}") == {"offset": 2000}
        assert (tmp_path / f"task-{upload}.djvu").read_bytes() == LONG[:2000]


async def test_pieces_sent_at_once_never_mix(tmp_path: Path, engine: HandConverter) -> None:
    statuses: list[int] = []

    async def send(browser: Browser, upload: str) -> None:
        statuses.append(await browser.send(upload, 0, LONG[:CHUNK_BYTES]))

    async with browsing(tmp_path, engine) as browser:
        upload = (await browser.start("a.djvu", LONG))["id"]
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(send, browser, upload)
        assert sorted(statuses) == [204, 409, 409, 409, 409]
        assert await browser.get(f"api/uploads/{upload}") == {"offset": CHUNK_BYTES}


async def test_an_unfinished_upload_goes_on_after_a_restart(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as browser:
        upload = (await browser.start("a.djvu", LONG))["id"]
        lost = (await browser.start("b.djvu", DJVU + b"b"))["id"]
        for one in (upload, lost):
            assert await browser.send(one, 0, DJVU) == 204
        cookies = {one.key: one.value for one in browser.http.cookie_jar}
    with (tmp_path / f"task-{upload}.djvu").open("ab") as file:
        file.write(b"written, and never acknowledged")
    (tmp_path / f"task-{lost}.djvu").unlink()
    async with browsing(tmp_path, engine) as browser:
        browser.take_cookies(cookies)
        await browser.open()
        assert await browser.get(f"api/uploads/{upload}") == {"offset": len(DJVU)}
        assert await browser.send(upload, len(DJVU), LONG[len(DJVU) : CHUNK_BYTES]) == 204
        assert await browser.send(upload, CHUNK_BYTES, LONG[CHUNK_BYTES : 2 * CHUNK_BYTES]) == 204
        assert await browser.send(upload, 2 * CHUNK_BYTES, LONG[2 * CHUNK_BYTES :]) == 204
        assert await browser.get(f"api/uploads/{lost}") == {"offset": 0}
        assert await browser.send(lost, 0, DJVU + b"b") == 204
        engine.gate.set()
        for one in (upload, lost):
            await browser.until(one, "ready")
    assert sorted(engine.documents) == sorted([LONG, DJVU + b"b"])


async def test_an_upload_that_nobody_goes_on_with_is_forgotten(
    tmp_path: Path, engine: HandConverter
) -> None:
    clock = ManualClock()
    async with browsing(tmp_path, engine, clock=clock, retention_hours=72) as browser:
        idle = (await browser.start("idle.djvu", LONG))["id"]
        alive = (await browser.start("alive.djvu", LONG))["id"]
        clock.advance(DAY_S - 100)
        await browser.open()
        assert await browser.send(alive, 0, LONG[:100]) == 204
        clock.advance(200)
        await browser.service.files_until(".djvu")
        assert [row["id"] for row in await browser.documents()] == [alive]
        assert await browser.send(idle, 0, LONG[:100]) == 404


async def refusal(browser: Browser, size_bytes: int) -> tuple[int, bool]:
    """Announce a file that is refused; return the status, and whether it says when to try again."""
    new = {"name": "a.djvu", "size_bytes": size_bytes}
    async with browser.write("POST", "api/uploads", json=new) as response:
        problem = await response.json()
        assert response.content_type == "application/problem+json"
        assert problem["status"] == response.status
        return response.status, "Retry-After" in response.headers


async def test_admission_is_that_of_programs(tmp_path: Path, engine: HandConverter) -> None:
    limits = {"max_body_bytes": 1000, "max_queued_per_client": 2, "max_disk_bytes": 5000}
    async with browsing(tmp_path, engine, **limits) as browser:
        assert await refusal(browser, 1001) == (413, False)
        await browser.upload("1.djvu", DJVU + b"1")
        await browser.upload("2.djvu", DJVU + b"2")
        assert await refusal(browser, 10) == (429, True)
        async with another(browser.service) as second, another(browser.service) as third:
            for one in (second, third):
                for number in range(2):
                    await one.start(f"{number}.djvu", bytes(1000))
            async with another(browser.service) as fourth:
                assert await refusal(fourth, 1000) == (507, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 5000},
        {"name": 5},
        {"size_bytes": 0},
        {"size_bytes": -1},
        {"size_bytes": "12"},
        {"size_bytes": 2**70},
        {"sha256": "abc"},
    ],
)
async def test_what_is_announced_badly_is_refused(
    tmp_path: Path, engine: HandConverter, changes: dict[str, object]
) -> None:
    async with browsing(tmp_path, engine) as browser:
        new = {"name": "a.djvu", "size_bytes": 12} | changes
        assert await browser.status("POST", "api/uploads", json=new) == 400
        assert await browser.documents() == []
        assert browser.service.files() == []


@pytest.mark.parametrize(
    ("size", "status"), [("12", 201), ("1" * 4300, 400), ("1" * 4301, 400), ("[" * 9999, 400)]
)
async def test_what_python_does_not_read_is_no_json(
    tmp_path: Path, engine: HandConverter, size: str, status: int
) -> None:
    """A number of more than 4,300 digits it refuses otherwise than what is no number."""
    async with browsing(tmp_path, engine) as browser:
        body = f'{{"name": "a.djvu", "size_bytes": {size}}}'
        headers = {"X-CSRF-Token": browser.csrf, "Content-Type": "application/json"}
        async with browser.http.post("api/uploads", data=body, headers=headers) as response:
            assert response.status == status


async def test_a_body_that_waits_to_be_asked_for_is_asked_for(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as browser:
        new, headers = {"name": "a.djvu", "size_bytes": 12}, {"X-CSRF-Token": browser.csrf}
        asked = browser.http.post("api/uploads", json=new, headers=headers, expect100=True)
        with anyio.fail_after(10):  # of the service's own patience it is half
            async with asked as response:
                assert response.status == 201


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b'"x"', b"\xff", b"[" * 30_000])
async def test_what_is_no_json_is_refused(
    tmp_path: Path, engine: HandConverter, body: bytes
) -> None:
    async with browsing(tmp_path, engine) as browser:
        for content_type, status in (("application/json", 400), ("text/plain", 415)):
            headers = {"X-CSRF-Token": browser.csrf, "Content-Type": content_type}
            async with browser.http.post("api/uploads", data=body, headers=headers) as response:
                assert response.status == status


async def test_any_name_is_kept_as_it_is(tmp_path: Path, engine: HandConverter) -> None:
    names = ["Ünï/çødé 文.djvu", "../../etc/passwd", "<img src=x>.djvu", "a\nb\x00c", "\ud800.djvu"]
    async with browsing(tmp_path, engine) as browser:
        for number, name in enumerate(names):
            await browser.upload(name, DJVU + bytes([number]))
        kept = [row["name"] for row in await browser.documents()]
    assert kept == [*names[:-1], "\N{REPLACEMENT CHARACTER}.djvu"]


async def test_a_full_disk_refuses_a_piece_and_loses_nothing(
    tmp_path: Path, engine: HandConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> bytes:
        raise OutputError("cannot write") from OSError(28, "No space left on device")

    async with browsing(tmp_path, engine) as browser:
        upload = (await browser.start("a.djvu", DJVU))["id"]
        with monkeypatch.context() as patch:
            patch.setattr(uploads, "write_piece", full)
            async with browser.piece(upload, 0, DJVU) as answer:
                assert (answer.status, "Retry-After" in answer.headers) == (507, True)
        assert await browser.get(f"api/uploads/{upload}") == {"offset": 0}
        assert await browser.send(upload, 0, DJVU) == 204
