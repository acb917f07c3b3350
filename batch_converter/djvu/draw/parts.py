"""How a document is cut into parts, and what the fate of their pages means for it.

Each part stands for itself, so a long document needs the memory of one part and
several workers can share it; the cuts depend on nothing but page numbers, so
the bytes are the same whoever did the work. Nothing here decodes or draws: the
process that drives the run imports this, and its workers the rest.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.djvu.draw.options import ConvertOptions
    from batch_converter.djvu.read.inspect import DjvuInfo

PAGES_A_PART: Final = 8
_MOST_PARTS: Final = 32
_SHOWN_PAGES: Final = 10


def parts_of(page_count: int) -> list[range]:
    """Cut a document into runs of 0-based page numbers.

    Each part looks at the whole directory, so there are not too many of them.
    """
    size = max(PAGES_A_PART, -(-page_count // _MOST_PARTS))
    return [range(start, min(start + size, page_count)) for start in range(0, page_count, size)]


def refuse_known_damage(info: DjvuInfo, options: ConvertOptions) -> None:
    """Raise if the headers alone tell that pages are lost and that is not wanted.

    Raises:
        EngineError: They do; or no page is left.
    """
    lost = [(i + 1, page.fault) for i, page in enumerate(info.pages) if page.fault]
    _refuse_loss(lost, info.page_count, options, tried=False)


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


def part_names(target: str | os.PathLike[str], count: int) -> list[str]:
    """Where the parts of a document lie until they are put together: beside `target`."""
    return [f"{os.fspath(target)}.{number}.part" for number in range(count)]


def text_name(path: str | os.PathLike[str]) -> str:
    """Where the PDF with text lies until it takes the place of the one without."""
    return f"{os.fspath(path)}.ocr"


def settle(results: Sequence[PartResult], options: ConvertOptions) -> list[str]:
    """Decide what lost pages mean; returns all warnings.

    Raises:
        EngineError: Pages are lost and that is not wanted, or none is left.
    """
    lost = [loss for result in results for loss in result.lost]
    _refuse_loss(lost, sum(result.pages for result in results), options, tried=True)
    told = [f"page {number} is blank: {reason}" for number, reason in lost]
    return told + [warning for result in results for warning in result.warnings]


def _refuse_loss(
    lost: Sequence[tuple[int, str]],
    page_count: int,
    options: ConvertOptions,
    *,
    tried: bool,
) -> None:
    """Raise where loss is not wanted, or all is lost, with advice that holds.

    Args:
        lost: Page number and reason.
        page_count: Of the whole document.
        options: Whether loss is wanted.
        tried: Whether the other pages are known to be whole.
    """
    left = page_count - len(lost)
    if not left:
        raise EngineError(f"{_told(lost)}; no page is left to keep")
    if lost and not options.keep_damaged:
        others = "the other page" if left == 1 else f"the other {left} pages"
        kept = f"{'converts' if tried else 'tries'} {others}"
        raise EngineError(
            f"{_told(lost)} (local.on_damage = keep {kept} and leaves a blank for each lost one)"
        )


def _told(lost: Sequence[tuple[int, str]]) -> str:
    """Name pages by what is the matter with them."""
    by_reason: dict[str, list[int]] = {}
    for number, reason in lost[:_SHOWN_PAGES]:
        by_reason.setdefault(reason, []).append(number)
    told = "; ".join(
        f"{'page' if len(numbers) == 1 else 'pages'} {', '.join(map(str, numbers))}"
        f" cannot be decoded: {reason}"
        for reason, numbers in by_reason.items()
    )
    more = len(lost) - _SHOWN_PAGES
    return f"{told}; and {more} more" if more > 0 else told


def remove_parts(paths: Sequence[str]) -> None:
    """Remove part files, and what OCR began beside them; what is not there is no error."""
    for name in (name for path in paths for name in (path, text_name(path))):
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108  # surrogates
