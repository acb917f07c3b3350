"""The fonts of typed notes: one that every viewer has, or one that goes with the PDF.

An archive's PDF must carry its fonts (ISO 19005-2, 6.2.11.4.1). Ours is DejaVu Sans
Condensed: Latin, Greek, Cyrillic, Armenian and Georgian letters that need no shaping,
about as wide as Helvetica's. Each PDF holds the letters that it shows.
"""

from __future__ import annotations

import hashlib
import io
import string
import unicodedata
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

from batch_converter.djvu.draw.glyphless import unicode_map

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

LETTER_EM: Final = 0.52
"""How wide a letter of Helvetica is on the average."""

_THOUSAND: Final = 1000
_SYMBOLIC: Final = 4
_FONT_FILE: Final = ("fonts", "DejaVuSansCondensed-subset.ttf")
_FONT_NAME: Final = "DejaVuSansCondensed"
_TAG_LETTERS: Final = 6


class NoteFont(Protocol):
    """What typed notes are written in.

    Attributes:
        is_embedded: Whether it goes with the PDF.
    """

    is_embedded: bool

    def has(self, text: str) -> bool:
        """Whether it has all letters of a text."""
        ...

    def letters(self, text: str) -> float:
        """Return how long a text is, in letters of average width."""
        ...

    def shown(self, line: str) -> str:
        """Return the operand of `Tj` that shows a line."""
        ...

    def resource(self) -> Object:
        """Return what a drawing names as its font."""
        ...


class Helvetica:
    """The font that a viewer need not be given; letters of Windows' Latin."""

    is_embedded: bool = False

    def has(self, text: str) -> bool:
        """Whether its encoding knows all letters."""
        try:
            text.encode("cp1252")
        except UnicodeEncodeError:
            return False
        return True

    def letters(self, text: str) -> float:
        """Return its length; widths are guessed."""
        return len(text)

    def shown(self, line: str) -> str:
        """Return a string, escaped."""
        escaped = _printable(line).replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        return f"({escaped})"

    def resource(self) -> Object:
        """Return the font by its name alone."""
        return Dictionary(
            Type=Name.Font,
            Subtype=Name.Type1,
            BaseFont=Name.Helvetica,
            Encoding=Name.WinAnsiEncoding,
        )


class EmbeddedFont:
    """The font that goes with a PDF; `finish` writes what was shown of it.

    Args:
        pdf: Where it goes.
    """

    is_embedded: bool = True

    def __init__(self, pdf: Pdf) -> None:
        self._pdf = pdf
        self._shown: dict[int, str] = {}
        self._resource: Object | None = None

    def has(self, text: str) -> bool:
        """Whether it has a glyph for each letter, composed where it can be."""
        known = _glyphs()
        return all(letter in known for letter in _composed(text))

    def letters(self, text: str) -> float:
        """Return the sum of its glyphs' widths."""
        glyphs = _glyphs()
        total = sum(glyphs[letter].width for letter in _composed(text))
        return total / _units_an_em() / LETTER_EM

    def shown(self, line: str) -> str:
        """Return glyph numbers in hexadecimal; they are kept in mind for `finish`."""
        glyphs = _glyphs()
        letters = _composed(line)
        self._shown |= {glyphs[letter].number: letter for letter in letters}
        return f"<{''.join(f'{glyphs[letter].number:04x}' for letter in letters)}>"

    def resource(self) -> Object:
        """Return an object that becomes the font with `finish`."""
        if self._resource is None:
            self._resource = self._pdf.make_indirect(Dictionary(Type=Name.Font))
        return self._resource

    def finish(self) -> None:
        """Write the font, where anything was shown in it."""
        if self._resource is None:
            return
        name = Name(f"/{self._tag()}+{_FONT_NAME}")
        font = self._resource
        font.Subtype, font.BaseFont, font.Encoding = Name.Type0, name, Name("/Identity-H")
        font.DescendantFonts = Array([self._pdf.make_indirect(self._descendant(name))])
        codes = [(f"{number:04x}", self._shown[number]) for number in sorted(self._shown)]
        font.ToUnicode = self._pdf.make_indirect(Stream(self._pdf, unicode_map(codes)))

    def _tag(self) -> str:
        """Return six letters that differ for different subsets (ISO 32000-1, 9.6.4)."""
        digest = hashlib.sha256("".join(sorted(self._shown.values())).encode()).digest()
        return "".join(
            string.ascii_uppercase[byte % len(string.ascii_uppercase)]
            for byte in digest[:_TAG_LETTERS]
        )

    def _descendant(self, name: Object) -> Dictionary:
        listed = Array()
        for number, letter in sorted(self._shown.items()):
            listed.append(number)
            listed.append(Array([_thousandths(_glyphs()[letter].width)]))
        return Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=name,
            CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
            FontDescriptor=self._pdf.make_indirect(self._descriptor(name)),
            W=listed,
            CIDToGIDMap=Name.Identity,
        )

    def _descriptor(self, name: Object) -> Dictionary:
        head, lines = _program()["head"], _program()["hhea"]
        program = _subset(frozenset(self._shown.values()))
        box = [_thousandths(edge) for edge in (head.xMin, head.yMin, head.xMax, head.yMax)]
        return Dictionary(
            Type=Name.FontDescriptor,
            FontName=name,
            Flags=_SYMBOLIC,
            FontBBox=Array(box),
            ItalicAngle=0,
            Ascent=_thousandths(lines.ascent),
            Descent=_thousandths(lines.descent),
            CapHeight=_thousandths(lines.ascent),
            StemV=80,
            FontFile2=self._pdf.make_indirect(Stream(self._pdf, program, Length1=len(program))),
        )


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line)


def _composed(text: str) -> str:
    """Return accents and letters as the characters that have glyphs of their own."""
    return unicodedata.normalize("NFC", _printable(text))


@cache
def _program() -> TTFont:
    return _read_program()


def _read_program() -> TTFont:
    from fontTools.ttLib import TTFont  # noqa: PLC0415  # 0.1 s, for those who have typed notes

    path = files("batch_converter.djvu.draw").joinpath(*_FONT_FILE)
    return TTFont(io.BytesIO(path.read_bytes()), recalcTimestamp=False)


class _Glyph(NamedTuple):
    """What a letter is in the font; the width is in the font's units."""

    number: int
    width: int


@cache
def _glyphs() -> dict[str, _Glyph]:
    font = _program()
    widths = font["hmtx"].metrics
    return {
        chr(code): _Glyph(font.getGlyphID(name), widths[name][0])
        for code, name in font.getBestCmap().items()
    }


def _units_an_em() -> int:
    units: int = _program()["head"].unitsPerEm
    return units


def _thousandths(units: int) -> int:
    return round(units * _THOUSAND / _units_an_em())


def _subset(letters: frozenset[str]) -> bytes:
    """Return the font with the glyphs of some letters alone, under their old numbers."""
    from fontTools import subset  # noqa: PLC0415  # 0.4 s, as above

    options = subset.Options()
    options.retain_gids = True
    options.drop_tables = [*options.drop_tables, "name"]
    font = _read_program()  # this one is cut up
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(sorted(letters)))
    subsetter.subset(font)
    data = io.BytesIO()
    font.save(data)
    return data.getvalue()
