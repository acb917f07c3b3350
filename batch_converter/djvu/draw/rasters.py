"""Pictures whose rows are made when they are asked for, so that no large one is there as a whole.

A sheet of paper scanned at 600 dpi has 35 million pixels, 140 MB as Pillow holds them. What is
done with a picture here (is it all of one colour, reduce it, code it) can be done strip by strip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from PIL.Image import Resampling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL import Image

LARGE_PIXELS: Final = 12 << 20
"""Beyond them a picture is worked on in strips; a sheet at 300 dpi has fewer."""

STRIP_ROWS: Final = 64
"""A multiple of the rows that JPEG codes together."""

_WORTH_REDUCING: Final = 1.25


class Raster(Protocol):
    """A picture."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    @property
    def is_large(self) -> bool:
        """Whether it is to be had in strips."""

    def rows(self, top: int, bottom: int) -> Image.Image:
        """Return some of its rows, gray as `L`, others as `RGB`, or as `RGBX` with nothing in X.

        Args:
            top: The first.
            bottom: The one behind the last.

        Raises:
            PageError: Its data are damaged.
        """


class HeldRaster:
    """A picture that is there as a whole."""

    def __init__(self, image: Image.Image) -> None:
        self._image = image
        self.size = image.size
        self.is_large = image.width * image.height > LARGE_PIXELS

    def rows(self, top: int, bottom: int) -> Image.Image:
        """Return some of its rows."""
        width, height = self.size
        return (
            self._image
            if (top, bottom) == (0, height)
            else self._image.crop((0, top, width, bottom))
        )


@dataclass(frozen=True, slots=True)
class ReducedRaster:
    """A picture of fewer pixels, each the mean of those that it covers.

    Attributes:
        whole: The picture that it is made from.
        size: Width and height in pixels.
    """

    whole: Raster
    size: tuple[int, int]

    @property
    def is_large(self) -> bool:
        """Whether it is made from one that is."""
        return self.whole.is_large

    def rows(self, top: int, bottom: int) -> Image.Image:
        """Return some of its rows."""
        whole_width, whole_height = self.whole.size
        scale = whole_height / self.size[1]
        first, last = math.floor(top * scale), min(math.ceil(bottom * scale), whole_height)
        return self.whole.rows(first, last).resize(
            (self.size[0], bottom - top),
            Resampling.BOX,
            box=(0, top * scale - first, whole_width, min(bottom * scale, whole_height) - first),
        )


def strips(raster: Raster, strip_rows: int = STRIP_ROWS) -> Iterator[Image.Image]:
    """Cut a picture into pieces of so many rows, from the top down."""
    height = raster.size[1]
    for top in range(0, height, strip_rows):
        yield raster.rows(top, min(top + strip_rows, height))


def reduced(raster: Raster, *, dpi: float, target_dpi: int) -> Raster:
    """Average a picture down to about `target_dpi`, if it is finer by a quarter at least.

    Args:
        raster: The picture.
        dpi: How fine it is.
        target_dpi: How fine it is to be; 0 leaves it.
    """
    if not target_dpi or dpi < target_dpi * _WORTH_REDUCING:
        return raster
    width, height = (max(1, round(side * target_dpi / dpi)) for side in raster.size)
    return ReducedRaster(raster, (width, height))


def uniform_color(raster: Raster) -> tuple[int, int, int] | None:
    """Return the one colour of a picture that has only one; a look at its first rows often does."""
    levels: tuple[float, ...] = ()
    for strip in strips(raster):
        if not levels:
            first = strip.getpixel((0, 0))
            levels = (first,) if isinstance(first, (int, float)) else first or ()
        if not _is_plain(strip, levels):
            return None
    red, green, blue = levels * 3 if len(levels) == 1 else levels[:3]
    return int(red), int(green), int(blue)


def _is_plain(image: Image.Image, levels: Sequence[float]) -> bool:
    histogram = image.histogram()
    pixels = image.width * image.height
    return all(histogram[256 * band + int(level)] == pixels for band, level in enumerate(levels))
