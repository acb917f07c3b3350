"""Rows of JB2 shapes, eight pixels a byte, and their bands, a byte a pixel.

Each function has two forms of one result: loops for a compiler, and numpy for plain Python. There
a letter of 24 by 30 pixels is packed in 60 µs by a loop and in 4 by numpy, described in 470 and
17, and its ink is found in 26 and 8; compiled loops take 1, 4 and 0.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.kernels.compiling import COMPILED, kernel

if TYPE_CHECKING:
    from array import array

    from numpy.typing import NDArray

_BITS: Final = 8
INK_LEFT: Final = 0
INK_BOTTOM: Final = 1
INK_WIDTH: Final = 2
INK_HEIGHT: Final = 3
"""Places of what `ink_box` finds; the lower left corner counts."""


@kernel
def next_band_by_loops(band: bytearray, kept: int, stride: int, size: int) -> None:
    """Begin a band of `size` bytes: its first `stride` are those at `kept`, the others zero."""
    for x in range(stride):
        band[x] = band[kept + x]
    for x in range(stride, size):
        band[x] = 0


def next_band_by_slices(band: bytearray, kept: int, stride: int, size: int) -> None:
    """Do the same."""
    band[:size] = band[kept : kept + stride] + bytes(size - stride)


@kernel
def pack_rows_by_loops(  # noqa: PLR0917  # flat integers, for a compiler
    band: bytearray, stride: int, width: int, rows: int, ink: int, bits: bytearray, place: int
) -> None:
    """Pack rows.

    Args:
        band: A byte a pixel, a row more than there are to pack before them.
        stride: Bytes of a row of it.
        width: Pixels of a row.
        rows: How many.
        ink: The bit that makes a pixel ink.
        bits: Gets eight pixels a byte, the leftmost the topmost bit.
        place: Where in them.
    """
    for row in range(1, rows + 1):
        pixel = row * stride
        for column in range(0, width, _BITS):
            packed = 0
            for x in range(min(_BITS, width - column)):
                if band[pixel + x] & ink:
                    packed |= 0x80 >> x
            bits[place] = packed
            place += 1
            pixel += _BITS


def pack_rows_by_numpy(  # noqa: PLR0917  # as above
    band: bytearray, stride: int, width: int, rows: int, ink: int, bits: bytearray, place: int
) -> None:
    """Do the same."""
    pixels = np.frombuffer(band, np.uint8, rows * stride, stride).reshape(rows, stride)
    packed = np.packbits(pixels[:, :width] & ink, axis=1).tobytes()
    bits[place : place + len(packed)] = packed


@kernel
def _pixel(bits: bytearray, offset: int, width: int, height: int, x: int, y: int) -> int:  # noqa: PLR0917  # as above
    if not (0 <= x < width and 0 <= y < height):
        return 0
    return bits[offset + y * ((width + 7) // _BITS) + x // _BITS] >> (7 - x % _BITS) & 1


@kernel
def describe_by_loops(  # noqa: PLR0917  # as above
    bits: bytearray,
    offset: int,
    like_width: int,
    like_height: int,
    left: int,
    top: int,
    width: int,
    rows: int,
    labels: bytearray,
) -> None:
    """Describe the surroundings of each pixel of a part of a shape, which may reach beyond it.

    Args:
        bits: Of shapes.
        offset: Where this one begins.
        like_width: Its own.
        like_height: Its own.
        left: Where the part begins; may be negative.
        top: The same, from the shape's uppermost row.
        width: Of the part.
        rows: Of the part.
        labels: Gets for each pixel seven bits: the one above it, the row of three around it and
            the row of three below, the leftmost and uppermost first and lowest.
    """
    place = 0
    for y in range(top, top + rows):
        beside = _pixel(bits, offset, like_width, like_height, left, y) * 4
        beside |= _pixel(bits, offset, like_width, like_height, left - 1, y) * 2
        below = _pixel(bits, offset, like_width, like_height, left, y + 1) * 4
        below |= _pixel(bits, offset, like_width, like_height, left - 1, y + 1) * 2
        for x in range(left, left + width):
            beside = beside >> 1 | _pixel(bits, offset, like_width, like_height, x + 1, y) * 4
            below = below >> 1 | _pixel(bits, offset, like_width, like_height, x + 1, y + 1) * 4
            above = _pixel(bits, offset, like_width, like_height, x, y - 1)
            labels[place] = above | beside * 2 | below * 16
            place += 1


def describe_by_numpy(  # noqa: PLR0917  # as above
    bits: bytearray,
    offset: int,
    like_width: int,
    like_height: int,
    left: int,
    top: int,
    width: int,
    rows: int,
    labels: bytearray,
) -> None:
    """Do the same."""
    near = np.zeros((rows + 2, width + 2), np.uint8)
    first, last = max(top - 1, 0), min(top + rows + 1, like_height)
    start, end = max(left - 1, 0), min(left + width + 1, like_width)
    if first < last and start < end:
        like = _packed(bits, offset, like_width, like_height)
        pixels = np.unpackbits(like[first:last], axis=1)[:, start:end]
        above, before = first - top + 1, start - left + 1
        near[above : above + last - first, before : before + end - start] = pixels
    found = near[:-2, 1:-1].copy()
    found |= near[1:-1, :-2] << 1 | near[1:-1, 1:-1] << 2 | near[1:-1, 2:] << 3
    found |= near[2:, :-2] << 4 | near[2:, 1:-1] << 5 | near[2:, 2:] << 6
    labels[: rows * width] = found.tobytes()


def _packed(bits: bytearray, offset: int, width: int, height: int) -> NDArray[np.uint8]:
    stride = -(-width // _BITS)
    return np.frombuffer(bits, np.uint8, stride * height, offset).reshape(height, stride)


@kernel
def find_ink_by_loops(  # noqa: PLR0917  # as above
    bits: bytearray, offset: int, width: int, height: int, box: array[int], place: int
) -> None:
    """Find the smallest box that has all of a shape's ink; empty at the origin without any.

    Args:
        bits: Of shapes.
        offset: Where this one begins.
        width: Its own.
        height: Its own.
        box: Gets left, bottom, width and height.
        place: Where in it.
    """
    left = width
    right = -1
    top = -1
    low = -1
    for y in range(height):
        row = offset + y * ((width + 7) // _BITS)
        first = 0
        while first < width and not bits[row + first // _BITS] >> (7 - first % _BITS) & 1:
            first += _BITS - first % _BITS if bits[row + first // _BITS] == 0 else 1
        if first < width:
            last = width - 1
            while not bits[row + last // _BITS] >> (7 - last % _BITS) & 1:
                last -= last % _BITS + 1 if bits[row + last // _BITS] == 0 else 1
            top = y if top < 0 else top
            low = y
            left = min(left, first)
            right = max(right, last)
    box[place + INK_LEFT] = left if top >= 0 else 0
    box[place + INK_BOTTOM] = height - 1 - low if top >= 0 else 0
    box[place + INK_WIDTH] = right + 1 - left if top >= 0 else 0
    box[place + INK_HEIGHT] = low + 1 - top if top >= 0 else 0


def find_ink_by_numpy(  # noqa: PLR0917  # as above
    bits: bytearray, offset: int, width: int, height: int, box: array[int], place: int
) -> None:
    """Do the same."""
    rows = _packed(bits, offset, width, height)
    lines = np.flatnonzero(rows.any(axis=1))
    left = bottom = ink_width = ink_height = 0
    if lines.size:
        top, low = int(lines[0]), int(lines[-1])
        columns = np.flatnonzero(np.unpackbits(np.bitwise_or.reduce(rows, axis=0)))
        left, right = int(columns[0]), int(columns[-1])
        bottom, ink_width, ink_height = height - 1 - low, right + 1 - left, low + 1 - top
    box[place + INK_LEFT] = left
    box[place + INK_BOTTOM] = bottom
    box[place + INK_WIDTH] = ink_width
    box[place + INK_HEIGHT] = ink_height


next_band = next_band_by_loops if COMPILED else next_band_by_slices
pack_rows = pack_rows_by_loops if COMPILED else pack_rows_by_numpy
describe = describe_by_loops if COMPILED else describe_by_numpy
find_ink = find_ink_by_loops if COMPILED else find_ink_by_numpy
