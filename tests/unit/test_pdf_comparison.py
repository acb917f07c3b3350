from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.output import ExpectedPdf, PageSize, check_pdf, text_search
from batch_converter.output.checking import check_pdf_bytes
from batch_converter.output.text_search import TextSearch, shows_text
from tests.support.pdfs import pdf_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

A4 = (595.2, 841.8)
SHOWN = b"BT /F1 12 Tf (x) Tj ET"


def made(build: Callable[[pikepdf.Pdf], object]) -> bytes:
    """Return a PDF that `build` has filled."""
    out = io.BytesIO()
    with pikepdf.new() as pdf:
        build(pdf)
        pdf.save(out)
    return out.getvalue()


def with_pages(*pages: Mapping[str, object]) -> bytes:
    """Return a PDF of empty pages with these entries; without a media box they are A4."""

    def build(pdf: pikepdf.Pdf) -> None:
        for entries in pages:
            pdf.add_blank_page(page_size=A4)
            for name, value in entries.items():
                pdf.pages[-1].obj[name] = pikepdf.Array(value) if isinstance(value, list) else value

    return made(build)


def told(data: bytes, sizes: Sequence[PageSize | None]) -> tuple[str, ...]:
    return check_pdf_bytes(data, expected=ExpectedPdf(page_sizes=sizes)).differences


@pytest.mark.parametrize(
    ("width", "height", "fits"),
    [
        (600, 800, True),
        (611.9, 800, True),
        (612.1, 800, False),
        (588.1, 800, True),
        (587.9, 800, False),
        (600, 815.9, True),
        (600, 816.1, False),
        (800, 600, False),
        (1200, 1600, False),
    ],
)
def test_a_page_may_be_two_percent_larger_or_smaller(
    width: float, height: float, *, fits: bool
) -> None:
    data = with_pages({"/MediaBox": [0, 0, width, height]})

    assert (told(data, [PageSize(600, 800)]) == ()) == fits


@pytest.mark.parametrize(
    ("entries", "shown"),
    [
        ({"/MediaBox": [0, 0, 300, 400]}, (300, 400)),
        ({"/MediaBox": [300, 400, 0, 0]}, (300, 400)),
        ({"/MediaBox": [-10, 20, 290, 420]}, (300, 400)),
        ({"/MediaBox": [0, 0, 400, 300], "/Rotate": 90}, (300, 400)),
        ({"/MediaBox": [0, 0, 400, 300], "/Rotate": -90}, (300, 400)),
        ({"/MediaBox": [0, 0, 400, 300], "/Rotate": 450}, (300, 400)),
        ({"/MediaBox": [0, 0, 300, 400], "/Rotate": 180}, (300, 400)),
        ({"/MediaBox": [0, 0, 150, 200], "/UserUnit": 2}, (300, 400)),
        ({"/MediaBox": [0, 0, 900, 900], "/CropBox": [10, 10, 310, 410]}, (300, 400)),
        ({"/MediaBox": [0, 0, 300, 400], "/CropBox": [0, 0, 150, 400]}, (150, 400)),
        ({"/MediaBox": [0, 0, 300, 400], "/CropBox": [-50, -50, 999, 999]}, (300, 400)),
        ({"/MediaBox": [0, 0, 300, 400], "/CropBox": [500, 500, 600, 600]}, (300, 400)),
        ({"/MediaBox": [0, 0, 300, 400], "/CropBox": [0, 0]}, (300, 400)),
    ],
)
def test_what_is_compared_is_the_page_as_it_is_shown(
    entries: dict[str, object], shown: tuple[float, float]
) -> None:
    data = with_pages(entries)

    assert told(data, [PageSize(*shown)]) == ()
    assert told(data, [PageSize(shown[0] * 1.1, shown[1])]) != ()


def test_a_size_that_pages_inherit_is_theirs() -> None:
    def build(pdf: pikepdf.Pdf) -> None:
        pdf.add_blank_page()
        del pdf.pages[0].obj["/MediaBox"]
        pdf.Root.Pages.MediaBox = pikepdf.Array([0, 0, 400, 300])
        pdf.Root.Pages.Rotate = 90

    assert told(made(build), [PageSize(300, 400)]) == ()
    assert told(made(build), [PageSize(400, 300)]) != ()


def test_the_first_page_that_differs_is_named_and_all_are_counted() -> None:
    small = {"/MediaBox": [0, 0, 300, 400]}
    sizes, instead = [PageSize(*A4)] * 4, "300 x 400 instead of 595.2 x 841.8 points"

    assert told(with_pages({}, {}, {}, {}), sizes) == ()
    assert told(with_pages({}, {}, small, {}), sizes) == (
        f"a page of the PDF has another size than in the DjVu, page 3: {instead}",
    )
    assert told(with_pages({}, small, {}, small), sizes) == (
        f"2 pages of the PDF have other sizes than in the DjVu, first page 2: {instead}",
    )


def test_of_an_unknown_resolution_only_the_proportion_counts() -> None:
    def fits(width: float, height: float) -> bool:
        data = with_pages({"/MediaBox": [0, 0, width, height]})
        return told(data, [PageSize(1240, 1748, is_to_scale=False)]) == ()

    assert fits(1240, 1748)
    assert fits(297.6, 419.5)
    assert fits(297.6 * 1.035, 419.5)
    assert not fits(297.6 * 1.045, 419.5)
    assert not fits(419.5, 297.6)


def test_what_nobody_knows_agrees() -> None:
    broken = with_pages({"/MediaBox": [0, 0, 0, 0]}, {})

    assert told(broken, [PageSize(300, 400), None]) == ()
    assert told(with_pages({}, {}), [PageSize(300, 400)]) == ()  # which page is which?
    assert told(with_pages({}), [None]) == ()


def test_a_tiny_page_may_be_rounded_to_whole_points() -> None:
    assert told(with_pages({"/MediaBox": [0, 0, 3, 4]}), [PageSize(2.6, 3.6)]) == ()
    assert told(with_pages({"/MediaBox": [0, 0, 4, 4]}), [PageSize(2.6, 3.6)]) != ()


# -- text ------------------------------------------------------------------------------------


def with_content(*contents: bytes, form: bytes | None = None) -> bytes:
    """Return a PDF with a page for each content; the last page has a form of its own."""

    def build(pdf: pikepdf.Pdf) -> None:
        for content in contents:
            pdf.add_blank_page(page_size=A4)
            pdf.pages[-1].obj.Contents = pdf.make_stream(content)
        if form is not None:
            inner = pdf.make_stream(form, Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form)
            outer = pdf.make_stream(
                b"/In Do",
                Type=pikepdf.Name.XObject,
                Subtype=pikepdf.Name.Form,
                Resources=pikepdf.Dictionary(XObject=pikepdf.Dictionary(In=inner)),
            )
            inner.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Out=outer))
            objects = pikepdf.Dictionary(Fm=outer)
            pdf.pages[-1].obj.Resources = pikepdf.Dictionary(XObject=objects)

    return made(build)


def lacks_text(data: bytes) -> bool:
    with pikepdf.open(io.BytesIO(data)) as pdf:
        return TextSearch(pdf).finds_none()


@pytest.mark.parametrize("has_text", [True, False])
def test_a_pdf_without_text_is_told_of_where_the_djvu_has_some(*, has_text: bool) -> None:
    def differences(data: bytes) -> tuple[str, ...]:
        return check_pdf_bytes(data, expected=ExpectedPdf(has_text=lambda: has_text)).differences

    said = ("the PDF has no text, and the DjVu has a text layer",)
    assert differences(pdf_bytes(3)) == (said if has_text else ())
    assert differences(with_content(b"q Q", SHOWN)) == ()
    assert check_pdf_bytes(pdf_bytes(3), verify="quick").differences == ()


@pytest.mark.parametrize(
    "content",
    [
        b"BT (x) Tj ET",
        b"BT(x)Tj ET",
        b"BT 3 Tr <0041> Tj ET",
        b"BT [(x) -20 (y)] TJ ET",
        b"BT [<41>]TJ ET",
        b"BT (x) ' ET",
        b'BT 1 2 (x) " ET',
        b"BT (\\() Tj ET",
        b"BT (f()) Tj ET",
        b"BT () Tj (x) Tj ET",
        b"BT [()] TJ [-20 (x)] TJ ET",
        b"BT (x)\r\nTj",
        b"q BI /W 1 /H 1 /BPC 8 /CS /G ID \xff EI Q BT (x) Tj ET",
        b"BT (an ID here) Tj ET",
    ],
)
def test_what_shows_text(content: bytes) -> None:
    assert shows_text(content)
    assert not lacks_text(with_content(b"q Q", content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"q 595 0 0 842 0 0 cm /Im0 Do Q",
        b"BT /F1 12 Tf ET",
        b"BT () Tj <> Tj < > Tj [] TJ [()] TJ [() -20 <>] TJ () ' 1 2 () \" ET",
        b"/P << /MCID 0 >> BDC EMC",
        b"[1 2] 0 d (x) pop",
        b"q BI /W 9 /H 9 ID (x) Tj (y) ' EI Q",
        b"(x) Tjx",
    ],
)
def test_what_shows_none(content: bytes) -> None:
    assert not shows_text(content)
    assert lacks_text(with_content(content, content))


@given(st.text(max_size=30), st.integers(1, 9))
def test_text_that_a_pdf_library_writes_is_found(text: str, cut: int) -> None:
    font = (pikepdf.Name.F1, 12)
    written = pikepdf.unparse_content_stream(
        [
            pikepdf.ContentStreamInstruction(list(font), pikepdf.Operator("Tf")),
            pikepdf.ContentStreamInstruction(
                [pikepdf.String(text.encode("utf-16-be"))], pikepdf.Operator("Tj")
            ),
        ]
    )

    assert shows_text(written) == bool(text)
    assert not shows_text(written[: -2 - cut])


def test_text_is_found_in_forms_however_they_lead_round_in_circles() -> None:
    assert not lacks_text(with_content(b"/Fm Do", form=SHOWN))
    assert lacks_text(with_content(b"/Fm Do", form=b"q Q"))


def test_text_is_found_where_a_page_has_its_content_in_pieces() -> None:
    def build(pdf: pikepdf.Pdf) -> None:
        pdf.add_blank_page()
        pieces = [pdf.make_stream(piece) for piece in (b"BT (x)", b"Tj ET")]
        pdf.pages[0].obj.Contents = pikepdf.Array(pieces)

    assert not lacks_text(made(build))


def test_what_is_packed_in_another_way_says_nothing() -> None:
    def build(pdf: pikepdf.Pdf) -> None:
        pdf.add_blank_page()
        pdf.pages[0].obj.Contents = stream = pdf.make_stream(b"")
        stream.write(b"71 20 51>", filter=pikepdf.Name.ASCIIHexDecode)

    with pikepdf.new() as pdf:
        build(pdf)
        assert not TextSearch(pdf).finds_none()


def test_a_stream_that_unpacks_without_end_is_cut_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bomb = zlib.compress(bytes(64 << 20), 9)
    seen: list[int] = []
    monkeypatch.setattr(text_search, "shows_text", lambda data: seen.append(len(data)))

    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.pages[0].obj.Contents = stream = pdf.make_stream(b"")
        stream.write(bomb, filter=pikepdf.Name.FlateDecode)
        assert not TextSearch(pdf).finds_none()

    assert seen == [1 << 20]


@pytest.mark.parametrize(
    ("packed", "says_nothing"),
    [
        (zlib.compress(b"q Q"), False),
        (zlib.compress(b"q Q" * 999)[:-6], True),
        (b"no such stream", True),
        (b"", False),
    ],
)
def test_a_damaged_stream_says_nothing(packed: bytes, *, says_nothing: bool) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.pages[0].obj.Contents = stream = pdf.make_stream(b"")
        stream.write(packed, filter=pikepdf.Name.FlateDecode)
        assert TextSearch(pdf).finds_none() != says_nothing


@pytest.mark.parametrize(("bytes_over", "says_nothing"), [(0, False), (1, True)])
def test_of_a_plain_stream_as_much_is_looked_at(bytes_over: int, *, says_nothing: bool) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.pages[0].obj.Contents = pdf.make_stream(b" " * ((1 << 20) + bytes_over))
        assert TextSearch(pdf).finds_none() != says_nothing


def test_a_pdf_that_is_encrypted_for_everybody_is_looked_into() -> None:
    def encrypted(content: bytes) -> bytes:
        out = io.BytesIO()
        with pikepdf.open(io.BytesIO(with_content(content))) as pdf:
            pdf.save(out, encryption=pikepdf.Encryption(owner="owner", user=""))
        return out.getvalue()

    assert not lacks_text(encrypted(SHOWN))
    assert lacks_text(encrypted(b"q Q"))


def test_a_search_that_has_cost_enough_ends_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = with_content(*[b"q %s Q" % (b" " * 900)] * 10)
    assert lacks_text(data)
    monkeypatch.setattr(text_search, "_ALL_BYTES", 5_000)
    assert not lacks_text(data)


def test_a_pdf_whose_content_makes_no_sense_is_still_a_pdf(tmp_path: Path) -> None:
    def build(pdf: pikepdf.Pdf) -> None:
        pdf.add_blank_page()
        pdf.pages[0].obj.Contents = pikepdf.Name.Nonsense
        pdf.pages[0].obj.Resources = pikepdf.Array([1])
        pdf.pages[0].obj["/Rotate"] = pikepdf.Name.Nonsense

    (tmp_path / "x.pdf").write_bytes(made(build))
    expected = ExpectedPdf(pages=1, page_sizes=[PageSize(612, 792)], has_text=lambda: True)
    checked = check_pdf(tmp_path / "x.pdf", expected=expected)

    assert checked.pages == 1
    assert checked.differences == ("the PDF has no text, and the DjVu has a text layer",)
