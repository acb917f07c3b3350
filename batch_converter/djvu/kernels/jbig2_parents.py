"""Which shapes are encoded by how they differ from others, and where those lie on them.

Letters of a scan are alike and seldom equal. Shapes of nearly the same size are laid upon each
other by their middles, and the one with the fewest pixels that differ is the parent, if
these are few against the edges of the shape: along edges pixels are hard to foretell, so
they are what a shape without a parent costs. Over nine documents the masks became smaller
by up to 20 %, by 3 % in the middle; with the parents that JB2 streams name it was no more.

A shape is one integer here, all its rows one after the other, so that Python compares two of
them in a third of a microsecond; it takes no kernel.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_converter.djvu.kernels.shapes import Shapes

_MARGIN: Final = 2
"""Clear pixels around each shape; two may differ as much in width and in height."""

_BITS: Final = 8
_ROW_BITS: Final = 64
_LARGEST: Final = 4 * _ROW_BITS - 2 * _MARGIN
_LOWEST: Final = 3
"""pdfium takes a parent that is moved by as many rows as it has for one that is not moved."""

_COMPARED: Final = 64
"""Shapes of a height that one is compared with, at most: so time grows with their number."""

_SMALLER: Final = (0, -1, -2)
_ANY: Final = (0, -1, 1, -2, 2)
_STEPS: Final = (0, -1, 1)
_STEP_COST: Final = 3
_OWN_COST: Final = 20
_DIFFERENCE_COST: Final = 2
"""Costs in edges, of a parent's name and of each pixel that differs; the best of those tried."""

_WORTH_A_SEGMENT: Final = 500
"""What all must save, in edges, for a segment of their own, whose contexts begin anew."""


def _numbers() -> array[int]:
    return array("q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinements:
    """Shapes in the order in which they are encoded, and what they are refined from.

    Attributes:
        order: Their numbers, by height, then width.
        parents: For each of them, that of its parent.
        rights: Columns of the parents' left edges in the shapes.
        downs: Rows of the parents' first rows in the shapes.
    """

    order: array[int] = field(default_factory=_numbers)
    parents: array[int] = field(default_factory=_numbers)
    rights: array[int] = field(default_factory=_numbers)
    downs: array[int] = field(default_factory=_numbers)

    def __len__(self) -> int:
        return len(self.order)


class _Size(NamedTuple):
    """What shapes that lie side by side have in common."""

    row_bits: int
    height: int


@dataclass(slots=True)
class _Group:
    """Shapes by width; their middle columns are in the middle of the rows of their integers."""

    numbers: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    pixels: list[int] = field(default_factory=list)


class _Match(NamedTuple):
    """What differs from a shape in the fewest pixels."""

    differing: int
    parent: int
    width: int
    pixels: int
    height: int


class Candidates:
    """Shapes that others may be refined from.

    Args:
        shapes: All there are.
        numbers: Which of them, by height, then width.
    """

    def __init__(self, shapes: Shapes, numbers: Sequence[int]) -> None:
        self._groups: dict[_Size, _Group] = {}
        for number in numbers:
            width, height = shapes.widths[number], shapes.heights[number]
            if height >= _LOWEST and max(width, height) <= _LARGEST:
                size = _Size(-(-(width + 2 * _MARGIN) // _ROW_BITS) * _ROW_BITS, height)
                group = self._groups.setdefault(size, _Group())
                group.numbers.append(number)
                group.widths.append(width)
                group.pixels.append(_integer(shapes.rows(number), width, size.row_bits))

    def sizes(self) -> Iterator[tuple[_Size, _Group]]:
        """Tell all shapes by their sizes."""
        yield from self._groups.items()

    def group(self, row_bits: int, height: int) -> _Group | None:
        """Return the shapes of a size."""
        return self._groups.get(_Size(row_bits, height))


def _integer(rows: bytes, width: int, row_bits: int) -> int:
    stride = -(-width // _BITS)
    filler = bytes(row_bits // _BITS - stride)
    whole = b"".join(rows[at : at + stride] + filler for at in range(0, len(rows), stride))
    middle = row_bits // 2 - (width - 1) // 2
    return int.from_bytes(whole) << _MARGIN * row_bits >> middle


def chosen_refinements(own: Candidates, known: Candidates | None) -> Refinements:
    """Choose which shapes are refined from which; none where all together save too little.

    Args:
        own: What is to be encoded. A parent comes before what is refined from it.
        known: What is there already.
    """
    found: list[tuple[int, int, int, int, int, int]] = []
    saved = 0
    for size, group in own.sizes():
        for place, number in enumerate(group.numbers):
            match = _best(size, place, group, own, known)
            if match is None:
                continue
            differing, right, down = _aligned(size, group.pixels[place], match)
            gain = _edges(group.pixels[place], size.row_bits)
            gain -= _DIFFERENCE_COST * differing + _OWN_COST
            if gain > 0:
                saved += gain
                width = group.widths[place]
                right += (width - 1) // 2 - (match.width - 1) // 2
                down += size.height // 2 - match.height // 2
                found.append((size.height, width, number, match.parent, right, down))
    if saved < _WORTH_A_SEGMENT:
        return Refinements()
    columns = list(zip(*sorted(found), strict=True))
    order, parents, rights, downs = (array("q", column) for column in columns[2:])
    return Refinements(order=order, parents=parents, rights=rights, downs=downs)


def _best(
    size: _Size, place: int, group: _Group, own: Candidates, known: Candidates | None
) -> _Match | None:
    """Find the shape that differs in the fewest pixels, the first such."""
    best: _Match | None = None
    for height, others in _neighbours(size, own, known):
        end = place if others is group else len(others.widths)
        pixels = _moved(group.pixels[place], _level(size, height) * size.row_bits)
        for other in _range(others.widths, group.widths[place], end):
            differing = (others.pixels[other] ^ pixels).bit_count()
            if best is None or differing < best.differing:
                best = _Match(
                    *(differing, others.numbers[other], others.widths[other]),
                    *(others.pixels[other], height),
                )
    return best


def _neighbours(
    size: _Size, own: Candidates, known: Candidates | None
) -> Iterator[tuple[int, _Group]]:
    """Tell the heights that are near, and the shapes of each; of the own ones those before."""
    for candidates, heights in ((own, _SMALLER), (known, _ANY)):
        if candidates is None:
            continue
        for height in (size.height + more for more in heights):
            others = candidates.group(size.row_bits, height)
            if others is not None:
                yield height, others


def _range(widths: Sequence[int], width: int, end: int) -> range:
    first = bisect_left(widths, width - _MARGIN, 0, end)
    last = bisect_right(widths, width + _MARGIN, first, end)
    if last - first > _COMPARED:
        middle = bisect_left(widths, width, first, last)
        first = min(max(first, middle - _COMPARED // 2), last - _COMPARED)
        last = first + _COMPARED
    return range(first, last)


def _level(size: _Size, height: int) -> int:
    """Return how many rows the middle of one shape is above that of another, from their ends."""
    return (height + 1) // 2 - (size.height + 1) // 2


def _moved(pixels: int, bits: int) -> int:
    return pixels << bits if bits >= 0 else pixels >> -bits


def _aligned(size: _Size, pixels: int, match: _Match) -> tuple[int, int, int]:
    """Tell how many pixels differ where the fewest do, and how far the parent lies from there."""
    level = _level(size, match.height)
    costs = []
    for right in _STEPS:
        for down in _STEPS:
            other = _moved(match.pixels, -level * size.row_bits - right - down * size.row_bits)
            steps = _STEP_COST * (abs(right) + abs(down))
            costs.append(((pixels ^ other).bit_count() + steps, right, down))
    return min(costs, key=lambda cost: cost[0])


def _edges(pixels: int, row_bits: int) -> int:
    """Count where pixels differ from their left or their upper neighbour."""
    return (pixels ^ pixels >> 1).bit_count() + (pixels ^ pixels >> row_bits).bit_count()
