"""A page's size, resolution and rotation, and rectangles on it.

A DjVu page is stored one way and may be shown turned. Pictures and text are
counted on the stored page, annotations on the shown one; both from the lower left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from typing import Self

    from batch_converter.djvu.read.inspect import PageInfo

POINTS_AN_INCH: Final = 72
_QUARTER: Final = 90
_HALF: Final = 180
_THREE_QUARTERS: Final = 270


class Box(NamedTuple):
    """A rectangle in pixels from a lower left corner; a tuple, for there are very many."""

    left: float
    bottom: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """A page.

    Attributes:
        width: Pixels of the stored page.
        height: Pixels of the stored page.
        rotation_deg: How far it is turned counter-clockwise to be shown.
    """

    width: int
    height: int
    dpi: int
    rotation_deg: int = 0

    @classmethod
    def of(cls, page: PageInfo) -> Self:
        """Take what a page's headers say."""
        return cls(
            width=page.width, height=page.height, dpi=page.dpi, rotation_deg=page.rotation_deg
        )

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height in pixels as the page is shown."""
        if self.rotation_deg in {_QUARTER, _THREE_QUARTERS}:
            return self.height, self.width
        return self.width, self.height

    @property
    def shown_to_stored(self) -> tuple[int, int, int, int, int, int]:
        """The PDF matrix that takes places on the shown page to the stored one."""
        return {
            _QUARTER: (0, -1, 1, 0, 0, self.height),
            _HALF: (-1, 0, 0, -1, self.width, self.height),
            _THREE_QUARTERS: (0, 1, -1, 0, self.width, 0),
        }.get(self.rotation_deg, (1, 0, 0, 1, 0, 0))

    def stored(self, box: Box) -> Box:
        """Return a box of the shown page as it lies on the stored one."""
        if not self.rotation_deg:
            return box
        a, b, c, d, e, f = self.shown_to_stored
        xs = [a * u + c * v + e for u, v in _corners(box)]
        ys = [b * u + d * v + f for u, v in _corners(box)]
        return _around(xs, ys)

    def shown(self, box: Box) -> Box:
        """Return a box of the stored page as it lies on the shown one."""
        if not self.rotation_deg:
            return box
        a, b, c, d, e, f = self.shown_to_stored
        us = [a * (x - e) + b * (y - f) for x, y in _corners(box)]
        vs = [c * (x - e) + d * (y - f) for x, y in _corners(box)]
        return _around(us, vs)


def _corners(box: Box) -> list[tuple[float, float]]:
    return [(box.left, box.bottom), (box.left + box.width, box.bottom + box.height)]


def _around(xs: list[float], ys: list[float]) -> Box:
    return Box(left=min(xs), bottom=min(ys), width=max(xs) - min(xs), height=max(ys) - min(ys))
