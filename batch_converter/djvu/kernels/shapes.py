"""Bilevel shapes side by side in one buffer, as kernels take them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BITS: Final = 8
"""Pixels a byte."""

Picture = tuple[int, int, bytes]
"""A shape by what it looks like: its width, its height and its packed rows."""


def _numbers() -> array[int]:
    return array("q")


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
    offsets: array[int] = field(default_factory=_numbers)
    widths: array[int] = field(default_factory=_numbers)
    heights: array[int] = field(default_factory=_numbers)

    @classmethod
    def of(cls, pictures: Sequence[Picture]) -> Shapes:
        """Put many side by side, which takes a quarter of what adding each would."""
        widths, heights, rows = zip(*pictures, strict=True) if pictures else ((), (), ())
        offsets = array("q", accumulate(map(len, rows), initial=0))
        offsets.pop()
        return cls(
            bits=bytearray(b"".join(rows)),
            offsets=offsets,
            widths=array("q", widths),
            heights=array("q", heights),
        )

    def __len__(self) -> int:
        return len(self.offsets)

    def pictures(self, numbers: Iterable[int]) -> list[Picture]:
        """Return what some of them look like."""
        bits = memoryview(self.bits)  # a slice of the buffer itself would be a copy, to copy again
        offsets, widths, heights = self.offsets, self.widths, self.heights
        found = []
        for number in numbers:
            start, width, height = offsets[number], widths[number], heights[number]
            rows = bits[start : start + (width + BITS - 1) // BITS * height].tobytes()
            found.append((width, height, rows))
        return found

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
