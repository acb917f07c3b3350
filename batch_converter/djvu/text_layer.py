"""The hidden text of a page as invisible PDF text: every character, where it stands.

A word is one string with its own text matrix, stretched over its box, a space at
its end. Learned from how readers put text together again:

- words keep their order, so that extraction reads as DjVu's own text does;
- poppler and pdfium expect right-to-left runs in visual order and turn them round;
- boxes beyond the page are clamped to it, or readers drop what is in them;
- where a layer knows only lines, or only the page, the box is shared out among
  the words by their length.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.decoder import decoding, open_page
from batch_converter.djvu.geometry import Box
from batch_converter.djvu.glyphless import ADVANCE_EM, DESCENT_EM, SPACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from djvu_rs import Rect, TextZone

    from batch_converter.djvu.document import PageChunks
    from batch_converter.djvu.geometry import Geometry
    from batch_converter.djvu.glyphless import GlyphlessFont

_MAX_DEPTH: Final = 16
_RIGHT_TO_LEFT_MARK: Final = "\u200f"
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_ENDS_A_RUN: Final = frozenset({"L", "EN", "AN"})
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
    return list(_words(layer["text"], layer["zones"], whole, geometry, _MAX_DEPTH))


def _words(
    text: str, children: Sequence[TextZone], box: Box, geometry: Geometry, depth: int
) -> Iterator[Word]:
    """Yield the words of a zone; the zone's own text counts where its parts leave some out."""
    if not children or depth == 0 or not _complete(text, children):
        yield from _shared_out(text, box)
        return
    for child in children:
        child_box = _clamped(child["rect"], geometry)
        whole = child["kind"] in {"Word", "Character"}
        parts = [] if whole else child["children"]
        yield from _words(child["text"], parts, child_box, geometry, depth - 1)


def _complete(text: str, children: Sequence[TextZone]) -> bool:
    if children[0]["kind"] == "Character":
        return False
    return _letters(text) == "".join(_letters(child["text"]) for child in children)


def _letters(text: str) -> str:
    return "".join(text.split())


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


def visual_order(word: str) -> str:
    """Return the characters as they stand from left to right, as readers expect them.

    A right-to-left run goes from its first right-to-left character to the next
    left-to-right one or digit. One that ends in punctuation gets a mark in
    front, or the punctuation would not be taken for a part of the run.
    """
    if word.isascii() or not _is_right_to_left(word):
        return word
    out: list[str] = []
    run: list[str] = []
    for character in word:
        kind = unicodedata.bidirectional(character)
        if kind in _ENDS_A_RUN:
            out += _turned(run)
            run = []
        if run or kind in _RIGHT_TO_LEFT:
            run.append(character)
        else:
            out.append(character)
    return "".join([*out, *_turned(run)])


def _turned(run: list[str]) -> list[str]:
    turned = run[::-1]
    if turned and unicodedata.bidirectional(turned[0]) not in _RIGHT_TO_LEFT:
        return [_RIGHT_TO_LEFT_MARK, *turned]
    return turned


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
    baseline = box.bottom + DESCENT_EM * box.height
    matrix = f"{stretch:.3f} 0 0 {box.height:.3f} {box.left:.3f} {baseline:.3f} Tm"
    return f"{matrix} <{font.encode(text + SPACE)}> Tj".encode("ascii")
