"""Areas of any shape as stacks of quadrilaterals, which is what a PDF link can be made of.

Readers differ: some heed a quadrilateral's edges, some only the rectangle around it
(pdf.js), some neither. Flat strips are exact for the first and close for the second.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_converter.djvu.read.mapareas import Point

Quad = tuple["Point", "Point", "Point", "Point"]

_STRIPS: Final = 24
_OVAL_CORNERS: Final = 48
_MAX_CORNERS: Final = 1000
_MAX_STRIPS: Final = 10_000
"""A zigzag of as many corners as may be takes 250,000, half a gigabyte as parts of a PDF."""

_LEAST_REACH: Final = 4


def polygon_strips(corners: Sequence[Point]) -> list[Quad]:
    """Cut a polygon, by its even-odd inside, into flat trapezoids.

    Empty where it has no inside, or where it has more corners or takes more strips than are
    worth the time and the room: a link is its box then.

    Returns:
        Corners of each: upper left, upper right, lower left, lower right.
    """
    if len(corners) > _MAX_CORNERS:
        return []
    levels = sorted({y for _, y in corners})
    edges = [e for e in zip(corners, [*corners[1:], corners[0]], strict=True) if e[0][1] != e[1][1]]
    height = levels[-1] - levels[0]
    strips: list[Quad] = []
    for low, high in pairwise(levels):
        sides = sorted(
            (_x_at(edge, (low + high) / 2), edge)
            for edge in edges
            if min(edge[0][1], edge[1][1]) <= low and high <= max(edge[0][1], edge[1][1])
        )
        for (_, left), (_, right) in zip(sides[0::2], sides[1::2], strict=False):
            upright = all(start[0] == end[0] for start, end in (left, right))
            count = 1 if upright else math.ceil(_STRIPS * (high - low) / height)
            strips += _cut(left, right, low, high, count)
        if len(strips) > _MAX_STRIPS:
            return []
    return strips


def _cut(
    left: tuple[Point, Point], right: tuple[Point, Point], low: float, high: float, count: int
) -> Iterator[Quad]:
    for i in range(count):
        lower = low + (high - low) * i / count
        upper = low + (high - low) * (i + 1) / count
        yield (
            (_x_at(left, upper), upper),
            (_x_at(right, upper), upper),
            (_x_at(left, lower), lower),
            (_x_at(right, lower), lower),
        )


def _x_at(edge: tuple[Point, Point], y: float) -> float:
    (x0, y0), (x1, y1) = edge
    return x0 + (x1 - x0) * (y - y0) / (y1 - y0)


def oval_corners(left: float, bottom: float, right: float, top: float) -> list[Point]:
    """Return a polygon that fills the ellipse in a rectangle as well as eyes can tell."""
    angles = [2 * math.pi * i / _OVAL_CORNERS for i in range(_OVAL_CORNERS)]
    x, y, a, b = (left + right) / 2, (bottom + top) / 2, (right - left) / 2, (top - bottom) / 2
    return [(x + a * math.cos(angle), y + b * math.sin(angle)) for angle in angles]


def line_corners(start: Point, end: Point, width: float) -> list[Point]:
    """Return the corners of a line as wide as can be hit."""
    reach = max(width / 2, _LEAST_REACH)
    (x0, y0), (x1, y1) = start, end
    length = math.hypot(x1 - x0, y1 - y0)
    dx, dy = (
        (reach, 0.0) if not length else ((x1 - x0) / length * reach, (y1 - y0) / length * reach)
    )
    return [
        (x0 - dx - dy, y0 - dy + dx),
        (x1 + dx - dy, y1 + dy + dx),
        (x1 + dx + dy, y1 + dy - dx),
        (x0 - dx + dy, y0 - dy - dx),
    ]
