"""Bilevel shapes side by side in one buffer, as kernels take them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.kernels.compiling import COMPILED, kernel
from batch_converter.djvu.kernels.integers import buffer_of, view_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BITS: Final = 8
"""Pixels a byte."""

Picture = tuple[int, int, bytes]
"""A shape by what it looks like: its width, its height and its packed rows."""


def _none() -> array[int]:
    return array("q")


def copy_by_slices(
    source: bytearray, starts: array[int], sizes: array[int], target: bytearray, places: array[int]
) -> None:
    """Copy pieces of a buffer into another one."""
    pieces = memoryview(source)
    for start, size, place in zip(starts, sizes, places, strict=True):
        target[place : place + size] = pieces[start : start + size]


@kernel
def copy_by_loops(
    source: bytearray, starts: array[int], sizes: array[int], target: bytearray, places: array[int]
) -> None:
    """Do the same."""
    for piece in range(len(starts)):
        start = starts[piece]
        place = places[piece]
        for step in range(sizes[piece]):
            target[place + step] = source[start + step]


copy_pieces = copy_by_loops if COMPILED else copy_by_slices


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """Bilevel pictures; set bits are ink.

    Attributes:
        bits: Their rows, of each from the top; a row begins with a byte, its leftmost pixel is
            that byte's topmost bit, and what is behind its last pixel is clear.
        offsets: Where in `bits` each begins.
        widths: In pixels.
        heights: In pixels.
    """

    bits: bytearray = field(default_factory=bytearray)
    offsets: array[int] = field(default_factory=_none)
    widths: array[int] = field(default_factory=_none)
    heights: array[int] = field(default_factory=_none)

    @classmethod
    def together(cls, parts: Sequence[Shapes]) -> Shapes:
        """Put those of many side by side, numbered on."""
        starts = accumulate((len(part.bits) for part in parts), initial=0)
        offsets = [
            view_of(part.offsets) + start for part, start in zip(parts, starts, strict=False)
        ]
        return cls(
            bits=bytearray().join(part.bits for part in parts),
            offsets=buffer_of(np.concatenate([view_of(_none()), *offsets])),
            widths=array("q", b"".join(part.widths for part in parts)),
            heights=array("q", b"".join(part.heights for part in parts)),
        )

    def __len__(self) -> int:
        return len(self.offsets)

    def pictures(self) -> list[Picture]:
        """Return what they look like."""
        bits = memoryview(self.bits)  # a slice of the buffer itself would be a copy, to copy again
        found = []
        for start, width, height in zip(self.offsets, self.widths, self.heights, strict=True):
            rows = bits[start : start + (width + BITS - 1) // BITS * height].tobytes()
            found.append((width, height, rows))
        return found

    def chosen(self, numbers: NDArray[np.int64], below: NDArray[np.int64] | int = 0) -> Shapes:
        """Return copies of some of them, with so many clear rows below each."""
        widths, heights = view_of(self.widths)[numbers], view_of(self.heights)[numbers]
        strides = -(-widths // BITS)
        rooms = strides * (heights + below)
        offsets = buffer_of(np.cumsum(rooms) - rooms)
        bits = bytearray(int(rooms.sum()))
        starts = buffer_of(view_of(self.offsets)[numbers])
        copy_pieces(self.bits, starts, buffer_of(strides * heights), bits, offsets)
        return Shapes(
            bits=bits, offsets=offsets, widths=buffer_of(widths), heights=buffer_of(heights + below)
        )

    def rows(self, number: int) -> bytes:
        """Return the packed rows of one."""
        start = self.offsets[number]
        stride = -(-self.widths[number] // BITS)
        return bytes(self.bits[start : start + stride * self.heights[number]])

    def add(self, width: int, height: int, rows: bytes) -> int:
        """Append one; returns its number."""
        self.offsets.append(len(self.bits))
        self.widths.append(width)
        self.heights.append(height)
        self.bits.extend(rows)
        return len(self.offsets) - 1
