"""How a document is cut into parts, each drawn by itself.

Each part stands for itself, so a long document needs the memory of one part and
several workers can share it; the cuts depend on nothing but page numbers, so
the bytes are the same whoever did the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGES_A_PART: Final = 16
"""What shares shapes: of a long book's masks 8 make 5 % more, all pages in one 9 % less."""

_MOST_PARTS: Final = 32


SPARE_BYTES_A_PART: Final = 64 << 10
"""What a part may have beyond its share of the PDF: a file's head and end, a font, facts."""


def parts_of(page_count: int, *, max_pages: int | None = None) -> list[range]:
    """Cut a document into runs of 0-based page numbers.

    Each part looks at the whole directory, so there are not too many of them.

    Args:
        page_count: Pages of the document.
        max_pages: Of each part, where others are not to wait for long ones.
    """
    size = max(PAGES_A_PART, -(-page_count // _MOST_PARTS))
    if max_pages is not None:
        size = min(size, max_pages)
    return [range(start, min(start + size, page_count)) for start in range(0, page_count, size)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartResult:
    """What became of the pages of one part.

    Attributes:
        pages: How many it has.
        lost: Page number (from 1) and reason of each page that cannot be decoded.
        warnings: What else was lost, one sentence each.
    """

    pages: int
    lost: Sequence[tuple[int, str]] = ()
    warnings: Sequence[str] = ()
