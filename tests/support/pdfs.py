"""PDFs and DjVu files for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.testing import blank_pdf
from tests.support.djvu_files import chunk, info, page

if TYPE_CHECKING:
    from pathlib import Path

PAGE_SIZE_PT = (24, 24)
"""Of 100 pixels at 300 dots an inch."""


def pdf_bytes(pages: int = 1, *, filler_bytes: int = 0) -> bytes:
    """Return a PDF of blank pages as large as those of `djvu_bytes`, the same for the same."""
    return blank_pdf(pages, size_points=PAGE_SIZE_PT, filler_bytes=filler_bytes)


def djvu_bytes(*, width: int = 100, height: int = 100, mark: bytes = b"") -> bytes:
    """Return a DjVu of one empty page; `mark` makes its bytes its own."""
    own = [chunk("CIDa", mark)] if mark else []
    return page(info(width=width, height=height), *own)


def make_archive(folder: Path, count: int) -> list[Path]:
    """Write `count` small DjVu files, each with bytes of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        path = folder / f"{number:05}.djvu"
        path.write_bytes(djvu_bytes(mark=b"%05d" % number))
        paths.append(path)
    return paths
