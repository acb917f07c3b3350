"""What a document's PDF should be like, as its DjVu tells now. Blocks."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from batch_converter.djvu.draw.geometry import POINTS_AN_INCH
from batch_converter.djvu.read.inspect import inspect
from batch_converter.djvu.read.text_presence import has_words
from batch_converter.errors import FileError
from batch_converter.output import ExpectedPdf, PageSize

if TYPE_CHECKING:
    from batch_converter.djvu.read.inspect import PageInfo
    from batch_converter.models import Document

_ON_ITS_SIDE_DEG: Final = frozenset({90, 270})


class Expectation(NamedTuple):
    """What is expected of a PDF, and what is amiss in its DjVu, one sentence each."""

    pdf: ExpectedPdf
    warnings: tuple[str, ...] = ()


def expectation(document: Document, path: str) -> Expectation:
    """Look at the DjVu again, when its PDF is there.

    Sizes of pages need not be kept while a document is out at a service, perhaps since
    an earlier run, which may have counted pages in another way. A DjVu that has changed
    or gone meanwhile tells nothing any more but what the ledger holds. What is amiss in
    it may have been found by an earlier run, which had no report yet to tell it in.

    Args:
        document: As its bytes were sent.
        path: Where those bytes are: its own file, or its bundled form.
    """
    known = Expectation(ExpectedPdf(pages=document.pages))
    try:
        if not _is_unchanged(document):
            return known
        info = inspect(path)
    except (FileError, OSError):
        return known
    pdf = ExpectedPdf(
        pages=info.certain_page_count,
        page_sizes=[_size(page) for page in info.pages],
        has_text=partial(has_words, path) if info.has_text else None,
    )
    return Expectation(pdf, info.warnings)


def _is_unchanged(document: Document) -> bool:
    status = os.stat(document.path)  # noqa: PTH116  # a path as str, its bytes kept
    return (status.st_size, status.st_mtime_ns) == (document.size_bytes, document.mtime_ns)


def _size(page: PageInfo) -> PageSize | None:
    """Return a page's size; in pixels, as a proportion, where it states no sensible resolution."""
    if not (page.width and page.height):
        return None
    is_to_scale = page.dpi == page.stated_dpi
    scale = POINTS_AN_INCH / page.dpi if is_to_scale else 1.0
    width, height = page.width * scale, page.height * scale
    is_turned = page.rotation_deg in _ON_ITS_SIDE_DEG
    return PageSize(*((height, width) if is_turned else (width, height)), is_to_scale)
