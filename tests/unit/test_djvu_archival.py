"""PDF/A-2b: every kind of what a PDF of ours can hold, as pikepdf's checker has it."""

from __future__ import annotations

import io
import re
import time
from typing import TYPE_CHECKING, Literal

import pikepdf
import pypdfium2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pikepdf import pdfa
from PIL import Image, ImageChops

from batch_converter.djvu.draw.archival import SAVE_OPTIONS, make_archival
from batch_converter.djvu.draw.convert import assemble, convert, convert_part
from batch_converter.djvu.draw.metadata import page_metadata, write_metadata
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.jobs.parts import parts_of
from batch_converter.errors import EngineError
from tests.support.djvu_files import HEIGHT, SAMPLES, WIDTH, chunk, info, page, with_text, zone
from tests.support.djvu_layers import fax_mask, jpeg, mask, palette, shaded, wavelets
from tests.support.navigation import annotations_on, convert_bytes, document, leaf, navm, outline_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

ARCHIVAL = ConvertOptions(pdfa=True)
MOST_BYTES = 32_767  # of a string
MOST_LEVELS = 60  # below the first
RDF = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:my="http://my.example/ns/"'
    ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:mm="http://ns.adobe.com/xap/1.0/mm/">'
    '<rdf:Description rdf:about="">%s</rdf:Description></rdf:RDF></x:xmpmeta>'
)


def archived(
    folder: Path, djvu: bytes, options: ConvertOptions = ARCHIVAL
) -> tuple[tuple[str, ...], pikepdf.Pdf]:
    """Convert; returns the warnings, and the PDF, which is a PDF/A."""
    done, pdf = convert_bytes(folder, djvu, options)
    report = pdfa.validate_written(folder / "out.pdf", "2b")
    assert report.passed, report.summary()
    return done.warnings, pdf


def annotated(text: str, *, flags: int = 1, width: int = 300, height: int = 400) -> bytes:
    head = info(width=width, height=height, dpi=100, flags=flags)
    return page(head, chunk("ANTa", text.encode()))


def drawn(path: Path, width_px: int) -> Image.Image:
    """The first page, notes drawn, so many pixels wide."""
    with pypdfium2.PdfDocument(path) as pdf:
        pdf.init_forms()
        scale = width_px / pdf[0].get_width()
        image: Image.Image = pdf[0].render(scale=scale).to_pil().convert("RGB")
        return image


def differ(one: Image.Image, other: Image.Image) -> int:
    """How many levels two pictures differ by, where they do most."""
    assert one.size == other.size
    most: int = max(high for _, high in ImageChops.difference(one, other).getextrema())  # type: ignore[misc]  # of RGB there are three pairs
    return most


def texts_of(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as pdf:
        return [page.get_textpage().get_text_range() for page in pdf]


def links_of(pdf: pikepdf.Pdf) -> list[tuple[object, ...]]:
    found = []
    for index, one in enumerate(pdf.pages):
        for link in annotations_on(pdf, index):
            if link.Subtype == "/Link":
                target = link.A.get("/URI") or pdf.pages.index(pikepdf.Page(link.A.D[0]))
                found.append((one.label, str(target), *map(float, link.Rect.as_list())))
    return found


@pytest.mark.parametrize("masks", ["g4", "jbig2"])
@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.djvu")), ids=lambda path: path.stem)
def test_samples_are_archives_and_look_read_and_lead_as_before(
    tmp_path: Path, sample: Path, masks: Literal["g4", "jbig2"]
) -> None:
    plain, ours, again = (tmp_path / name for name in ("plain.pdf", "a.pdf", "b.pdf"))
    before = convert(sample, plain, ConvertOptions(masks=masks))
    archival = ConvertOptions(masks=masks, pdfa=True)
    assert convert(sample, ours, archival) == before
    convert(sample, again, archival)
    assert ours.read_bytes() == again.read_bytes()
    report = pdfa.validate_written(ours, "2b")
    assert report.passed, report.summary()
    assert texts_of(ours) == texts_of(plain)
    assert differ(drawn(ours, 800), drawn(plain, 800)) <= 2
    with pikepdf.open(plain) as one, pikepdf.open(ours) as other:
        assert links_of(other) == links_of(one)
        assert outline_of(other) == outline_of(one)
        assert dict(other.docinfo) == dict(one.docinfo)
        with other.open_metadata() as xmp:
            assert xmp.pdfa_status == "2B"
    assert 0 < ours.stat().st_size - plain.stat().st_size < 4096


WIDE, HIGH = 241, 163
PICTURES = {
    "wavelets": [wavelets(shaded(WIDE, HIGH))],
    "gray wavelets": [wavelets(shaded(WIDE, HIGH).convert("L"))],
    "JPEG": [chunk("BGjp", jpeg(shaded(WIDE, HIGH)))],
    "gray JPEG": [chunk("BGjp", jpeg(shaded(WIDE, HIGH).convert("L")))],
    "RGB JPEG": [chunk("BGjp", jpeg(shaded(WIDE, HIGH), keep_rgb=True))],
    "CMYK JPEG": [chunk("BGjp", jpeg(shaded(WIDE, HIGH).convert("CMYK")))],
    "progressive JPEG": [chunk("BGjp", jpeg(shaded(WIDE, HIGH), progressive=True))],
    "JB2": [mask(WIDE, HIGH)],
    "MMR": [fax_mask(WIDE, HIGH)],
    "palette": [mask(WIDE, HIGH), palette([(9, 9, 99), (1, 2, 3)], [0, 1, 0, 1, 0])],
    "one colour": [mask(WIDE, HIGH), palette([(99, 9, 9)], [0, 0, 0, 0, 0])],
    "ink and paper": [mask(WIDE, HIGH), chunk("FGjp", jpeg(shaded(WIDE, HIGH, dark=True)))],
    "nothing": [],
}


@pytest.mark.parametrize("layers", PICTURES.values(), ids=PICTURES)
def test_pictures_of_every_kind_are_kept(tmp_path: Path, layers: Sequence[bytes]) -> None:
    djvu = page(info(width=WIDE, height=HIGH), *layers)
    _, plain = convert_bytes(tmp_path, djvu)
    plain.close()
    before = drawn(tmp_path / "out.pdf", WIDE)
    warnings, pdf = archived(tmp_path, djvu)
    with pdf:
        for image in pdf.pages[0].get_images().values():
            assert "/Interpolate" not in image
    assert differ(drawn(tmp_path / "out.pdf", WIDE), before) <= 2
    assert warnings == ()


AREAS = {
    "/Square": '"" "note" (rect 10 20 100 50) (border #FF0000)',
    "/Highlight": '"" "" (rect 10 20 100 50) (hilite #FFFF00) (opacity 30)',
    "/Circle": '"" "note" (oval 10 20 100 50) (border #00FF00)',
    "/Polygon": '"" "note" (poly 10 20 100 50 60 90) (xor)',
    "/Line": '"" "note" (line 10 20 100 50) (arrow) (width 3) (lineclr #0000FF)',
    "/Text": '"" "note" (text 10 20 100 50) (pushpin)',
    "/Link": '"http://a.example/" "there" (poly 10 20 100 50 60 90)',
}


@pytest.mark.parametrize("flags", [1, 6, 2, 5])
@pytest.mark.parametrize("kind", AREAS)
def test_areas_of_every_kind_look_as_before_on_turned_pages_too(
    tmp_path: Path, kind: str, flags: int
) -> None:
    djvu = annotated(f"(maparea {AREAS[kind]})", flags=flags)
    _, plain = convert_bytes(tmp_path, djvu)
    plain.close()
    before = drawn(tmp_path / "out.pdf", 300)
    warnings, pdf = archived(tmp_path, djvu)
    with pdf:
        assert str(next(iter(annotations_on(pdf))).Subtype) == kind
    assert differ(drawn(tmp_path / "out.pdf", 300), before) == 0
    assert warnings == ()


# Typed notes: their letters must go with the PDF


def noted(text: str) -> bytes:
    return annotated(f'(maparea "" "{text}" (text 20 20 260 360) (backclr #FFFF80))')


def written_in(pdf: pikepdf.Pdf) -> str:
    """What the drawing of the first note says, by the map of its font."""
    look = next(iter(annotations_on(pdf))).AP.N
    font = look.Resources.Font.Helv
    codes = dict(
        line.strip("<>").split("> <")
        for line in font.ToUnicode.read_bytes().decode().splitlines()
        if line.startswith("<") and not line.startswith("<0000>")
    )
    shown = "".join(
        bytes(instruction.operands[0]).hex()
        for instruction in pikepdf.parse_content_stream(look)
        if str(instruction.operator) == "Tj"
    )
    return "".join(
        bytes.fromhex(codes[shown[at : at + 4]]).decode("utf-16-be")
        for at in range(0, len(shown), 4)
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a note", "a note"),
        ("100 € “naïve”", "100 € “naïve”"),
        ("Příliš žluťoučký kůň", "Příliš žluťoučký kůň"),
        ("Съешь ещё этих французских булок", "Съешь ещё этих французских булок"),
        ("Ξεσκεπάζω τὴν ψυχοφθόρα", "Ξεσκεπάζω τὴν ψυχοφθόρα"),
        ("Việt Nam", "Việt Nam"),
        ("e\N{COMBINING ACUTE ACCENT}te\N{COMBINING ACUTE ACCENT}", "été"),
        (r"a\\b (c)", r"a\b (c)"),
        (r"two\nlines", "twolines"),
        ("tab\there", "tabhere"),
    ],
)
def test_typed_notes_carry_their_letters(tmp_path: Path, text: str, says: str) -> None:
    warnings, pdf = archived(tmp_path, noted(text))
    with pdf:
        (note,) = annotations_on(pdf)
        assert str(note.Subtype) == "/Stamp"
        assert written_in(pdf).replace(" ", "") == says.replace(" ", "")
    ink = ImageChops.difference(
        drawn(tmp_path / "out.pdf", 300), Image.new("RGB", (300, 400), (255, 255, 128))
    ).crop((22, 22, 278, 60))
    assert ink.getbbox() is not None
    assert warnings == ()


@pytest.mark.parametrize("text", ["學而時習之", "latin и 漢", "שלום", "سلام", "😀"])
@pytest.mark.parametrize("url", ["", "http://a.example/"])
def test_notes_in_letters_without_a_font_are_folded_and_that_is_told(
    tmp_path: Path, text: str, url: str
) -> None:
    warnings, pdf = archived(tmp_path, annotated(f'(maparea "{url}" "{text}" (text 9 9 90 90))'))
    with pdf:
        note = next(iter(annotations_on(pdf)))
        assert str(note.Subtype) == "/Text"
        assert str(note.Contents) == text
    (told,) = warnings
    assert "page 1: its annotations hold 1 typed note in letters" in told


def test_typed_notes_break_their_lines_within_their_box(tmp_path: Path) -> None:
    _, pdf = archived(tmp_path, annotated('(maparea "" "WWWWW WWWWW WWWWW" (text 20 20 80 360))'))
    pdf.close()
    image = drawn(tmp_path / "out.pdf", 300)
    left, _, right, _ = ImageChops.invert(image).getbbox() or (0, 0, 0, 0)
    assert 20 <= left <= 27
    assert 60 <= right <= 100


@pytest.mark.parametrize(("flags", "size"), [(1, 300), (6, 400), (2, 300), (5, 400)])
def test_typed_notes_lie_where_they_lay_on_turned_pages_too(
    tmp_path: Path, flags: int, size: int
) -> None:
    djvu = annotated(
        '(maparea "" "Hamburg" (text 60 90 120 80) (backclr #FF0000) (textclr #00FF00))',
        flags=flags,
    )
    places = []
    for options in (ConvertOptions(), ARCHIVAL):
        convert_bytes(tmp_path, djvu, options)[1].close()
        red, green, _ = drawn(tmp_path / "out.pdf", size).split()
        paper = ImageChops.subtract(red, green).point(lambda level: 255 * (level > 200))
        ink = ImageChops.subtract(green, red).point(lambda level: 255 * (level > 100))
        places.append((paper.getbbox(), ink.getbbox()))
    (paper_before, ink_before), (paper_after, ink_after) = places
    assert paper_after == paper_before is not None
    assert ink_after == pytest.approx(ink_before, abs=8)  # another font


@pytest.mark.parametrize("text", ["", " ", r"\n\n", r"\001"])
def test_typed_notes_without_a_letter_are_kept(tmp_path: Path, text: str) -> None:
    warnings, pdf = archived(tmp_path, noted(text))
    with pdf:
        (note,) = annotations_on(pdf)
        assert note.AP.N.read_bytes()
    assert warnings == ()


# Long documents


def test_parts_with_notes_links_and_facts_are_put_together(tmp_path: Path) -> None:
    pages = [
        leaf(f'(maparea "#1" "" (rect 9 9 9 9))(maparea "" "č {n}" (text 9 9 90 90))'.encode())
        for n in range(20)
    ]
    titles = [b"%d" % (n + 100) for n in range(20)]
    djvu = document(pages, titles=titles, outline=navm((1, b"One", b"#1"), (0, b"Out", b"u:x")))
    warnings, pdf = archived(tmp_path, djvu)
    with pdf:
        assert len(pdf.pages) == 20
        assert pdf.pages[19].label == "119"
        assert [link[:2] for link in links_of(pdf)] == [(t.decode(), "0") for t in titles]
        assert outline_of(pdf) == [(0, "One", 0), (1, "Out", "u:x")]
    assert warnings == ()
    whole = (tmp_path / "out.pdf").read_bytes()
    ranges = parts_of(20)
    parts = [str(tmp_path / str(number)) for number in range(len(ranges))]
    for path, numbers in zip(parts, ranges, strict=True):
        convert_part(tmp_path / "in.djvu", path, numbers, ARCHIVAL)
    assemble(tmp_path / "in.djvu", parts, tmp_path / "out.pdf", ARCHIVAL)
    assert (tmp_path / "out.pdf").read_bytes() == whole


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", ""])
def test_old_texts_are_archived_in_the_letters_that_they_are_read_in(
    tmp_path: Path, encoding: str
) -> None:
    old = "Карта".encode(encoding or "cp1251")
    note = b'(metadata (Title "%s"))(maparea "" "%s" (text 9 9 90 90))' % (old, old)
    djvu = document([leaf(note)], outline=navm((0, old, b"#1")), titles=[old])
    options = ConvertOptions(pdfa=True, encoding=encoding)
    warnings, pdf = archived(tmp_path, djvu, options)
    read = old.decode(encoding or "latin-1")
    with pdf:
        assert written_in(pdf) == str(pdf.docinfo.Title) == pdf.pages[0].label == read
        assert outline_of(pdf) == [(0, read, 0)]
    assert bool(warnings) == (not encoding)


def test_a_page_that_was_lost_leaves_an_archive_of_the_others(tmp_path: Path) -> None:
    lost = chunk("FORM", b"DJVU" + info(width=90, height=90) + chunk("Sjbz", b"\xff" * 60))
    options = ConvertOptions(pdfa=True, keep_damaged=True)
    warnings, pdf = archived(tmp_path, document([leaf(), lost]), options)
    pdf.close()
    assert "page 2 is blank" in warnings[0]


@pytest.mark.parametrize("levels", [MOST_LEVELS, MOST_LEVELS + 1, MOST_LEVELS + 40])
@pytest.mark.parametrize("url", [b"#1", b"http://a.example/"])
def test_bookmarks_are_as_deep_as_the_checker_follows(
    tmp_path: Path, levels: int, url: bytes
) -> None:
    outline = navm(*[(1, b"t", url)] * levels, (0, b"last", url))
    warnings, pdf = archived(tmp_path, document([leaf()], outline=outline))
    with pdf:
        found = outline_of(pdf)
        assert len(found) == levels + 1
        assert found[-1][:2] == (MOST_LEVELS, "last")
    assert (len(warnings) == 1) == (levels > MOST_LEVELS)


# Facts


NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
WITHOUT_PLACE = "PDF/A has no place for some of the XMP, which was left out"


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def xmp_in(pdf: pikepdf.Pdf) -> str:
    return pdf.Root.Metadata.read_bytes().decode()


def test_facts_that_xmp_of_an_archive_has_no_place_for_are_told_by_info(tmp_path: Path) -> None:
    facts = '(metadata (Title "T") (Shelf "12/3") (Year "1897?") (Publisher "P"))'
    more = RDF % (
        "<my:plain>p</my:plain><my:bag><rdf:Bag><rdf:li>a</rdf:li><rdf:li>b</rdf:li></rdf:Bag>"
        "</my:bag><mm:DocumentID>uuid:1</mm:DocumentID><xmp:Rating>many</xmp:Rating>"
    )
    warnings, pdf = archived(tmp_path, annotated(f"{facts}(xmp {quoted(more)})"))
    with pdf:
        info = {key: str(value) for key, value in pdf.docinfo.items()}
        assert info["/Shelf"] == "12/3"
        assert info["/Year"] == "1897?"
        assert info["/my:plain"] == "p"
        assert info["/my:bag"] == "a; b"
        assert info["/xmp:Rating"] == "many"
        with pdf.open_metadata() as xmp:
            assert xmp["dc:title"] == "T"
            assert xmp["dc:publisher"] == {"P"}
            assert xmp["xmpMM:DocumentID"] == "uuid:1"
        assert "my:" not in xmp_in(pdf)
    assert warnings == ()


def test_what_is_no_plain_fact_is_lost_and_named(tmp_path: Path) -> None:
    more = RDF % (
        "<my:shelf my:room='2'>12</my:shelf><mm:History><rdf:Seq><rdf:li"
        " rdf:parseType='Resource'><my:step>one</my:step></rdf:li></rdf:Seq></mm:History>"
        "<my:tongues><rdf:Alt><rdf:li xml:lang='x-default'>a</rdf:li><rdf:li xml:lang='cs'>b"
        "</rdf:li></rdf:Alt></my:tongues>"
        "<dc:subject><rdf:Bag><rdf:li my:scheme='x'>maps</rdf:li></rdf:Bag></dc:subject>"
    )
    warnings, pdf = archived(tmp_path, annotated(f"(xmp {quoted(more)})"))
    with pdf, pdf.open_metadata() as xmp:
        assert xmp["dc:subject"] == {"maps"}
    lost = "my:shelf, my:tongues, mm:History, details of dc:subject"
    assert warnings == (f"the document's facts: {WITHOUT_PLACE}: {lost}",)


def test_what_info_says_in_one_language_alone_is_told(tmp_path: Path) -> None:
    """Info and XMP agree on the default; the other language has no place."""
    more = RDF.replace("http://my.example/ns/", "http://ns.adobe.com/pdfx/1.3/") % (
        "<my:Shelf><rdf:Alt><rdf:li xml:lang='x-default'>12</rdf:li><rdf:li xml:lang='cs'>XII"
        "</rdf:li></rdf:Alt></my:Shelf>"
    )
    warnings, pdf = archived(tmp_path, annotated(f'(metadata (Shelf "12"))(xmp {quoted(more)})'))
    with pdf:
        assert str(pdf.docinfo["/Shelf"]) == "12"
    assert warnings == (f"the document's facts: {WITHOUT_PLACE}: pdfx:Shelf",)


def test_facts_of_a_later_page_are_told_under_its_number(tmp_path: Path) -> None:
    more = (
        RDF % "<dc:source>S</dc:source><my:made rdf:parseType='Resource'><my:by>x</my:by></my:made>"
    )
    later = f'(metadata (Title "Two") (Shelf mark "9") (Été "e"))(xmp {quoted(more)})'
    djvu = document([leaf(b'(metadata (Title "One"))'), leaf(later.encode()), leaf()])
    warnings, pdf = archived(tmp_path, djvu)
    with pdf:
        assert "/Metadata" not in pdf.pages[1].obj
        told = {key: str(value) for key, value in pdf.docinfo.items() if key.startswith("/Page")}
        assert told["/Page 2 Title"] == "Two"
        assert told["/Page 2 Été"] == "e"
        assert told["/Page 2 dc:source"] == "S"
        assert str(pdf.docinfo.Title) == "One"
    assert warnings == (f"page 2: its facts: {WITHOUT_PLACE}: Page 2 my:made",)


@given(
    facts=st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=20), max_size=4),
    place=st.sampled_from(["document", "page"]),
)
@example(facts={"\x1f": "0", " ": "", "\x1e": "1"}, place="document")
@example(facts={"\x1f": "0", " ": "", "\x1e": "1"}, place="page")
@settings(max_examples=60, deadline=None)
def test_no_fact_of_any_letters_keeps_a_document_from_being_an_archive(
    facts: dict[str, str], place: str
) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        lost = write_metadata(pdf, facts.items() if place == "document" else ())
        if place == "page":
            pdf.pages[0].obj.Metadata, lost = page_metadata(pdf, facts.items(), (), with_info=True)
        assert make_archival(pdf) == []
        written = io.BytesIO()
        pdf.save(written, **SAVE_OPTIONS)
        told = " ".join(map(str, pdf.docinfo.values()))
        report = pdfa.validate_written(written, "2b")
    assert report.passed, report.summary()
    if not lost:
        assert all(NOT_XML.sub(" ", value).strip() in told for value in facts.values())


@pytest.mark.parametrize(("length", "is_told"), [(119, False), (120, True), (400, True)])
def test_names_that_are_alike_for_too_long_are_told(
    tmp_path: Path, length: int, *, is_told: bool
) -> None:
    facts = f'(metadata ({"k" * length}1 "one") ({"k" * length}2 "two"))'
    warnings, pdf = archived(tmp_path, document([leaf(), leaf(facts.encode())]))
    with pdf:
        kept = {str(value) for value in pdf.docinfo.values()} & {"one", "two"}
    assert bool(warnings) == is_told
    assert kept == {"one", "two"} or warnings


@pytest.fixture(params=["UTC", "Asia/Kathmandu", "America/St_Johns"])
def time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("time_zone")
def test_dates_are_the_documents_own_in_every_time_zone(tmp_path: Path) -> None:
    more = RDF % "<xmp:MetadataDate>2011-05-03T12:33:00</xmp:MetadataDate>"
    facts = '(metadata (CreationDate "1911-02-03 04:05:06") (ModDate "2001-02-03 04:05:06+01:00"))'
    _, pdf = archived(tmp_path, annotated(f"{facts}(xmp {quoted(more)})"))
    with pdf:
        assert str(pdf.docinfo.CreationDate) == "D:19110203040506"
        assert str(pdf.docinfo.ModDate) == "D:20010203040506+01'00'"
        for date in (
            "CreateDate>1911-02-03T04:05:06<",
            "ModifyDate>2001-02-03T04:05:06+01:00<",
            "MetadataDate>2011-05-03T12:33:00<",
        ):
            assert date in xmp_in(pdf)


def test_no_hour_is_made_up(tmp_path: Path) -> None:
    _, pdf = archived(tmp_path, annotated(""))
    with pdf:
        assert "Date" not in xmp_in(pdf)
        assert not [key for key in pdf.docinfo if "Date" in key]


# Sizes


@pytest.mark.parametrize(
    ("width", "height", "dpi", "unit"),
    [
        (20_000, 30, 100, None),
        (20_001, 30, 100, 2),
        (30, 20_001, 100, 2),
        (60_100, 90, 100, 4),
        (13, 400, 300, None),
        (12, 400, 300, 0.5),
        (1, 1, 300, 1 / 13),
    ],
)
def test_pages_out_of_bounds_have_a_unit_of_their_own(
    tmp_path: Path, width: int, height: int, dpi: int, unit: float | None
) -> None:
    djvu = page(info(width=width, height=height, dpi=dpi))
    _, pdf = archived(tmp_path, djvu)
    with pdf:
        told = pdf.pages[0].get("/UserUnit")
        assert (told is None) if unit is None else (float(str(told)) == pytest.approx(unit))
        size = [float(side) * (unit or 1) for side in pdf.pages[0].mediabox.as_list()[2:]]
        assert size == pytest.approx([width * 72 / dpi, height * 72 / dpi], abs=0.01)


def test_what_is_on_a_page_with_a_unit_of_its_own_stays_where_it_was(tmp_path: Path) -> None:
    areas = [*AREAS.values(), '"" "typed" (text 210 20 80 50) (border #00FFFF)']
    text = "".join(f"(maparea {area})" for area in areas)
    layers = (mask(5100, 400), chunk("ANTa", text.encode()))
    djvu = page(info(width=5100, height=400, dpi=25), *layers)
    warnings, pdf = archived(tmp_path, djvu)
    with pdf:
        assert pdf.pages[0].UserUnit == 2
    after = drawn(tmp_path / "out.pdf", 5100)
    usual = page(info(width=5100, height=400, dpi=50), *layers)
    _, pdf = archived(tmp_path, usual)
    with pdf:
        assert "/UserUnit" not in pdf.pages[0]
    before = drawn(tmp_path / "out.pdf", 5100)
    away = ImageChops.difference(after, before).convert("L").point(lambda level: 255 * (level > 9))
    assert away.histogram()[255] < 5100 * 400 * 0.002  # frames are as wide in points
    assert warnings == ()


# What cannot be an archive fails, and says why


def refusal(folder: Path, djvu: bytes) -> str:
    with pytest.raises(EngineError) as caught:
        convert_bytes(folder, djvu, ARCHIVAL)
    return str(caught.value)


STRINGS: dict[str, Callable[[str], bytes]] = {
    "page 1: ": lambda text: annotated(f'(maparea "" "{text}" (rect 9 9 9 9))'),
    "the document's facts: ": lambda text: annotated(f'(metadata (Shelf "{text}"))'),
    "a bookmark: ": lambda text: document([leaf()], outline=navm((0, text.encode(), b"#1"))),
    "the page titles: ": lambda text: document([leaf()], titles=[text.encode()]),
}


@pytest.mark.parametrize("place", STRINGS)
def test_a_text_that_is_too_long_is_told_with_its_place(tmp_path: Path, place: str) -> None:
    djvu = STRINGS[place]
    _, pdf = archived(tmp_path, djvu("x" * MOST_BYTES))
    pdf.close()
    assert refusal(tmp_path, djvu("x" * (MOST_BYTES + 1))) == (
        f"it cannot be PDF/A-2b: {place}string of 32768 bytes exceeds 32767 (ISO 19005-2, 6.1.13);"
        " local.pdfa = false makes a PDF of it"
    )
    convert_bytes(tmp_path, djvu("x" * (MOST_BYTES + 1)))[1].close()


def test_a_page_whose_sides_no_unit_makes_right_is_told(tmp_path: Path) -> None:
    _, pdf = archived(tmp_path, page(info(width=20_001, height=9, dpi=100)))
    pdf.close()
    told = refusal(tmp_path, page(info(width=20_001, height=8, dpi=100)))
    assert told.startswith("it cannot be PDF/A-2b: page 1: ")
    assert "3-14400 units" in told


def test_several_reasons_are_counted(tmp_path: Path) -> None:
    note = f'(maparea "" "{"x" * 40_000}" (rect 9 9 9 9))'
    assert ", and 2 more; " in refusal(tmp_path, annotated(note * 3))


def test_hidden_text_in_every_script_is_archived(tmp_path: Path) -> None:
    text = "two words žluť שלום 學而 𠀀😀 \ufeff\u200f"
    djvu = with_text(text, [zone("Page", (0, 0, WIDTH, HEIGHT), text)])
    warnings, pdf = archived(tmp_path, djvu)
    pdf.close()
    (read,) = texts_of(tmp_path / "out.pdf")
    assert "two words žluť" in read
    assert warnings == ()


def test_nothing_of_it_is_in_other_pdfs(tmp_path: Path) -> None:
    _, pdf = convert_bytes(tmp_path, noted("a note"))
    with pdf:
        assert "/OutputIntents" not in pdf.Root
        assert "pdfaid" not in xmp_in(pdf)
        (note,) = annotations_on(pdf)
        assert str(note.Subtype) == "/FreeText"
        assert "/FontDescriptor" not in note.AP.N.Resources.Font.Helv
