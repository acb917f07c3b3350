"""A font without shapes for invisible text: any character, one empty glyph.

The glyphs have a contour without area but with a real box: pdfium and mupdf
drop short words that seem to have no extent. The space has a glyph of its own,
so that readers see where words end. Letters are three times as high as the
font's size: poppler joins words that are closer than 0.15 of the size, so a small
size keeps close words apart. (It takes no ascent of 1.9 or more.)
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

SPACE: Final = " "
DIGITS_A_CHARACTER: Final = 4
ADVANCE_EM: Final = 0.5
HEIGHT_EM: Final = 3.2
DESCENT_EM: Final = 1.4
_UNITS: Final = 1000
_ADVANCE: Final = int(ADVANCE_EM * _UNITS)
_SPACE_ADVANCE: Final = 120
_DESCENT: Final = -int(DESCENT_EM * _UNITS)
_ASCENT: Final = int(HEIGHT_EM * _UNITS) + _DESCENT
_SPACE_CODE: Final = 1
_SPACE_GLYPH: Final = 2
_LETTER_GLYPH: Final = 1
_MAX_CHARACTERS: Final = 0xFFFF
_ENTRIES_A_BLOCK: Final = 100
_CHECKSUM_MAGIC: Final = 0xB1B0AFBA
_UNIX_EPOCH: Final = 2_082_844_800
"""1970 in the seconds since 1904 that `head` counts."""


class GlyphlessFont:
    """Collects the characters that are written, then becomes a Type0 font."""

    def __init__(self) -> None:
        self._codes = _Codes({ord(SPACE): _SPACE_CODE})

    def encode(self, text: str) -> str:
        """Return the string's codes in hexadecimal, `DIGITS_A_CHARACTER` each.

        A page at once takes a twentieth of what its words take one by one.
        """
        return text.translate(self._codes).encode("utf-16-be", "surrogatepass").hex()

    def build(self, pdf: Pdf) -> Object:
        """Write the font with all characters that were encoded so far."""
        name = Name("/AAAAAA+Glyphless")
        descriptor = Dictionary(
            Type=Name.FontDescriptor,
            FontName=name,
            Flags=5,
            FontBBox=Array([0, _DESCENT, _ADVANCE, _ASCENT]),
            ItalicAngle=0,
            Ascent=_ASCENT,
            Descent=_DESCENT,
            CapHeight=_ASCENT,
            StemV=80,
            FontFile2=pdf.make_indirect(Stream(pdf, _true_type(), Length1=len(_true_type()))),
        )
        descendant = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=name,
            CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
            FontDescriptor=pdf.make_indirect(descriptor),
            DW=_ADVANCE,
            W=Array([_SPACE_CODE, Array([_SPACE_ADVANCE])]),
            CIDToGIDMap=pdf.make_indirect(Stream(pdf, self._glyphs())),
        )
        return pdf.make_indirect(
            Dictionary(
                Type=Name.Font,
                Subtype=Name.Type0,
                BaseFont=name,
                Encoding=Name("/Identity-H"),
                DescendantFonts=Array([pdf.make_indirect(descendant)]),
                ToUnicode=pdf.make_indirect(Stream(pdf, self._to_unicode())),
            )
        )

    def _glyphs(self) -> bytes:
        glyphs = [0, _SPACE_GLYPH] + [_LETTER_GLYPH] * (len(self._codes) - 1)
        return struct.pack(f">{len(glyphs)}H", *glyphs)

    def _to_unicode(self) -> bytes:
        return unicode_map((f"{code:04x}", chr(letter)) for letter, code in self._codes.items())


class _Codes(dict[int, int]):
    """A table for `str.translate` that numbers characters as they come.

    After 65,535 different ones, which no script has, the rest become spaces.
    """

    def __missing__(self, character: int) -> int:
        if len(self) == _MAX_CHARACTERS:
            return _SPACE_CODE
        self[character] = len(self) + 1
        return self[character]


def unicode_map(codes: Iterable[tuple[str, str]]) -> bytes:
    """Return a CMap of what codes stand for: four hexadecimal digits and a text each."""
    entries = [f"<{code}> <{_utf16(text)}>" for code, text in codes]
    blocks = []
    for start in range(0, len(entries), _ENTRIES_A_BLOCK):
        block = entries[start : start + _ENTRIES_A_BLOCK]
        blocks.append("\n".join([f"{len(block)} beginbfchar", *block, "endbfchar"]))
    return _CMAP.format(blocks="\n".join(blocks)).encode("ascii")


def _utf16(character: str) -> str:
    return character.encode("utf-16-be", "replace").hex()


_CMAP: Final = """/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <ffff>
endcodespacerange
{blocks}
endcmap
CMapName currentdict /CMap defineresource pop
end
end
"""


def _true_type() -> bytes:
    """Build a TrueType font of three glyphs: `.notdef`, a letter, a space."""
    glyph = _glyph()
    tables = {
        b"cmap": _cmap_table(),
        b"glyf": glyph * 2,
        b"head": _head_table(),
        b"hhea": _hhea_table(),
        b"hmtx": struct.pack(">Hh", _ADVANCE, 0) * 2 + struct.pack(">Hh", _SPACE_ADVANCE, 0),
        b"loca": struct.pack(">HHHH", 0, 0, len(glyph) // 2, len(glyph)),
        b"maxp": struct.pack(">IHHHHHHHHHHHHHH", 0x10000, 3, 3, 1, 0, 0, 1, *(0,) * 8),
    }
    return _font_file(tables)


def _hhea_table() -> bytes:
    lines = struct.pack(">IhhhH", 0x10000, _ASCENT, _DESCENT, 0, _ADVANCE)
    extents = struct.pack(">hhh", 0, _SPACE_ADVANCE - _ADVANCE, _ADVANCE)
    upright_caret = struct.pack(">hhh", 1, 0, 0)
    return lines + extents + upright_caret + struct.pack(">hhhhhH", 0, 0, 0, 0, 0, 3)


def _cmap_table() -> bytes:
    """Map no character at all: a format 4 subtable with the last segment alone, as it must have."""
    last = 0xFFFF
    segment = struct.pack(">HHHHH", last, 0, last, 1, 0)  # endCode, pad, startCode, delta, offset
    search = struct.pack(">HHHH", 2, 2, 0, 0)
    length = struct.calcsize(">HHH") + len(search) + len(segment)
    subtable = struct.pack(">HHH", 4, length, 0) + search + segment
    return struct.pack(">HHHHI", 0, 1, 3, 1, struct.calcsize(">HHHHI")) + subtable


def _glyph() -> bytes:
    """One closed contour there and back along the diagonal of the glyph's box."""
    box = struct.pack(">hhhhh", 1, 0, _DESCENT, _ADVANCE, _ASCENT)
    xs = struct.pack(">hhh", 0, _ADVANCE, -_ADVANCE)
    ys = struct.pack(">hhh", _DESCENT, _ASCENT - _DESCENT, _DESCENT - _ASCENT)
    data = box + struct.pack(">HH", 2, 0) + b"\x01\x01\x01" + xs + ys
    return data + b"\0" * (-len(data) % 4)


def _head_table(adjustment: int = 0) -> bytes:
    versions = struct.pack(">IIIIHH", 0x10000, 0x10000, adjustment, 0x5F0F3CF5, 11, _UNITS)
    dates = struct.pack(">qq", _UNIX_EPOCH, _UNIX_EPOCH)
    return (
        versions + dates + struct.pack(">hhhhHHhhh", 0, _DESCENT, _ADVANCE, _ASCENT, 0, 8, 2, 0, 0)
    )


def _font_file(tables: dict[bytes, bytes]) -> bytes:
    plain = _laid_out(tables)
    adjustment = (_CHECKSUM_MAGIC - _checksum(plain)) & 0xFFFFFFFF
    return _laid_out({**tables, b"head": _head_table(adjustment)}, checked=tables)


def _laid_out(tables: dict[bytes, bytes], checked: dict[bytes, bytes] | None = None) -> bytes:
    """Put tables one after another; checksums are those of `checked`, as `head`'s must be."""
    count = len(tables)
    power = count.bit_length() - 1
    head = struct.pack(">IHHHH", 0x10000, count, 16 << power, power, 16 * (count - (1 << power)))
    directory, body = b"", b""
    for tag, data in tables.items():
        offset = 12 + 16 * count + len(body)
        checksum = _checksum((checked or tables)[tag])
        directory += tag + struct.pack(">III", checksum, offset, len(data))
        body += data + b"\0" * (-len(data) % 4)
    return head + directory + body


def _checksum(data: bytes) -> int:
    padded = data + b"\0" * (-len(data) % 4)
    words = (int.from_bytes(padded[i : i + 4], "big") for i in range(0, len(padded), 4))
    return sum(words) & 0xFFFFFFFF
