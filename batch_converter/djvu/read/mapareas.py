"""Map areas of a page: links, notes and highlights as a DjVu's annotations describe them.

`(maparea url comment shape option…)`; the manual of djvused lists shapes and options,
DjVu3 spec 8.3.4.2.3 too. All places are pixels of the shown page from its lower left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch_converter.djvu.read.sexpr import Expression

Point = tuple[float, float]
Rgb = tuple[float, float, float]

BLACK: Final[Rgb] = (0, 0, 0)
_DEFAULT_OPACITY: Final = 0.5
_OPACITY_UNIT: Final = 100
_MAX_THICKNESS: Final = 32
_MAX_EXTENT: Final = 1 << 20
_CORNERS_OF_A_POLYGON: Final = 3
_COLOR: Final = re.compile("#[0-9A-Fa-f]{6}")
_NUMBER: Final = re.compile(r"[-+]?\d{1,7}(?:\.\d*)?")


class Shape(Enum):
    """What an area looks like; the values are DjVu's words."""

    RECTANGLE = "rect"
    OVAL = "oval"
    POLYGON = "poly"
    TEXT = "text"
    LINE = "line"


class Border(Enum):
    """How an area's edge is drawn."""

    NONE = "none"
    SOLID = "solid"
    RAISED = "raised"
    SUNKEN = "sunken"


@dataclass(slots=True, kw_only=True)
class Look:
    """What an area's options say; of those that an area has twice the last counts.

    Attributes:
        border_px: Thickness in pixels of the screen, as viewers draw it.
        highlight: What the whole area is coloured with; None for nothing.
        opacity: Of the highlight, 0 to 1.
        pushpin: Whether the text is folded away behind an icon.
    """

    border: Border = Border.NONE
    border_color: Rgb = BLACK
    border_px: float = 1
    highlight: Rgb | None = None
    opacity: float = _DEFAULT_OPACITY
    arrow: bool = False
    line_width: float = 1
    line_color: Rgb = BLACK
    back_color: Rgb | None = None
    text_color: Rgb = BLACK
    pushpin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MapArea:
    """An area of the shown page.

    Attributes:
        url: Where it leads; `#…` is within the document, empty for a note.
        comment: For people; may be empty.
        points: Two opposite corners, the ends of a line, or a polygon's corners.
    """

    url: str
    comment: str
    shape: Shape
    points: tuple[Point, ...]
    look: Look = field(default_factory=Look)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top."""
        xs, ys = [x for x, _ in self.points], [y for _, y in self.points]
        return min(xs), min(ys), max(xs), max(ys)


class MapAreaError(ValueError):
    """It has no shape that can be read."""


def read_area(form: Sequence[Expression]) -> tuple[MapArea, bool]:
    """Read a `maparea` form; tells too whether all that it says was understood.

    Raises:
        MapAreaError: It has no shape that can be read.
    """
    match form:
        case [_, url, str(comment), [str(word), *numbers], *options]:
            shape, points = _placed(word, numbers)
            address, known = _url(url)
            look = Look()
            for option in options:
                known &= _apply(option, look)
            area = MapArea(url=address, comment=comment, shape=shape, points=points, look=look)
            return area, known
        case _:
            raise MapAreaError


def _url(url: Expression) -> tuple[str, bool]:
    """The address is a string, or a list of the word `url`, the address and a frame's name.

    The frame is of a web page around the viewer: it is dropped on purpose.
    """
    match url:
        case str():
            return url, True
        case ["url", str(address), *_]:
            return address, True
        case _:
            return "", url == []


def _placed(word: str, numbers: Iterable[Expression]) -> tuple[Shape, tuple[Point, ...]]:
    places = [_number(n) for n in numbers]
    try:
        shape = Shape(word)
    except ValueError:
        raise MapAreaError from None
    pairs = tuple(zip(places[0::2], places[1::2], strict=False))
    if shape is Shape.POLYGON:
        whole = len(pairs) >= _CORNERS_OF_A_POLYGON and len(places) == 2 * len(pairs)
    else:
        whole = len(places) == 4  # noqa: PLR2004  # a corner and a size, or two ends
    if not whole:
        raise MapAreaError
    if shape in {Shape.RECTANGLE, Shape.OVAL, Shape.TEXT}:
        (left, bottom), (width, height) = pairs
        pairs = ((left, bottom), (left + width, bottom + height))
    return shape, pairs


def _number(text: Expression) -> float:
    if not isinstance(text, str) or not _NUMBER.fullmatch(text) or not text.isascii():
        raise MapAreaError
    number = float(text)
    if abs(number) > _MAX_EXTENT:
        raise MapAreaError
    return number


def _apply(option: Expression, look: Look) -> bool:
    """Heed one option; tells whether it was understood."""
    match option:
        case [str(word)]:
            return _apply_word(word, look)
        case [str(word), str(value), *_]:
            return _apply_color(word, value, look) or _apply_number(word, value, look)
        case _:
            return False


def _apply_word(word: str, look: Look) -> bool:
    if word in _BORDERS:
        look.border = _BORDERS[word]
    elif word == "arrow":
        look.arrow = True
    elif word == "pushpin":
        look.pushpin = True
    else:
        return word == "border_avis"  # a PDF's borders are always visible
    return True


# (xor) is the default, a frame in the opposite colour while the mouse is over the area,
# which is what PDF viewers do with a link by themselves.
_BORDERS: Final = {
    "none": Border.NONE,
    "xor": Border.NONE,
    "shadow_in": Border.SUNKEN,
    "shadow_ein": Border.SUNKEN,
    "shadow_out": Border.RAISED,
    "shadow_eout": Border.RAISED,
}


def _apply_color(word: str, value: str, look: Look) -> bool:
    color = _color(value)
    if color is None:
        return False
    match word:
        case "border":
            look.border, look.border_color = Border.SOLID, color
        case "hilite":
            look.highlight = color
        case "lineclr":
            look.line_color = color
        case "backclr":
            look.back_color = color
        case "textclr":
            look.text_color = color
        case _:
            return False
    return True


def _color(value: str) -> Rgb | None:
    if not _COLOR.fullmatch(value):
        return None
    red, green, blue = bytes.fromhex(value[1:])
    return red / 255, green / 255, blue / 255


def _apply_number(word: str, value: str, look: Look) -> bool:
    if not _NUMBER.fullmatch(value):
        return False
    number = float(value)
    if word in _BORDERS:
        look.border, look.border_px = _BORDERS[word], min(max(number, 1), _MAX_THICKNESS)
    elif word == "opacity":
        look.opacity = min(max(number / _OPACITY_UNIT, 0), 1)
    elif word == "width":
        look.line_width = min(max(number, 1), _MAX_EXTENT)
    else:
        return False
    return True
