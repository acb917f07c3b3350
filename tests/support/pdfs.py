"""PDFs and DjVu files for tests."""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import TYPE_CHECKING

import pikepdf

if TYPE_CHECKING:
    from pathlib import Path

PAGE_SIZE_PT = (24, 24)
"""Of 100 pixels at 300 dots an inch."""


@cache
def pdf_bytes(pages: int = 1, *, filler_bytes: int = 0) -> bytes:
    """Return a PDF of blank pages as large as those of `djvu_bytes`, the same for the same."""
    out = io.BytesIO()
    with pikepdf.new() as pdf:
        for _ in range(pages):
            pdf.add_blank_page(page_size=PAGE_SIZE_PT)
        if filler_bytes:
            pdf.Root.Filler = pdf.make_stream(b"x" * filler_bytes)
        pdf.save(out, deterministic_id=True, compress_streams=False)
    return out.getvalue()


def djvu_bytes(*, width: int = 100, height: int = 100, mark: bytes = b"") -> bytes:
    """Return a DjVu of one empty page; `mark` makes its bytes its own."""
    info = struct.pack(">HHBBHBB", width, height, 24, 0, 300, 22, 1)
    chunks = [(b"INFO", info)]
    if mark:
        chunks.append((b"CIDa", mark))
    body = b"DJVU" + b"".join(
        kind + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in chunks
    )
    return b"AT&TFORM" + struct.pack(">I", len(body)) + body


def make_archive(folder: Path, count: int) -> list[Path]:
    """Write `count` small DjVu files, each with bytes of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        path = folder / f"{number:05}.djvu"
        path.write_bytes(djvu_bytes(mark=b"%05d" % number))
        paths.append(path)
    return paths
