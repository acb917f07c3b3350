"""Shapes made to stand on the lines of their text, by clear rows below them.

A text region puts what ends in the same row into one strip, where a place costs a few bits.
Commas and letters that reach below the line leave their strip, and tear a gap into it. With
clear rows below all others, which cost next to nothing, a line is one strip: masks of five
typed documents became smaller by 5 to 20 %.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from batch_converter.djvu.kernels.compiling import kernel
from batch_converter.djvu.kernels.integers import buffer_of, view_of

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

    from numpy.typing import NDArray

    from batch_converter.djvu.kernels.jbig2_segments import Placements
    from batch_converter.djvu.kernels.shapes import Shapes

_FEWEST_USES: Final = 3
"""Of a shape, on average: where they are fewer, what places save the heights of shapes cost.

At 1 to 2.2 uses masks became larger, by 2 to 11 %, at 3.5 and more smaller, by 1 to 20 %.
"""

_ROUNDS: Final = 2
_WIDEST_GAP: Final = 60
_HEIGHTS_APART: Final = 4
_HIGHEST: Final = 150
_LARGEST_RISE: Final = 1 << 9
VOTES: Final = 2 * _LARGEST_RISE + 1
"""Rises that are told apart."""
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
        uses += np.bincount(view_of(placements.numbers), minlength=len(shapes))
    if not uses.any() or uses.sum() < _FEWEST_USES * np.count_nonzero(uses):
        return shapes
    neighbours = _neighbours(shapes, pages)
    depths = _depths(neighbours, _rises(neighbours, len(shapes)), uses)
    if not depths.any():
        return shapes
    rooms = np.full(len(shapes), _HIGHEST)
    for placements, height in pages:
        numbers = view_of(placements.numbers)
        ends = view_of(placements.tops) + view_of(shapes.heights)[numbers]
        np.minimum.at(rooms, numbers, height - ends)
    return shapes.chosen(np.arange(len(shapes)), np.minimum(depths, np.maximum(rooms, 0)))


class _Neighbours(NamedTuple):
    """Shapes that stand beside others: a line of the same letters over and over is one entry.

    Attributes:
        numbers: Of the shapes, ascending.
        others: What stands beside each.
        lower: How much lower that ends.
        times: How often it does so.
    """

    numbers: array[int]
    others: array[int]
    lower: array[int]
    times: array[int]


def _neighbours(shapes: Shapes, pages: Sequence[tuple[Placements, int]]) -> _Neighbours:
    pairs = [_pairs(shapes, placements) for placements, _ in pages]
    firsts, seconds, lowers = (np.concatenate(column) for column in zip(*pairs, strict=True))
    both = np.concatenate((firsts, seconds)), np.concatenate((seconds, firsts))
    lower = np.concatenate((lowers, -lowers)) + _HIGHEST
    sizes = len(shapes), len(shapes), 2 * _HIGHEST + 1
    found, times = np.unique(np.ravel_multi_index((*both, lower), sizes), return_counts=True)
    numbers, others, lower = np.unravel_index(found, sizes)
    return _Neighbours(*map(buffer_of, (numbers, others, lower - _HIGHEST, times)))


def _rises(neighbours: _Neighbours, shapes: int) -> NDArray[np.int64]:
    """Tell how far each shape's last row is above where its neighbours have theirs, mostly."""
    rises = array("q", bytes(8 * shapes))
    votes = array("q", bytes(8 * VOTES))
    for _ in range(_ROUNDS):
        settle_rises(*neighbours, rises, votes)
    return view_of(rises)


@kernel
def settle_rises(  # noqa: PLR0917  # buffers, for a compiler
    numbers: MutableSequence[int],
    others: MutableSequence[int],
    lower: MutableSequence[int],
    times: MutableSequence[int],
    rises: MutableSequence[int],
    votes: MutableSequence[int],
) -> None:
    """Set each shape's rise to what most of its neighbours say, one shape after the other.

    Args:
        numbers: Of `_Neighbours`, as what follows.
        others: The same.
        lower: The same.
        times: The same.
        rises: Of all shapes.
        votes: Room for one number a rise; zeros, before and after.
    """
    end = 0
    while end < len(numbers):
        first = end
        best = 0
        most = 0
        while end < len(numbers) and numbers[end] == numbers[first]:
            rise = rises[others[end]] + lower[end]
            rise = min(max(rise, -_LARGEST_RISE), _LARGEST_RISE)
            votes[rise + _LARGEST_RISE] += times[end]
            end += 1
        for place in range(first, end):
            rise = rises[others[place]] + lower[place]
            rise = min(max(rise, -_LARGEST_RISE), _LARGEST_RISE)
            count = votes[rise + _LARGEST_RISE]
            votes[rise + _LARGEST_RISE] = 0
            nearer = abs(rise) < abs(best) or (abs(rise) == abs(best) and rise > best)
            if count > most or (count == most and nearer):
                best = rise
                most = count
        rises[numbers[first]] = best


def _pairs(shapes: Shapes, placements: Placements) -> tuple[NDArray[np.int64], ...]:
    """Tell shapes that follow each other in a line, and how much lower the second one ends."""
    numbers = view_of(placements.numbers)
    heights = view_of(shapes.heights)[numbers]
    seen = (heights > 0) & (heights < _HIGHEST) & (view_of(shapes.widths)[numbers] > 0)
    numbers, heights = numbers[seen], heights[seen]
    right = np.diff(view_of(placements.lefts)[seen])
    lower = np.diff(view_of(placements.tops)[seen] + heights)
    taller = np.maximum(heights[1:], heights[:-1])
    is_next = (right >= 0) & (right < _HEIGHTS_APART * taller + _WIDEST_GAP)
    is_next &= np.abs(lower) <= taller
    return numbers[:-1][is_next], numbers[1:][is_next], lower[is_next]


def _depths(
    neighbours: _Neighbours, rises: NDArray[np.int64], uses: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Tell how many rows each shape needs to reach down to those that reach lowest."""
    depths = np.zeros(len(uses), np.int64)
    numbers = np.unique(view_of(neighbours.numbers))
    if not numbers.size:
        return depths
    order = numbers[np.argsort(rises[numbers], kind="stable")]
    before = np.cumsum(uses[order]) - uses[order]
    total = int(uses[order].sum())
    lowest = rises[order][before * _OUTLIERS <= total][-1]
    highest = rises[order][before * _OUTLIERS <= total * (_OUTLIERS - 1)][-1]
    chosen = order[(rises[order] > lowest) & (rises[order] <= highest)]
    depths[chosen] = rises[chosen] - lowest
    return depths
