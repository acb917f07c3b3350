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
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.decoder import decoding, open_page
from batch_converter.djvu.geometry import Box
from batch_converter.djvu.glyphless import ADVANCE_EM, DESCENT_EM, HEIGHT_EM, SPACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from djvu_rs import Rect, TextZone

    from batch_converter.djvu.document import PageChunks
    from batch_converter.djvu.geometry import Geometry
    from batch_converter.djvu.glyphless import GlyphlessFont

_MAX_DEPTH: Final = 16
_LEAST_GAP: Final = 0.05
_LEAST_SHARE: Final = 0.3
_ATOMS: Final = frozenset({"Word", "Character"})
_RIGHT_TO_LEFT_MARK: Final = "\u200f"
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_RUN_ENDS: Final = frozenset({"L", "EN", "AN", "ES", "ET", "CS"})
_NO_LETTER: Final = re.compile(r"[\s\x00-\x1f]+")
_FIRST_PRINTABLE: Final = "\x20"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A run of characters without white space, and where it stands on the shown page."""

    text: str
    box: Box


def words_of(page: PageChunks, geometry: Geometry) -> list[Word]:
    """Read a page's text in DjVu's order; empty where it has none.

    Raises:
        PageError: The text layer is damaged.
    """
    chunks = [c for c in page.chunks if c[0] in {"TXTa", "TXTz"}][:1]
    if not chunks:
        return []
    with decoding("text layer"):
        layer = open_page(chunks, width=geometry.width, height=geometry.height).text_layer()
    if layer is None:
        return []
    width, height = geometry.shown_size
    whole = Box(left=0, bottom=0, width=width, height=height)
    words = list(_words(layer["text"], layer["zones"], whole, geometry, _MAX_DEPTH))
    return [_apart(word, after) for word, after in zip(words, [*words[1:], None], strict=False)]


def _words(
    text: str, children: Sequence[TextZone], box: Box, geometry: Geometry, depth: int
) -> Iterator[Word]:
    """Yield the words of a zone; the zone's own text counts where its parts leave some out."""
    if not children or depth == 0 or not _complete(text, children):
        yield from _shared_out(text, box)
        return
    boxes = [_clamped(child["rect"], geometry) for child in children]
    if len(boxes) > 1 and all(other == boxes[0] for other in boxes):
        yield from _shared_out(text, boxes[0])
        return
    for child, child_box in zip(children, boxes, strict=True):
        parts = () if child["kind"] in _ATOMS else child["children"]
        if parts or len(child["text"].split()) > 1:
            yield from _words(child["text"], parts, child_box, geometry, depth - 1)
        elif word := child["text"].strip():
            yield Word(text=word, box=child_box)


def _complete(text: str, children: Sequence[TextZone]) -> bool:
    if children[0]["kind"] == "Character":
        return False
    return _letters(text) == "".join(_letters(child["text"]) for child in children)


def _letters(text: str) -> str:
    return _NO_LETTER.sub("", text)


def _clamped(rect: Rect, geometry: Geometry) -> Box:
    """Turn djvu-rs's top-left box into a shown one, inside the page and never empty."""
    left = min(max(rect["x"], 0), geometry.width - 1)
    top = min(max(rect["y"], 0), geometry.height - 1)
    right = min(max(rect["x"] + rect["width"], left + 1), geometry.width)
    lower = min(max(rect["y"] + rect["height"], top + 1), geometry.height)
    stored = Box(left=left, bottom=geometry.height - lower, width=right - left, height=lower - top)
    return geometry.shown(stored)


def _shared_out(text: str, box: Box) -> Iterator[Word]:
    """Share a box out among lines from top to bottom, and words by their length."""
    lines = [line for line in text.splitlines() if line.split()]
    height = box.height / max(1, len(lines))
    for row, line in enumerate(lines):
        bottom = box.bottom + box.height - (row + 1) * height
        line_box = Box(left=box.left, bottom=bottom, width=box.width, height=height)
        yield from _words_of_line(line.split(), line_box)


def _words_of_line(words: Sequence[str], box: Box) -> Iterator[Word]:
    unit = box.width / (sum(map(len, words)) + len(words) - 1)
    right_to_left = sum(map(_is_right_to_left, words)) * 2 > len(words)
    done = 0
    for word in words:
        start = done if not right_to_left else -done - len(word)
        left = (box.left if not right_to_left else box.left + box.width) + start * unit
        yield Word(
            text=word,
            box=Box(left=left, bottom=box.bottom, width=len(word) * unit, height=box.height),
        )
        done += len(word) + 1


def _is_right_to_left(word: str) -> bool:
    return any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in word)


def _apart(word: Word, after: Word | None) -> Word:
    """Shorten a word that all but touches the next on its line: they would be read as one."""
    if after is None:
        return word
    box, other = word.box, after.box
    width = other.left - _LEAST_GAP * max(box.height, other.height) - box.left
    on_one_line = abs(other.bottom - box.bottom) < min(box.height, other.height) / 2
    if not on_one_line or not box.width * _LEAST_SHARE < width < box.width:
        return word
    return Word(text=word.text, box=replace(box, width=width))


def visual_order(word: str) -> str:
    """Return the characters as readers expect them: right-to-left runs turned round.

    A run takes in accents, quotes and brackets beside it; letters of other
    scripts, digits, commas and full stops end it. (pdfium takes a full stop for
    a part of the run, poppler does not; this is poppler's order.)
    """
    if word.isascii() or not _is_right_to_left(word):
        return word
    runs = ("".join(run) for _, run in groupby(word, _ends_a_run))
    return "".join(_turned(run) if _is_right_to_left(run) else run for run in runs)


def _ends_a_run(character: str) -> bool:
    return unicodedata.bidirectional(character) in _RUN_ENDS


def _turned(run: str) -> str:
    # a run that begins with an accent or a bracket is not recognised without a mark
    mark = "" if _is_right_to_left(run[-1]) else _RIGHT_TO_LEFT_MARK
    return mark + run[::-1]


def text_operators(words: Iterable[Word], geometry: Geometry, font: GlyphlessFont) -> bytes:
    """Draw words invisibly in pixels of the shown page; empty for no words."""
    lines = [line for word in words if (line := _operator(word, font))]
    if not lines:
        return b""
    turn = " ".join(map(str, geometry.shown_to_stored)).encode("ascii")
    body = b"\n".join(lines)
    return b"q\n" + turn + b" cm\nBT\n3 Tr\n/F0 1 Tf\n" + body + b"\nET\nQ\n"


def _operator(word: Word, font: GlyphlessFont) -> bytes:
    text = "".join(c for c in visual_order(word.text) if c >= _FIRST_PRINTABLE)
    if not text:
        return b""
    box = word.box
    stretch = box.width / (len(text) * ADVANCE_EM)
    size = box.height / HEIGHT_EM
    baseline = box.bottom + DESCENT_EM * size
    matrix = f"{stretch:.3f} 0 0 {size:.3f} {box.left:.3f} {baseline:.3f} Tm"
    return f"{matrix} <{font.encode(text + SPACE)}> Tj".encode("ascii")
