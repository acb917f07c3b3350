"""Masks that are known by the shapes that they are made of, not pixel by pixel.

The shapes of a JB2 stream come with their places, and those of print repeat: JBIG2 can code
each once for many pages. What is drawn is what is seen: a shape that reaches beyond the
page, or lies half under another one of another colour, becomes a shape of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.draw.bilevel import Bitmap
from batch_converter.djvu.kernels import jbig2_dictionaries
from batch_converter.djvu.kernels.equal_shapes import distinct
from batch_converter.djvu.kernels.g4_bound import least_bits
from batch_converter.djvu.kernels.integers import buffer_of
from batch_converter.djvu.kernels.jb2 import Jb2Image
from batch_converter.djvu.kernels.jb2_composition import composed
from batch_converter.djvu.kernels.shape_visibility import mark_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from batch_converter.djvu.draw.bilevel import Area
    from batch_converter.djvu.kernels.shapes import Picture, Shapes

_BITS: Final = 8
MOST_SYMBOLS: Final = jbig2_dictionaries.MOST_SYMBOLS // 2
"""Of a mask, and of what masks share: each sees both."""

_MOST_PIXELS: Final = 32 << 20
"""Of all shapes of a mask together: plain Python codes a million in about half a second."""

_FEWEST_SPECKS: Final = 32
"""Instances: fewer are coded in both ways, which takes little."""

_PLACE_BYTES: Final = 1.875
_SHAPE_BYTES: Final = 2.5
"""Of an instance and of a shape that are small: what their numbers and sizes take, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapedMask:
    """Shapes in their places on a bilevel picture, which they make up.

    Attributes:
        width: Of the picture, in pixels.
        height: The same.
        symbols: What is put on it, each once.
        numbers: Which symbol each instance is, in the order in which they were drawn.
        lefts: Columns of their left edges; all of an instance lies on the picture.
        tops: Rows of their upper edges.
        least_g4_bytes: CCITT G4 needs no less for it.
    """

    width: int
    height: int
    symbols: Shapes
    numbers: NDArray[np.int64]
    lefts: NDArray[np.int64]
    tops: NDArray[np.int64]
    least_g4_bytes: int

    @property
    def ink(self) -> Bitmap:
        """The picture, made anew: it is seldom asked for, and may take many times the symbols."""
        heights = np.array(self.symbols.heights, np.int64)[self.numbers]
        placed = Jb2Image(
            width=self.width,
            height=self.height,
            shapes=self.symbols,
            blit_shapes=buffer_of(self.numbers),
            blit_lefts=buffer_of(self.lefts),
            blit_bottoms=buffer_of(self.height - self.tops - heights),
        )
        return Bitmap(width=self.width, rows=composed(placed))

    @property
    def size_bytes(self) -> int:
        """What it takes in memory while it is coded, about: the picture, and the symbols."""
        return -(-self.width // _BITS) * self.height + len(self.symbols.bits)


@dataclass(frozen=True, slots=True)
class PlacedShapes:
    """The shapes of a page, or those of one colour, with places from the upper left corner."""

    shapes: Shapes
    numbers: NDArray[np.int64]
    lefts: NDArray[np.int64]
    tops: NDArray[np.int64]

    @classmethod
    def of(cls, image: Jb2Image) -> PlacedShapes:
        """Take over what a stream says."""
        numbers = np.array(image.blit_shapes, np.int64)
        heights = np.array(image.shapes.heights, np.int64)
        tops = image.height - np.array(image.blit_bottoms, np.int64) - heights[numbers]
        return cls(image.shapes, numbers, np.array(image.blit_lefts, np.int64), tops)

    def chosen(self, which: NDArray[np.bool_]) -> PlacedShapes:
        """Return some of them."""
        return PlacedShapes(self.shapes, self.numbers[which], self.lefts[which], self.tops[which])

    def mask(self, ink: Bitmap, area: Area, *, overlaid: bool) -> ShapedMask | None:
        """Return what they show of a part of the page; None where its pixels are to be coded.

        So it is where the shapes are too much to code, and where they are specks.

        Args:
            ink: What is seen of them on the part.
            area: Where the part lies on the page; all ink is within.
            overlaid: Whether other shapes may hide some of their ink.
        """
        if self._pixels() > _MOST_PIXELS:
            return None
        mask = _Cutting(self, ink, area, overlaid=overlaid).mask()
        return mask if mask and len(mask.symbols) <= MOST_SYMBOLS else None

    def _pixels(self) -> int:
        used = _each_once(self.numbers, len(self.shapes))
        widths = np.array(self.shapes.widths, np.int64)[used]
        heights = np.array(self.shapes.heights, np.int64)[used]
        return int((widths * heights).sum())


class _Cutting:
    """Turns shapes that may reach beyond what is seen of them into symbols that do not."""

    def __init__(self, placed: PlacedShapes, ink: Bitmap, area: Area, *, overlaid: bool) -> None:
        self._ink = ink
        self._shapes = placed.shapes
        self._numbers = placed.numbers
        self._widths = np.array(placed.shapes.widths, np.int64)[placed.numbers]
        self._heights = np.array(placed.shapes.heights, np.int64)[placed.numbers]
        self._lefts = placed.lefts - area.left
        self._tops = placed.tops - area.top
        self._overlaid = overlaid
        self._pieces: dict[Picture, int] = {}

    def mask(self) -> ShapedMask | None:
        """Return the mask; None for one of specks."""
        least = least_g4_bytes(self._ink)
        touching = self._numbers[self._touch()]
        if are_specks(len(touching), len(_each_once(touching, len(self._shapes))), least):
            return None
        numbers = np.full(len(self._numbers), -1, np.int64)
        whole = self._seen_whole() if self._overlaid else self._lie_inside()
        used = _each_once(self._numbers[whole], len(self._shapes))
        numbers[whole] = np.searchsorted(used, self._numbers[whole])
        for place in np.flatnonzero(~whole & self._touch()).tolist():
            piece = self._cut(place)
            numbers[place] = piece if piece < 0 else len(used) + piece
        kept = numbers >= 0
        seen = self._shapes.chosen(used)
        for picture in self._pieces:
            seen.add(*picture)
        symbols, same = distinct(seen)
        return ShapedMask(
            width=self._ink.width,
            height=self._ink.height,
            symbols=symbols,
            numbers=same[numbers[kept]],
            lefts=self._lefts[kept],
            tops=self._tops[kept],
            least_g4_bytes=least,
        )

    def _lie_inside(self) -> NDArray[np.bool_]:
        inside = (self._lefts >= 0) & (self._lefts + self._widths <= self._ink.width)
        inside &= (self._tops >= 0) & (self._tops + self._heights <= self._ink.height)
        return inside & (self._widths > 0) & (self._heights > 0)

    def _seen_whole(self) -> NDArray[np.bool_]:
        """Which lie inside, and under nothing of another colour."""
        shapes, ink = self._shapes, self._ink
        laid_out = shapes.bits, shapes.offsets, shapes.widths, shapes.heights
        placed = buffer_of(self._numbers), buffer_of(self._lefts), buffer_of(self._tops)
        seen = bytearray(ink.rows.tobytes())
        whole = bytearray(len(self._numbers))
        mark_whole(*laid_out, *placed, seen, ink.width, ink.height, whole)
        return np.frombuffer(whole, np.bool_)

    def _touch(self) -> NDArray[np.bool_]:
        """Whether any pixel of each lies on the part."""
        touch = (self._lefts < self._ink.width) & (self._lefts + self._widths > 0)
        touch &= (self._tops < self._ink.height) & (self._tops + self._heights > 0)
        return touch & (self._widths > 0) & (self._heights > 0)

    def _number(self, symbol: Picture) -> int:
        return self._pieces.setdefault(symbol, len(self._pieces))

    def _cut(self, place: int) -> int:
        """Make a symbol of what is seen of an instance, and move it there; -1 for nothing."""
        left, top = int(self._lefts[place]), int(self._tops[place])
        width, height = int(self._widths[place]), int(self._heights[place])
        start, end = max(left, 0), min(left + width, self._ink.width)
        first, last = max(top, 0), min(top + height, self._ink.height)
        rows = np.frombuffer(self._shapes.rows(int(self._numbers[place])), np.uint8)
        shape = np.unpackbits(rows.reshape(height, -1)[first - top : last - top], axis=1)
        seen = shape[:, start - left : end - left] & _pixels(self._ink, start, end, first, last)
        if not seen.any():
            return -1
        self._lefts[place], self._tops[place] = start, first
        packed = np.packbits(seen, axis=1).tobytes()
        return self._number((end - start, last - first, packed))


def are_specks(instances: int, shapes: int, least_g4_bytes: int) -> bool:
    """Whether so many instances need more for their places than for their pixels, by far.

    Of 221 masks of 32 instances and more in 13 documents that is so for eleven, all of a page whose
    colours are scattered: by symbols these became 1.2 to 2.3 times as long. Where symbols were the
    shorter way, pixels were 2.2 times as far from being left out at least.
    """
    if instances < _FEWEST_SPECKS:
        return False
    return least_g4_bytes < _PLACE_BYTES * instances + _SHAPE_BYTES * shapes


def _each_once(numbers: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return numbers below a count, ascending; `np.unique` takes twenty times as long."""
    is_there = np.zeros(count, np.bool_)
    is_there[numbers] = True
    return np.flatnonzero(is_there)


def _pixels(bitmap: Bitmap, start: int, end: int, first: int, last: int) -> NDArray[np.uint8]:
    byte = start // _BITS
    rows = bitmap.rows[first:last, byte : -(-end // _BITS)]
    return np.unpackbits(rows, axis=1)[:, start - byte * _BITS : end - byte * _BITS]


def least_g4_bytes(ink: Bitmap) -> int:
    """Return what CCITT G4 needs at least for a bitmap: of text, two thirds of what it takes."""
    return least_bits(ink.rows, ink.width) // _BITS
