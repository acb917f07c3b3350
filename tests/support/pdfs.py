"""PDFs and DjVu files for tests."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from batch_converter.testing import blank_pdf

if TYPE_CHECKING:
    from pathlib import Path

PAGE_SIZE_PT = (24, 24)
"""Of 100 pixels at 300 dots an inch."""


def pdf_bytes(pages: int = 1, *, filler_bytes: int = 0) -> bytes:
    """Return a PDF of blank pages as large as those of `djvu_bytes`, the same for the same."""
    return blank_pdf(pages, size_points=PAGE_SIZE_PT, filler_bytes=filler_bytes)


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
