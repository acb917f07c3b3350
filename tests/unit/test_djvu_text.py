# ruff: noqa: RUF001  # letters of other scripts are the point
from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from typing import TYPE_CHECKING

import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.draw.geometry import Box, Geometry
from batch_converter.djvu.draw.text_layer import visual_order
from batch_converter.djvu.jobs.options import ConvertOptions
from tests.support.djvu_files import HEIGHT, WIDTH, chunk, chunks_of, info, page, with_text, zone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from djvu_rs import TextZoneInput

TEXTS = {
    "latin": "The quick brown fox\njumps over a 2-3 fence",
    "czech": "Příliš žluťoučký kůň\núpěl ďábelské ódy",
    "greek": "Ἐν ἀρχῇ ἦν ὁ λόγος\nκαὶ ὁ λόγος",
    "hebrew": "בראשית ברא אלהים\nאת השמים ואת הארץ",
    "pointed hebrew": "בְּרֵאשִׁית בָּרָא\nאֱלֹהִים",
    "arabic": "السلام عليكم ورحمة\nالله وبركاته ١٢٣",
    "vowelled arabic": "السَّلامُ عَلَيْكُم\nوَرَحْمَة",
    "mixed directions": "abc שלום 123 def\nעולם xyz",
    "chinese": "學而時習之 不亦說乎\n有朋自遠方來",
    "japanese": "吾輩は猫である 名前は\nまだ無い",
    "thai": "สวัสดี ชาวโลก\nภาษาไทย",
    "devanagari": "नमस्ते दुनिया\nहिन्दी भाषा",
    "combining": "re\u0301sume\u0301 o\u0308l\nn\u0303",
    "astral": "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 😀🎉 𠀀𠀁\n𐍈",
    "ligatures": "ﬁnal oﬃce\nﬂow",
    "symbols": "a<b & c>d «q» “w” 50% €5\n\\path (x) [y]",
}


def lines_zone(text: str) -> list[TextZoneInput]:
    lines = [
        zone("Line", (100, 200 + 60 * row, 900, 40), line)
        for row, line in enumerate(text.split("\n"))
    ]
    return [zone("Page", (100, 200, 900, 40 + 60 * (len(lines) - 1)), text, lines)]


def page_zone(text: str) -> list[TextZoneInput]:
    return [zone("Page", (0, 0, WIDTH, HEIGHT), text)]


def words_zone(text: str) -> list[TextZoneInput]:
    lines = []
    for row, line in enumerate(text.split("\n")):
        words = [
            zone("Word", (100 + 220 * column, 200 + 60 * row, 200, 40), word)
            for column, word in enumerate(line.split())
        ]
        lines.append(zone("Line", (100, 200 + 60 * row, 1100, 40), line, words))
    return [zone("Page", (100, 200, 1100, 100), text, lines)]


def line_boxes_zone(text: str) -> list[TextZoneInput]:
    """Words that all carry their line's box, as some programs write them."""
    lines = []
    for row, line in enumerate(text.split("\n")):
        box = (100, 200 + 60 * row, 900, 40)
        lines.append(zone("Line", box, line, [zone("Word", box, w) for w in line.split()]))
    return [zone("Page", (100, 200, 900, 100), text, lines)]


LAYERS = [words_zone, lines_zone, page_zone, line_boxes_zone]


def words_in(text: str) -> list[str]:
    plain = re.sub("[\u200e\u200f\u202a-\u202e]", "", unicodedata.normalize("NFKC", text))
    return plain.split()


def pdf_of(tmp_path: Path, djvu: bytes) -> Path:
    source, target = tmp_path / "in.djvu", tmp_path / "out.pdf"
    source.write_bytes(djvu)
    convert(source, target, ConvertOptions())
    return target


def pdfium_text(path: Path) -> str:
    with pypdfium2.PdfDocument(path) as document:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)


def poppler_text(path: Path) -> str:
    command = ["pdftotext", "-raw", str(path), "-"]  # from the system, as CI installs it
    return subprocess.run(command, check=True, capture_output=True).stdout.decode()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("script", TEXTS)
def test_pdfium_finds_every_word(
    tmp_path: Path, script: str, layer: Callable[[str], list[TextZoneInput]]
) -> None:
    text = TEXTS[script]
    pdf = pdf_of(tmp_path, with_text(text, layer(text)))
    assert sorted(words_in(pdfium_text(pdf))) == sorted(words_in(text))


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler-utils is not installed")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("script", TEXTS)
def test_poppler_finds_every_word(
    tmp_path: Path, script: str, layer: Callable[[str], list[TextZoneInput]]
) -> None:
    text = TEXTS[script]
    pdf = pdf_of(tmp_path, with_text(text, layer(text)))
    assert sorted(words_in(poppler_text(pdf))) == sorted(words_in(text))


@pytest.mark.parametrize(
    ("flags", "direction"), [(1, (1, 0)), (6, (0, -1)), (2, (-1, 0)), (5, (0, 1))]
)
def test_words_of_turned_pages_are_turned_too(
    tmp_path: Path, flags: int, direction: tuple[int, int]
) -> None:
    word = zone("Word", (100, 200, 300, 300), "corner")
    layer = [zone("Page", (0, 0, WIDTH, HEIGHT), "corner", [word])]
    with pypdfium2.PdfDocument(pdf_of(tmp_path, with_text("corner", layer, flags=flags))) as pdf:
        boxes = [pdf[0].get_textpage().get_charbox(i) for i in range(6)]
    (x0, y0), (x1, y1) = [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in (boxes[0], boxes[-1])]
    step = 300 * 72 / 300 * 5 / 6
    assert (round((x1 - x0) / step), round((y1 - y0) / step)) == direction
    assert abs((x0 + x1) / 2 - 250 * 72 / 300) < 1
    assert abs((y0 + y1) / 2 - (HEIGHT - 350) * 72 / 300) < 1


def test_text_is_invisible(tmp_path: Path) -> None:
    with pypdfium2.PdfDocument(pdf_of(tmp_path, with_text("ink", page_zone("ink")))) as document:
        assert document[0].render(scale=1).to_pil().convert("L").getextrema() == (255, 255)


def test_zones_beyond_the_page_are_clamped_to_it(tmp_path: Path) -> None:
    words = [
        zone("Word", (WIDTH - 50, 10, 500, 40), "beyond"),
        zone("Word", (5, 100, 0, 0), "none"),
    ]
    layer = [zone("Page", (0, 0, WIDTH, HEIGHT), "beyond none", words)]
    assert words_in(pdfium_text(pdf_of(tmp_path, with_text("beyond none", layer)))) == [
        "beyond",
        "none",
    ]


def test_what_parts_leave_out_is_taken_from_the_whole(tmp_path: Path) -> None:
    layer = [
        zone(
            "Line", (100, 100, 800, 40), "one two three", [zone("Word", (100, 100, 90, 40), "one")]
        )
    ]
    assert words_in(pdfium_text(pdf_of(tmp_path, with_text("one two three", layer)))) == [
        "one",
        "two",
        "three",
    ]


@pytest.mark.parametrize("gap", ["\n", "\x1d\x1f", "\x01", " \x1b\u00a0"])
def test_white_space_and_controls_between_parts_leave_them_their_places(
    tmp_path: Path, gap: str
) -> None:
    words = [zone("Word", (100, 100, 90, 40), "one"), zone("Word", (700, 100, 90, 40), "two")]
    text = f"one{gap}two"
    pdf = pdf_of(tmp_path, with_text(text, [zone("Line", (100, 100, 800, 40), text, words)]))
    with pikepdf.open(pdf) as opened:
        content = opened.pages[0].Contents.read_bytes()
    assert re.findall(rb"([\d.]+) [\d.]+ Tm", content) == [b"100.00", b"700.00"]


def test_pages_without_words_have_no_font(tmp_path: Path) -> None:
    with pikepdf.open(pdf_of(tmp_path, with_text(" \n", page_zone(" \n")))) as pdf:
        assert "/Font" not in pdf.pages[0].Resources


@pytest.mark.parametrize(
    ("word", "seen"),
    [
        ("plain", "plain"),
        ("žluť", "žluť"),
        ("שלום", "םולש"),
        ("הארץ.", "ץראה."),
        ("צה״ל", "ל״הצ"),
        ("(שם)", "\u200f)םש("),
        ("ab-שם", "ab-םש"),
        ("שָׁ", "\u200f" + "שָׁ"[::-1]),
    ],
)
def test_right_to_left_runs_are_turned(word: str, seen: str) -> None:
    assert visual_order(word) == seen


@pytest.mark.slow
@given(st.text(max_size=12))
@settings(max_examples=200)
def test_turning_loses_no_character(word: str) -> None:
    assert sorted(visual_order(word).replace("\u200f", "")) == sorted(word.replace("\u200f", ""))


@given(
    st.sampled_from([0, 90, 180, 270]),
    st.tuples(*[st.integers(0, 500)] * 2),
    st.tuples(*[st.integers(1, 500)] * 2),
)
def test_boxes_are_shown_and_stored_again(
    rotation: int, corner: tuple[int, int], size: tuple[int, int]
) -> None:
    geometry = Geometry(width=1000, height=1400, dpi=300, rotation_deg=rotation)
    box = Box(left=corner[0], bottom=corner[1], width=size[0], height=size[1])
    shown = geometry.shown(box)
    assert geometry.stored(shown) == box
    assert shown.left >= 0
    assert shown.left + shown.width <= geometry.shown_size[0]
    assert shown.bottom + shown.height <= geometry.shown_size[1]


def _layer_chunk(text: str) -> bytes:
    data = dict(chunks_of(with_text(text, [zone("Page", (0, 0, 900, 900), text)])))["TXTz"]
    return chunk("TXTz", data)


BROKEN = chunk("TXTz", b"no such stream")
EMPTY = chunk("TXTa", b"\0\0\0")


@pytest.mark.parametrize(
    ("layers", "shown", "told"),
    [
        (["one"], "one", ()),
        (["one", "one"], "one", ()),
        (["one", "two"], "one", ("it has 2 text layers: the first is kept",)),
        (["one", "two", "three"], "one", ("it has 3 text layers: the first is kept",)),
        (["one", BROKEN], "one", ("a text layer is damaged: another is kept",)),
        ([BROKEN, "two"], "two", ("a text layer is damaged: another is kept",)),
        ([BROKEN, BROKEN], "", ("its text layer is damaged",)),
        ([EMPTY, "two"], "two", ()),
        (["one", EMPTY], "one", ()),
        ([EMPTY], "", ()),
    ],
)
def test_of_several_text_layers_one_is_kept_and_the_others_are_told(
    tmp_path: Path, layers: list[str | bytes], shown: str, told: tuple[str, ...]
) -> None:
    chunks = [one if isinstance(one, bytes) else _layer_chunk(one) for one in layers]
    (tmp_path / "in.djvu").write_bytes(page(info(), *chunks))
    done = convert(tmp_path / "in.djvu", tmp_path / "out.pdf", ConvertOptions())
    assert done.warnings == tuple(f"page 1: {sentence}" for sentence in told)
    with pypdfium2.PdfDocument(tmp_path / "out.pdf") as pdf:
        assert pdf[0].get_textpage().get_text_bounded().strip() == shown
