from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pikepdf
import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageStat

from batch_converter.djvu.draw import mask_streams
from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.draw.ocr import recognise
from batch_converter.djvu.jobs.options import Converted, ConvertOptions
from batch_converter.djvu.jobs.parts import PAGES_A_PART, parts_of
from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.read.bundle import bundle
from batch_converter.djvu.read.inspect import inspect
from batch_converter.djvu.work.ocr_tools import missing_tools
from batch_converter.errors import EngineError, NotDjvuError, OutputError
from tests.support.djvu_files import HEIGHT, SAMPLES, WIDTH, chunk, chunks_of, info, page
from tests.support.masked_documents import document

if TYPE_CHECKING:
    from collections.abc import Iterable

DATA = Path(__file__).resolve().parents[1] / "data"
KEEP = ConvertOptions(keep_damaged=True)

needs_djvulibre = pytest.mark.skipif(shutil.which("ddjvu") is None, reason="no djvulibre-bin")
needs_qpdf = pytest.mark.skipif(shutil.which("qpdf") is None, reason="no qpdf")


def chunks(name: str, *kinds: str) -> list[bytes]:
    data = (SAMPLES / f"{name}.djvu").read_bytes()
    return [chunk(kind, body) for kind, body in chunks_of(data) if kind in kinds]


def converted(
    tmp_path: Path, source: Path | bytes, options: ConvertOptions | None = None
) -> pikepdf.Pdf:
    if isinstance(source, bytes):
        (tmp_path / "in.djvu").write_bytes(source)
        source = tmp_path / "in.djvu"
    convert(source, tmp_path / "out.pdf", options or ConvertOptions())
    return pikepdf.open(tmp_path / "out.pdf")


def images(pdf: pikepdf.Pdf, number: int = 0) -> list[pikepdf.Object]:
    return [image for _, image in sorted(pdf.pages[number].Resources.get("/XObject", {}).items())]


def drawn(path: Path, number: int, dpi: float) -> Image.Image:
    """A page as pdfium shows it."""
    with pypdfium2.PdfDocument(path) as document:
        image: Image.Image = document[number].render(scale=dpi / 72).to_pil().convert("RGB")
        return image


def reference(source: Path, number: int) -> Image.Image:
    """A page as DjVuLibre shows it."""
    command = ["ddjvu", "-format=ppm", f"-page={number + 1}", str(source)]
    done = subprocess.run(command, check=True, capture_output=True)
    return Image.open(io.BytesIO(done.stdout)).convert("RGB")


def mean_square_error(first: Image.Image, second: Image.Image) -> float:
    assert first.size == second.size
    bands = ImageStat.Stat(ImageChops.difference(first, second)).sum2
    return float(sum(bands) / (3 * first.width * first.height))


@needs_djvulibre
@pytest.mark.parametrize(
    ("name", "number", "dpi"),
    [("bitonal", 0, 300), ("rotated", 0, 200), ("book", 1, 300), ("no-text", 0, 200)],
)
def test_bitonal_pages_are_equal_to_the_pixel(
    tmp_path: Path, name: str, number: int, dpi: int
) -> None:
    source = SAMPLES / f"{name}.djvu"
    converted(tmp_path, source).close()
    ours, theirs = drawn(tmp_path / "out.pdf", number, dpi), reference(source, number)
    assert mean_square_error(ours, theirs) == 0


@needs_djvulibre
@pytest.mark.parametrize(("name", "dpi", "limit"), [("colour", 150, 10.0), ("mixed", 300, 10.0)])
def test_colours_are_where_and_what_they_are(
    tmp_path: Path, name: str, dpi: int, limit: float
) -> None:
    source = SAMPLES / f"{name}.djvu"
    converted(tmp_path, source).close()
    ours, theirs = drawn(tmp_path / "out.pdf", 0, dpi), reference(source, 0)
    assert mean_square_error(ours, theirs) < limit


@needs_djvulibre
def test_coloured_ink_is_painted_through_its_mask(tmp_path: Path) -> None:
    paper = chunks("colour", "BG44")
    ink = b"FG44" + paper[0][4:]
    with converted(tmp_path, page(info(), *chunks("bitonal", "Sjbz"), ink, *paper)) as pdf:
        _, image = images(pdf)
        assert int(image.Mask.Width) == WIDTH
        assert int(image.Mask.Height) == HEIGHT
    theirs = reference(tmp_path / "in.djvu", 0)
    assert mean_square_error(drawn(tmp_path / "out.pdf", 0, 300), theirs) < 10


def test_masks_stay_lossless_and_colours_keep_their_own_resolution(tmp_path: Path) -> None:
    with converted(tmp_path, SAMPLES / "mixed.djvu") as pdf:
        filters = [str(image.Filter) for image in images(pdf)]
        assert filters == ["/DCTDecode", "/CCITTFaxDecode", "/CCITTFaxDecode"]
        assert int(images(pdf)[0].Width) == 414
        assert int(images(pdf)[0].Height) == 583


def test_a_gray_background_stays_gray_and_a_white_one_is_left_out(tmp_path: Path) -> None:
    with converted(tmp_path, SAMPLES / "bitonal.djvu") as pdf:
        (image,) = images(pdf)
        assert image.ColorSpace == pikepdf.Name.DeviceGray
        assert image.BitsPerComponent == 1
        assert pdf.pages[0].Resources.XObject.keys() == {"/Im0"}


@pytest.mark.parametrize(("color_dpi", "width"), [(0, 620), (150, 620), (100, 413), (300, 620)])
def test_colours_are_reduced_to_what_was_asked_for(
    tmp_path: Path, color_dpi: int, width: int
) -> None:
    options = ConvertOptions(color_dpi=color_dpi)
    with converted(tmp_path, SAMPLES / "colour.djvu", options) as pdf:
        assert images(pdf)[0].Width == width


def test_jpeg_quality_is_what_was_asked_for(tmp_path: Path) -> None:
    sizes = []
    for quality in (30, 90):
        options = ConvertOptions(jpeg_quality=quality)
        with converted(tmp_path, SAMPLES / "colour.djvu", options) as pdf:
            sizes.append(len(images(pdf)[0].read_raw_bytes()))
    assert sizes[0] * 2 < sizes[1]


@pytest.mark.parametrize(("flags", "rotate"), [(1, None), (6, 270), (2, 180), (5, 90)])
def test_rotation_and_size_are_the_pages(tmp_path: Path, flags: int, rotate: int | None) -> None:
    with converted(tmp_path, page(info(width=600, height=300, dpi=150, flags=flags))) as pdf:
        assert pdf.pages[0].get("/Rotate") == rotate
        assert [float(side) for side in pdf.pages[0].MediaBox] == [0, 0, 288, 144]


def test_a_senseless_resolution_counts_as_300(tmp_path: Path) -> None:
    with converted(tmp_path, page(info(width=600, height=300, dpi=1))) as pdf:
        assert [float(side) for side in pdf.pages[0].MediaBox] == [0, 0, 144, 72]


def flat(items: Iterable[pikepdf.OutlineItem], depth: int = 0) -> list[tuple[int, str]]:
    found = []
    for item in items:
        found += [(depth, item.title), *flat(item.children, depth + 1)]
    return found


def test_bookmarks_links_labels_and_facts_of_a_book(tmp_path: Path) -> None:
    with converted(tmp_path, SAMPLES / "book.djvu") as pdf:
        pages: list[object] = [p.objgen for p in pdf.pages]
        with pdf.open_outline() as outline:
            titles = flat(outline.root)
            assert titles[:3] == [
                (0, "Cover"),
                (0, "Předmluva (Preface)"),
                (0, "Letters · Písmena"),
            ]
            places = [item.to_dictionary_object(pdf).Dest[0] for item in outline.root]
        assert [pages.index(place.objgen) for place in places][:3] == [0, 1, 2]
        assert [p.label for p in pdf.pages] == ["Cover", "i", "ii", "101", "102", "103"]
        assert str(pdf.docinfo.Title) == "The Little Book of Letters – Knížka písmen"  # noqa: RUF001  # the dash of the title
        assert str(pdf.docinfo.Author) == "The batch-converter project"
        with pdf.open_metadata() as xmp:
            assert xmp["dc:title"] == str(pdf.docinfo.Title)
            assert xmp["dc:creator"] == [str(pdf.docinfo.Author)]
        inner, outer = pdf.pages[1].Annots
        assert pages.index(inner.A.D[0].objgen) == 2
        assert str(outer.A.URI) == "https://example.org/letters?a=1&b=2"
        assert str(outer.Contents) == "another site"
        leads_to = [pages.index(link.A.D[0].objgen) for link in pdf.pages[2].Annots]
        assert leads_to == [3, 4, 5]


@needs_djvulibre
def test_bookmarks_that_lead_elsewhere_or_nowhere(tmp_path: Path) -> None:
    source = tmp_path / "book.djvu"
    shutil.copy(SAMPLES / "book.djvu", source)
    outline = (
        """(bookmarks ("out" "https://example.org/č?a=%20&b=1") ("dead" "#nowhere") ("in" "#2"))"""
    )
    script = tmp_path / "script"
    script.write_text(f"set-outline\n{outline}\n.\nsave\n")
    command: list[str | Path] = ["djvused", "-u", "-f", script, source]
    subprocess.run(command, check=True)

    told = convert(source, tmp_path / "out.pdf", ConvertOptions())

    assert told.warnings == ("a bookmark leads to a page that is not there (#nowhere)",)
    with pikepdf.open(tmp_path / "out.pdf") as pdf, pdf.open_outline() as read:
        out, dead, inside = (item.to_dictionary_object(pdf) for item in read.root)
        assert bytes(out.A.URI) == b"https://example.org/%C4%8D?a=%20&b=1"
        assert "/Dest" not in dead
        assert inside.Dest[0].objgen == pdf.pages[1].obj.objgen


def test_links_of_a_turned_page_lie_where_they_are_shown(tmp_path: Path) -> None:
    with converted(tmp_path, SAMPLES / "rotated.djvu") as pdf:
        (link,) = pdf.pages[0].Annots
        scale = 72 / 200
        # (rect 89 722 419 30) of the shown page, 827 wide and 1165 high
        shown = [89 * scale, 722 * scale, 508 * scale, 752 * scale]
        x0, y0, x1, y1 = (float(side) for side in link.Rect)
        width, height = (float(side) for side in pdf.pages[0].MediaBox[2:])
        turned = {90: [y0, width - x1, y1, width - x0], 270: [height - y1, x0, height - y0, x1]}
        assert turned[int(pdf.pages[0].Rotate)] == pytest.approx(shown, abs=0.1)


def annotated(text: str) -> bytes:
    return page(info(), chunk("ANTa", text.encode()))


def test_facts_in_octal_escapes_and_of_any_name(tmp_path: Path) -> None:
    text = r'(metadata (title "T\303\251 \"q\"") (year "1999") (My-Key "x") (CreationDate "1999"))'
    with converted(tmp_path, annotated(text)) as pdf:
        assert str(pdf.docinfo.Title) == 'Té "q"'
        assert str(pdf.docinfo["/Year"]) == "1999"
        assert str(pdf.docinfo["/My-Key"]) == "x"
        assert str(pdf.docinfo.CreationDate) == "D:1999"


def test_links_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    (tmp_path / "in.djvu").write_bytes(annotated('(maparea "#99" "" (rect 1 2 3 4))'))
    done = convert(tmp_path / "in.djvu", tmp_path / "out.pdf", ConvertOptions())
    assert done == Converted(
        pages=1, warnings=("page 1: a link leads to a page that is not there (#99)",)
    )


def test_frames_and_shapes_of_links(tmp_path: Path) -> None:
    text = (
        '(maparea (url "http://a/" "_top") "d" (poly 300 300 600 900 450 450) (border #FF0000))'
        '(maparea "http://b/" "" (line 30 30 60 90) (none))'
        '(maparea "" "a note" (rect 1 2 3 4))'
    )
    with converted(tmp_path, annotated(text)) as pdf:
        frame, red, line, plain, note = pdf.pages[0].Annots
        assert [str(a.Subtype) for a in (frame, line, note)] == ["/Polygon", "/Line", "/Square"]
        assert str(note.Contents) == "a note"
        assert [float(side) for side in red.Rect] == [72, 72, 144, 216]
        assert [float(part) for part in red.C] == [1, 0, 0]
        assert [int(part) for part in plain.Border] == [0, 0, 0]


def test_damaged_annotations_lose_what_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "in.djvu").write_bytes(annotated('(metadata (title "whole")) (maparea "x'))
    done = convert(tmp_path / "in.djvu", tmp_path / "out.pdf", ConvertOptions())
    assert done.warnings == ("page 1: its annotations are damaged",)
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        assert str(pdf.docinfo.Title) == "whole"


@pytest.mark.parametrize("name", ["blank", "broken"])
def test_a_page_that_cannot_be_decoded_is_never_a_silent_blank(tmp_path: Path, name: str) -> None:
    with pytest.raises(EngineError, match="page 1 cannot be decoded"):
        converted(tmp_path, DATA / f"{name}.djvu")


def test_a_damaged_page_may_be_given_up_for_the_others(tmp_path: Path) -> None:
    data = bytearray((SAMPLES / "book.djvu").read_bytes())
    place = data.rindex(b"Sjbz") + 8
    data[place : place + 40] = bytes(40)
    (tmp_path / "in.djvu").write_bytes(data)
    with pytest.raises(EngineError, match=r"page 6 cannot be decoded.*on_damage"):
        convert(tmp_path / "in.djvu", tmp_path / "out.pdf", ConvertOptions())
    done = convert(tmp_path / "in.djvu", tmp_path / "out.pdf", KEEP)
    assert done.pages == 6
    assert done.warnings == ("page 6 is blank: its image data is damaged: the mask makes no sense",)
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        assert [float(side) for side in pdf.pages[5].MediaBox] == [
            float(side) for side in pdf.pages[4].MediaBox
        ]


def test_a_document_without_a_page_left_fails_however_patient_one_is(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="page 1"):
        converted(tmp_path, DATA / "blank.djvu", KEEP)


@pytest.mark.parametrize("options", [ConvertOptions(), KEEP], ids=["fail", "keep"])
def test_damaged_text_costs_no_picture(tmp_path: Path, options: ConvertOptions) -> None:
    source = tmp_path / "in.djvu"
    source.write_bytes(page(info(), *chunks("bitonal", "Sjbz"), chunk("TXTz", b"\xff\xff no text")))
    done = convert(source, tmp_path / "out.pdf", options)
    assert done.warnings == ("page 1: its text layer is damaged",)
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        assert len(images(pdf)) == 1


@pytest.mark.parametrize(
    ("djvu", "says"),
    [
        (page(info(width=65535, height=65535)), "memory limit"),
        (page(info(width=0)), "no size"),
        (page(info(), b"Sjbz\x7f\xff\xff\xff1234"), "cut off"),
        (page(info(), b"junk\x00"), "cut off"),
        (page(info(), chunk("INCL", b"elsewhere.djvi")), "shares with other pages"),
        (page(info(), chunk("BGjp", b"\xff\xd8")), "JPEG image is damaged"),
        (page(info(width=99), *chunks("colour", "BG44")), "do not fit together"),
        (page(info(), chunk("BG44", b"\x00")), "cut off"),
        (page(info(), *chunks("bitonal", "Sjbz"), chunk("FGbz", b"\x80\x00\x09")), "palette"),
    ],
)
def test_impossible_pages_are_refused(tmp_path: Path, djvu: bytes, says: str) -> None:
    with pytest.raises(EngineError, match=says):
        converted(tmp_path, djvu)


def test_wavelets_that_run_out_of_data_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "in.djvu").write_bytes(page(info(width=620, height=874, dpi=150), *cut_colour()))
    with pytest.raises(EngineError, match="image data is damaged"):
        convert(tmp_path / "in.djvu", tmp_path / "out.pdf", ConvertOptions())


def cut_colour() -> list[bytes]:
    body = next(b for k, b in chunks_of((SAMPLES / "colour.djvu").read_bytes()) if k == "BG44")
    return [chunk("BG44", body[: len(body) // 2])]


def test_an_index_has_to_be_bundled(tmp_path: Path) -> None:
    index = DATA / "indirect" / "index.djvu"
    with pytest.raises(NotDjvuError, match="bundled"):
        converted(tmp_path, index)
    bundle(index, tmp_path / "bundle.djvu")
    with converted(tmp_path, tmp_path / "bundle.djvu") as pdf:
        assert len(pdf.pages) == 2


SHARED = b"AT&T" + chunk("FORM", b"DJVI" + chunk("ANTa", b'(metadata (title "Shared"))'))


def test_a_page_of_an_indirect_document_finds_what_it_shares_beside_it(tmp_path: Path) -> None:
    (tmp_path / "shared.iff").write_bytes(SHARED)
    source = page(info(), chunk("INCL", b"shared.iff"), *chunks("bitonal", "Sjbz"))
    with converted(tmp_path, source) as pdf:
        assert pdf.docinfo.Title == "Shared"


@pytest.mark.parametrize(
    ("name", "there", "says"),
    [
        ("absent.iff", SHARED, "missing"),
        ("../shared.iff", SHARED, "missing"),
        ("shared.iff", SHARED[:-1], "damaged"),
        ("shared.iff", SHARED.replace(b"DJVI", b"DJVU"), "missing"),
    ],
)
def test_nothing_but_a_whole_part_beside_a_page_is_taken_for_it(
    tmp_path: Path, name: str, there: bytes, says: str
) -> None:
    folder = tmp_path / "deeper" if "/" in name else tmp_path
    folder.mkdir(exist_ok=True)
    (tmp_path / "shared.iff").write_bytes(there)
    source = page(info(), chunk("INCL", name.encode()), *chunks("bitonal", "Sjbz"))
    (folder / "in.djvu").write_bytes(source)
    done = convert(folder / "in.djvu", tmp_path / "out.pdf", ConvertOptions())
    told = f"page 1: a part that it shares with other pages is {says}: {name}"
    assert done.warnings == (told,)
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        assert "/Title" not in pdf.docinfo
        assert len(images(pdf)) == 1


def test_the_same_document_gives_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for _ in range(2):
        converted(tmp_path, SAMPLES / "book.djvu").close()
        written.append((tmp_path / "out.pdf").read_bytes())
    assert written[0] == written[1]


def test_part_files_are_removed_whatever_happens(tmp_path: Path) -> None:
    converted(tmp_path, SAMPLES / "book.djvu").close()
    with pytest.raises(OutputError):
        convert(SAMPLES / "book.djvu", tmp_path / "missing" / "out.pdf", ConvertOptions())
    with pytest.raises(OutputError):
        convert(SAMPLES / "bitonal.djvu", "/dev/full", ConvertOptions())
    assert [path.name for path in tmp_path.iterdir()] == ["out.pdf"]


@needs_qpdf
@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.glob("*.djvu")))
def test_qpdf_has_nothing_to_say(tmp_path: Path, name: str) -> None:
    converted(tmp_path, SAMPLES / f"{name}.djvu").close()
    command = ["qpdf", "--check", str(tmp_path / "out.pdf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


JBIG2 = ConvertOptions(masks="jbig2")


@pytest.mark.parametrize("name", ["bitonal", "mixed"])
def test_masks_in_jbig2_look_the_same(tmp_path: Path, name: str) -> None:
    source = SAMPLES / f"{name}.djvu"
    converted(tmp_path, source).close()
    plain = drawn(tmp_path / "out.pdf", 0, 300)
    with converted(tmp_path, source, JBIG2) as pdf:
        assert str(mask_images(pdf)[-1].Filter) == "/JBIG2Decode"
    assert mean_square_error(drawn(tmp_path / "out.pdf", 0, 300), plain) == 0


def mask_images(pdf: pikepdf.Pdf) -> list[pikepdf.Object]:
    found = [
        image.get("/Mask", image) for page in range(len(pdf.pages)) for image in images(pdf, page)
    ]
    return [image for image in found if image.BitsPerComponent == 1]


def test_pages_share_the_dictionary_of_their_part(tmp_path: Path) -> None:
    (tmp_path / "in.djvu").write_bytes(document("typed"))
    with converted(tmp_path, tmp_path / "in.djvu", JBIG2) as pdf:
        shared = [image.DecodeParms.JBIG2Globals.objgen for image in mask_images(pdf)]
        assert len(shared) == len(pdf.pages) > PAGES_A_PART + 1
        assert len(set(shared[:PAGES_A_PART])) == 1
        assert shared[0] != shared[PAGES_A_PART] == shared[-1]


def test_masks_that_take_too_much_do_not_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.djvu").write_bytes(document("typed"))
    converted(tmp_path, tmp_path / "in.djvu").close()
    count = len(inspect(tmp_path / "in.djvu").pages)
    plain = [drawn(tmp_path / "out.pdf", number, 72) for number in range(count)]
    monkeypatch.setattr(mask_streams, "_MOST_BYTES", 1)
    with converted(tmp_path, tmp_path / "in.djvu", JBIG2) as pdf:
        assert {str(image.Filter) for image in mask_images(pdf)} == {"/JBIG2Decode"}
        assert not any("/DecodeParms" in image for image in mask_images(pdf))
    for number in range(count):
        assert mean_square_error(drawn(tmp_path / "out.pdf", number, 72), plain[number]) == 0


def test_masks_are_jbig2_by_themselves_only_where_kernels_are_compiled(tmp_path: Path) -> None:
    assert not COMPILED
    for masks in ("auto", "g4"):
        with converted(tmp_path, SAMPLES / "bitonal.djvu", ConvertOptions(masks=masks)) as pdf:
            assert str(images(pdf)[0].Filter) == "/CCITTFaxDecode"


needs_ocr = pytest.mark.skipif(bool(missing_tools("eng")), reason=missing_tools("eng"))


@pytest.mark.slow
@needs_ocr
def test_text_is_recognised_where_there_is_none(tmp_path: Path) -> None:
    written = []
    for _ in range(2):
        with converted(tmp_path, SAMPLES / "no-text.djvu", ConvertOptions(ocr="eng")) as pdf:
            assert set(pdf.docinfo.keys()) == {"/Producer"}
        written.append((tmp_path / "out.pdf").read_bytes())
    assert written[0] == written[1]
    with pypdfium2.PdfDocument(tmp_path / "out.pdf") as document:
        text = document[0].get_textpage().get_text_bounded()
    assert "This page shows words" in " ".join(text.split())


@needs_ocr
def test_documents_with_text_are_not_recognised_again(tmp_path: Path) -> None:
    converted(tmp_path, SAMPLES / "bitonal.djvu").close()
    plain = (tmp_path / "out.pdf").read_bytes()
    converted(tmp_path, SAMPLES / "bitonal.djvu", ConvertOptions(ocr="eng")).close()
    assert (tmp_path / "out.pdf").read_bytes() == plain


@pytest.mark.slow
@needs_ocr
def test_recognition_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="OCRmyPDF failed"):
        converted(tmp_path, SAMPLES / "no-text.djvu", ConvertOptions(ocr="tlh"))
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize(("room", "error"), [(0, OutputError), (1 << 20, EngineError)])
def test_recognition_on_a_full_disk_is_the_disks_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, error: type[Exception]
) -> None:
    status = os.statvfs(tmp_path)
    monkeypatch.setattr(
        os, "statvfs", lambda _: os.statvfs_result([4096, 4096, *status[2:4], room, *status[5:]])
    )
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 15)
    )
    with pytest.raises(error) as caught:
        recognise(tmp_path / "part.pdf", "eng")
    assert isinstance(caught.value.__cause__, OSError) is (error is OutputError)


def test_what_recognition_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.search("install", missing_tools("tlh"))
    monkeypatch.setenv("PATH", "")
    assert re.search("OCRmyPDF|tesseract is not installed", missing_tools("eng"))


def test_documents_are_cut_by_page_numbers_alone() -> None:
    assert parts_of(1) == [range(1)]
    assert parts_of(PAGES_A_PART + 1) == [
        range(PAGES_A_PART),
        range(PAGES_A_PART, PAGES_A_PART + 1),
    ]
