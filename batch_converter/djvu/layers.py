"""What a page draws, from the bottom up: which layers a DjVu page has, and how each is coded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.color_layers import (
    background,
    ink_palette,
    ink_shade,
    refuse_conflicts,
)
from batch_converter.djvu.completeness import refuse_silent_loss
from batch_converter.djvu.images import (
    EncodedImage,
    encode_mask,
    ink_of,
    refuse_hostile_size,
    render,
    uniform_color,
    whole_pixels,
)
from batch_converter.djvu.palette import LEVELS, Color, level_masks, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from batch_converter.djvu.bilevel import Bitmap
    from batch_converter.djvu.color_layers import ColorLayer
    from batch_converter.djvu.document import PageChunks
    from batch_converter.djvu.geometry import Box, Geometry
    from batch_converter.djvu.options import ConvertOptions
    from batch_converter.djvu.palette import Palette

BLACK: Final[Color] = (0, 0, 0)
WHITE: Final[Color] = (255, 255, 255)


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
    page: PageChunks, geometry: Geometry, options: ConvertOptions, words: Sequence[Box]
) -> Iterator[Layer]:
    """Decode and encode what a page draws; nothing for an empty page.

    Args:
        page: Its chunks.
        geometry: Its size.
        options: How colours are coded.
        words: Where its hidden text stands on the stored page: ink is missed there.

    Raises:
        PageError: A layer is damaged, missing or too large.
    """
    refuse_hostile_size(geometry.width, geometry.height, options)
    refuse_conflicts(page)
    yield from _background(page, geometry, options)
    if page.has("Sjbz", "Smmr"):
        yield from _foreground(page, geometry, options, words)


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
    page: PageChunks, geometry: Geometry, options: ConvertOptions, words: Sequence[Box]
) -> Iterator[Stencil | Picture]:
    mask_chunks = [c for c in page.chunks if c[0] in {"Djbz", "Sjbz", "Smmr"}]
    palette = ink_palette(page)
    colors = palette.colors
    if len(colors) > 1:
        yield from _palette_layers(mask_chunks, palette, geometry, options, words)
        return
    ink = ink_of(_render_mask(mask_chunks, geometry))
    shade = ink_shade(page, geometry, options)
    color = colors[0] if colors else BLACK if shade is None else uniform_color(shade.image)
    layer: Stencil | Picture
    if shade is not None and color is None:
        layer = _shaded(ink, shade, options)
    else:
        layer = _stencil(ink, color or BLACK, geometry, options)
    if layer.mask is not None:
        refuse_silent_loss(mask_chunks, ink, len(layer.mask.data), words, geometry)
    yield layer


def _render_mask(chunks: Sequence[tuple[str, bytes]], geometry: Geometry) -> NDArray[np.uint8]:
    return render(chunks, width=geometry.width, height=geometry.height)


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
    return Stencil(
        mask=encode_mask(ink.cropped(area), options),
        color=color,
        left=left + area.left,
        bottom=geometry.height - top - area.bottom,
    )


def _shaded(mask: Bitmap, shade: ColorLayer, options: ConvertOptions) -> Picture:
    """Paint a coarse colour layer through a fine mask, both over the same area."""
    width, height = shade.covered
    extended = encode_mask(mask.extended(width, height), options)
    return Picture(image=shade.encode_whole(options), width=width, height=height, mask=extended)


def _palette_layers(
    mask_chunks: list[tuple[str, bytes]],
    palette: Palette,
    geometry: Geometry,
    options: ConvertOptions,
    words: Sequence[Box],
) -> Iterator[Stencil]:
    """Paint the shapes of a page in the colours that a palette gives each of them."""
    colors = palette.colors
    for start in range(0, len(colors), LEVELS):
        group = colors[start : start + LEVELS]
        recoloured = numbered(palette.data, len(colors), start)
        pixels = _render_mask([*mask_chunks, ("FGbz", recoloured)], geometry)
        stencils = list(_stencils(whole_pixels(pixels), group, geometry, options))
        if len(group) == len(colors):
            coded_bytes = sum(len(stencil.mask.data) for stencil in stencils)
            refuse_silent_loss(mask_chunks, ink_of(pixels), coded_bytes, words, geometry)
        yield from stencils


def _stencils(
    shades: NDArray[np.uint32],
    colors: Sequence[Color],
    geometry: Geometry,
    options: ConvertOptions,
) -> Iterator[Stencil]:
    """Separate an image of gray levels into one mask for each, the most frequent level first."""
    masks = sorted(level_masks(shades, len(colors)), key=lambda mask: (-mask.pixels, mask.level))
    for mask in masks:
        yield _stencil(
            mask.ink, colors[mask.level], geometry, options, left=mask.left, top=mask.top
        )
