"""What a page draws, from the bottom up: which layers a DjVu page has, and how each is coded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.draw.bilevel import Bitmap
from batch_converter.djvu.draw.color_layers import (
    background,
    ink_palette,
    ink_shade,
    refuse_conflicts,
)
from batch_converter.djvu.draw.completeness import may_be_incomplete
from batch_converter.djvu.draw.images import (
    MASK_BYTES_A_PIXEL,
    EncodedImage,
    encode_mask,
    refuse_hostile_size,
    uniform_color,
)
from batch_converter.djvu.draw.masks import (
    decoded_mask,
    exact_levels,
    exact_mask,
    mask_chunks,
    needs_kernels,
    rendered_levels,
)
from batch_converter.djvu.draw.palette import CLEAR, LEVELS, Color, level_masks, shape_colors
from batch_converter.djvu.read.decoder import PageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from batch_converter.djvu.draw.color_layers import ColorLayer
    from batch_converter.djvu.draw.geometry import Box, Geometry
    from batch_converter.djvu.draw.palette import Palette
    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.djvu.read.document import PageChunks

BLACK: Final[Color] = (0, 0, 0)
WHITE: Final[Color] = (255, 255, 255)
_CHECKED_SHAPES: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One colour over the whole page."""

    color: Color


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image at the page's left edge.

    Attributes:
        width: Of the area that it covers, in the page's pixels.
        height: The same; may reach beyond the page, as `width` may.
        bottom: Where it begins; below the page where negative.
        mask: Bilevel; where it is set the picture shows. None: everywhere.
    """

    image: EncodedImage
    width: int
    height: int
    bottom: int = 0
    mask: EncodedImage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stencil:
    """One colour through a mask, which has hardly a margin; places in the page's pixels."""

    mask: EncodedImage
    color: Color
    left: int
    bottom: int


Layer = Fill | Picture | Stencil


def layers(
    page: PageChunks,
    geometry: Geometry,
    options: ConvertOptions,
    words: Sequence[Box],
    lost: list[str],
) -> Iterator[Layer]:
    """Decode and encode what a page draws; nothing for an empty page.

    Args:
        page: Its chunks.
        geometry: Its size.
        options: How colours are coded.
        words: Where its hidden text stands on the stored page: ink is missed there.
        lost: Gets a sentence for each colour that is lost.

    Raises:
        PageError: A layer is damaged, missing or too large.
    """
    refuse_hostile_size(geometry.width, geometry.height, options, bytes_a_pixel=MASK_BYTES_A_PIXEL)
    refuse_conflicts(page)
    yield from _background(page, geometry, options)
    if page.has("Sjbz", "Smmr"):
        yield from _foreground(page, geometry, options, words, lost)


def _background(
    page: PageChunks, geometry: Geometry, options: ConvertOptions
) -> Iterator[Fill | Picture]:
    layer = background(page, geometry, options)
    if layer is None:
        return
    color = uniform_color(layer.image)
    if color is None:
        width, height = layer.covered
        yield Picture(image=layer.encode(geometry, options), width=width, height=height)
    elif color != WHITE:
        yield Fill(color=color)


def _foreground(
    page: PageChunks,
    geometry: Geometry,
    options: ConvertOptions,
    words: Sequence[Box],
    lost: list[str],
) -> Iterator[Stencil | Picture]:
    palette = ink_palette(page)
    colors = palette.colors
    if len(colors) > 1:
        yield from _palette_layers(page, palette, geometry, options, words, lost=lost)
        return
    shade = ink_shade(page, geometry, options)
    color = colors[0] if colors else BLACK if shade is None else uniform_color(shade.image)

    def painted(ink: Bitmap) -> tuple[Stencil | Picture, int]:
        if shade is not None and color is None:
            layer = _shaded(ink, shade, options)
            return layer, len(layer.mask.data) if layer.mask else 0
        stencil = _stencil(ink, color or BLACK, geometry, options)
        return stencil, len(stencil.mask.data)

    mask = decoded_mask(page, geometry, options)
    layer, coded_bytes = painted(mask.ink)
    if not mask.checked and may_be_incomplete(
        mask_chunks(page), mask.ink, coded_bytes, words, geometry
    ):
        layer, _ = painted(exact_mask(page, geometry, options).ink)
    yield layer


def _stencil(
    ink: Bitmap,
    color: Color,
    geometry: Geometry,
    options: ConvertOptions,
    *,
    left: int = 0,
    top: int = 0,
) -> Stencil:
    """Paint the inked part of a bitmap whose upper left corner stands at `left`, `top`."""
    area = ink.inked_area()
    cut = ink.cropped(area).with_room_below()
    return Stencil(
        mask=encode_mask(cut, options),
        color=color,
        left=left + area.left,
        bottom=geometry.height - top - area.top - cut.height,
    )


def _shaded(mask: Bitmap, shade: ColorLayer, options: ConvertOptions) -> Picture:
    """Paint a coarse colour layer through a fine mask, both over the same area."""
    width, height = shade.covered
    extended = encode_mask(mask.extended(width, height), options)
    return Picture(image=shade.encode_whole(options), width=width, height=height, mask=extended)


def _palette_layers(
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
    """
    colors = palette.colors
    many = len(shape_colors(palette.data)) > _CHECKED_SHAPES
    if many and not needs_kernels(page, geometry, options):
        with suppress(PageError):  # the other decoder knows more, or says the same
            levels = rendered_levels(page, palette.data, len(colors), geometry)
            stencils, ink = _separated(levels, colors, geometry, options)
            coded_bytes = sum(len(stencil.mask.data) for stencil in stencils)
            if not may_be_incomplete(mask_chunks(page), ink, coded_bytes, words, geometry):
                return stencils
    exact = exact_levels(page, palette.data, len(colors), geometry, options)
    if exact is None:
        lost.append("its palette is not that of its shapes: it is drawn in black")
        return [_stencil(exact_mask(page, geometry, options).ink, BLACK, geometry, options)]
    return _separated(exact, colors, geometry, options)[0]


def _separated(
    groups: Iterable[NDArray[np.uint8]],
    colors: Sequence[Color],
    geometry: Geometry,
    options: ConvertOptions,
) -> tuple[Sequence[Stencil], Bitmap]:
    """Make a mask for each colour, the most frequent of each group first.

    Args:
        groups: Of each `LEVELS` colours, which pixel has which of them.
        colors: All of them.
        geometry: The page's size.
        options: How masks are coded.

    Returns:
        The masks, and what ink there is in any colour.
    """
    stencils = []
    ink = Bitmap.clear(geometry.width, geometry.height)
    for number, levels in enumerate(groups):
        group = colors[number * LEVELS :][:LEVELS]
        ink.add(levels != CLEAR)
        masks = sorted(level_masks(levels, len(group)), key=lambda m: (-m.pixels, m.level))
        stencils += [
            _stencil(m.ink, group[m.level], geometry, options, left=m.left, top=m.top)
            for m in masks
        ]
    return stencils, ink
