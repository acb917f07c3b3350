"""Pages whose shapes have colours of a palette: a mask for each colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.draw.mask_choice import stencil
from batch_converter.djvu.draw.masks import exact_mask, exact_separation
from batch_converter.djvu.draw.paint import BLACK
from batch_converter.djvu.draw.palette import LEVELS
from batch_converter.djvu.draw.shaped_masks import ShapedMask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from batch_converter.djvu.draw.geometry import Geometry
    from batch_converter.djvu.draw.paint import Stencil
    from batch_converter.djvu.draw.palette import Color, LevelMask, Palette
    from batch_converter.djvu.draw.shaped_masks import PlacedShapes
    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.djvu.read.document import PageChunks

_MOST_SYMBOL_BYTES: Final = 256 << 20
"""What symbols of a page's masks may take until all are known; later masks are coded at once."""


def palette_layers(
    page: PageChunks,
    palette: Palette,
    geometry: Geometry,
    options: ConvertOptions,
    *,
    lost: list[str],
) -> Sequence[Stencil]:
    """Paint the shapes of a page in the colours that a palette gives each of them.

    By our own decoder alone: djvu-rs never says that shapes and numbers of colours are not as
    many, and gives colours to shapes that are not theirs. In plain Python a map of ten thousand
    shapes takes 5 s, seven times as long.

    Args:
        page: Its chunks.
        palette: Of more than one colour.
        geometry: The page's size.
        options: How masks are coded.
        lost: Gets a sentence if colours are lost.

    Raises:
        PageError: The mask or the palette is damaged or too large.
    """
    colors = palette.colors
    exact = exact_separation(page, palette.data, len(colors), geometry, options)
    if exact is None:
        lost.append("its palette is not that of its shapes: it is drawn in black")
        mask = exact_mask(page, geometry, options)
        return [stencil(mask.ink, mask.shapes, BLACK, geometry, options)]
    shapes = exact.shapes, np.array(exact.numbers)
    return _Separation(colors, geometry, options, shapes).stencils(exact.masks)


class _Separation:
    """Makes a mask for each colour of a page.

    Args:
        colors: All of them.
        geometry: The page's size.
        options: How masks are coded.
        shapes: What the page is made of, and the number of each one's colour, where known.
    """

    def __init__(
        self,
        colors: Sequence[Color],
        geometry: Geometry,
        options: ConvertOptions,
        shapes: tuple[PlacedShapes, NDArray[np.int64]] | None,
    ) -> None:
        self._colors = colors
        self._geometry = geometry
        self._options = options
        self._shapes = shapes
        self._symbol_bytes = 0

    def stencils(self, groups: Iterable[Iterable[LevelMask]]) -> Sequence[Stencil]:
        """Paint all colours, one by one.

        Args:
            groups: Of each `LEVELS` colours, the pixels of those that are seen.
        """
        return [
            self._stencil(mask, group * LEVELS + mask.level)
            for group, masks in enumerate(groups)
            for mask in masks
        ]

    def _stencil(self, mask: LevelMask, number: int) -> Stencil:
        shapes = None
        if self._shapes is not None and self._symbol_bytes <= _MOST_SYMBOL_BYTES:
            placed, numbers = self._shapes
            shapes = placed.chosen(numbers == number)
        painted = stencil(
            mask.ink,
            shapes,
            self._colors[number],
            self._geometry,
            self._options,
            left=mask.left,
            top=mask.top,
            overlaid=True,
        )
        if isinstance(painted.mask, ShapedMask):
            self._symbol_bytes += len(painted.mask.symbols.bits)
        return painted
