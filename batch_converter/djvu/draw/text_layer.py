"""The hidden text of a page as invisible PDF text: every character, where it stands.

A word is one string with its own text matrix, stretched over its box, a space at
its end. Learned from how readers put text together again:

- words keep their order, so that extraction reads as DjVu's own text does;
- poppler and pdfium expect right-to-left runs in visual order and turn them round;
- words that all but touch are read as one: they are kept apart;
- boxes beyond the page are clamped to it, or readers drop what is in them;
- where a layer knows only lines, or only the page, or gives all words of a line
  the line's box, the box is shared out among the words by their length.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from batch_converter.djvu.draw.geometry import Box
from batch_converter.djvu.draw.glyphless import (
    ADVANCE_EM,
    DESCENT_EM,
    DIGITS_A_CHARACTER,
    HEIGHT_EM,
    SPACE,
)
from batch_converter.djvu.draw.text_chunks import read_layer
from batch_converter.djvu.read.decoder import PageError
from batch_converter.djvu.read.encodings import Letters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from djvu_rs import Rect, TextLayer, TextZone

    from batch_converter.djvu.draw.geometry import Geometry
    from batch_converter.djvu.draw.glyphless import GlyphlessFont
    from batch_converter.djvu.read.document import PageChunks

_MAX_DEPTH: Final = 16
_LEAST_GAP: Final = 0.05
_LEAST_SHARE: Final = 0.3
_ATOMS: Final = frozenset({"Word", "Character"})
_RIGHT_TO_LEFT_MARK: Final = "\u200f"
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_RUN_ENDS: Final = frozenset({"L", "EN", "AN", "ES", "ET", "CS"})
_CONTROL: Final = re.compile(r"[\x00-\x1f]+")
_FIRST_PRINTABLE: Final = "\x20"
_SHOW: Final = "%.3f 0 0 %.3f %.2f %.2f Tm <%s> Tj"
"""A word's operators; an f-string takes half as long again."""


class Word(NamedTuple):
    """A run of characters without white space, and where it stands on the shown page.

    One tuple and no box in another, for there are very many.
    """

    text: str
    left: float
    bottom: float
    width: float
    height: float

    @property
    def box(self) -> Box:
        """Where it stands."""
        return Box(*self[1:])


def words_of(page: PageChunks, geometry: Geometry, encoding: str) -> tuple[list[Word], list[str]]:
    """Read a page's text in DjVu's order; empty where it has none.

    Of several layers that hold words the first is kept: two texts in one place would be
    read as nonsense. (DjVuLibre then shows none.)

    Returns:
        The words, and what was not sure of them, a sentence each.

    Raises:
        PageError: The text layer is damaged.
    """
    found: list[tuple[list[Word], list[str]]] = []
    damaged = 0
    for chunk in dict.fromkeys(c for c in page.chunks if c[0] in {"TXTa", "TXTz"}):
        try:
            words, unsure = _words_of_layer(chunk, geometry, encoding)
        except PageError:
            damaged += 1
        else:
            found += [(words, unsure)] if words else []
    if not found:
        if damaged:
            raise PageError("its text layer is damaged")
        return [], []
    words, unsure = found[0]
    several = [f"it has {len(found)} text layers: the first is kept"] if len(found) > 1 else []
    broken = ["a text layer is damaged: another is kept"] if damaged else []
    return words, [*unsure, *several, *broken]


def _words_of_layer(
    chunk: tuple[str, bytes], geometry: Geometry, encoding: str
) -> tuple[list[Word], list[str]]:
    letters = Letters(encoding)
    layer = read_layer(chunk, geometry, letters)
    if layer is None:
        return [], []
    words = _Reading(geometry).words(layer)
    unsure = [f"its text layer holds {told}" for told in letters.warnings()]
    return _kept_apart(words), unsure


class _Reading:
    """Goes through the zones of one page."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._found: list[Word] = []
        self._trusted = False

    def words(self, layer: TextLayer) -> list[Word]:
        """Return the words of a layer."""
        zones = layer["zones"]
        leaves: list[str] = []
        _gather(zones, leaves, _MAX_DEPTH)
        self._trusted = _same_letters(layer["text"], "".join(leaves))
        rect: Rect = {
            "x": 0,
            "y": 0,
            "width": self._geometry.width,
            "height": self._geometry.height,
        }
        self._read(layer["text"], zones, rect, _MAX_DEPTH)
        return self._found

    def _read(self, text: str, children: Sequence[TextZone], rect: Rect, depth: int) -> None:
        """Take the words of a zone; its own text counts where its parts leave some out."""
        if not children or not depth or not (self._trusted or _complete(text, children)):
            self._found += _shared_out(text, self._clamped(rect))
            return
        rects = [child["rect"] for child in children]
        if len(rects) > 1 and rects.count(rects[0]) == len(rects):
            self._found += _shared_out(text, self._clamped(rects[0]))
            return
        for child in children:
            text = child["text"]
            parts = () if child["kind"] in _ATOMS else child["children"]
            if parts:
                self._read(text, parts, child["rect"], depth - 1)
                continue
            box = self._clamped(child["rect"])
            words = text.split()
            self._found += [Word(words[0], *box)] if len(words) == 1 else _shared_out(text, box)

    def _clamped(self, rect: Rect) -> Box:
        """Turn djvu-rs's top-left box into a shown one, inside the page and never empty."""
        geometry = self._geometry
        left, top = rect["x"], rect["y"]
        right, lower = left + rect["width"], top + rect["height"]
        if not (0 <= left < right <= geometry.width and 0 <= top < lower <= geometry.height):
            left = min(max(left, 0), geometry.width - 1)
            top = min(max(top, 0), geometry.height - 1)
            right = min(max(right, left + 1), geometry.width)
            lower = min(max(lower, top + 1), geometry.height)
        return geometry.shown(Box(left, geometry.height - lower, right - left, lower - top))


def _gather(zones: Sequence[TextZone], leaves: list[str], depth: int) -> None:
    """Collect what the innermost zones say; deeper ones than can be read say nothing."""
    for zone in zones:
        parts = () if zone["kind"] in _ATOMS else zone["children"]
        if not parts:
            leaves.append(zone["text"])
        elif depth:
            _gather(parts, leaves, depth - 1)


def _complete(text: str, children: Sequence[TextZone]) -> bool:
    return _same_letters(text, "".join(child["text"] for child in children))


def _same_letters(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but white space and control characters.

    Most differ in white space alone, which is seven times as fast to take away.
    """
    one, other = "".join(one.split()), "".join(other.split())
    return one == other or _CONTROL.sub("", one) == _CONTROL.sub("", other)


def _shared_out(text: str, box: Box) -> list[Word]:
    """Share a box out among lines from top to bottom, and words by their length."""
    lines = [words for line in text.splitlines() if (words := line.split())]
    height = box.height / max(1, len(lines))
    found: list[Word] = []
    for row, words in enumerate(lines):
        bottom = box.bottom + box.height - (row + 1) * height
        found += _words_of_line(words, Box(box.left, bottom, box.width, height))
    return found


def _words_of_line(words: Sequence[str], box: Box) -> list[Word]:
    left, bottom, width, height = box
    line = " ".join(words)
    unit = width / len(line)
    right_to_left = not line.isascii() and sum(map(_is_right_to_left, words)) * 2 > len(words)
    edge = left + width if right_to_left else left
    found = []
    done = 0
    for word in words:
        length = len(word)
        start = -done - length if right_to_left else done
        found.append(Word(word, edge + start * unit, bottom, length * unit, height))
        done += length + 1
    return found


def _is_right_to_left(word: str) -> bool:
    return not word.isascii() and any(
        unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in word
    )


def _kept_apart(words: Sequence[Word]) -> list[Word]:
    """Shorten words that all but touch the next on their line: they would be read as one."""
    apart = list(words)
    for index, (word, after) in enumerate(pairwise(words)):
        text, left, bottom, width, height = word
        free = after.left - _LEAST_GAP * max(height, after.height) - left
        if not width * _LEAST_SHARE < free < width:
            continue
        if abs(after.bottom - bottom) < min(height, after.height) / 2:  # on the same line
            apart[index] = Word(text, left, bottom, free, height)
    return apart


def visual_order(word: str) -> str:
    """Return the characters as readers expect them: right-to-left runs turned round.

    A run takes in accents, quotes and brackets beside it; letters of other
    scripts, digits, commas and full stops end it. (pdfium takes a full stop for
    a part of the run, poppler does not; this is poppler's order.)
    """
    if not _is_right_to_left(word):
        return word
    runs = ("".join(run) for _, run in groupby(word, _ends_a_run))
    return "".join(_turned(run) if _is_right_to_left(run) else run for run in runs)


def _ends_a_run(character: str) -> bool:
    return unicodedata.bidirectional(character) in _RUN_ENDS


def _turned(run: str) -> str:
    # a run that begins with an accent or a bracket is not recognised without a mark
    mark = "" if _is_right_to_left(run[-1]) else _RIGHT_TO_LEFT_MARK
    return mark + run[::-1]


def text_operators(words: Sequence[Word], geometry: Geometry, font: GlyphlessFont) -> bytes:
    """Draw words invisibly in pixels of the shown page; empty for no words."""
    texts = [_shown(word.text) for word in words]
    if not any(texts):
        return b""
    codes = font.encode(SPACE.join(texts) + SPACE)
    lines = []
    end = 0
    for text, (_, left, bottom, width, height) in zip(texts, words, strict=True):
        start, end = end, end + (len(text) + len(SPACE)) * DIGITS_A_CHARACTER
        if text:
            stretch = width / (len(text) * ADVANCE_EM)
            size = height / HEIGHT_EM
            baseline = bottom + DESCENT_EM * size
            lines.append(_SHOW % (stretch, size, left, baseline, codes[start:end]))
    turn = " ".join(map(str, geometry.shown_to_stored)).encode("ascii")
    body = "\n".join(lines).encode("ascii")
    return b"q\n" + turn + b" cm\nBT\n3 Tr\n/F0 1 Tf\n" + body + b"\nET\nQ\n"


def _shown(word: str) -> str:
    """Return the characters of a word to draw, in the order that readers expect."""
    text = word if word.isascii() else visual_order(word)
    return text if text.isprintable() else "".join(c for c in text if c >= _FIRST_PRINTABLE)
