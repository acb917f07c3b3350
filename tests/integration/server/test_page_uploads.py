"""Files on their way in through the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.server.page.uploads import CHUNK_BYTES
from tests.support.page_client import browsing
from tests.support.service import DJVU, HandConverter

if TYPE_CHECKING:
    from pathlib import Path

LONG = DJVU + bytes(range(256)) * 4096


async def test_a_file_in_pieces_becomes_a_document(tmp_path: Path, engine: HandConverter) -> None:
    async with browsing(tmp_path, engine) as browser:
        started = await browser.start("a/b.djvu", LONG)
        assert started["offset"] == 0
        upload = started["id"]
        for offset in range(0, len(LONG), CHUNK_BYTES):
            row = await browser.document(upload)
            assert (row["state"], row["received_bytes"]) == ("uploading", offset)
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
