"""Bilevel shapes side by side in one buffer, as kernels take them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Final

BITS: Final = 8
"""Pixels a byte."""


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

    def __len__(self) -> int:
        return len(self.offsets)

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
