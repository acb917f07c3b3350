"""The colour layers of a page, background and ink: which there are, decoded as they are shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.draw.gamma import corrected_color, corrected_image, needs_correction
from batch_converter.djvu.draw.images import EncodedImage, refuse_hostile_size
from batch_converter.djvu.draw.jpeg import JpegLayer
from batch_converter.djvu.draw.jpeg_coding import encode_jpeg
from batch_converter.djvu.draw.palette import Palette, palette_colors, palette_losses
from batch_converter.djvu.draw.rasters import HeldRaster, reduced
from batch_converter.djvu.draw.wavelets import iw44_size, render_iw44
from batch_converter.djvu.read.decoder import PageError

if TYPE_CHECKING:
    from batch_converter.djvu.draw.geometry import Geometry
    from batch_converter.djvu.draw.rasters import Raster
    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.djvu.read.document import PageChunks

_BACKGROUNDS: Final = ("BG44", "BGjp", "BG2k")
_INKS: Final = ("FGbz", "FG44", "FGjp", "FG2k")
_ONLY_ONE: Final = {
    "size": ("INFO",),
    "mask": ("Sjbz", "Smmr"),
    "background": _BACKGROUNDS,
    "foreground colour": _INKS,
}
_WAVELETS: Final = frozenset({"BG44", "FG44"})
_JPEG_2000: Final = frozenset({"BG2k", "FG2k"})
_MAX_REDUCTION: Final = 12


@dataclass(slots=True, kw_only=True)
class ColorLayer:
    """A picture that covers the page, each of its pixels several of the page's.

    Attributes:
        raster: As it is shown.
        reduction: How many pixels of the page one of it stands for, 1 to 12.
        jpeg: The same picture as the DjVu has it, where a PDF can have it too.
        covered: Width and height in the page's pixels; may reach beyond the page.
    """

    raster: Raster
    reduction: int
    jpeg: EncodedImage | None
    covered: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        width, height = self.raster.size
        self.covered = width * self.reduction, height * self.reduction

    def encode(self, geometry: Geometry, options: ConvertOptions) -> EncodedImage:
        """Code it, reduced if it is finer than was asked for; a JPEG stays one if it may."""
        dpi = geometry.dpi / self.reduction
        coarser = reduced(self.raster, dpi=dpi, target_dpi=options.color_dpi)
        if coarser is self.raster:
            return self.encode_whole(options)
        return encode_jpeg(coarser, options.jpeg_quality)

    def encode_whole(self, options: ConvertOptions) -> EncodedImage:
        """Code it in its own resolution."""
        return self.jpeg or encode_jpeg(self.raster, options.jpeg_quality)


def info_of(page: PageChunks) -> bytes:
    """Return the data of a page's `INFO`."""
    return next(iter(page.of("INFO")), b"")


def refuse_conflicts(page: PageChunks) -> None:
    """Raise if it is not clear what is drawn where, and what has which colour.

    Two layers of one kind are damage for DjVuLibre too. JPEG 2000 it passes over
    without a word, and draws black on white; here its loss is told.

    Raises:
        PageError: There are two masks, two backgrounds, two layers of ink, two sizes, or
            a layer in JPEG 2000.
    """
    for what, kinds in _ONLY_ONE.items():
        found = [kind for kind, _ in page.chunks if kind in kinds]
        for kind in _JPEG_2000.intersection(found):
            raise PageError(f"its {what} is coded as JPEG 2000 ({kind}), which is not supported")
        layers = [kind for kind in found if kind not in _WAVELETS]
        layers += sorted(_WAVELETS.intersection(found))
        if len(layers) > 1:
            raise PageError(f"it has more than one {what} ({', '.join(layers)})")


def background(page: PageChunks, geometry: Geometry, options: ConvertOptions) -> ColorLayer | None:
    """Decode what lies under everything.

    Raises:
        PageError: It is damaged, too large, or of another page's size.
    """
    return _color_layer(page, "BG44", "BGjp", geometry, options)


def ink_shade(page: PageChunks, geometry: Geometry, options: ConvertOptions) -> ColorLayer | None:
    """Decode the picture that shows where the mask is set.

    Raises:
        PageError: As `background`.
    """
    return _color_layer(page, "FG44", "FGjp", geometry, options)


def ink_palette(page: PageChunks) -> Palette:
    """Return a page's palette, its colours as they are shown; empty if it has none.

    Raises:
        PageError: There are fewer colours than it says.
    """
    data = next(iter(page.of("FGbz")), b"")
    info = info_of(page)
    shown = [corrected_color(color, info) for color in palette_colors(data)]
    return Palette(data=data, colors=shown)


def color_losses(page: PageChunks) -> list[str]:
    """Tell what is drawn without the colour that the page speaks of, one sentence each."""
    return palette_losses(next(iter(page.of("FGbz")), b""))


def _color_layer(
    page: PageChunks, wavelet: str, jpeg: str, geometry: Geometry, options: ConvertOptions
) -> ColorLayer | None:
    info = info_of(page)
    wavelets, jpegs = page.of(wavelet), page.of(jpeg)
    if wavelets:
        reduction = _reduction(iw44_size(wavelets), geometry)
        raster = render_iw44(wavelets, info, options)
        return ColorLayer(raster=raster, reduction=reduction, jpeg=None)
    if not jpegs:
        return None
    layer = JpegLayer(jpegs[0])
    reduction = _reduction(layer.size, geometry)
    refuse_hostile_size(*layer.size, options)
    image = corrected_image(layer.decode(), info)
    kept = None if needs_correction(info) else layer.as_it_is()
    return ColorLayer(raster=HeldRaster(image), reduction=reduction, jpeg=kept)


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
