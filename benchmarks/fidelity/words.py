"""Words of a DjVu against words of its PDF, and where they stand."""

from __future__ import annotations

import re
import subprocess
import unicodedata
from collections import Counter
from dataclasses import dataclass
from xml.etree import ElementTree as ET

_BIDI_CONTROLS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How many words two texts have in common, counted with repetition."""

    expected: int
    found: int
    common: int

    @property
    def recall(self) -> float:
        return self.common / self.expected if self.expected else 1.0

    @property
    def precision(self) -> float:
        return self.common / self.found if self.found else 1.0


def compare(expected: list[str], found: list[str]) -> Agreement:
    common = Counter(expected) & Counter(found)
    return Agreement(expected=len(expected), found=len(found), common=common.total())


def words_in(text: str) -> list[str]:
    return _BIDI_CONTROLS.sub("", unicodedata.normalize("NFC", text)).split()


def output_of(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout


def djvu_words(path: str) -> list[str]:
    return words_in(output_of("djvutxt", path).decode("utf-8", "replace"))


def poppler_words(path: str) -> list[str]:
    return words_in(output_of("pdftotext", "-raw", path, "-").decode())


def pdfium_words(path: str) -> list[str]:
    import pypdfium2  # noqa: PLC0415  # an optional oracle

    found: list[str] = []
    with pypdfium2.PdfDocument(path) as document:
        for page in document:
            found += words_in(page.get_textpage().get_text_bounded())
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedWord:
    """A word and its box as shares of the page, from the top left."""

    text: str
    box: tuple[float, float, float, float]


def overlap(first: PlacedWord, second: PlacedWord) -> float:
    """Intersection over union of two boxes."""
    (a0, b0, a1, b1), (c0, d0, c1, d1) = first.box, second.box
    width = min(a1, c1) - max(a0, c0)
    height = min(b1, d1) - max(b0, d0)
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / ((a1 - a0) * (b1 - b0) + (c1 - c0) * (d1 - d0) - common)


def poppler_boxes(path: str, rotations: list[int]) -> list[list[PlacedWord]]:
    """All words of each page as `pdftotext -bbox` sees them.

    It gives a turned page's size as it was before, and places as they are after.
    """
    text = output_of("pdftotext", "-bbox", path, "-").decode()
    root = ET.fromstring(re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f]", "", text))  # noqa: S314  # what pdftotext has just printed of our own PDF
    space = "{http://www.w3.org/1999/xhtml}"
    pages = []
    for page, rotation in zip(root.iter(f"{space}page"), rotations, strict=True):
        width, height = float(page.attrib["width"]), float(page.attrib["height"])
        if rotation in {90, 270}:
            width, height = height, width
        pages.append([_poppler_word(word, width, height) for word in page.iter(f"{space}word")])
    return pages


def _poppler_word(word: ET.Element, width: float, height: float) -> PlacedWord:
    x0, y0, x1, y1 = (float(word.attrib[key]) for key in ("xMin", "yMin", "xMax", "yMax"))
    text = "".join(words_in(word.text or ""))
    return PlacedWord(text=text, box=(x0 / width, y0 / height, x1 / width, y1 / height))


_TOKEN = re.compile(rb'\(|\)|"(?:[^"\\]|\\.)*"|[^\s()"]+', re.DOTALL)


_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1].isdigit():
        return bytes([int(match[1], 8)])
    return {b"n": b"\n", b"t": b"\t"}.get(match[1], match[1])


def djvu_boxes(path: str, page: int, size: tuple[int, int], rotation: int) -> list[PlacedWord]:
    """The word zones of a page as `djvused` prints them, turned as the page is shown."""
    text = output_of("djvused", path, "-u", "-e", f"select {page}; print-txt")
    tokens = [token.group() for token in _TOKEN.finditer(text)]
    found = []
    for i, token in enumerate(tokens):
        if token == b"word" and i + 5 < len(tokens) and tokens[i + 5].startswith(b'"'):
            box = [int(n) for n in tokens[i + 1 : i + 5]]
            word = _ESCAPE.sub(_unescaped, tokens[i + 5][1:-1]).decode("utf-8", "replace")
            if len(words_in(word)) == 1:
                found.append(PlacedWord(text=words_in(word)[0], box=_shown(box, size, rotation)))
    return _with_boxes_of_their_own(found)


def _with_boxes_of_their_own(words: list[PlacedWord]) -> list[PlacedWord]:
    """Leave out words that all carry their line's box: where they stand is not known."""
    times = Counter(word.box for word in words)
    return [word for word in words if times[word.box] == 1]


def _shown(
    box: list[int], size: tuple[int, int], rotation: int
) -> tuple[float, float, float, float]:
    width, height = size
    x0, y0, x1, y1 = box[0] / width, box[1] / height, box[2] / width, box[3] / height
    return {
        0: (x0, 1 - y1, x1, 1 - y0),
        90: (1 - y1, 1 - x1, 1 - y0, 1 - x0),
        180: (1 - x1, y0, 1 - x0, y1),
        270: (y0, x0, y1, x1),
    }[rotation]


def share_that_overlaps(
    expected: list[PlacedWord], found: list[PlacedWord], least: float
) -> tuple[int, int]:
    """How many expected words have a namesake whose box overlaps enough, of how many.

    Letters are compared without their order: poppler lists right-to-left words as seen.
    """
    namesakes: dict[str, list[PlacedWord]] = {}
    for word in found:
        namesakes.setdefault("".join(sorted(word.text)), []).append(word)
    good = sum(
        any(
            overlap(word, other) >= least for other in namesakes.get("".join(sorted(word.text)), [])
        )
        for word in expected
    )
    return good, len(expected)
