"""The invisible font, as other programs read it out of a PDF."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pikepdf
import pytest
from fontTools.ttLib import TTFont
from pikepdf import pdfa

from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.draw.glyphless import GlyphlessFont
from batch_converter.djvu.jobs.options import ConvertOptions
from tests.support.djvu_files import HEIGHT, WIDTH, with_text, zone

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "two words žluť שלום 學而 𠀀😀"
DOCUMENT_WIDE = {"pikepdf:output-intent", "ISO_19005_2:6.6.4-1"}
"""What a PDF that does not claim to be a PDF/A lacks, and no font can mend."""


@pytest.fixture
def pdf(tmp_path: Path) -> pikepdf.Pdf:
    source, target = tmp_path / "in.djvu", tmp_path / "out.pdf"
    source.write_bytes(with_text(TEXT, [zone("Page", (0, 0, WIDTH, HEIGHT), TEXT)]))
    convert(source, target, ConvertOptions())
    return pikepdf.open(target)


def font_of(pdf: pikepdf.Pdf) -> pikepdf.Object:
    return pdf.pages[0].Resources.Font.F0


def program_of(pdf: pikepdf.Pdf) -> bytes:
    return font_of(pdf).DescendantFonts[0].FontDescriptor.FontFile2.read_bytes()


def read(program: bytes) -> TTFont:
    return TTFont(io.BytesIO(program), lazy=False, checkChecksums=2)


def test_every_table_of_the_font_can_be_read(pdf: pikepdf.Pdf) -> None:
    program = program_of(pdf)
    font = read(program)
    assert set(font.keys()) - {"GlyphOrder"} == {
        *("cmap", "glyf", "head", "hhea", "hmtx", "loca", "maxp")
    }
    for tag in font.keys():  # noqa: SIM118  # fontTools iterates over indices otherwise
        assert font[tag] is not None
    assert font.getBestCmap() == {}
    assert font["maxp"].numGlyphs == len(font.getGlyphOrder()) == 3
    assert int(font_of(pdf).DescendantFonts[0].FontDescriptor.FontFile2.Length1) == len(program)


def test_the_font_says_what_fonttools_would_say_of_it(pdf: pikepdf.Pdf) -> None:
    """Extents and counts are computed anew on saving: they were right before."""
    program = program_of(pdf)
    saved = io.BytesIO()
    read(program).save(saved, reorderTables=None)
    before, after = read(program).reader, read(saved.getvalue()).reader
    assert before is not None
    assert after is not None
    for tag in ("cmap", "hhea", "hmtx", "maxp"):
        assert before[tag] == after[tag], tag


def test_widths_in_the_pdf_are_those_of_the_glyphs(pdf: pikepdf.Pdf) -> None:
    font = font_of(pdf).DescendantFonts[0]
    widths = [width for width, _ in read(program_of(pdf))["hmtx"].metrics.values()]
    glyphs = memoryview(font.CIDToGIDMap.read_bytes())
    numbers = [int.from_bytes(glyphs[at : at + 2], "big") for at in range(0, len(glyphs), 2)]
    first, stated = int(font.W[0]), [int(width) for width in font.W[1]]
    for cid, glyph in list(enumerate(numbers))[1:]:
        listed = first <= cid < first + len(stated)
        assert widths[glyph] == (stated[cid - first] if listed else int(font.DW))


def test_every_code_that_is_shown_has_a_glyph_and_a_character(pdf: pikepdf.Pdf) -> None:
    glyphs = font_of(pdf).DescendantFonts[0].CIDToGIDMap.read_bytes()
    to_unicode = font_of(pdf).ToUnicode.read_bytes()
    mapped = {int(code, 16) for code in re.findall(rb"<([0-9a-f]{4})> <[0-9a-f]+>", to_unicode)}
    shown = b"".join(re.findall(rb"<([0-9a-f]+)>", pdf.pages[0].Contents.read_bytes()))
    codes = {int(shown[at : at + 4], 16) for at in range(0, len(shown), 4)}
    assert len(codes) == len(set(TEXT))
    assert codes <= mapped
    for code in codes:
        assert int.from_bytes(glyphs[2 * code : 2 * code + 2], "big") in {1, 2}


def test_nothing_about_the_font_hinders_an_archive(pdf: pikepdf.Pdf) -> None:
    assert {finding.rule for finding in pdfa.check(pdf, "2b").findings} == DOCUMENT_WIDE


@pytest.mark.parametrize("count", [0xFFFE, 0xFFFF, 0x10000])
def test_no_code_is_longer_than_two_bytes(count: int) -> None:
    """The space has a code of its own; what finds none left becomes one."""
    font = GlyphlessFont()
    letters = "".join(map(chr, range(0x20001, 0x20001 + count - 1)))
    codes = font.encode(letters)
    assert len(codes) == 4 * len(letters)
    assert codes.endswith(f"{count:04x}" if count <= 0xFFFF else "0001")
