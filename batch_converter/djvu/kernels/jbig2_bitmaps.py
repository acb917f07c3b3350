"""Bitmaps as decisions of the MQ coder: ITU-T T.88, 6.2 (generic regions).

A pixel is one decision, and the pixels above and to the left of it are its context. All
is template 0 with its adaptive pixels in their nominal places: sixteen pixels, of
which five are two rows above (the outermost two columns to the left and to the right), seven one
row above and four in the same row.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import COMPILED, kernel
from batch_converter.djvu.kernels.mq import MqEncoder

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

BITMAP_CONTEXTS: Final = 1 << 16
"""They are the first: runs of zeros are those of context 0."""

ADAPTIVE_PIXELS: Final = bytes((3, 0xFF, 0xFD, 0xFF, 2, 0xFE, 0xFE, 0xFE))
"""Their places from the pixel, columns and rows in turn, as segments tell them."""

BUFFERED_DECISIONS: Final = 1 << 14

_TYPICAL_CONTEXT: Final = 0x9B25
_KEPT: Final = 0xF7EF


@kernel
def put_row(  # noqa: C901, PLR0915, PLR0917  # flat, for a compiler
    decisions: MutableSequence[int],
    at: int,
    bits: Sequence[int],
    place: int,
    width: int,
    rows_above: int,
) -> int:
    """Append the pixels of a row; returns the place behind them.

    Args:
        decisions: `width` at most are appended.
        at: Where to begin.
        bits: Packed rows.
        place: Of the row in them.
        width: In pixels.
        rows_above: How many rows of the bitmap stand before it in `bits`.
    """
    stride = (width + 7) // 8
    above = place - stride
    upper = above - stride
    own = 0
    near = bits[above] + 0 if rows_above > 0 else 0
    far = bits[upper] + 0 if rows_above > 1 else 0
    run = 0
    column = 0
    while column < stride:
        if not (own or near or far):
            clear = count_clear(bits, place, stride, rows_above, column)
            if clear:
                run += min(8 * clear, width - 8 * column)
                column += clear
                continue
        own = (own & 0xFF) * 256 + bits[place + column]
        near = (near & 0xFFFF) * 256
        far = (far & 0xFFFF) * 256
        following = column + 1
        if following < stride:
            near += bits[above + following] if rows_above > 0 else 0
            far += bits[upper + following] if rows_above > 1 else 0
        count = min(8, width - 8 * column)
        column += 1
        if not (own & 0xFFF or near & 0x7FFE0 or far & 0x3FFC0):
            run += count
            continue
        if run:
            decisions[at] = -run
            at += 1
            run = 0
        for shift in range(7, -1 if COMPILED else 7 - count, -1):
            decision = (far >> shift + 6 & 31) << 12 | (near >> shift + 5 & 127) << 5
            decisions[at + 7 - shift] = decision | own >> shift & 31
        at += count
    if run:
        decisions[at] = -run
        at += 1
    return at


@kernel
def count_clear(bits: Sequence[int], place: int, stride: int, rows_above: int, column: int) -> int:
    """Count bytes of a row from one on that are clear, as is what follows above each."""
    first = column
    above = place - stride + 1
    upper = above - stride
    if rows_above == 0:
        while column < stride and not bits[place + column]:
            column += 1
    elif rows_above == 1:
        while column < stride - 1 and not (bits[place + column] | bits[above + column]):
            column += 1
    else:
        while column < stride - 1 and not (
            bits[place + column] | bits[above + column] | bits[upper + column]
        ):
            column += 1
    return column - first


@kernel
def is_typical(bits: Sequence[int], place: int, stride: int, rows_above: int) -> bool:
    """Whether a row is like the one above it; above the first all is clear."""
    above = place - stride
    for column in range(stride):
        if bits[place + column] != (bits[above + column] if rows_above > 0 else 0):
            return False
    return True


@kernel
def put_rows(  # noqa: PLR0917  # flat integers, for a compiler
    decisions: MutableSequence[int],
    at: int,
    progress: MutableSequence[int],
    bits: Sequence[int],
    width: int,
    height: int,
    typical: int,
) -> int:
    """Append rows until there are no more, or no more space; returns the place behind them.

    Args:
        decisions: They need space for one row and two more at least.
        at: Where to begin.
        progress: The row to begin with, and whether the row above it is like the one above that.
        bits: All rows, packed.
        width: In pixels.
        height: In rows.
        typical: Whether rows that are like those above them are told so, in place of their
            pixels (6.2.5.7).
    """
    stride = (width + 7) // 8
    row = progress[0]
    was_same = progress[1]
    while row < height and at + width + 9 <= len(decisions):
        same = 0
        if typical:
            same = 1 if is_typical(bits, row * stride, stride, row) else 0
            decisions[at] = _TYPICAL_CONTEXT << 1 | same ^ was_same
            at += 1
            was_same = same
        if not same:
            at = put_row(decisions, at, bits, row * stride, width, row)
        row += 1
    progress[0] = row
    progress[1] = was_same
    return at


def encoded_bitmap(rows: bytes, width: int, height: int, *, typical: bool) -> bytes:
    """Encode a bitmap, as generic regions have it.

    Args:
        rows: Packed.
        width: In pixels.
        height: In rows.
        typical: Whether typical prediction is used.
    """
    encoder = MqEncoder(BITMAP_CONTEXTS)
    decisions = array("i", bytes(4 * max(BUFFERED_DECISIONS, width + 9)))
    progress = array("q", (0, 0))
    bits = bytearray(rows)  # as symbols are: a kernel is compiled for each type that it gets
    while progress[0] < height:
        encoder.encode(
            decisions, put_rows(decisions, 0, progress, bits, width, height, int(typical))
        )
    return encoder.finish()
