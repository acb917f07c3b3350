"""The shapes of a JB2 stream as compiled code decodes them: out of packed rows, into packed rows.

What surrounds 16 pixels, as far as it is known before the first of them, is spread into one
word (their *feed*), of which each decision takes the next four bits. By the bands of plain
Python (`jb2_shapes`), which are described, decoded and packed in passes of their own, a page of
letters takes twice as long. Which bit of a context stands for which pixel is of no consequence
to the format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel, table
from batch_converter.djvu.kernels.jb2_layout import BITS_USED, BREAKS_OFF, GOES_ON, LAST_BYTE
from batch_converter.djvu.kernels.jb2_rows import row_bytes
from batch_converter.djvu.kernels.zp import BITS, BUFFER, CODE, DELTA, INTERVAL, POSITION, settled

if TYPE_CHECKING:
    from array import array

_AT_ONCE: Final = 16
_SPREAD: Final = table(
    [sum((byte >> 7 - pixel & 1) << 4 * pixel for pixel in range(8)) for byte in range(256)]
)
"""The pixels of a byte, four bits each: the leftmost is lowest."""


@kernel
def decode_direct_packed(  # noqa: PLR0915, PLR0917  # buffers and integers, for a compiler, which holds them in registers as long as it is one function
    state: array[int],
    coder: array[int],
    data: bytes,
    contexts: bytearray,
    bits: bytearray,
    width: int,
    height: int,
) -> int:
    """Decode a shape that is coded by itself, behind the bits used so far; returns a status.

    Of a context the bits 0, 2, 4, 6 and 8 are pixels of the row above, from the right to the
    left, 1, 3 and 5 those of the row above that, 7 and 9 the last two of its own.
    """
    a, c, ahead = coder[INTERVAL], coder[CODE], coder[BITS]
    buffer, position = coder[BUFFER], coder[POSITION]
    fence = min(c, 0x7FFF)
    stride = row_bytes(width)
    row = state[BITS_USED]
    over_end = 0
    top_end = 0
    for _ in range(height):
        over_row = row - stride
        top_row = over_row - stride
        over = bits[over_row] if over_end else 0
        top = bits[top_row] if top_end else 0
        context = over >> 6 & 1 | over >> 7 << 2 | top >> 7 << 1
        bit = 0
        for start in range(0, stride, 2):
            feed = 0
            for half in range(2):
                column = start + half + 1
                over = (over & 0xFF) * 256 | (bits[over_row + column] if column < over_end else 0)
                top = (top & 0xFF) * 256 | (bits[top_row + column] if column < top_end else 0)
                spread = _SPREAD[over >> 6 & 0xFF] | _SPREAD[top >> 7 & 0xFF] << 1
                feed |= spread << 32 * half
            count = min(_AT_ONCE, width - 8 * start)
            pixels = 0
            clear = DELTA[contexts[0]] * count
            is_clear = not context & 0xDF | bit | feed | contexts[0] & 1 and a + clear <= fence
            if is_clear:  # many decisions that are one and the same, at once
                a += clear
                context = 0
            for _ in range(0 if is_clear else count):
                context = (context & 0xDF) << 2 | feed & 3 | bit << 7
                feed >>= 4
                likely = contexts[context]
                bit = likely & 1
                z = a + DELTA[likely]
                if z <= fence:
                    a = z
                else:
                    a, c, ahead, buffer, position, bit, likely = settled(
                        a, c, ahead, buffer, position, data, likely, z
                    )
                    contexts[context] = likely
                    fence = min(c, 0x7FFF)
                pixels = pixels * 2 + bit
            _put(bits, row, start, stride, pixels << _AT_ONCE - count)
        if position - (ahead >> 3) > state[LAST_BYTE]:
            return BREAKS_OFF
        row += stride
        top_end = over_end
        over_end = stride
    coder[INTERVAL], coder[CODE] = a, c
    coder[BITS], coder[BUFFER], coder[POSITION] = ahead, buffer, position
    return GOES_ON


@kernel
def decode_refined_packed(  # noqa: C901, PLR0912, PLR0915, PLR0917  # as above
    state: array[int],
    coder: array[int],
    data: bytes,
    contexts: bytearray,
    bits: bytearray,
    like: int,
    like_width: int,
    like_height: int,
    right: int,
    down: int,
    width: int,
    height: int,
) -> int:
    """Decode a shape that is coded by how it differs from another; returns a status.

    Of a context the bits 0, 4 and 8 are pixels of the row above, from the right to the left,
    1, 5 and 9 those of the other shape, 2, 6 and 10 those below these, 7 is the one above, and 3
    the last pixel of its own row.

    Args:
        state: Of the stream.
        coder: Of the Z'-coder.
        data: The stream, padded.
        contexts: `REFINED_CONTEXTS`.
        bits: Of shapes; this one is put behind those used so far.
        like: Where the other begins in them.
        like_width: Its own.
        like_height: Its own.
        right: Which of its columns this one's first lies upon; may be negative.
        down: The same of rows, from the uppermost.
        width: Of this one.
        height: Of this one.
    """
    a, c, ahead = coder[INTERVAL], coder[CODE], coder[BITS]
    buffer, position = coder[BUFFER], coder[POSITION]
    fence = min(c, 0x7FFF)
    stride = row_bytes(width)
    row = state[BITS_USED]
    over_end = 0
    like_stride = row_bytes(like_width)
    like_end = like_stride if like_height else 0
    first = right >> 3
    shift = 7 - (right & 7)
    for y in range(down, down + height):
        beside = like + min(max(y, 0), like_height - 1) * like_stride
        below = like + min(max(y + 1, 0), like_height - 1) * like_stride
        above = like + min(max(y - 1, 0), like_height - 1) * like_stride
        seen = 0xFF if 0 <= y < like_height else 0
        seen |= 0xFF0000 if -1 <= y < like_height - 1 else 0
        seen |= 0xFF00000000 if 0 < y <= like_height else 0
        near = 0  # of each of its three rows, the last two bytes
        for column in range(first - 1, first + 1):
            near = (near & 0xFF00FF00FF) << 8
            if 0 <= column < like_end:
                near |= _three(bits, beside + column, below + column, above + column) & seen
        over_row = row - stride
        over = bits[over_row] if over_end else 0
        edge = near >> shift
        context = _two(over >> 7) | _two(edge & 3) << 1
        context |= _two(edge >> 16 & 3) << 2 | _two(edge >> 32 & 3) << 3
        bit = 0
        for start in range(0, stride, 2):
            feed = 0
            for half in range(2):
                column = start + half + 1
                over = (over & 0xFF) * 256 | (bits[over_row + column] if column < over_end else 0)
                near = (near & 0xFF00FF00FF) << 8
                column += first
                if 0 <= column < like_end:
                    near |= _three(bits, beside + column, below + column, above + column) & seen
                edge = near >> shift
                spread = _SPREAD[over >> 7 & 0xFF] | _SPREAD[edge & 0xFF] << 1
                spread |= _SPREAD[edge >> 16 & 0xFF] << 2 | _SPREAD[edge >> 32 & 0xFF] << 3
                feed |= spread << 32 * half
            count = min(_AT_ONCE, width - 8 * start)
            pixels = 0
            for _ in range(count):
                context = (context << 4 | feed & 0xF) & 0xFFF
                feed >>= 4
                place = context & 0x7F7 | bit << 3
                likely = contexts[place]
                bit = likely & 1
                z = a + DELTA[likely]
                if z <= fence:
                    a = z
                else:
                    a, c, ahead, buffer, position, bit, likely = settled(
                        a, c, ahead, buffer, position, data, likely, z
                    )
                    contexts[place] = likely
                    fence = min(c, 0x7FFF)
                pixels = pixels * 2 + bit
            _put(bits, row, start, stride, pixels << _AT_ONCE - count)
        if position - (ahead >> 3) > state[LAST_BYTE]:
            return BREAKS_OFF
        row += stride
        over_end = stride
    coder[INTERVAL], coder[CODE] = a, c
    coder[BITS], coder[BUFFER], coder[POSITION] = ahead, buffer, position
    return GOES_ON


@kernel
def _three(bits: bytearray, beside: int, below: int, above: int) -> int:
    return bits[beside] | bits[below] * 0x10000 | bits[above] * 0x100000000


@kernel
def _two(pixels: int) -> int:
    """Spread two pixels for a context, where the left one is the higher one."""
    return (pixels * 8 | pixels) & 0x11


@kernel
def _put(bits: bytearray, row: int, column: int, stride: int, pixels: int) -> None:
    bits[row + column] = pixels >> 8
    if column + 1 < stride:
        bits[row + column + 1] = pixels & 0xFF
