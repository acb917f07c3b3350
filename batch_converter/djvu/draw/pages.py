"""Pages of a DjVu as pages of a PDF: pictures, invisible text, links."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Final

from pikepdf import Array, Dictionary, Name, Object, Page, Pdf, Stream

from batch_converter.djvu.draw.color_layers import color_losses
from batch_converter.djvu.draw.geometry import POINTS_AN_INCH, Geometry
from batch_converter.djvu.draw.glyphless import GlyphlessFont
from batch_converter.djvu.draw.layers import layers
from batch_converter.djvu.draw.markup import annotations_for, is_folded
from batch_converter.djvu.draw.mask_streams import MaskStreams, image_entries
from batch_converter.djvu.draw.metadata import page_metadata
from batch_converter.djvu.draw.note_font import EmbeddedFont, Helvetica
from batch_converter.djvu.draw.paint import BLACK, Fill, Layer, Picture, Stencil
from batch_converter.djvu.draw.text_layer import text_operators, words_of
from batch_converter.djvu.read.annotations import Annotations, read_annotations
from batch_converter.djvu.read.decoder import PageError
from batch_converter.djvu.read.links import dead_ends, uri_action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from batch_converter.djvu.draw.palette import Color
    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.djvu.read.document import PageChunks
    from batch_converter.djvu.read.facts import DocumentFacts
    from batch_converter.djvu.read.links import Destinations
    from batch_converter.djvu.read.mapareas import MapArea

_FULL_TURN_DEG: Final = 360
_TEN_THOUSANDTH: Final = Decimal("0.0001")
_INSET: Final = 0.01


class PageWriter:
    """Appends pages to a PDF; `finish` adds what they share: a font, the shapes of masks."""

    def __init__(
        self,
        pdf: Pdf,
        options: ConvertOptions,
        destinations: Destinations,
        facts: Callable[[], DocumentFacts],
    ) -> None:
        self._pdf = pdf
        self._facts = facts
        self._options = options
        self._destinations = destinations
        self._font = GlyphlessFont()
        self._note_font = EmbeddedFont(pdf) if options.pdfa else Helvetica()
        self._masks = MaskStreams(pdf)
        self._pages_with_text: list[Page] = []

    def add(self, page: PageChunks, geometry: Geometry, index: int) -> list[str]:
        """Append a page.

        Args:
            page: What to draw.
            geometry: Its size.
            index: Its 0-based number in the document.

        Returns:
            What was lost although the page could be drawn.

        Raises:
            PageError: It cannot be decoded; nothing was appended.
        """
        lost = list(page.losses)
        try:
            words, unsure = words_of(page, geometry, self._options.encoding)
            lost += unsure
        except PageError as error:  # what cannot be read beside the picture never costs it
            words = []
            lost.append(str(error))
        drawn = self._drawn(page, geometry, lost)
        lost += color_losses(page)
        annotations = read_annotations(page.chunks, self._options.encoding)
        text = text_operators(words, geometry, self._font)
        added = self._append(geometry, drawn, text)
        if text:
            self._pages_with_text.append(added)
        if index:
            lost += self._keep_own_facts(added, annotations)
        return lost + self._annotate(added, annotations, geometry, index)

    def _drawn(self, page: PageChunks, geometry: Geometry, lost: list[str]) -> list[Layer]:
        try:
            return list(layers(page, geometry, self._options, lost))
        except PageError as error:
            raise PageError(page.lack or str(error)) from error

    def add_blank(self, geometry: Geometry) -> None:
        """Append an empty page of the right size."""
        self._append(geometry, [], b"")

    def finish(self) -> None:
        """Write what is shared; no page may be added after it."""
        if isinstance(self._note_font, EmbeddedFont):
            self._note_font.finish()
        self._masks.finish()
        if self._pages_with_text:
            font = self._font.build(self._pdf)
            for page in self._pages_with_text:
                page.obj.Resources.Font = Dictionary(F0=font)

    def _append(self, geometry: Geometry, drawn: Sequence[Layer], text: bytes) -> Page:
        images: dict[str, Object] = {}
        operators = [_scale(geometry)]
        for layer in drawn:
            name = f"Im{len(images)}"
            if isinstance(layer, Picture):
                images[f"/{name}"] = self._picture(layer)
            elif isinstance(layer, Stencil):
                # Nothing but black on white is an image like any other, no stencil.
                plain = len(drawn) == 1 and layer.color == BLACK
                images[f"/{name}"] = self._masks.add(layer.mask, stencil=not plain)
            operators.append(_draw(layer, name, geometry))
        content = b"".join([*operators, text, b"Q\n"])
        page = Page(
            Dictionary(
                Type=Name.Page,
                MediaBox=Array([0, 0, *_points(geometry)]),
                Resources=Dictionary(XObject=Dictionary(images)) if images else Dictionary(),
                Contents=self._pdf.make_indirect(Stream(self._pdf, content)),
            )
        )
        if geometry.rotation_deg:
            page.obj.Rotate = _FULL_TURN_DEG - geometry.rotation_deg
        self._pdf.pages.append(page)
        return self._pdf.pages[-1]

    def _picture(self, layer: Picture) -> Object:
        """Write a gray or colour image, with its mask if it has one."""
        image = layer.image
        stream = Stream(self._pdf, image.data)
        stream.update(image_entries(image.width, image.height, bits=image.bits))
        stream.ColorSpace = Name.DeviceGray if image.components == 1 else Name.DeviceRGB
        stream.Filter = Name.DCTDecode
        if layer.mask is not None:
            stream.Mask = self._masks.add(layer.mask, stencil=True)
        else:
            stream.Interpolate = True
        return self._pdf.make_indirect(stream)

    def _annotate(
        self, page: Page, annotations: Annotations, geometry: Geometry, index: int
    ) -> list[str]:
        dead: list[str] = []
        drawn: list[Dictionary] = []
        for area in annotations.areas:
            action = self._action(area.url, index) if area.url else None
            if area.url and action is None:
                dead.append(area.url)
            drawn += annotations_for(self._pdf, area, action, geometry, self._note_font)
        if drawn:
            page.obj.Annots = Array([self._pdf.make_indirect(one) for one in drawn])
        losses = [*annotations.losses, *self._folded(annotations.areas)]
        return [f"its annotations {loss}" for loss in losses] + dead_ends("link", dead)

    def _folded(self, areas: Iterable[MapArea]) -> list[str]:
        count = sum(is_folded(area, self._note_font) for area in areas)
        if not count:
            return []
        notes = "1 typed note" if count == 1 else f"{count} typed notes"
        return [f"hold {notes} in letters that the font for PDF/A lacks, kept folded"]

    def _action(self, url: str, index: int) -> Dictionary | None:
        """Return where a link leads; a page is given by its number until all are there."""
        if not self._destinations.is_inside(url):
            return uri_action(url)
        target = self._destinations.page_index(url, current=index)
        return None if target is None else Dictionary(S=Name.GoTo, D=Array([target, Name.Fit]))

    def _keep_own_facts(self, page: Page, annotations: Annotations) -> list[str]:
        """Leave with the page what is told of it alone; the first page's is the document's."""
        if not (annotations.facts or annotations.packets):
            return []
        known = self._facts()
        facts = [fact for fact in annotations.facts if fact not in known.entries]
        packets = [packet for packet in annotations.packets if packet not in known.packets]
        if not (facts or packets):
            return []
        page.obj.Metadata, lost = page_metadata(
            self._pdf, facts, packets, with_info=self._options.pdfa
        )
        return [f"its facts: {loss}" for loss in lost]


def _scale(geometry: Geometry) -> bytes:
    scale = f"{POINTS_AN_INCH / geometry.dpi:.6f}"
    return f"q\n{scale} 0 0 {scale} 0 0 cm\n".encode("ascii")


def _points(geometry: Geometry) -> tuple[Decimal, Decimal]:
    """Return the page's size: never so much that a renderer adds a row or a column."""
    return _page_size(geometry.width, geometry.dpi), _page_size(geometry.height, geometry.dpi)


def _page_size(pixels: int, dpi: int) -> Decimal:
    exact = Decimal(pixels) * POINTS_AN_INCH / dpi
    points = exact.quantize(_TEN_THOUSANDTH, ROUND_DOWN)
    return points if points == exact.to_integral_value() else points - _TEN_THOUSANDTH


def _draw(layer: Layer, name: str, geometry: Geometry) -> bytes:
    match layer:
        case Fill():
            return f"{_rgb(layer.color)} rg 0 0 {geometry.width} {geometry.height} re f\n".encode()
        case Picture():
            place = _place(0, layer.bottom, layer.width, layer.height)
            return f"q {place} cm /{name} Do Q\n".encode()
        case Stencil():
            place = _place(layer.left, layer.bottom, layer.mask.width, layer.mask.height)
            return f"q {_rgb(layer.color)} rg {place} cm /{name} Do Q\n".encode()


def _place(left: int, bottom: int, width: int, height: int) -> str:
    """Put an image a hair inside its pixels: what touches the next pixel is drawn over it."""
    inner = f"{width - 2 * _INSET:.2f} 0 0 {height - 2 * _INSET:.2f}"
    return f"{inner} {left + _INSET:.2f} {bottom + _INSET:.2f}"


def _rgb(color: Color) -> str:
    return " ".join(f"{part / 255:.4g}" for part in color)
