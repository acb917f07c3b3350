"""Does a PDF look like the DjVu that it was made of? Sizes of pages, and whether there is text.

It is for PDFs that others made: what a service has lost or scaled shows here for the
first time. Memory is constant and the cost is bounded, whatever the PDF's size: where a
bound is reached before the answer, nothing is said.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Final

import pikepdf

from batch_converter.output.expected import PageSize
from batch_converter.output.text_search import TextSearch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_converter.output.expected import ExpectedPdf

_TOLERANCE: Final = 0.02
_ROUNDING_PT: Final = 0.5
"""What a program that counts in whole points may be off by: more than 2 % of a tiny page."""

_QUARTER: Final = 90
_HALF: Final = 180


def differences(pdf: pikepdf.Pdf, expected: ExpectedPdf) -> Iterator[str]:
    """Yield in what the PDF differs from what is expected, one sentence each.

    Sizes are compared where both have the same number of pages, for else nobody knows
    which page stands for which.
    """
    if expected.page_sizes and len(expected.page_sizes) == len(pdf.pages):
        yield from _other_sizes(pdf, expected.page_sizes)
    if expected.has_text and TextSearch(pdf).finds_none() and expected.has_text():
        yield "the PDF has no text, and the DjVu has a text layer"


def _other_sizes(pdf: pikepdf.Pdf, wanted: Sequence[PageSize | None]) -> Iterator[str]:
    count, first = 0, ""
    for number, (page, size) in enumerate(zip(pdf.pages, wanted, strict=True), 1):
        found = page_size(page.obj)
        if size and found and not _fits(found, size):
            count += 1
            first = first or f"page {number}: {_told(found)} instead of {_told(size)}"
    if count == 1:
        yield f"a page of the PDF has another size than in the DjVu, {first} points"
    elif count:
        yield f"{count} pages of the PDF have other sizes than in the DjVu, first {first} points"


def _told(size: PageSize) -> str:
    return f"{size.width:.4g} x {size.height:.4g}{'' if size.is_to_scale else ' (in proportion)'}"


def _fits(found: PageSize, wanted: PageSize) -> bool:
    """Whether both sides are as long as wanted; to an unknown scale, at any scale at all."""
    ratios = (found.width / wanted.width, found.height / wanted.height)
    scale = 1.0 if wanted.is_to_scale else 1 / sqrt(ratios[0] * ratios[1])
    return all(
        abs(side * scale - length) <= max(_TOLERANCE * length, _ROUNDING_PT * scale) + 1e-6
        for side, length in zip(found[:2], wanted[:2], strict=True)
    )


def page_size(page: pikepdf.Object) -> PageSize | None:
    """Return how large a page is shown: its crop box, in user units, turned; None if malformed.

    Its inherited attributes must have been brought to it, as `pikepdf.open` does
    (ISO 32000-2, 7.7.3.3 and 14.11.2).
    """
    media = _box(page.get("/MediaBox"))
    if media is None:
        return None
    left, bottom, right, top = _cut(media, _box(page.get("/CropBox")))
    unit = _number(page.get("/UserUnit")) or 1.0
    width, height = (right - left) * unit, (top - bottom) * unit
    if not (width > 0 and height > 0):
        return None
    turn = _number(page.get("/Rotate")) or 0.0
    return PageSize(height, width) if turn % _HALF == _QUARTER else PageSize(width, height)


_Box = tuple[float, float, float, float]


def _cut(media: _Box, crop: _Box | None) -> _Box:
    """Return the part of the media box that is shown: all of it where nothing else makes sense."""
    if crop is None:
        return media
    left, bottom = max(media[0], crop[0]), max(media[1], crop[1])
    right, top = min(media[2], crop[2]), min(media[3], crop[3])
    return (left, bottom, right, top) if left < right and bottom < top else media


def _box(value: object) -> _Box | None:
    """Return left, bottom, right and top, whichever corners are given."""
    if not isinstance(value, pikepdf.Array) or len(value) != 4:  # noqa: PLR2004  # two corners
        return None
    x, y, u, v = (_number(side) for side in value.as_list())
    if x is None or y is None or u is None or v is None:
        return None
    return min(x, u), min(y, v), max(x, u), max(y, v)


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        return None
