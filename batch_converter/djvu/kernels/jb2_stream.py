"""A JB2 stream's fields: numbers, flags and shapes, decoded one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from batch_converter.djvu.kernels.jb2_pixels import (
    DIRECT_CONTEXTS,
    FEED_INK,
    MARGIN,
    REFINED_CONTEXTS,
    decode_direct,
    decode_refined,
)
from batch_converter.djvu.kernels.zp import (
    NUMBER_CONTEXTS,
    bytes_used,
    decode_bit,
    decode_number,
    padded,
    start,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST: Final = 262142
SMALLEST: Final = -262143
_BAND_PIXELS: Final = 1 << 20
# Whole streams of all encoders tried need one to three bytes more than there are. Of short
# ones nothing to speak of is lost, and DjVuLibre draws them as long as it needs no more.
_TOLERATED_BYTES: Final = 8
_TOLERATED_OF_SHORT_BYTES: Final = 24
_SHORT_BYTES: Final = 48
_BITS: Final = 8


class Jb2Error(ValueError):
    """A stream breaks off, makes no sense or asks for too much; the message follows "the mask"."""


class Number(IntEnum):
    """The kinds of numbers, which have contexts of their own (table 7 of the specification)."""

    RECORD = 0
    IMAGE_SIZE = auto()
    MATCH = auto()
    WIDTH = auto()
    HEIGHT = auto()
    WIDTH_DIFFERENCE = auto()
    HEIGHT_DIFFERENCE = auto()
    COLUMN = auto()
    ROW = auto()
    COLUMN_OFFSET = auto()
    ROW_OFFSET = auto()
    LINE_COLUMN = auto()
    LINE_ROW = auto()
    COMMENT_LENGTH = auto()
    COMMENT_OCTET = auto()
    DICTIONARY_SIZE = auto()


class Flag(IntEnum):
    """The kinds of single decisions."""

    NEW_LINE = 0
    REFINEMENT = auto()


class InkBox(NamedTuple):
    """Where a shape has ink, from its lower left corner; empty at the origin where it has none."""

    left: int
    bottom: int
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Shape:
    """A bilevel picture that a page is made of.

    Attributes:
        width: In pixels.
        rows: From the top; eight pixels a byte, the leftmost is the topmost bit.
    """

    width: int
    rows: NDArray[np.uint8]

    @property
    def height(self) -> int:
        """In pixels."""
        return len(self.rows)

    @cached_property
    def ink(self) -> InkBox:
        """The smallest box that has all its ink."""
        lines = np.flatnonzero(self.rows.any(axis=1))
        if not lines.size:
            return InkBox(0, 0, 0, 0)
        top, low = int(lines[0]), int(lines[-1])
        columns = np.flatnonzero(np.unpackbits(np.bitwise_or.reduce(self.rows, axis=0)))
        left, right = int(columns[0]), int(columns[-1])
        return InkBox(left, self.height - 1 - low, right + 1 - left, low + 1 - top)


class Jb2Stream:
    """Decodes fields in the order in which the caller expects them.

    Args:
        data: The whole stream.
        max_bytes: What all its shapes may take together, eight pixels a byte.
    """

    def __init__(self, data: bytes, *, max_bytes: int) -> None:
        self._size = len(data)
        short = self._size <= _SHORT_BYTES
        self._last = self._size + (_TOLERATED_OF_SHORT_BYTES if short else _TOLERATED_BYTES)
        self._data = padded(data)
        self._coder = start(self._data)
        self._bytes_left = max_bytes
        self._flags = [0] * len(Flag)
        self._direct = [0] * DIRECT_CONTEXTS
        self._refined = [0] * REFINED_CONTEXTS
        self.forget_numbers()

    def forget_numbers(self) -> None:
        """Set the contexts of all numbers back."""
        self._numbers = bytearray(len(Number) * NUMBER_CONTEXTS)

    def refuse_overrun(self) -> None:
        """Raise if more was decoded than a whole stream needs.

        Raises:
            Jb2Error: It ends before its content does.
        """
        if bytes_used(self._coder) > self._last:
            raise Jb2Error("breaks off")

    def refuse_rest(self) -> None:
        """Raise if much is left, as where damage made it end too early; padding is no matter.

        Raises:
            Jb2Error: So it is.
        """
        rest = self._data[bytes_used(self._coder) : self._size]
        if len(rest.rstrip(rest[-1:])) > _SHORT_BYTES:
            raise Jb2Error("breaks off")

    def number(self, kind: Number, low: int = 0, high: int = LARGEST) -> int:
        """Decode a number of a known range."""
        return decode_number(
            self._coder, self._data, self._numbers, kind * NUMBER_CONTEXTS, low, high
        )

    def flag(self, kind: Flag) -> bool:
        """Decode a single decision."""
        return bool(decode_bit(self._coder, self._data, self._flags, kind))

    def direct_shape(self, width: int, height: int) -> Shape:
        """Decode a shape that is coded by itself.

        Raises:
            Jb2Error: The stream ends before it does, or it is too large.
        """
        rows = self._allocated(width, height)
        stride = width + MARGIN
        last = bytearray(stride)
        for top in range(0, height, band := max(1, _BAND_PIXELS // stride)):
            count = min(band, height - top)
            feeds = last + bytes(count * stride)
            decode_direct(self._coder, self._data, self._direct, feeds, width, count)
            pixels = np.frombuffer(feeds, np.uint8).reshape(-1, stride)[1:, :width]
            rows[top : top + count] = np.packbits(pixels & FEED_INK, axis=1)
            last = feeds[-stride:]
            self.refuse_overrun()
        return Shape(width, rows)

    def refined_shape(self, width: int, height: int, like: Shape, box: InkBox) -> Shape:
        """Decode a shape that is coded by how it differs from what is in a box of another.

        Their centres are laid upon each other; of two middle columns the left one
        counts, of two middle rows the lower.

        Raises:
            Jb2Error: The stream ends before it does, or it is too large.
        """
        rows = self._allocated(width, height)
        right = box.left + (box.width - 1) // 2 - (width - 1) // 2
        down = like.height - box.bottom - box.height + box.height // 2 - height // 2
        stride = width + 1
        last = bytearray(stride)
        for top in range(0, height, band := max(1, _BAND_PIXELS // stride)):
            count = min(band, height - top)
            labels = _labels(like, right, top + down, width, count)
            band_pixels = last + bytes(count * stride)
            decode_refined(
                self._coder, self._data, self._refined, labels, band_pixels, width, count
            )
            pixels = np.frombuffer(band_pixels, np.uint8).reshape(-1, stride)[1:, :width]
            rows[top : top + count] = np.packbits(pixels, axis=1)
            last = band_pixels[-stride:]
            self.refuse_overrun()
        return Shape(width, rows)

    def _allocated(self, width: int, height: int) -> NDArray[np.uint8]:
        stride = -(-width // _BITS)
        self._bytes_left -= stride * height
        if self._bytes_left < 0:
            raise Jb2Error("has shapes that exceed the memory limit")
        return np.zeros((height, stride), np.uint8)


def _labels(like: Shape, left: int, top: int, width: int, height: int) -> bytes:
    """Describe the surroundings of each pixel of a part of a shape, which may reach beyond it."""
    near = np.zeros((height + 2, width + 2), np.uint8)
    first, last = max(top - 1, 0), min(top + height + 1, like.height)
    start, end = max(left - 1, 0), min(left + width + 1, like.width)
    if first < last and start < end:
        pixels = np.unpackbits(like.rows[first:last], axis=1)[:, start:end]
        above, before = first - top + 1, start - left + 1
        near[above : above + last - first, before : before + end - start] = pixels
    labels = near[:-2, 1:-1].copy()
    labels |= near[1:-1, :-2] << 1 | near[1:-1, 1:-1] << 2 | near[1:-1, 2:] << 3
    labels |= near[2:, :-2] << 4 | near[2:, 1:-1] << 5 | near[2:, 2:] << 6
    return labels.tobytes()
