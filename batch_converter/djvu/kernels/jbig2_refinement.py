"""Bitmaps as what they differ in from others, in decisions of the MQ coder: ITU-T T.88, 6.3.

All is template 1: the context of a pixel are three pixels above it and one to the left,
and six of the reference around the same place. Template 0, of thirteen pixels, made masks of
nine documents larger by 0.1 to 0.4 %: letters are too few to learn it from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel, table

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

REFINEMENT_CONTEXTS: Final = 1 << 10


def _spread(pixels: Sequence[tuple[int, int]]) -> Sequence[int]:
    """Return what six pixels of a row put into the decisions of the four in their middle.

    Args:
        pixels: Of the pixels that count, how far right of the coded one each is, and its bit.
    """
    return table(
        [
            sum(
                (window >> 4 - place - right & 1) << bit + 16 * place
                for place in range(4)
                for right, bit in pixels
            )
            for window in range(64)
        ]
    )


ABOVE: Final = _spread([(-1, 10), (0, 9), (1, 8)])
INK: Final = _spread([(-1, 7), (0, 0)])
UPPER: Final = _spread([(0, 6)])
SAME: Final = _spread([(-1, 5), (0, 4), (1, 3)])
LOWER: Final = _spread([(0, 2), (1, 1)])


@kernel
def byte_of(bits: Sequence[int], row: int, stride: int, byte: int) -> int:
    """Return a byte of a packed row, clear where it is outside of it."""
    return bits[row + byte] + 0 if 0 <= byte < stride else 0


@kernel
def put_refined_row(  # noqa: PLR0915, PLR0917  # flat integers, for a compiler
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
    byte = -right >> 3
    skew = -right & 7
    ink = 0
    above = byte_of(bits, own - stride, above_stride, 0)
    upper = byte_of(bits, other - other_stride, upper_stride, byte - 1) * 256
    upper += byte_of(bits, other - other_stride, upper_stride, byte)
    same = byte_of(bits, other, same_stride, byte - 1) * 256
    same += byte_of(bits, other, same_stride, byte)
    lower = byte_of(bits, other + other_stride, lower_stride, byte - 1) * 256
    lower += byte_of(bits, other + other_stride, lower_stride, byte)
    run = 0
    for column in range(stride):
        byte += 1
        ink = (ink & 0xFF00 | bits[own + column]) << 8
        above = (above & 0xFFFF) << 8 | byte_of(bits, own - stride, above_stride, column + 1)
        upper = (upper & 0xFFFF) << 8 | byte_of(bits, other - other_stride, upper_stride, byte)
        same = (same & 0xFFFF) << 8 | byte_of(bits, other, same_stride, byte)
        lower = (lower & 0xFFFF) << 8 | byte_of(bits, other + other_stride, lower_stride, byte)
        for done in range(8 * column, min(8 * column + 8, width), 4):
            shift = 11 - (done & 4)
            four = ABOVE[above >> shift & 63] | INK[ink >> shift & 63]
            four |= UPPER[upper >> shift - skew & 63]
            four |= SAME[same >> shift - skew & 63]
            four |= LOWER[lower >> shift - skew & 63]
            count = min(4, width - done)
            if not four:
                run += count
                continue
            if run:
                decisions[at] = -run
                at += 1
                run = 0
            for pixel in range(4):
                decisions[at + pixel] = four >> 16 * pixel & 0xFFFF
            at += count
    if run:
        decisions[at] = -run
        at += 1
    return at
