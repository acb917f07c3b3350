from __future__ import annotations

from typing import TYPE_CHECKING

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.config import LocalSettings
from batch_converter.config.units import parse_encoding
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.read.bzz import decompress
from batch_converter.djvu.read.encodings import Letters
from batch_converter.engines.local import LocalEngine
from tests.support.bundles import bzz
from tests.support.djvu_files import chunk, chunks_of, info, page, with_text, zone
from tests.support.navigation import (
    annotations_on,
    convert_bytes,
    document,
    leaf,
    navm,
    outline_of,
)

if TYPE_CHECKING:
    from pathlib import Path

ENCODINGS = [
    ("cp1251", "Глава — «первая»"),
    ("koi8-r", "Глава первая"),
    ("cp1250", "Příliš žluťoučký"),
    ("shift_jis", "第一章 表示ソ"),
    ("euc-jp", "第一章"),
    ("big5", "學而時習之"),
    ("gb18030", "学而时习之"),
    ("iso8859-7", "Κεφάλαιο"),
    ("iso2022_jp", "第一章"),
]


@pytest.mark.parametrize(("encoding", "text"), ENCODINGS)
def test_letters_of_a_named_encoding_are_read_everywhere(
    tmp_path: Path, encoding: str, text: str
) -> None:
    raw = text.encode(encoding)
    octal = b"".join(b"\\%03o" % byte for byte in raw)
    metadata = b'(metadata (Title "' + octal + b'") (Note "' + "naïve".encode() + b'"))'
    note = b'(maparea "" "' + octal + b'" (rect 10 10 50 50))'
    djvu = document(
        [leaf(metadata, note), leaf()],
        titles=[raw, b"ii"],
        outline=navm((0, raw, b"#" + raw), (0, "Ümlaut".encode(), b"#ii")),
    )
    done, pdf = convert_bytes(tmp_path, djvu, ConvertOptions(encoding=parse_encoding(encoding)))
    with pdf:
        assert done.warnings == ()
        assert outline_of(pdf) == [(0, text, 0), (0, "Ümlaut", 1)]
        assert [p.label for p in pdf.pages] == [text, "ii"]
        assert str(pdf.docinfo.Title) == text
        assert str(pdf.docinfo.Note) == "naïve"
        assert [str(a.Contents) for a in annotations_on(pdf)] == [text]
        with pdf.open_metadata() as xmp:
            assert xmp["dc:title"] == text


def test_bytes_of_no_known_encoding_stay_what_they_are_and_are_told(tmp_path: Path) -> None:
    raw = "Глава".encode("cp1251")
    title = b'(metadata (Title "' + raw + b'"))(maparea "" "' + raw + b'" (rect 1 1 9 9))'
    djvu = document([leaf(title), leaf()], titles=[raw], outline=navm((0, raw, b"#1")))
    done, pdf = convert_bytes(tmp_path, djvu)
    with pdf:
        for told in (outline_of(pdf)[0][1], pdf.pages[0].label, str(pdf.docinfo.Title)):
            assert told.encode("latin-1") == raw
        assert str(next(iter(annotations_on(pdf))).Contents).encode("latin-1") == raw
    unknown = "in no known encoding, read as Latin-1 (local.encoding can name it)"
    assert done.warnings == (
        f"page 1: its annotations hold 2 texts {unknown}",
        f"the page titles hold 1 text {unknown}",
        f"the bookmarks hold 1 text {unknown}",
    )


def test_a_byte_that_the_named_encoding_lacks_is_kept(tmp_path: Path) -> None:
    raw = "Гл".encode("cp1251") + b"\x98"  # no letter of cp1251
    done, pdf = convert_bytes(
        tmp_path, document([leaf()], titles=[raw]), ConvertOptions(encoding="cp1251")
    )
    with pdf:
        assert pdf.pages[0].label == "Гл\x98"
    assert len(done.warnings) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_hidden_text_is_read_in_the_named_encoding(tmp_path: Path, *, packed: bool) -> None:
    words = [zone("Word", (100, 100, 90, 40), "abcde"), zone("Word", (200, 100, 90, 40), "fghij")]
    line = zone("Line", (100, 100, 800, 40), "abcde fghij", words)
    layer = decompress(dict(chunks_of(with_text("abcde fghij", [line])))["TXTz"], max_bytes=1 << 16)
    old = layer.replace(b"abcde fghij", "слово поиск".encode("koi8-r"))
    text = chunk("TXTz", bzz(old)) if packed else chunk("TXTa", old)
    done, pdf = convert_bytes(tmp_path, page(info(), text), ConvertOptions(encoding="koi8-r"))
    pdf.close()
    assert done.warnings == ()
    with pypdfium2.PdfDocument(tmp_path / "out.pdf") as shown:
        assert shown[0].get_textpage().get_text_bounded().split() == ["слово", "поиск"]


def test_hidden_text_in_utf8_is_left_alone_by_the_setting(tmp_path: Path) -> None:
    layer = [zone("Page", (0, 0, 900, 900), "žluťoučký kůň")]
    djvu = with_text("žluťoučký kůň", layer)
    _, pdf = convert_bytes(tmp_path, djvu, ConvertOptions(encoding="cp1251"))
    pdf.close()
    with pypdfium2.PdfDocument(tmp_path / "out.pdf") as shown:
        assert shown[0].get_textpage().get_text_bounded().split() == ["žluťoučký", "kůň"]


DAMAGED = "Глава первая".encode() + b"\xff" + " мир".encode()


@pytest.mark.parametrize("encoding", ["", "cp1251"])
def test_a_stray_byte_does_not_cost_the_letters_of_utf8_around_it(encoding: str) -> None:
    letters = Letters(encoding)
    assert letters.text(DAMAGED) == "Глава первая\xff мир"
    assert letters.warnings() == ["1 text with bytes that are no UTF-8, read as Latin-1"]


@pytest.mark.parametrize(("stray", "is_utf8"), [(2, True), (3, False)])
def test_few_sequences_among_stray_bytes_are_chance(stray: int, *, is_utf8: bool) -> None:
    letters = Letters()
    text = letters.text("жжжжжжжж".encode() + b"\xe4 " * stray)
    assert ("жжжж" in text) == is_utf8
    assert (letters.damaged, letters.unsure) == (int(is_utf8), int(not is_utf8))


def _text_of(tmp_path: Path, raw: bytes) -> tuple[list[str], tuple[str, ...]]:
    """The words of a page whose text layer says `raw`, and the warnings."""
    filler = "a" * len(raw)
    layer = dict(chunks_of(with_text(filler, [zone("Page", (0, 0, 900, 900), filler)])))["TXTz"]
    plain = decompress(layer, max_bytes=1 << 16).replace(filler.encode(), raw)
    done, pdf = convert_bytes(tmp_path, page(info(), chunk("TXTa", plain)))
    pdf.close()
    with pypdfium2.PdfDocument(tmp_path / "out.pdf") as shown:
        return shown[0].get_textpage().get_text_bounded().split(), done.warnings


def test_hidden_text_with_a_stray_byte_keeps_its_letters_and_is_told(tmp_path: Path) -> None:
    words, warnings = _text_of(tmp_path, DAMAGED)
    assert words == ["Глава", "первая\xff", "мир"]
    assert warnings == (
        "page 1: its text layer holds 1 text with bytes that are no UTF-8, read as Latin-1",
    )


def test_hidden_text_in_no_known_encoding_is_told(tmp_path: Path) -> None:
    words, warnings = _text_of(tmp_path, "Глава первая".encode("cp1251"))
    assert " ".join(words).encode("latin-1") == "Глава первая".encode("cp1251")
    assert len(warnings) == 1
    assert "in no known encoding, read as Latin-1" in warnings[0]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_western_hidden_text_is_sure(tmp_path: Path, encoding: str) -> None:
    words, warnings = _text_of(tmp_path, "Öl für das Gerät, déjà vu".encode(encoding))
    assert words == ["Öl", "für", "das", "Gerät,", "déjà", "vu"]
    assert warnings == ()


@given(st.binary(max_size=40), st.sampled_from(["", *(name for name, _ in ENCODINGS)]))
def test_any_bytes_become_letters(raw: bytes, encoding: str) -> None:
    text = Letters(parse_encoding(encoding)).text(raw)
    assert text.encode("utf-16")  # no lone surrogates
    assert ("\ufffd" in text) == (
        "\ufffd".encode() in raw and raw.decode("utf-8", "ignore") == text
    )
    assert bool(text) or len(raw) < 4  # shift sequences have no letters


@pytest.mark.parametrize(
    ("name", "settled"),
    [("", ""), ("CP1251", "cp1251"), ("windows-1251", "cp1251"), ("SJIS", "shift_jis")],
)
def test_encodings_are_known_by_all_their_names(name: str, settled: str) -> None:
    assert LocalSettings(encoding=name).encoding == settled


@pytest.mark.parametrize(
    "name",
    [
        "cp99999",
        "base64",
        "rot13",
        "hex",
        "utf-16",
        "utf-7",
        "idna",
        "unicode_escape",
        "a\0b",
        "cp037",
    ],
)
def test_what_is_no_encoding_of_texts_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"unknown encoding|no encoding of texts"):
        LocalSettings(encoding=name)


def test_the_encoding_changes_the_digest_and_its_spelling_does_not() -> None:
    def digest(name: str) -> str:
        return LocalEngine(LocalSettings(encoding=name)).options_digest

    assert digest("cp1251") != digest("")
    assert digest("cp1251") == digest("Windows-1251")
