"""Bitmaps as what they differ in from others, in decisions of the MQ coder: ITU-T T.88, 6.3.

All is template 1: the context of a pixel are three pixels above it and one to the left,
and six of the reference around the same place. Template 0, of thirteen pixels, made masks of
nine documents larger by 0.1 to 0.4 %: letters are too few to learn it from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

REFINEMENT_CONTEXTS: Final = 1 << 10


@kernel
def window(bits: Sequence[int], row: int, stride: int, column: int) -> int:
    """Return sixteen pixels of a packed row from a column on, which may be outside of it.

    Args:
        bits: With the row.
        row: Its place.
        stride: Of the row, in bytes.
        column: May be negative.
    """
    byte = column >> 3
    word = 0
    for place in range(byte, byte + 3):
        word *= 256
        if 0 <= place < stride:
            word += bits[row + place]
    return word >> (8 - (column & 7)) & 0xFFFF


@kernel
def put_refined_row(  # noqa: PLR0917  # flat integers, for a compiler
    decisions: MutableSequence[int],
    at: int,
    bits: Sequence[int],
    place: int,
    width: int,
    row: int,
    reference: int,
    reference_width: int,
    reference_height: int,
    right: int,
    down: int,
) -> int:
    """Append the pixels of a row; returns the place behind them.

    Args:
        decisions: `width` are appended.
        at: Where to begin.
        bits: Packed rows, both of the bitmap and of its reference.
        place: Of the bitmap in them.
        width: In pixels.
        row: From its top.
        reference: Its place in `bits`.
        reference_width: In pixels.
        reference_height: In rows.
        right: Column of the reference's left edge in the bitmap.
        down: Row of the reference's first row in the bitmap.
    """
    stride = (width + 7) // 8
    own = place + row * stride
    above_stride = stride if row else 0
    other_stride = (reference_width + 7) // 8
    other_row = row - down
    other = reference + other_row * other_stride
    upper_stride = other_stride if 0 < other_row <= reference_height else 0
    same_stride = other_stride if 0 <= other_row < reference_height else 0
    lower_stride = other_stride if -1 <= other_row < reference_height - 1 else 0
    bit = 0
    for column in range(0, width, 8):
        ink = bits[own + column // 8] * 64
        above = window(bits, own - stride, above_stride, column - 1)
        first = column - right - 1
        upper = window(bits, other - other_stride, upper_stride, first)
        same = window(bits, other, same_stride, first)
        lower = window(bits, other + other_stride, lower_stride, first)
        for shift in range(13, 13 - min(8, width - column), -1):
            context = (above >> shift & 7) << 7 | bit << 6 | (upper >> shift + 1 & 1) << 5
            context |= (same >> shift & 7) << 2 | lower >> shift & 3
            bit = ink >> shift & 1
            decisions[at] = context << 1 | bit
            at += 1
    return at
