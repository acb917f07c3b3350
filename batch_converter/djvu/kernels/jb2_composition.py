"""Pages out of JB2 shapes and their places.

Ink has two forms of one result: loops for a compiler, and numpy for plain Python. There a letter
of 24 by 30 pixels is put in 32 µs by a loop and in 8 by numpy; the compiled loop takes 0.2.
Levels are put by numpy, in 6 µs; what compiled code has instead is in `jb2_separation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.kernels.compiling import COMPILED, kernel

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from batch_converter.djvu.kernels.jb2 import Jb2Image

_BITS: Final = 8
_ALL: Final = 0xFF


def composed(image: Jb2Image) -> NDArray[np.uint8]:
    """Put all shapes in their places; what lies outside of the page is cut off.

    Returns:
        Packed rows; the leftmost pixel of a byte is its topmost bit, set bits are ink.
    """
    stride = -(-image.width // _BITS)
    page = bytearray(image.height * stride)
    shapes = image.shapes
    put_ink(
        *(shapes.bits, shapes.offsets, shapes.widths, shapes.heights),
        *(image.blit_shapes, image.blit_lefts, image.blit_bottoms),
        *(page, image.width, image.height),
    )
    rows = np.frombuffer(page, np.uint8).reshape(image.height, stride)
    rows[:, -1] &= _ALL << (-image.width % _BITS) & _ALL
    return rows


def leveled(image: Jb2Image, levels: Sequence[int], *, clear: int) -> NDArray[np.uint8]:
    """Put all shapes in their places, each as a number; later ones cover earlier ones.

    Args:
        image: The shapes.
        levels: Of each blit, 0 to 255.
        clear: What is where no shape is.

    Returns:
        A number a pixel.
    """
    page = np.full((image.height, image.width), clear, np.uint8)
    shapes = image.shapes
    blits = zip(image.blit_shapes, image.blit_lefts, image.blit_bottoms, levels, strict=True)
    for shape, left, bottom, level in blits:
        width, height = shapes.widths[shape], shapes.heights[shape]
        top = image.height - bottom - height
        first, start = max(top, 0), max(left, 0)
        place = page[first : max(top + height, 0), start : max(left + width, 0)]
        if place.size:
            packed = _rows(shapes.bits, shapes.offsets[shape], width, height)
            pixels = np.unpackbits(packed[first - top :], axis=1)[:, start - left :]
            place[pixels[: place.shape[0], : place.shape[1]] != 0] = level
    return page


@kernel
def put_ink_by_loops(  # noqa: PLR0917  # buffers and integers, for a compiler
    bits: bytearray,
    offsets: array[int],
    widths: array[int],
    heights: array[int],
    blit_shapes: array[int],
    blit_lefts: array[int],
    blit_bottoms: array[int],
    page: bytearray,
    width: int,
    height: int,
) -> None:
    """Put shapes on a page of eight pixels a byte; what is behind its last column may be set."""
    page_stride = (width + 7) // _BITS
    for blit in range(len(blit_shapes)):
        shape = blit_shapes[blit]
        stride = (widths[shape] + 7) // _BITS
        top = height - blit_bottoms[blit] - heights[shape]
        place = blit_lefts[blit] // _BITS
        shift = blit_lefts[blit] - place * _BITS
        for y in range(max(top, 0), min(top + heights[shape], height)):
            source = offsets[shape] + (y - top) * stride
            target = y * page_stride
            for column in range(max(place, -1), min(place + stride, page_stride)):
                ink = bits[source + column - place] * 256 >> shift
                if column >= 0:
                    page[target + column] |= ink >> _BITS
                if column + 1 < page_stride:
                    page[target + column + 1] |= ink & _ALL


def put_ink_by_numpy(  # noqa: PLR0917  # as above
    bits: bytearray,
    offsets: array[int],
    widths: array[int],
    heights: array[int],
    blit_shapes: array[int],
    blit_lefts: array[int],
    blit_bottoms: array[int],
    page: bytearray,
    width: int,
    height: int,
) -> None:
    """Do the same."""
    rows = np.frombuffer(page, np.uint8).reshape(height, -(-width // _BITS))
    for shape, left, bottom in zip(blit_shapes, blit_lefts, blit_bottoms, strict=True):
        top = height - bottom - heights[shape]
        _put(rows, _rows(bits, offsets[shape], widths[shape], heights[shape]), left, top)


def _rows(bits: bytearray, offset: int, width: int, height: int) -> NDArray[np.uint8]:
    stride = -(-width // _BITS)
    return np.frombuffer(bits, np.uint8, stride * height, offset).reshape(height, stride)


def _put(rows: NDArray[np.uint8], shape: NDArray[np.uint8], left: int, top: int) -> None:
    height, stride = rows.shape
    first = max(top, 0)
    bits = shape[first - top : height - top] if top < height else shape[:0]
    place, shift = divmod(left, _BITS)
    if shift:
        bits = _shifted(bits, shift)
    start, end = max(place, 0), min(place + bits.shape[1], stride)
    if start < end and len(bits):
        rows[first : first + len(bits), start:end] |= bits[:, start - place : end - place]


def _shifted(bits: NDArray[np.uint8], shift: int) -> NDArray[np.uint8]:
    """Move packed rows to the right by less than a byte."""
    moved = np.zeros((bits.shape[0], bits.shape[1] + 1), np.uint8)
    moved[:, :-1] = bits >> shift
    moved[:, 1:] |= bits << (_BITS - shift)
    return moved


put_ink = put_ink_by_loops if COMPILED else put_ink_by_numpy
