"""Pages whose shapes have colours of a palette: a mask for each colour."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.draw.bilevel import Bitmap
from batch_converter.djvu.draw.completeness import may_be_incomplete
from batch_converter.djvu.draw.images import EncodedImage
from batch_converter.djvu.draw.mask_choice import stencil
from batch_converter.djvu.draw.masks import (
    exact_mask,
    exact_separation,
    mask_chunks,
    needs_kernels,
    rendered_levels,
)
from batch_converter.djvu.draw.paint import BLACK
from batch_converter.djvu.draw.palette import CLEAR, LEVELS, level_masks, shape_colors
from batch_converter.djvu.read.decoder import PageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from batch_converter.djvu.draw.geometry import Box, Geometry
    from batch_converter.djvu.draw.paint import Stencil
    from batch_converter.djvu.draw.palette import Color, LevelMask, Palette
    from batch_converter.djvu.draw.shaped_masks import PlacedShapes
    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.djvu.read.document import PageChunks

_CHECKED_SHAPES: Final = 8192


def palette_layers(
    page: PageChunks,
    palette: Palette,
    geometry: Geometry,
    options: ConvertOptions,
    words: Sequence[Box],
    *,
    lost: list[str],
) -> Sequence[Stencil]:
    """Paint the shapes of a page in the colours that a palette gives each of them.

    djvu-rs never says that shapes and numbers of colours are not as many, and gives colours
    to shapes that are not theirs. So it is asked only where our own decoder, which sees it,
    would need seconds: in plain Python.

    Args:
        page: Its chunks.
        palette: Of more than one colour.
        geometry: The page's size.
        options: How masks are coded.
        words: Where the page's hidden text stands.
        lost: Gets a sentence if colours are lost.

    Raises:
        PageError: The mask or the palette is damaged or too large.
    """
    colors = palette.colors
    many = len(shape_colors(palette.data)) > _CHECKED_SHAPES
    if many and not needs_kernels(page, geometry, options):
        with suppress(PageError):  # the other decoder knows more, or says the same
            ink = Bitmap.clear(geometry.width, geometry.height)
            levels = rendered_levels(page, palette.data, len(colors), geometry)
            separation = _Separation(colors, geometry, options, None)
            stencils = separation.stencils(_noted(levels, ink))
            if not may_be_incomplete(
                mask_chunks(page), ink, _coded_bytes(stencils), words, geometry
            ):
                return stencils
    exact = exact_separation(page, palette.data, len(colors), geometry, options)
    if exact is None:
        lost.append("its palette is not that of its shapes: it is drawn in black")
        mask = exact_mask(page, geometry, options)
        return [stencil(mask.ink, mask.shapes, BLACK, geometry, options)]
    shapes = exact.shapes, np.array(exact.numbers)
    return _Separation(colors, geometry, options, shapes).stencils(exact.masks)


def _coded_bytes(stencils: Sequence[Stencil]) -> int:
    return sum(len(one.mask.data) for one in stencils if isinstance(one.mask, EncodedImage))


def _noted(groups: Iterable[NDArray[np.uint8]], ink: Bitmap) -> Iterator[Iterable[LevelMask]]:
    """Find the pixels of each level, and add what is drawn in any colour to a bitmap."""
    for levels in groups:
        ink.add(levels != CLEAR)
        yield level_masks(levels)


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

    def stencils(self, groups: Iterable[Iterable[LevelMask]]) -> Sequence[Stencil]:
        """Paint all colours, the most frequent of each group first.

        Args:
            groups: Of each `LEVELS` colours, the pixels of those that are seen.
        """
        return [
            self._stencil(mask, group * LEVELS + mask.level)
            for group, masks in enumerate(groups)
            for mask in sorted(masks, key=lambda m: (-m.pixels, m.level))
        ]

    def _stencil(self, mask: LevelMask, number: int) -> Stencil:
        shapes = None
        if self._shapes is not None:
            placed, numbers = self._shapes
            shapes = placed.chosen(numbers == number)
        return stencil(
            mask.ink,
            shapes,
            self._colors[number],
            self._geometry,
            self._options,
            left=mask.left,
            top=mask.top,
            overlaid=True,
        )
