"""Rows of JB2 shapes, eight pixels a byte, and their bands, a byte a pixel.

Bands are of plain Python alone. There a letter of 24 by 30 pixels is packed in 60 µs by a loop
and in 4 by numpy, and described in 470 and 17. Ink is looked for in two forms of one result: for
a clear page it takes 60 ms by a loop and 0.3 by numpy, for a letter 8 µs and 11, and 0.3 by a
compiled loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.kernels.compiling import COMPILED, kernel
from batch_converter.djvu.kernels.zp import LEADING_ONES

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
def row_bytes(width: int) -> int:
    """Return what a packed row takes."""
    return (width + 7) // _BITS


def pack_rows(  # noqa: PLR0917  # flat, as kernels are
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
    pixels = np.frombuffer(band, np.uint8, rows * stride, stride).reshape(rows, stride)
    packed = np.packbits(pixels[:, :width] & ink, axis=1).tobytes()
    bits[place : place + len(packed)] = packed


def described(  # noqa: PLR0917  # as above
    bits: bytearray,
    offset: int,
    like_width: int,
    like_height: int,
    left: int,
    top: int,
    width: int,
    rows: int,
) -> bytes:
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

    Returns:
        For each pixel seven bits: the one above it, the row of three around it and the row of
        three below, the leftmost and uppermost first and lowest.
    """
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
    return found.tobytes()


def _packed(bits: bytearray, offset: int, width: int, height: int) -> NDArray[np.uint8]:
    stride = row_bytes(width)
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
    stride = row_bytes(width)
    left, right = stride, -1
    left_pixels = right_pixels = 0
    top = low = -1
    for y in range(height):
        row = offset + y * stride
        first, last = 0, stride - 1
        while first < stride and bits[row + first] == 0:
            first += 1
        if first == stride:
            continue
        while bits[row + last] == 0:
            last -= 1
        top = y if top < 0 else top
        low = y
        if first <= left:
            left_pixels = bits[row + first] | (left_pixels if first == left else 0)
            left = first
        if last >= right:
            right_pixels = bits[row + last] | (right_pixels if last == right else 0)
            right = last
    left = left * _BITS + LEADING_ONES[0xFF - left_pixels]
    right = right * _BITS + 7
    while right_pixels and not right_pixels & 1:
        right_pixels >>= 1
        right -= 1
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


find_ink = find_ink_by_loops if COMPILED else find_ink_by_numpy
