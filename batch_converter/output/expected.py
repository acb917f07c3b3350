"""What a PDF should be like, by the DjVu that it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class PageSize(NamedTuple):
    """A page as it is shown, width and height in points, or None where nobody can know.

    Where the DjVu states no sensible resolution, only the proportion of the two is
    known: then `is_to_scale` is False.
    """

    width: float
    height: float
    is_to_scale: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPdf:
    """What is known of a PDF before it is looked at; what is not known agrees with everything.

    Attributes:
        pages: How many pages the DjVu has.
        page_sizes: Of those pages, in order; None for one without a usable size. Empty
            where sizes are not to be compared.
        has_text: Whether the DjVu has words in a text layer: asked only where the PDF turns
            out to have none, for that is rare and the answer takes reading. None where
            text is not to be looked for.
    """

    pages: int | None = None
    page_sizes: Sequence[PageSize | None] = ()
    has_text: Callable[[], bool] | None = None
