"""PDFs, pictures and the archive of the page."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import anyio
import pytest
from aiohttp import ClientPayloadError

from batch_converter.engines.base import Ready
from batch_converter.errors import EngineError, MachineExhaustedError, NotDjvuError
from batch_converter.server.files import PIECE_BYTES, PdfReader
from batch_converter.server.page import downloads
from batch_converter.server.page.archive import StreamedZip
from tests.support.page_client import browsing
from tests.support.service import DJVU, PDF, HandConverter, pdf_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.page_client import Browser

JPEG = b"\xff\xd8\xff\xe0 made up"


class Painter(HandConverter):
    """Draws pictures when the easel is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate.set()
        self.easel = anyio.Event()
        self.easel.set()
        self.fault: Exception | None = None
        self.drawn: list[bytes] = []
        self.drawing = 0

    async def picture(self, source_path: str, target_path: str) -> None:
        self.drawn.append(await anyio.Path(source_path).read_bytes())
        self.drawing += 1
        await self.easel.wait()
        self.drawing -= 1
        if self.fault:
            raise self.fault
        await anyio.Path(target_path).write_bytes(JPEG)


async def archive_of(browser: Browser) -> zipfile.ZipFile:
    async with browser.http.get("documents.zip") as response:
        assert response.status == 200
        assert response.content_type == "application/zip"
        assert "documents.zip" in response.headers["Content-Disposition"]
        archive = zipfile.ZipFile(io.BytesIO(await response.read()))
    assert archive.testzip() is None
    return archive


@pytest.mark.parametrize(
    ("name", "plain", "full"),
    [
        ("a/b.djvu", "b.pdf", "b.pdf"),
        ("Übung “1”.djvu", "_bung _1_.pdf", "Übung “1”.pdf"),
        ('a"; filename="x.exe.djvu', "a__ filename=_x.exe.pdf", None),
        ("a\r\nSet-Cookie: x.djvu", "a__Set-Cookie_ x.pdf", None),
        ("..", "document.pdf", None),
        ("文.DJVU", "_.pdf", "文.pdf"),
    ],
)
async def test_a_pdf_is_saved_under_its_name(
    tmp_path: Path, engine: HandConverter, name: str, plain: str, full: str | None
) -> None:
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.ready(name)
        async with browser.http.get(f"documents/{document_id}/pdf") as response:
            assert response.content_type == "application/pdf"
            assert response.content_length == len(PDF)
            assert await response.read() == PDF
            kind, simple, extended = response.headers["Content-Disposition"].split("; ", 2)
        assert "Set-Cookie" not in response.headers
        with anyio.fail_after(20):
            while await browser.service.metric("batch_converter_server_tasks_unfetched"):
                pass
    assert kind == "attachment"
    if full is not None:
        assert simple == f'filename="{plain}"'
        assert unquote(extended.removeprefix("filename*=UTF-8''")) == full


async def test_a_link_is_called_as_its_row_and_its_file_as_any_system_takes_it(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.ready("letters/who?.djvu")
        assert (await browser.document(document_id))["pdf_name"] == "letters/who?.pdf"
        async with browser.http.get(f"documents/{document_id}/pdf") as response:
            assert response.content_disposition
            assert response.content_disposition.filename == "who_.pdf"


async def test_a_long_pdf_arrives_whole(tmp_path: Path) -> None:
    engine = HandConverter(pdf=pdf_bytes(3 * PIECE_BYTES + 17))
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.ready("a.djvu")
        async with browser.http.get(f"documents/{document_id}/pdf") as response:
            assert await response.read() == engine.pdf
        async with browser.http.head(f"documents/{document_id}/pdf") as response:
            assert response.content_length == len(engine.pdf)


async def test_there_is_no_pdf_of_what_is_not_ready(tmp_path: Path, engine: HandConverter) -> None:
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.upload("a.djvu")
        assert await browser.status("GET", f"documents/{document_id}/pdf") == 404
        engine.gate.set()
        await browser.until(document_id, "ready")
        (tmp_path / f"task-{document_id}.pdf").unlink()
        assert await browser.status("GET", f"documents/{document_id}/pdf") == 404


async def test_all_pdfs_come_in_one_archive_with_their_folders(tmp_path: Path) -> None:
    engine = HandConverter(pdf=pdf_bytes(2 * PIECE_BYTES + 5))
    names = ["a/b.djvu", "a/B.DJV", "A/b.djvu", "Ünï/文.djvu", "../../etc/x.djvu", "a/b.pdf/c.djvu"]
    async with browsing(tmp_path, engine) as browser:
        for number, name in enumerate(names):
            await browser.ready(name, DJVU + bytes([number]))
        archive = await archive_of(browser)
    assert archive.namelist() == [
        "a/b.pdf",
        "a/B~2.pdf",
        "A/b~3.pdf",
        "Ünï/文.pdf",
        "etc/x.pdf",
        "a/b.pdf~2/c.pdf",
        "MANIFEST.txt",
    ]
    assert {archive.read(name) for name in archive.namelist()[:-1]} == {engine.pdf}
    for info in archive.infolist():
        assert info.compress_type == zipfile.ZIP_STORED
        assert info.flag_bits & 0x800 or info.filename.isascii()
        assert info.external_attr >> 16 == 0o100644
    assert archive.read("MANIFEST.txt").decode().startswith("PDFs in this archive: 6\nFailed: 0\n")


async def test_the_manifest_says_what_is_missing_and_why(tmp_path: Path) -> None:
    engine = HandConverter(EngineError("page 3 is damaged"))
    engine.gate.set()
    async with browsing(tmp_path, engine, workers=1) as browser:
        failed = await browser.upload("bad\nname.djvu")
        await browser.until(failed, "failed")
        engine.outcome = Ready()
        lost = await browser.ready("lost.djvu", DJVU + b"lost")
        await browser.ready("good.djvu", DJVU + b"good")
        engine.gate = anyio.Event()
        await browser.upload("waiting.djvu", DJVU + b"waiting")
        await browser.service.engine_until(running=1)
        (tmp_path / f"task-{lost}.pdf").unlink()
        archive = await archive_of(browser)
    assert archive.namelist() == ["good.pdf", "MANIFEST.txt"]
    assert archive.read("MANIFEST.txt").decode() == (
        "PDFs in this archive: 1\n"
        "Failed: 2\n"
        "  bad\N{REPLACEMENT CHARACTER}name.djvu\n"
        "    engine_error: page 3 is damaged\n"
        "  lost.djvu\n"
        "    unreadable: the PDF is not there any more\n"
        "Not converted: 1\n"
        "  waiting.djvu\n"
        "    converting\n"
    )


async def test_an_archive_of_nothing_is_one(tmp_path: Path, engine: HandConverter) -> None:
    async with browsing(tmp_path, engine) as browser:
        assert (await archive_of(browser)).namelist() == ["MANIFEST.txt"]


async def test_an_archive_beyond_the_old_limits_is_a_zip64(
    tmp_path: Path, engine: HandConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "_AT_ONCE", 2)
    async with browsing(tmp_path, engine) as browser:
        for number in range(5):
            await browser.ready(f"{number}.djvu", DJVU + bytes([number]))
        with monkeypatch.context() as patch:
            patch.setattr(zipfile, "ZIP64_LIMIT", 20)
            patch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
            async with browser.http.get("documents.zip") as response:
                body = await response.read()
    assert b"PK\x06\x06" in body
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 6


async def test_an_archive_that_cannot_be_read_to_its_end_is_cut(tmp_path: Path) -> None:
    engine = HandConverter(pdf=pdf_bytes(PIECE_BYTES))
    async with browsing(tmp_path, engine) as browser:
        one = await browser.ready("a.djvu")
        opened = PdfReader.open

        async def shorter(path: Path, threads: object) -> PdfReader:
            reader = await opened(path, threads)  # type: ignore[arg-type]  # as it was given
            with path.open("r+b") as file:  # a moment, in a test
                file.truncate(PIECE_BYTES // 2)
            return reader

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(PdfReader, "open", shorter)
            async with browser.http.get("documents.zip") as response:
                with pytest.raises(ClientPayloadError):
                    await response.read()
        assert (await browser.document(one))["state"] == "ready"


async def test_a_picture_is_made_once_when_somebody_looks(tmp_path: Path) -> None:
    engine = Painter()
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.ready("a.djvu")
        assert engine.drawn == []
        for _ in range(2):
            async with browser.http.get(f"documents/{document_id}/picture") as response:
                assert response.content_type == "image/jpeg"
                assert await response.read() == JPEG
        assert engine.drawn == [DJVU]
        assert browser.service.files() == [".djvu", ".jpg", ".pdf"]
        assert await browser.status("DELETE", f"api/documents/{document_id}") == 204
        await browser.service.files_until()


async def test_who_looks_at_one_document_shares_its_picture_and_waits_for_no_other(
    tmp_path: Path,
) -> None:
    engine = Painter()
    async with browsing(tmp_path, engine) as browser:
        ids = [await browser.ready(f"{one}.djvu", DJVU + bytes([one])) for one in range(4)]
        engine.easel = anyio.Event()

        async def look(document_id: str) -> None:
            assert await browser.status("GET", f"documents/{document_id}/picture") == 200

        async with anyio.create_task_group() as tasks:
            for one in (*ids, *ids):
                tasks.start_soon(look, one)
            with anyio.fail_after(20):
                while engine.drawing < len(ids):
                    await browser.service.breathe()
            engine.easel.set()
        assert len(engine.drawn) == len(ids)


async def test_a_document_without_a_picture_is_asked_once(tmp_path: Path) -> None:
    engine = Painter()
    engine.fault = NotDjvuError("no first page")
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.ready("a.djvu")
        for _ in range(2):
            assert await browser.status("GET", f"documents/{document_id}/picture") == 404
    assert len(engine.drawn) == 1


async def test_trouble_of_the_machine_is_no_end_of_a_picture(tmp_path: Path) -> None:
    engine = Painter()
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.ready("a.djvu")
        engine.fault = MachineExhaustedError("no process can be had")
        assert await browser.status("GET", f"documents/{document_id}/picture") == 503
        engine.fault = None
        assert await browser.status("GET", f"documents/{document_id}/picture") == 200


async def test_what_is_removed_while_its_picture_is_made_leaves_none(tmp_path: Path) -> None:
    engine = Painter()
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.ready("a.djvu")
        engine.easel = anyio.Event()

        async def look() -> None:
            assert await browser.status("GET", f"documents/{document_id}/picture") == 404

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            with anyio.fail_after(20):
                while not engine.drawing:
                    await browser.service.breathe()
            assert await browser.status("DELETE", f"api/documents/{document_id}") == 204
            engine.easel.set()
        assert browser.service.files() == []


async def test_an_engine_that_draws_nothing_has_no_pictures(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.ready("a.djvu")
        assert await browser.status("GET", f"documents/{document_id}/picture") == 404


async def test_a_browser_that_goes_away_costs_nothing(tmp_path: Path) -> None:
    engine = HandConverter(pdf=pdf_bytes(16 * PIECE_BYTES))
    running = 'batch_converter_server_requests_in_progress{endpoint="send_all"}'
    async with browsing(tmp_path, engine) as browser:
        await browser.ready("a.djvu")
        response = await browser.http.get("documents.zip")
        assert (await response.content.readexactly(4)) == b"PK\x03\x04"
        assert await browser.service.metric(running) == 1
        response.close()
        with anyio.fail_after(20):
            while await browser.service.metric(running):
                pass


class Zeros:
    """Reads as a PDF of so many zeros."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes

    async def read(self, size: int) -> bytes:
        return bytes(size)


async def test_an_archive_holds_a_piece_in_memory_and_no_more() -> None:
    archive = StreamedZip(datetime(1970, 1, 1, tzinfo=UTC))
    reader = cast("PdfReader", Zeros(64 << 20))
    tracemalloc.start()
    sent = 0
    async for piece in archive.entry("a.pdf", reader):
        sent += len(piece)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    sent += len(archive.end())
    assert sent > 64 << 20
    assert peak_bytes < 8 << 20
