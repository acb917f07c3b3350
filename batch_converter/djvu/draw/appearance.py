"""How notes, highlights and lines look: small drawings that every PDF viewer shows alike.

Without one a viewer draws what it likes, or nothing; an archive's PDF must have them.
All is drawn in pixels of the shown page, so that it lies right on turned pages too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from pikepdf import Array, Dictionary, Name, Pdf, Stream

from batch_converter.djvu.draw.geometry import POINTS_AN_INCH
from batch_converter.djvu.draw.note_font import LETTER_EM
from batch_converter.djvu.draw.strips import oval_corners
from batch_converter.djvu.read.mapareas import Border, MapArea, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from pikepdf import Object

    from batch_converter.djvu.draw.geometry import Geometry
    from batch_converter.djvu.draw.note_font import NoteFont
    from batch_converter.djvu.read.mapareas import Point, Rgb

PAPER: Final[Rgb] = (1, 1, 0.6)
ARROW_LENGTHS: Final = 6
_ARROW_ANGLE: Final = math.pi / 7
_LARGEST_PT: Final = 12
_SMALLEST_PT: Final = 4
_LINE_EM: Final = 1.2
_PADDING_PT: Final = 2


def drawing(
    pdf: Pdf,
    box: Sequence[Decimal],
    geometry: Geometry,
    content: str,
    *,
    alpha: float = 1,
    font: NoteFont | None = None,
) -> Object:
    """Return an appearance stream that fills `box`, in points, with `content`, in pixels.

    Args:
        pdf: Where it goes.
        box: The annotation's `/Rect`.
        geometry: The page's.
        content: Operators.
        alpha: How much it covers; less than 1 darkens what is below, like a marker.
        font: Of the text in it, where there is any.
    """
    scale = POINTS_AN_INCH / geometry.dpi
    matrix = " ".join(f"{number * scale:.6f}" for number in geometry.shown_to_stored)
    look = "/GS gs\n" if alpha < 1 else ""
    stream = Stream(pdf, f"q\n{matrix} cm\n{look}{content}\nQ\n".encode("cp1252"))
    stream.Type, stream.Subtype, stream.BBox = Name.XObject, Name.Form, Array(box)
    stream.Resources = Dictionary()
    if alpha < 1:
        state = Dictionary(Type=Name.ExtGState, ca=round(alpha, 3), BM=Name.Multiply)
        stream.Resources.ExtGState = Dictionary(GS=state)
    if font is not None:
        stream.Resources.Font = Dictionary(Helv=font.resource())
    return pdf.make_indirect(stream)


def color_operands(color: Rgb) -> str:
    """Return a colour as operators take it."""
    return " ".join(f"{part:.4g}" for part in color)


def pixels(points: float, geometry: Geometry) -> float:
    """Return how many pixels of the page a length in points is."""
    return points * geometry.dpi / POINTS_AN_INCH


def outline_operators(area: MapArea, geometry: Geometry) -> str:
    """Fill an area with its highlight and draw its border, as far as it has them."""
    look = area.look
    path = _path(area, geometry)
    filled = f"{color_operands(look.highlight)} rg {path} f" if look.highlight else ""
    if look.border is Border.NONE:
        return filled
    width = pixels(look.border_px, geometry)
    return f"{filled}\n{color_operands(look.border_color)} RG {width:.2f} w {path} S"


def _path(area: MapArea, geometry: Geometry) -> str:
    if area.shape is Shape.POLYGON:
        return _closed(area.points)
    left, bottom, right, top = area.bounds
    if area.look.border is not Border.NONE:  # drawn inside, where the box does not cut it off
        inset = min(pixels(area.look.border_px, geometry), right - left, top - bottom) / 2
        left, bottom, right, top = left + inset, bottom + inset, right - inset, top - inset
    if area.shape is Shape.OVAL:
        return _closed(oval_corners(left, bottom, right, top))
    return f"{left:.2f} {bottom:.2f} {right - left:.2f} {top - bottom:.2f} re"


def _closed(corners: Sequence[Point]) -> str:
    places = [f"{x:.2f} {y:.2f}" for x, y in corners]
    return f"{places[0]} m {' '.join(f'{place} l' for place in places[1:])} h"


def line_operators(area: MapArea, geometry: Geometry) -> str:
    """Draw a line, with an open arrow at its end where it has one."""
    look = area.look
    start, end = area.points
    width = pixels(look.line_width, geometry)
    strokes = [(start, end), *(_arrow(start, end, width * ARROW_LENGTHS) if look.arrow else ())]
    drawn = " ".join(f"{a:.2f} {b:.2f} m {c:.2f} {d:.2f} l" for (a, b), (c, d) in strokes)
    return f"{color_operands(look.line_color)} RG {width:.2f} w 1 J {drawn} S"


def _arrow(start: Point, end: Point, length: float) -> list[tuple[Point, Point]]:
    back = math.atan2(start[1] - end[1], start[0] - end[0])
    angles = (back - _ARROW_ANGLE, back + _ARROW_ANGLE)
    tips = [(end[0] + length * math.cos(a), end[1] + length * math.sin(a)) for a in angles]
    return [(tip, end) for tip in tips]


def icon_operators(box: tuple[float, float, float, float], color: Rgb) -> str:
    """Draw a sheet with three lines on it."""
    left, bottom, right, top = box
    width, height = right - left, top - bottom
    lines = " ".join(
        f"{left + 0.2 * width:.2f} {bottom + part * height:.2f} m"
        f" {right - 0.2 * width:.2f} {bottom + part * height:.2f} l"
        for part in (0.3, 0.5, 0.7)
    )
    edge = f"{left + 0.05 * width:.2f} {bottom + 0.05 * height:.2f}"
    sheet = f"{edge} {0.9 * width:.2f} {0.9 * height:.2f} re"
    return f"{color_operands(color)} rg 0 G {0.05 * width:.2f} w {sheet} B {lines} S"


def font_size_pt(text: str, width_pt: float, height_pt: float, font: NoteFont) -> float:
    """Return the largest size up to 12 in which a text fits its box, or the smallest that is."""
    size = float(_LARGEST_PT)
    while size > _SMALLEST_PT:
        lines = wrapped(text, width_pt, size, font)
        if len(lines) * size * _LINE_EM + 2 * _PADDING_PT <= height_pt:
            break
        size -= 1
    return size


def wrapped(text: str, width_pt: float, size_pt: float, font: NoteFont) -> list[str]:
    """Break a text into lines that are about as long as the box is wide."""
    most = max(1, int((width_pt - 2 * _PADDING_PT) / (size_pt * LETTER_EM)))
    lines = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            if line and font.letters(f"{line} {word}") > most:
                lines.append(line)
                line = ""
            line = f"{line} {word}" if line else word
        lines.append(line)
    return lines


def typed_operators(area: MapArea, geometry: Geometry, font: NoteFont) -> str | None:
    """Write the comment into its box; None where the letters are not those of the font."""
    if not font.has(area.comment):
        return None
    look = area.look
    left, bottom, right, top = area.bounds
    box = f"{left:.2f} {bottom:.2f} {right - left:.2f} {top - bottom:.2f} re"
    paper = f"{color_operands(look.back_color)} rg {box} f\n" if look.back_color else ""
    frame = outline_operators(area, geometry)
    scale = POINTS_AN_INCH / geometry.dpi
    width_pt, height_pt = (right - left) * scale, (top - bottom) * scale
    size = font_size_pt(area.comment, width_pt, height_pt, font)
    lines = [f"{font.shown(line)} Tj T*" for line in wrapped(area.comment, width_pt, size, font)]
    padding = pixels(_PADDING_PT, geometry)
    start = f"{left + padding:.2f} {top - padding - pixels(size, geometry):.2f} Td"
    size_px = pixels(size, geometry)
    written = f"/Helv {size_px:.2f} Tf {size_px * _LINE_EM:.2f} TL"
    text = f"BT {color_operands(look.text_color)} rg {written} {start}\n"
    text += "\n".join(lines) + "\nET"
    return f"{paper}{frame}\nq {box} W n\n{text}\nQ"
