"""What a page draws, from the bottom up: which layers a DjVu page has, and how each is coded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.djvu.draw.bilevel import MOST_SIDE, Area
from batch_converter.djvu.draw.color_layers import (
    background,
    ink_palette,
    ink_shade,
    refuse_conflicts,
)
from batch_converter.djvu.draw.images import MASK_BYTES_A_PIXEL, refuse_hostile_size
from batch_converter.djvu.draw.mask_choice import mask_image, stencil
from batch_converter.djvu.draw.masks import decoded_mask
from batch_converter.djvu.draw.paint import BLACK, WHITE, Fill, Picture
from batch_converter.djvu.draw.palette_layers import palette_layers
from batch_converter.djvu.draw.rasters import uniform_color

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.djvu.draw.color_layers import ColorLayer
    from batch_converter.djvu.draw.geometry import Geometry
    from batch_converter.djvu.draw.masks import Mask
    from batch_converter.djvu.draw.paint import Layer, Stencil
    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.djvu.read.document import PageChunks


def layers(
    page: PageChunks,
    geometry: Geometry,
    options: ConvertOptions,
    lost: list[str],
) -> Iterator[Layer]:
    """Decode and encode what a page draws; nothing for an empty page.

    Args:
        page: Its chunks.
        geometry: Its size.
        options: How colours are coded.
        lost: Gets a sentence for each colour that is lost.

    Raises:
        PageError: A layer is damaged, missing or too large.
    """
    refuse_hostile_size(geometry.width, geometry.height, options, bytes_a_pixel=MASK_BYTES_A_PIXEL)
    refuse_conflicts(page)
    yield from _background(page, geometry, options)
    if page.has("Sjbz", "Smmr"):
        yield from _foreground(page, geometry, options, lost)


def _background(
    page: PageChunks, geometry: Geometry, options: ConvertOptions
) -> Iterator[Fill | Picture]:
    layer = background(page, geometry, options)
    if layer is None:
        return
    color = uniform_color(layer.raster)
    if color is None:
        width, height = layer.covered
        yield Picture(image=layer.encode(geometry, options), width=width, height=height)
    elif color != WHITE:
        yield Fill(color=color)


def _foreground(
    page: PageChunks,
    geometry: Geometry,
    options: ConvertOptions,
    lost: list[str],
) -> Iterator[Stencil | Picture]:
    palette = ink_palette(page)
    colors = palette.colors
    if len(colors) > 1:
        yield from palette_layers(page, palette, geometry, options, lost=lost)
        return
    shade = ink_shade(page, geometry, options)
    color = colors[0] if colors else BLACK if shade is None else uniform_color(shade.raster)

    mask = decoded_mask(page, geometry, options)
    if shade is not None and color is None:
        yield _shaded(mask, shade, geometry, options)
    else:
        yield stencil(mask.ink, mask.shapes, color or BLACK, geometry, options)


def _shaded(mask: Mask, shade: ColorLayer, geometry: Geometry, options: ConvertOptions) -> Picture:
    """Paint a coarse colour layer through a fine mask, both over the same area.

    Where that would have too long a side, it ends sooner: the colours then move by less than one
    of their pixels, on a side of more than 5,000.
    """
    width, height = (min(side, MOST_SIDE) for side in shade.covered)
    area = Area(0, geometry.height - height, width, geometry.height)
    image = mask_image(mask.ink.extended(width, height), area, mask.shapes, options)
    return Picture(image=shade.encode_whole(options), width=width, height=height, mask=image)
