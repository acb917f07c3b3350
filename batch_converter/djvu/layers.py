"""What a page draws, from the bottom up: which layers a DjVu page has, and how each is coded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageChops

from batch_converter.djvu.completeness import refuse_silent_loss
from batch_converter.djvu.decoder import PageError
from batch_converter.djvu.images import (
    EncodedImage,
    encode_jpeg,
    encode_mask,
    ink_of,
    pixels_below,
    pixels_of,
    reduced,
    refuse_hostile_size,
    render,
    render_iw44,
    uniform_color,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_converter.djvu.document import PageChunks
    from batch_converter.djvu.geometry import Box, Geometry
    from batch_converter.djvu.options import ConvertOptions

Color = tuple[int, int, int]

BLACK: Final[Color] = (0, 0, 0)
WHITE: Final[Color] = (255, 255, 255)
_MAX_REDUCTION: Final = 12
_WHITE_LEVEL: Final = 255
_ONE_PIXEL: Final = (0, 0, 1, 1)


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
    """One colour through a mask, which has no margins; places in the page's pixels."""

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
    yield from _background(page, geometry, options)
    if page.has("Sjbz", "Smmr"):
        yield from _foreground(page, geometry, options, words)


def _info(page: PageChunks) -> bytes:
    return next(iter(page.of("INFO")), b"")


def _background(
    page: PageChunks, geometry: Geometry, options: ConvertOptions
) -> Iterator[Fill | Picture]:
    wavelets = page.of("BG44")
    if not wavelets:
        if page.has("BGjp", "BG2k", "FGjp", "FG2k"):
            raise PageError("its JPEG layers are not supported")
        return
    image = render_iw44(wavelets, _info(page), options)
    color = uniform_color(image)
    if color is not None:
        if color != WHITE:
            yield Fill(color=color)
        return
    reduction = _reduction(image.size, geometry)
    width, height = image.width * reduction, image.height * reduction
    image = reduced(image, dpi=geometry.dpi / reduction, target_dpi=options.color_dpi)
    yield Picture(image=encode_jpeg(image, options.jpeg_quality), width=width, height=height)


def _reduction(size: tuple[int, int], geometry: Geometry) -> int:
    """How many page pixels a layer's pixel stands for: 1 to 12, rounded up at the edges.

    Raises:
        PageError: No factor fits; the layer belongs to another page.
    """
    width, height = size
    for factor in range(1, _MAX_REDUCTION + 1):
        if -(-geometry.width // factor) == width and -(-geometry.height // factor) == height:
            return factor
    raise PageError("its layers do not fit together")


def _foreground(
    page: PageChunks, geometry: Geometry, options: ConvertOptions, words: Sequence[Box]
) -> Iterator[Stencil | Picture]:
    mask_chunks = [c for c in page.chunks if c[0] in {"Djbz", "Sjbz", "Smmr"}]
    palette = next(iter(page.of("FGbz")), b"")
    colors = _palette(palette)
    if len(colors) > 1:
        yield from _palette_layers(mask_chunks, palette, geometry, options, words)
        return
    ink = ink_of(_render_mask(mask_chunks, geometry).getchannel(0))
    box = ink.getbbox() or _ONE_PIXEL
    mask = encode_mask(ink.crop(box), options)
    refuse_silent_loss(mask_chunks, ink, len(mask.data), words, geometry)
    wavelets = page.of("FG44")
    shade = render_iw44(wavelets, _info(page), options) if wavelets and not colors else None
    color = colors[0] if colors else BLACK if shade is None else uniform_color(shade)
    if color is not None:
        yield Stencil(mask=mask, color=color, left=box[0], bottom=geometry.height - box[3])
    elif shade is not None:
        yield _shaded(ink, shade, _reduction(shade.size, geometry), options)


def _render_mask(chunks: Sequence[tuple[str, bytes]], geometry: Geometry) -> Image.Image:
    return render(chunks, width=geometry.width, height=geometry.height)


def _shaded(
    mask: Image.Image, shade: Image.Image, reduction: int, options: ConvertOptions
) -> Picture:
    """Paint a coarse colour layer through a fine mask, both over the same area."""
    width, height = shade.width * reduction, shade.height * reduction
    canvas = Image.new("1", (width, height), 0)
    canvas.paste(mask, (0, height - mask.height))
    image = encode_jpeg(shade, options.jpeg_quality)
    return Picture(image=image, width=width, height=height, mask=encode_mask(canvas, options))


def _palette_layers(
    mask_chunks: list[tuple[str, bytes]],
    palette: bytes,
    geometry: Geometry,
    options: ConvertOptions,
    words: Sequence[Box],
) -> Iterator[Stencil]:
    """Paint the shapes of a page in the colours that a palette gives each of them."""
    colors = _palette(palette)
    for start in range(0, len(colors), _WHITE_LEVEL):
        group = colors[start : start + _WHITE_LEVEL]
        numbered = _numbered(palette, len(colors), start)
        image = _render_mask([*mask_chunks, ("FGbz", numbered)], geometry).getchannel(0)
        stencils = list(_stencils(image, group, geometry, options))
        if len(group) == len(colors):
            ink = pixels_below(image, _WHITE_LEVEL)
            coded_bytes = sum(len(stencil.mask.data) for stencil in stencils)
            refuse_silent_loss(mask_chunks, ink, coded_bytes, words, geometry)
        yield from stencils


def _palette(data: bytes) -> list[Color]:
    """Read the colours of an `FGbz` chunk; which shape has which is left to djvu-rs."""
    if not data:
        return []
    count = int.from_bytes(data[1:3], "big")
    end = 3 + 3 * count
    if count == 0 or len(data) < end:
        raise PageError("its palette is damaged")
    return [(data[i + 2], data[i + 1], data[i]) for i in range(3, end, 3)]


def _numbered(palette: bytes, count: int, start: int) -> bytes:
    """Recolour a palette: the colours from `start` on become gray levels 0, 1, …, others white.

    So one rendering tells for each pixel which colour it has; a shape that
    covers another takes its pixels away, as it does on the page.
    """
    levels = [index - start for index in range(count)]
    shades = [level if 0 <= level < _WHITE_LEVEL else _WHITE_LEVEL for level in levels]
    entries = b"".join(bytes([shade] * 3) for shade in shades)
    return palette[:3] + entries + palette[3 + 3 * count :]


def _stencils(
    image: Image.Image, colors: Sequence[Color], geometry: Geometry, options: ConvertOptions
) -> Iterator[Stencil]:
    """Separate an image of gray levels into masks, the most frequent level first.

    What is left of most pages then is small: only that is looked at again.
    """
    counts = image.histogram()
    levels = sorted(filter(counts.__getitem__, range(len(colors))), key=lambda n: -counts[n])
    left = top = 0
    for number, level in enumerate(levels):
        mask = pixels_of(image, level)
        box = mask.getbbox() or _ONE_PIXEL
        yield Stencil(
            mask=encode_mask(mask.crop(box), options),
            color=colors[level],
            left=left + box[0],
            bottom=geometry.height - top - box[3],
        )
        if number == 0:
            rest = image.point([_WHITE_LEVEL if n == level else n for n in range(256)])
            corner = ImageChops.invert(rest).getbbox() or _ONE_PIXEL
            image, left, top = rest.crop(corner), corner[0], corner[1]
