"""What the loss of pages means for their document: a failure, or blanks and warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.djvu.jobs.parts import PartResult
    from batch_converter.djvu.read.inspect import DjvuInfo

_SHOWN_PAGES: Final = 10


def refuse_known_damage(info: DjvuInfo, options: ConvertOptions) -> None:
    """Raise if the headers alone tell that pages are lost and that is not wanted.

    Raises:
        EngineError: They do; or no page is left.
    """
    lost = [(i + 1, page.fault) for i, page in enumerate(info.pages) if page.fault]
    _refuse_loss(lost, info.page_count, options, tried=False)


def merge_part_results(results: Sequence[PartResult], options: ConvertOptions) -> list[str]:
    """Return the warnings of all parts, those of lost pages first.

    Raises:
        EngineError: Pages are lost and that is not wanted, or none is left.
    """
    lost = [loss for result in results for loss in result.lost]
    _refuse_loss(lost, sum(result.pages for result in results), options, tried=True)
    blanks = [f"page {number} is blank: {reason}" for number, reason in lost]
    return blanks + [warning for result in results for warning in result.warnings]


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
        raise EngineError(f"{_damage_message(lost)}; no page is left to keep")
    if lost and not options.keep_damaged:
        others = "the other page" if left == 1 else f"the other {left} pages"
        kept = f"{'converts' if tried else 'tries'} {others}"
        raise EngineError(
            f"{_damage_message(lost)} (local.on_damage = keep {kept} and leaves a blank for"
            " each lost one)"
        )


def _damage_message(lost: Sequence[tuple[int, str]]) -> str:
    """Name pages by what is the matter with them."""
    by_reason: dict[str, list[int]] = {}
    for number, reason in lost[:_SHOWN_PAGES]:
        by_reason.setdefault(reason, []).append(number)
    message = "; ".join(
        f"{'page' if len(numbers) == 1 else 'pages'} {', '.join(map(str, numbers))}"
        f" cannot be decoded: {reason}"
        for reason, numbers in by_reason.items()
    )
    more = len(lost) - _SHOWN_PAGES
    return f"{message}; and {more} more" if more > 0 else message
