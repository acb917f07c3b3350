"""The shapes of a JB2 stream, band by band: DjVu 3 specification, 11.5.9 and 11.5.10."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel
from batch_converter.djvu.kernels.jb2_layout import (
    BITS_USED,
    BREAKS_OFF,
    GOES_ON,
    INK_BOTTOM,
    INK_HEIGHT,
    INK_LEFT,
    INK_WIDTH,
    LAST_BYTE,
    NOT_LOOKED,
    PIXELS_A_BYTE,
    SHAPE_HEIGHT,
    SHAPE_OFFSET,
    SHAPE_SIZE,
    SHAPE_WIDTH,
)
from batch_converter.djvu.kernels.jb2_pixels import FEED_INK, MARGIN, decode_direct, decode_refined
from batch_converter.djvu.kernels.jb2_rows import describe, find_ink, next_band, pack_rows
from batch_converter.djvu.kernels.zp import bytes_used

if TYPE_CHECKING:
    from array import array

_REFINED_MARGIN: Final = 1
_REFINED_INK: Final = 1


@kernel
def band_bytes(width: int) -> int:
    """Return what the smallest band of a shape takes: the row above, and one."""
    return 2 * (width + MARGIN)


@kernel
def row_bytes(width: int) -> int:
    """Return what a packed row takes."""
    return (width + PIXELS_A_BYTE - 1) // PIXELS_A_BYTE


@kernel
def look_for_ink(bits: bytearray, shapes: array[int], number: int) -> None:
    """See to it that the box of a shape's ink is known; empty at the origin where it has none."""
    place = number * SHAPE_SIZE
    if shapes[place + INK_LEFT] == NOT_LOOKED:
        find_ink(
            bits,
            shapes[place + SHAPE_OFFSET],
            shapes[place + SHAPE_WIDTH],
            shapes[place + SHAPE_HEIGHT],
            shapes,
            place + INK_LEFT,
        )


@kernel
def decode_direct_shape(  # noqa: PLR0917  # buffers and integers, for a compiler
    state: array[int],
    coder: array[int],
    data: bytes,
    contexts: bytearray,
    band: bytearray,
    bits: bytearray,
    width: int,
    height: int,
) -> int:
    """Decode a shape that is coded by itself, behind the bits used so far; returns a status."""
    stride = width + MARGIN
    most = len(band) // stride - 1
    offset = state[BITS_USED]
    kept = 0
    for top in range(0, height, most):
        rows = min(most, height - top)
        next_band(band, kept, stride if top else 0, (rows + 1) * stride)
        decode_direct(coder, data, contexts, band, width, rows)
        pack_rows(band, stride, width, rows, FEED_INK, bits, offset + top * row_bytes(width))
        kept = rows * stride
        if bytes_used(coder) > state[LAST_BYTE]:
            return BREAKS_OFF
    return GOES_ON


@kernel
def decode_refined_shape(  # noqa: PLR0917  # as above
    state: array[int],
    coder: array[int],
    data: bytes,
    contexts: bytearray,
    band: bytearray,
    labels: bytearray,
    bits: bytearray,
    shapes: array[int],
    number: int,
    width: int,
    height: int,
) -> int:
    """Decode a shape that is coded by how it differs from the ink of another, number `number`.

    Their centres are laid upon each other; of two middle columns the left one
    counts, of two middle rows the lower. Returns a status.
    """
    like = number * SHAPE_SIZE
    ink_width, ink_height = shapes[like + INK_WIDTH], shapes[like + INK_HEIGHT]
    ink_top = shapes[like + SHAPE_HEIGHT] - shapes[like + INK_BOTTOM] - ink_height
    right = shapes[like + INK_LEFT] + (ink_width - 1) // 2 - (width - 1) // 2
    down = ink_top + ink_height // 2 - height // 2
    stride = width + _REFINED_MARGIN
    most = len(band) // stride - 1
    kept = 0
    for top in range(0, height, most):
        rows = min(most, height - top)
        describe(
            bits,
            shapes[like + SHAPE_OFFSET],
            shapes[like + SHAPE_WIDTH],
            shapes[like + SHAPE_HEIGHT],
            right,
            top + down,
            width,
            rows,
            labels,
        )
        next_band(band, kept, stride if top else 0, (rows + 1) * stride)
        decode_refined(coder, data, contexts, labels, band, width, rows)
        place = state[BITS_USED] + top * row_bytes(width)
        pack_rows(band, stride, width, rows, _REFINED_INK, bits, place)
        kept = rows * stride
        if bytes_used(coder) > state[LAST_BYTE]:
            return BREAKS_OFF
    return GOES_ON
