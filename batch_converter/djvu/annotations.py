"""What a page's annotation chunks say: links, and facts about the document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.bzz import BzzError, decompress
from batch_converter.djvu.sexpr import Expression, ExpressionError, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batch_converter.djvu.document import PageChunks

_MAX_BYTES: Final = 4 << 20
_MAX_EXTENT: Final = 1 << 20
_CORNERS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A linked area of a page, in pixels from the lower left corner.

    Attributes:
        url: As in the DjVu; one that begins with `#` leads within the document.
        description: For people; may be empty.
        color: Of a visible frame, each part 0 to 1; None for no frame.
    """

    url: str
    description: str
    left: int
    bottom: int
    right: int
    top: int
    color: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """All annotation chunks of a page taken together.

    Attributes:
        facts: Keys as in the DjVu and their values, in order.
        damaged: Whether something in them could not be read.
    """

    links: tuple[Link, ...]
    facts: tuple[tuple[str, str], ...]
    damaged: bool


def annotations_of(page: PageChunks) -> Annotations:
    """Read every annotation chunk, shared ones included; a damaged one hides no other."""
    expressions: list[Expression] = []
    damaged = False
    for kind, data in page.chunks:
        if kind in {"ANTa", "ANTz"}:
            found, whole = _expressions(kind, data)
            expressions += found
            damaged |= not whole
    forms = [e for e in expressions if isinstance(e, list) and e]
    links = [_link(form) for form in forms if form[0] == "maparea"]
    facts = [fact for form in forms if form[0] == "metadata" for fact in _facts(form[1:])]
    return Annotations(
        links=tuple(link for link in links if link is not None), facts=tuple(facts), damaged=damaged
    )


def _expressions(kind: str, data: bytes) -> tuple[list[Expression], bool]:
    try:
        return parse(decompress(data, max_bytes=_MAX_BYTES) if kind == "ANTz" else data), True
    except BzzError:
        return [], False
    except ExpressionError as error:
        return error.found, False


def _facts(pairs: Iterable[Expression]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        match pair:
            case [str(key), str(value), *_] if value:
                yield key, value


def _link(form: Sequence[Expression]) -> Link | None:
    match form:
        case ["maparea", url, str(description), [str(kind), *numbers], *others]:
            target = _url(url)
            places = [int(n) for n in numbers if isinstance(n, str) and _is_number(n)]
            if target and len(places) >= 2 * _CORNERS:
                return _placed(target, description, kind, places, _frame_color(others))
        case _:
            pass
    return None


def _url(url: Expression) -> str:
    """The address is a string, or a list of the word `url`, the address and a frame's name."""
    match url:
        case str():
            return url
        case ["url", str(address), *_]:
            return address
        case _:
            return ""


def _is_number(text: str) -> bool:
    return text.lstrip("-").isdecimal() and len(text) <= len(str(_MAX_EXTENT))


def _placed(
    url: str,
    description: str,
    kind: str,
    places: Sequence[int],
    color: tuple[float, float, float] | None,
) -> Link:
    xs, ys = places[0::2], places[1::2]
    if kind in {"rect", "oval", "text"}:
        left, bottom, width, height = places[:4]
        xs, ys = [left, left + width], [bottom, bottom + height]
    return Link(
        url=url,
        description=description,
        left=min(xs),
        bottom=min(ys),
        right=max(xs),
        top=max(ys),
        color=color,
    )


def _frame_color(forms: Iterable[Expression]) -> tuple[float, float, float] | None:
    for form in forms:
        match form:
            case ["border", str(color)] if len(color) == len("#rrggbb"):
                return _parsed_color(color)
    return None


def _parsed_color(color: str) -> tuple[float, float, float] | None:
    try:
        red, green, blue = bytes.fromhex(color[1:])
    except ValueError:
        return None
    return red / 255, green / 255, blue / 255
