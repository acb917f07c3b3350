"""What is seen of each level of a page of JB2 shapes, in packed rows, by loops for a compiler.

From the last shape to the first, so that what covers is known before what is covered: eight
pixels are put at a time, and no page is searched for them. One of 25 colours takes 10 ms, where
a byte a pixel took 80. Plain Python would need a tenth of a millisecond a letter.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from batch_converter.djvu.kernels.compiling import kernel
from batch_converter.djvu.kernels.ink import count_ink
from batch_converter.djvu.kernels.integers import buffer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from batch_converter.djvu.kernels.jb2 import Jb2Image

_BITS: Final = 8
_ALL: Final = 0xFF
_LEVELS: Final = 256


class LevelInk(NamedTuple):
    """What is seen of a level.

    Attributes:
        level: Its number.
        pixels: How many it has.
        rows: Packed; set bits are ink.
        left: Which byte of a row of the page is their first.
        top: Which row of the page is the first of them.
    """

    level: int
    pixels: int
    rows: NDArray[np.uint8]
    left: int
    top: int


def separated(image: Jb2Image, levels: Sequence[int], *, clear: int) -> list[LevelInk]:
    """Put all shapes in their places; later ones cover earlier ones.

    Args:
        image: The shapes.
        levels: Of each blit, 0 to 255.
        clear: Which is not asked for; its shapes only cover others.

    Returns:
        The levels of which anything is seen, ascending.
    """
    stride = -(-image.width // _BITS)
    lefts, tops, strides, heights = _boxes(image, np.array(levels, np.int64))
    heights[clear] = 0
    sizes = strides * heights
    places = np.cumsum(sizes) - sizes
    inks, pixels = bytearray(int(sizes.sum())), array("q", [0]) * _LEVELS
    covered = np.zeros((image.height, stride), np.uint8)
    covered[:, -1] = _ALL >> (image.width - 1) % _BITS + 1
    shapes = image.shapes
    put_seen(
        *(shapes.bits, shapes.offsets, shapes.widths, shapes.heights),
        *(image.blit_shapes, image.blit_lefts, image.blit_bottoms),
        array("q", levels),
        clear,
        buffer_of(places - tops * strides - lefts),
        buffer_of(strides),
        inks,
        pixels,
        *(bytearray(covered), image.width, image.height),
    )
    found = []
    for level in np.flatnonzero(pixels).tolist():
        rows = np.frombuffer(inks, np.uint8, sizes[level], places[level])
        rows = rows.reshape(-1, strides[level])
        found.append(LevelInk(level, pixels[level], rows, int(lefts[level]), int(tops[level])))
    return found


def ink_bytes(image: Jb2Image, levels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what `separated` takes for the ink of each level, given that of each blit."""
    _, _, strides, heights = _boxes(image, levels)
    return strides * heights


def _boxes(image: Jb2Image, levels: NDArray[np.int64]) -> Sequence[NDArray[np.int64]]:
    """Tell of each level where on the page its shapes lie: left, top, width, height.

    Columns are counted in bytes, of each shape with one more than it may need.
    """
    numbers = np.array(image.blit_shapes, np.int64)
    widths = np.array(image.shapes.widths, np.int64)[numbers]
    heights = np.array(image.shapes.heights, np.int64)[numbers]
    lefts = np.array(image.blit_lefts, np.int64) // _BITS
    tops = image.height - np.array(image.blit_bottoms, np.int64) - heights
    stride = -(-image.width // _BITS)
    columns = _spans(levels, lefts, lefts - (-widths // _BITS) + 1, stride)
    rows = _spans(levels, tops, tops + heights, image.height)
    return columns[0], rows[0], columns[1], rows[1]


def _spans(
    levels: NDArray[np.int64], firsts: NDArray[np.int64], ends: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tell of each level where its first begins and how far it is to the end of its last."""
    first, end = np.full(_LEVELS, most), np.zeros(_LEVELS, np.int64)
    np.minimum.at(first, levels, firsts.clip(0, most))
    np.maximum.at(end, levels, ends.clip(0, most))
    return first, np.maximum(end - first, 0)


@kernel
def put_seen(  # noqa: PLR0917  # buffers and integers, for a compiler
    bits: bytearray,
    offsets: array[int],
    widths: array[int],
    heights: array[int],
    blit_shapes: array[int],
    blit_lefts: array[int],
    blit_bottoms: array[int],
    levels: array[int],
    clear: int,
    starts: array[int],
    strides: array[int],
    inks: bytearray,
    pixels: array[int],
    covered: bytearray,
    width: int,
    height: int,
) -> None:
    """Put what is seen of shapes to the ink of their levels.

    Args:
        bits: Of `Shapes`, as what follows.
        offsets: In bytes.
        widths: In pixels.
        heights: In pixels.
        blit_shapes: Of each blit, the number of its shape.
        blit_lefts: Columns of their left edges.
        blit_bottoms: Rows of their lower edges, from the page's.
        levels: Of each blit.
        clear: The level that has no ink.
        starts: Where the ink of each level would have the page's upper left corner,
        strides: and the bytes of its rows.
        inks: Clear; gets what is seen.
        pixels: Of each level, 0; gets how many are seen.
        covered: Packed rows of the page; set are those behind its last column.
        width: Of the page, in pixels.
        height: The same.
    """
    page_stride = (width + 7) // _BITS
    for blit in range(len(blit_shapes) - 1, -1, -1):
        shape, level = blit_shapes[blit], levels[blit]
        stride = (widths[shape] + 7) // _BITS
        top = height - blit_bottoms[blit] - heights[shape]
        place = blit_lefts[blit] // _BITS
        shift = blit_lefts[blit] - place * _BITS
        for y in range(max(top, 0), min(top + heights[shape], height)):
            source = offsets[shape] + (y - top) * stride - place
            target = y * page_stride
            own = starts[level] + y * strides[level]
            for column in range(max(place, 0), min(place + stride + 1, page_stride)):
                ink = 0
                if column < place + stride:
                    ink = bits[source + column] * 256 >> shift + _BITS
                if column > place:
                    ink |= bits[source + column - 1] * 256 >> shift & _ALL
                seen = ink & (_ALL - covered[target + column])
                covered[target + column] |= seen
                if seen and level != clear:
                    inks[own + column] |= seen
                    pixels[level] += count_ink(seen)
