"""Shapes made to stand on the lines of their text, by clear rows below them.

A text region puts what ends in the same row into one strip, where a place costs a few bits.
Commas and letters that reach below the line leave their strip, and tear a gap into it. With
clear rows below all others, which cost next to nothing, a line is one strip: masks of five
typed documents became smaller by 5 to 20 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from batch_converter.djvu.kernels.shapes import BITS, Shapes

if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from batch_converter.djvu.kernels.jbig2_segments import Placements

_FEWEST_USES: Final = 3
"""Of a shape, on average: where they are fewer, what places save the heights of shapes cost.

At 1 to 2.2 uses masks became larger, by 2 to 11 %, at 3.5 and more smaller, by 1 to 20 %.
"""

_ROUNDS: Final = 2
_WIDEST_GAP: Final = 60
_HEIGHTS_APART: Final = 4
_HIGHEST: Final = 150
_OUTLIERS: Final = 100


def on_baselines(shapes: Shapes, pages: Sequence[tuple[Placements, int]]) -> Shapes:
    """Return shapes of the same numbers, with clear rows below; their places stay as they are.

    Args:
        shapes: All there are.
        pages: Where they are put on each, in the order of reading, and the page's height: below it
            no shape comes to lie that did not before.
    """
    uses = np.zeros(len(shapes), np.int64)
    for placements, _ in pages:
        uses += np.bincount(_array(placements.numbers), minlength=len(shapes))
    if not uses.any() or uses.sum() < _FEWEST_USES * np.count_nonzero(uses):
        return shapes
    depths = _depths(_rises(_neighbours(shapes, pages)), uses)
    rooms = np.full(len(shapes), _HIGHEST)
    for placements, height in pages:
        numbers = _array(placements.numbers)
        ends = _array(placements.tops) + _array(shapes.heights)[numbers]
        np.minimum.at(rooms, numbers, height - ends)
    return _deepened(shapes, np.minimum(depths, np.maximum(rooms, 0)))


def _array(numbers: array[int]) -> NDArray[np.int64]:
    return np.frombuffer(numbers, np.int64)


class _Neighbour(NamedTuple):
    """A shape that stands beside another, how much lower it ends, and how often so."""

    number: int
    lower: int
    times: int


def _neighbours(
    shapes: Shapes, pages: Sequence[tuple[Placements, int]]
) -> dict[int, list[_Neighbour]]:
    """Tell who stands beside each shape: a line of the same letters over and over is one entry."""
    pairs = [_pairs(shapes, placements) for placements, _ in pages]
    firsts, seconds, lowers = (np.concatenate(column) for column in zip(*pairs, strict=True))
    both = np.concatenate((firsts, seconds)), np.concatenate((seconds, firsts))
    lower = np.concatenate((lowers, -lowers)) + _HIGHEST
    sizes = len(shapes), len(shapes), 2 * _HIGHEST + 1
    found, counts = np.unique(np.ravel_multi_index((*both, lower), sizes), return_counts=True)
    columns = [column.tolist() for column in np.unravel_index(found, sizes)]
    neighbours: dict[int, list[_Neighbour]] = {}
    for number, other, shifted, times in zip(*columns, counts.tolist(), strict=True):
        neighbours.setdefault(number, []).append(_Neighbour(other, shifted - _HIGHEST, times))
    return neighbours


def _rises(neighbours: Mapping[int, Sequence[_Neighbour]]) -> dict[int, int]:
    """Tell how far each shape's last row is above where its neighbours have theirs, mostly."""
    rises = dict.fromkeys(neighbours, 0)
    for _ in range(_ROUNDS):
        for number, others in neighbours.items():
            found: dict[int, int] = {}
            for other, lower, times in others:
                rise = rises[other] + lower
                found[rise] = found.get(rise, 0) + times
            rises[number] = max(found, key=lambda rise: (found[rise], -abs(rise), rise))
    return rises


def _pairs(shapes: Shapes, placements: Placements) -> tuple[NDArray[np.int64], ...]:
    """Tell shapes that follow each other in a line, and how much lower the second one ends."""
    numbers = _array(placements.numbers)
    heights = _array(shapes.heights)[numbers]
    seen = (heights > 0) & (heights < _HIGHEST) & (_array(shapes.widths)[numbers] > 0)
    numbers, heights = numbers[seen], heights[seen]
    right = np.diff(_array(placements.lefts)[seen])
    lower = np.diff(_array(placements.tops)[seen] + heights)
    taller = np.maximum(heights[1:], heights[:-1])
    is_next = (right >= 0) & (right < _HEIGHTS_APART * taller + _WIDEST_GAP)
    is_next &= np.abs(lower) <= taller
    return numbers[:-1][is_next], numbers[1:][is_next], lower[is_next]


def _depths(rises: Mapping[int, int], uses: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tell how many rows each shape needs to reach down to those that reach lowest."""
    ordered = sorted(rises, key=lambda number: rises[number])
    total = sum(int(uses[number]) for number in ordered)
    lowest, highest = 0, 0
    before = 0
    for number in ordered:
        if before * _OUTLIERS <= total:
            lowest = rises[number]
        if before * _OUTLIERS <= total * (_OUTLIERS - 1):
            highest = rises[number]
        before += int(uses[number])
    depths = np.zeros(len(uses), np.int64)
    for number, rise in rises.items():
        if lowest < rise <= highest:
            depths[number] = rise - lowest
    return depths


def _deepened(shapes: Shapes, depths: NDArray[np.int64]) -> Shapes:
    found = Shapes()
    sizes = zip(shapes.widths, shapes.heights, depths.tolist(), strict=True)
    for number, (width, height, depth) in enumerate(sizes):
        found.add(width, height + depth, shapes.rows(number) + bytes(-(-width // BITS) * depth))
    return found
