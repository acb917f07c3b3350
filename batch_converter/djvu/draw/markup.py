"""Map areas as PDF annotations of their shape: links, notes, highlights, lines.

An area that leads somewhere is a link; one that shows something (a note's text, a
highlight, a line, a frame that is no rectangle) is a markup annotation below it.
ISO 32000-1, 12.5.6, names their entries.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from pikepdf import Array, Dictionary, Name, Object, Pdf, String

from batch_converter.djvu.draw.appearance import (
    ARROW_LENGTHS,
    PAPER,
    color_operands,
    drawing,
    font_size_pt,
    icon_operators,
    line_operators,
    outline_operators,
    pixels,
    typed_operators,
)
from batch_converter.djvu.draw.geometry import POINTS_AN_INCH, Geometry
from batch_converter.djvu.draw.strips import line_corners, oval_corners, polygon_strips
from batch_converter.djvu.read.mapareas import Border, MapArea, Rgb, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch_converter.djvu.draw.note_font import NoteFont
    from batch_converter.djvu.read.mapareas import Point

_PRINTED: Final = 4
_ICON: Final = _PRINTED | 8 | 16  # neither zoomed nor turned with the page
_ICON_PT: Final = 18
_STYLES: Final = {Border.SOLID: Name.S, Border.RAISED: Name.B, Border.SUNKEN: Name.I}


def annotations_for(
    pdf: Pdf, area: MapArea, action: Dictionary | None, geometry: Geometry, font: NoteFont
) -> list[Dictionary]:
    """Return what an area is in a PDF, the lowest first.

    Args:
        pdf: Where it goes.
        area: As in the DjVu.
        action: Where it leads; None for an area that is no link.
        geometry: Of the page.
        font: Of typed notes.
    """
    if action is not None:
        below = [_markup(pdf, area, "", geometry, font)] if _shows_something(area) else []
        return [*below, _link(area, action, geometry)]
    if area.url and not area.comment and not _shows_something(area):
        return []  # a link that leads nowhere, and nothing else
    return [_markup(pdf, area, area.comment, geometry, font)]


def _shows_something(area: MapArea) -> bool:
    look = area.look
    framed = look.border is not Border.NONE and area.shape is not Shape.RECTANGLE
    return area.shape in {Shape.TEXT, Shape.LINE} or look.highlight is not None or framed


def _link(area: MapArea, action: Dictionary, geometry: Geometry) -> Dictionary:
    quads = polygon_strips(_corners(area)) if area.shape is not Shape.RECTANGLE else []
    places = [_places(quad, geometry) for quad in quads] or [_places(_box(area), geometry)]
    annotation = _annotation(Name.Link, _around(places), area.comment)
    look = area.look
    framed = look.border is not Border.NONE and area.shape is Shape.RECTANGLE
    annotation.Border = Array([0, 0, _decimal(look.border_px) if framed else 0])
    annotation.A = action
    if look.border is not Border.NONE:
        annotation.C = _color(look.border_color)
        if framed and look.border is not Border.SOLID:
            annotation.BS = _border_style(area)
    if quads:
        annotation.QuadPoints = Array([number for quad in places for number in quad])
    return annotation


def _corners(area: MapArea) -> Sequence[Point]:
    match area.shape:
        case Shape.POLYGON:
            return area.points
        case Shape.OVAL:
            return oval_corners(*area.bounds)
        case Shape.LINE:
            start, end = area.points
            return line_corners(start, end, area.look.line_width)
        case _:
            return _box(area)


def _box(area: MapArea) -> list[Point]:
    left, bottom, right, top = area.bounds
    return [(left, bottom), (left, top), (right, top), (right, bottom)]


def is_folded(area: MapArea, font: NoteFont) -> bool:
    """Whether a typed note becomes one to be opened: an archive's PDF cannot show its letters."""
    is_typed = area.shape is Shape.TEXT and not area.look.pushpin
    return is_typed and font.is_embedded and not font.has(area.comment)


def _markup(pdf: Pdf, area: MapArea, note: str, geometry: Geometry, font: NoteFont) -> Dictionary:
    if area.shape is Shape.TEXT:
        if area.look.pushpin or is_folded(area, font):
            return _icon(pdf, area, geometry)
        return _typed(pdf, area, geometry, font)
    if area.shape is Shape.LINE:
        return _line(pdf, area, note, geometry)
    return _figure(pdf, area, note, geometry)


def _figure(pdf: Pdf, area: MapArea, note: str, geometry: Geometry) -> Dictionary:
    """A highlight, or the outline of a rectangle, an ellipse or a polygon."""
    look = area.look
    marked = look.highlight is not None
    kind = {Shape.OVAL: Name.Circle, Shape.POLYGON: Name.Polygon}.get(
        area.shape, Name.Highlight if marked else Name.Square
    )
    corners = _places(_box(area), geometry)
    annotation = _annotation(kind, _around([corners]), note)
    if kind == Name.Highlight:
        left, bottom, right, top = area.bounds
        quad = [(left, top), (right, top), (left, bottom), (right, bottom)]
        annotation.QuadPoints = Array(_places(quad, geometry))
    else:
        annotation.BS = _border_style(area)
        if look.border is not Border.NONE:
            annotation.C = _color(look.border_color)
    if kind == Name.Polygon:
        annotation.Vertices = Array(_places(area.points, geometry))
    if look.highlight is not None:
        annotation[Name.C if kind == Name.Highlight else Name.IC] = _color(look.highlight)
        annotation.CA = _decimal(look.opacity)
    content = outline_operators(area, geometry)
    alpha = look.opacity if marked else 1
    return _drawn(pdf, annotation, content, geometry, alpha=alpha)


def _line(pdf: Pdf, area: MapArea, note: str, geometry: Geometry) -> Dictionary:
    look = area.look
    start, end = area.points
    reach = pixels(look.line_width, geometry) * (ARROW_LENGTHS if look.arrow else 1)
    around = [
        (x + dx, y + dy)
        for x, y in (start, end)
        for dx in (-reach, reach)
        for dy in (-reach, reach)
    ]
    annotation = _annotation(Name.Line, _around([_places(around, geometry)]), note)
    annotation.L = Array(_places([start, end], geometry))
    annotation.BS = Dictionary(W=_decimal(look.line_width), S=Name.S)
    annotation.C = _color(look.line_color)
    annotation.LE = Array([Name.None_, Name.OpenArrow if look.arrow else Name.None_])
    return _drawn(pdf, annotation, line_operators(area, geometry), geometry)


def _icon(pdf: Pdf, area: MapArea, geometry: Geometry) -> Dictionary:
    left, _, _, top = area.bounds
    side = pixels(_ICON_PT, geometry)
    box = (left, top - side, left + side, top)
    corners = [(box[0], box[1]), (box[2], box[3])]
    annotation = _annotation(Name.Text, _around([_places(corners, geometry)]), area.comment)
    annotation.Name, annotation.Open, annotation.F = Name.Note, False, _ICON
    color = area.look.back_color or PAPER
    annotation.C = _color(color)
    return _drawn(pdf, annotation, icon_operators(box, color), geometry)


def _typed(pdf: Pdf, area: MapArea, geometry: Geometry, font: NoteFont) -> Dictionary:
    content = typed_operators(area, geometry, font)
    places = _around([_places(_box(area), geometry)])
    if font.is_embedded:
        # A free text names a font for viewers to type with; a stamp is what it shows.
        annotation = _annotation(Name.Stamp, places, area.comment)
    else:
        annotation = _free_text(area, geometry, places, font)
    if area.look.back_color is not None:
        annotation.C = _color(area.look.back_color)
    # Letters that Helvetica lacks are left to the viewer, which has other fonts.
    if content is None:
        return annotation
    return _drawn(pdf, annotation, content, geometry, font=font)


def _free_text(
    area: MapArea, geometry: Geometry, places: Sequence[Decimal], font: NoteFont
) -> Dictionary:
    left, bottom, right, top = area.bounds
    annotation = _annotation(Name.FreeText, places, area.comment)
    scale = POINTS_AN_INCH / geometry.dpi
    size = font_size_pt(area.comment, (right - left) * scale, (top - bottom) * scale, font)
    annotation.DA = String(f"/Helv {size:g} Tf {color_operands(area.look.text_color)} rg")
    annotation.BS = _border_style(area)
    return annotation


def _annotation(kind: Object, box: Sequence[Decimal], comment: str) -> Dictionary:
    annotation = Dictionary(Type=Name.Annot, Subtype=kind, Rect=Array(box), F=_PRINTED)
    if comment:
        annotation.Contents = String(comment)
    return annotation


def _drawn(
    pdf: Pdf,
    annotation: Dictionary,
    content: str,
    geometry: Geometry,
    *,
    alpha: float = 1,
    font: NoteFont | None = None,
) -> Dictionary:
    box = [Decimal(str(number)) for number in annotation.Rect]
    annotation.AP = Dictionary(N=drawing(pdf, box, geometry, content, alpha=alpha, font=font))
    return annotation


def _border_style(area: MapArea) -> Dictionary:
    look = area.look
    if look.border is Border.NONE:
        return Dictionary(W=0)
    return Dictionary(W=_decimal(look.border_px), S=_STYLES[look.border])


def _places(points: Iterable[Point], geometry: Geometry) -> list[Decimal]:
    """Return places of the shown page in points of the stored one."""
    a, b, c, d, e, f = geometry.shown_to_stored
    return [
        round(Decimal(number) * POINTS_AN_INCH / geometry.dpi, 3)
        for u, v in points
        for number in (a * u + c * v + e, b * u + d * v + f)
    ]


def _around(places: Iterable[Sequence[Decimal]]) -> list[Decimal]:
    numbers = [number for group in places for number in group]
    xs, ys = numbers[0::2], numbers[1::2]
    return [min(xs), min(ys), max(xs), max(ys)]


def _color(color: Rgb) -> Array:
    return Array([_decimal(part) for part in color])


def _decimal(number: float) -> Decimal:
    return round(Decimal(number), 4)
