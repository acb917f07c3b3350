"""What annotation chunks say: areas of a page, and facts about the document."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.read.bzz import BzzError, BzzTooLargeError, decompress
from batch_converter.djvu.read.encodings import Letters
from batch_converter.djvu.read.mapareas import MapAreaError, read_area
from batch_converter.djvu.read.sexpr import ExpressionError, TooManyExpressionsError, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batch_converter.djvu.read.mapareas import MapArea
    from batch_converter.djvu.read.sexpr import Expression

MAX_UNPACKED_BYTES: Final = 32 << 20
MAX_PACKED_BYTES: Final = 6 << 20
_KINDS: Final = frozenset({"ANTa", "ANTz"})
_MAX_AREAS: Final = 20_000
# How a viewer opens the page; a PDF page is shown as the reader likes it.
_OF_THE_VIEWER: Final = frozenset({"background", "zoom", "mode", "align"})
_READ: Final = frozenset({"maparea", "metadata", "xmp"})
_DAMAGED: Final = "are damaged"
_TOO_LARGE: Final = "are too large and cut off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """Annotation chunks taken together.

    Attributes:
        areas: Links, notes and highlights, in order.
        facts: Keys as in the DjVu and their values, in order.
        packets: Each XMP packet.
        losses: What could not be kept, to follow whose annotations they are.
    """

    areas: tuple[MapArea, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    packets: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()


def read_annotations(chunks: Iterable[tuple[str, bytes]], encoding: str) -> Annotations:
    """Read every annotation chunk among `chunks`; a damaged one hides no other.

    Args:
        chunks: Kind and data of each, in order.
        encoding: What texts are in that are not UTF-8; empty where nobody knows.
    """
    reading = _Reading(Letters(encoding))
    for kind, data in chunks:
        if kind in _KINDS:
            reading.add(kind, data)
    return reading.result()


class _Reading:
    """Gathers what several chunks say."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters
        self._flaws: dict[str, None] = {}
        self._areas: list[MapArea] = []
        self._facts: list[tuple[str, str]] = []
        self._packets: list[str] = []
        self._unread: dict[str, int] = {}

    def add(self, kind: str, data: bytes) -> None:
        """Take a chunk in; `ANTz` is compressed."""
        plain, flaw = _unpacked(data) if kind == "ANTz" else (data, "")
        if len(plain) > MAX_UNPACKED_BYTES:
            plain, flaw = plain[:MAX_UNPACKED_BYTES], _TOO_LARGE
        if flaw:
            self._flaws[flaw] = None
        for form in self._forms(plain):
            self._take(form)

    def result(self) -> Annotations:
        """Return all that was found, and what was not kept."""
        losses = list(self._flaws)
        if not losses:  # else what is left of broken things is no news
            losses += [f"hold {_counted(n, what)}" for what, n in self._unread.items()]
        return Annotations(
            areas=tuple(self._areas),
            facts=tuple(self._facts),
            packets=tuple(self._packets),
            losses=(*losses, *(f"hold {told}" for told in self._letters.warnings())),
        )

    def _forms(self, plain: bytes) -> list[list[Expression]]:
        try:
            return [e for e in parse(plain, self._letters.text) if isinstance(e, list) and e]
        except TooManyExpressionsError as error:
            self._flaws[_TOO_LARGE] = None
            return list(_unfolded(error.found))
        except ExpressionError as error:
            # what is cut off for its length has an open end, and is not damaged for that
            self._flaws.setdefault(_TOO_LARGE if _TOO_LARGE in self._flaws else _DAMAGED)
            return list(_unfolded(error.found))

    def _take(self, form: list[Expression]) -> None:
        match form:
            case ["maparea", *_]:
                self._take_area(form)
            case ["metadata", *pairs]:
                for pair in pairs:
                    self._take_fact(pair)
            case ["xmp", str(packet)]:
                self._packets.append(packet)
            case [str(word), *_] if word in _OF_THE_VIEWER:
                pass
            case ["phead" | "pfoot", *_]:
                self._miss("a header or footer for printing, which is not kept")
            case _:
                self._miss("an expression that says nothing known")

    def _take_area(self, form: Sequence[Expression]) -> None:
        if len(self._areas) >= _MAX_AREAS:
            self._flaws[_TOO_LARGE] = None
            return
        try:
            area, understood = read_area(form)
        except MapAreaError:
            self._miss("an area that cannot be read")
            return
        self._areas.append(area)
        if not understood:
            self._miss("an area whose look is not understood in full")

    def _take_fact(self, pair: Expression) -> None:
        match pair:
            case [str(key), str(value), *_]:
                if key and value:
                    self._facts.append((key, value))
            case _:
                self._miss("a fact that cannot be read")

    def _miss(self, what: str) -> None:
        self._unread[what] = self._unread.get(what, 0) + 1


@lru_cache(maxsize=2)
def _unpacked(data: bytes) -> tuple[bytes, str]:
    """Unpack a chunk, and say what is wrong with it; those that pages share come again at once."""
    if len(data) > MAX_PACKED_BYTES:
        return b"", _TOO_LARGE
    try:
        return decompress(data, max_bytes=MAX_UNPACKED_BYTES), ""
    except BzzTooLargeError as error:
        return error.found, _TOO_LARGE
    except BzzError as error:
        return error.found, _DAMAGED


def _unfolded(expressions: Iterable[Expression]) -> Iterator[list[Expression]]:
    """Yield the lists, those too that stand in others because a parenthesis is missing."""
    for form in expressions:
        if isinstance(form, list) and form:
            yield [e for e in form if not _is_misplaced(e)]
            yield from _unfolded(filter(_is_misplaced, form))


def _is_misplaced(expression: Expression) -> bool:
    match expression:
        case [str(word), *_]:
            return word in _READ
        case _:
            return False


def _counted(number: int, what: str) -> str:
    return f"once {what}" if number == 1 else f"{number} times {what}"
