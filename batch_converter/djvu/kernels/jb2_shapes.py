"""The shapes of a JB2 stream: DjVu 3 specification, 11.5.9 and 11.5.10.

How they are decoded has two forms of one result: `jb2_packed` for a compiler, and bands of rows,
a byte a pixel, for plain Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import COMPILED, kernel
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
    SHAPE_HEIGHT,
    SHAPE_OFFSET,
    SHAPE_SIZE,
    SHAPE_WIDTH,
)
from batch_converter.djvu.kernels.jb2_packed import decode_direct_packed, decode_refined_packed
from batch_converter.djvu.kernels.jb2_pixels import FEED_INK, MARGIN, decode_direct, decode_refined
from batch_converter.djvu.kernels.jb2_rows import described, find_ink, pack_rows, row_bytes
from batch_converter.djvu.kernels.zp import bytes_used

if TYPE_CHECKING:
    from array import array

_BAND_BYTES: Final = 1 << 16
_REFINED_MARGIN: Final = 1
_REFINED_INK: Final = 1


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


def decode_direct_in_bands(  # noqa: PLR0917  # buffers and integers, as a compiler wants them
    state: array[int],
    coder: array[int],
    data: bytes,
    contexts: bytearray,
    bits: bytearray,
    width: int,
    height: int,
) -> int:
    """Decode a shape that is coded by itself, behind the bits used so far; returns a status."""
    stride = width + MARGIN
    most = _most_rows(stride)
    band = bytearray(stride)
    for top in range(0, height, most):
        rows = min(most, height - top)
        band = band[-stride:] + bytes(rows * stride)
        decode_direct(coder, data, contexts, band, width, rows)
        place = state[BITS_USED] + top * row_bytes(width)
        pack_rows(band, stride, width, rows, FEED_INK, bits, place)
        if bytes_used(coder) > state[LAST_BYTE]:
            return BREAKS_OFF
    return GOES_ON


def decode_refined_in_bands(  # noqa: PLR0917  # as above
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
    """Decode a shape that is coded by how it differs from another; returns a status."""
    stride = width + _REFINED_MARGIN
    most = _most_rows(stride)
    band = bytearray(stride)
    for top in range(0, height, most):
        rows = min(most, height - top)
        labels = described(bits, like, like_width, like_height, right, top + down, width, rows)
        band = band[-stride:] + bytes(rows * stride)
        decode_refined(coder, data, contexts, labels, band, width, rows)
        place = state[BITS_USED] + top * row_bytes(width)
        pack_rows(band, stride, width, rows, _REFINED_INK, bits, place)
        if bytes_used(coder) > state[LAST_BYTE]:
            return BREAKS_OFF
    return GOES_ON


def _most_rows(stride: int) -> int:
    """Return how many rows a band has, besides the one above it."""
    return max(_BAND_BYTES // stride - 1, 1)


decode_direct_shape = decode_direct_packed if COMPILED else decode_direct_in_bands
_decode_refined = decode_refined_packed if COMPILED else decode_refined_in_bands


@kernel
def decode_refined_shape(  # noqa: PLR0917  # as above
    state: array[int],
    coder: array[int],
    data: bytes,
    contexts: bytearray,
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
    return _decode_refined(
        state,
        coder,
        data,
        contexts,
        bits,
        shapes[like + SHAPE_OFFSET],
        shapes[like + SHAPE_WIDTH],
        shapes[like + SHAPE_HEIGHT],
        shapes[like + INK_LEFT] + (ink_width - 1) // 2 - (width - 1) // 2,
        ink_top + ink_height // 2 - height // 2,
        width,
        height,
    )
