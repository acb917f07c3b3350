from __future__ import annotations

from typing import TYPE_CHECKING

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_converter.djvu.draw.strips import polygon_strips
from batch_converter.djvu.read import annotations as reading
from batch_converter.djvu.read.annotations import read_annotations
from tests.support.bundles import bzz
from tests.support.djvu_files import chunk, info, page
from tests.support.navigation import annotations_on, convert_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image


def annotated(text: str | bytes, *, flags: int = 1) -> bytes:
    """A white page of 300 x 400 pixels, 100 of which are an inch."""
    data = text if isinstance(text, bytes) else text.encode()
    return page(info(width=300, height=400, dpi=100, flags=flags), chunk("ANTa", data))


def shown(path: Path) -> Image:
    """The page at its own resolution, notes drawn."""
    with pypdfium2.PdfDocument(path) as pdf:
        pdf.init_forms()
        image: Image = pdf[0].render(scale=100 / 72).to_pil().convert("RGB")
        return image


KINDS = [
    ('"" "note" (rect 10 20 100 50)', "/Square"),
    ('"" "note" (rect 10 20 100 50) (border #FF0000)', "/Square"),
    ('"" "" (rect 10 20 100 50) (hilite #FFFF00)', "/Highlight"),
    ('"" "note" (oval 10 20 100 50) (border #00FF00)', "/Circle"),
    ('"" "note" (poly 10 20 100 50 60 90) (xor)', "/Polygon"),
    ('"" "note" (line 10 20 100 50) (arrow) (width 3) (lineclr #0000FF)', "/Line"),
    ('"" "note" (text 10 20 100 50) (backclr #FFFF80)', "/FreeText"),
    ('"" "note" (text 10 20 100 50) (pushpin)', "/Text"),
    ('() "note" (rect 10 20 100 50) (shadow_in 2)', "/Square"),
]


@pytest.mark.parametrize(("area", "kind"), KINDS)
def test_areas_that_lead_nowhere_are_notes_of_their_shape(
    tmp_path: Path, area: str, kind: str
) -> None:
    done, pdf = convert_bytes(tmp_path, annotated(f"(maparea {area})"))
    with pdf:
        (note,) = annotations_on(pdf)
        assert str(note.Subtype) == kind
        assert "note" not in area or str(note.Contents) == "note"
        assert "/A" not in note
        assert note.AP.N.read_bytes()
    assert done.warnings == ()


def test_notes_have_the_look_that_they_had(tmp_path: Path) -> None:
    text = (
        '(maparea "" "" (rect 10 10 80 80) (hilite #FFFF00) (opacity 100))'
        '(maparea "" "" (rect 110 10 80 80) (border #FF0000))'
        '(maparea "" "" (oval 10 110 80 80) (border #00FF00))'
        '(maparea "" "" (line 110 110 190 190) (width 4) (lineclr #0000FF))'
        '(maparea "" "a text" (text 10 210 180 80) (backclr #C0FFC0))'
        '(maparea "" "" (poly 210 10 290 10 210 90) (border #FF00FF) (hilite #00FFFF))'
        '(maparea "" "folded" (text 210 300 80 80) (pushpin) (backclr #FFC0C0))'
    )
    done, pdf = convert_bytes(tmp_path, annotated(text))
    pdf.close()
    assert done.warnings == ()
    image = shown(tmp_path / "out.pdf")

    def pixel(x: int, y: int) -> object:
        return image.getpixel((x, 399 - y))

    assert pixel(50, 50) == (255, 255, 0)
    assert pixel(110, 50) == (255, 0, 0)
    assert pixel(150, 50) == (255, 255, 255)
    assert _is_greenish(pixel(50, 110))
    assert pixel(50, 150) == (255, 255, 255)
    assert pixel(150, 150) == (0, 0, 255)
    assert pixel(185, 215) == (192, 255, 192)
    assert pixel(230, 30) in {(127, 255, 255), (128, 255, 255)}
    assert pixel(280, 80) == (255, 255, 255)
    assert image.crop((12, 112, 60, 140)).getcolors(2) is None  # letters


@pytest.mark.parametrize(("flags", "turned"), [(1, 0), (6, 90), (2, 180), (5, 270)])
def test_notes_of_turned_pages_lie_where_they_are_shown(
    tmp_path: Path, flags: int, turned: int
) -> None:
    text = '(maparea "" "" (rect 10 20 60 30) (hilite #FF0000) (opacity 100))'
    _, pdf = convert_bytes(tmp_path, annotated(text, flags=flags))
    pdf.close()
    image = shown(tmp_path / "out.pdf")
    assert image.size == ((400, 300) if turned in {90, 270} else (300, 400))
    red = [
        (x, image.height - 1 - y)
        for x in range(image.width)
        for y in range(image.height)
        if image.getpixel((x, y)) == (255, 0, 0)
    ]
    assert min(red) == pytest.approx((10, 20), abs=1)
    assert max(red) == pytest.approx((69, 49), abs=1)


def _is_greenish(color: object) -> bool:
    """The edge of a curve, which viewers smooth."""
    return isinstance(color, tuple) and color[1] == 255 and color[0] == color[2] < 100


def test_two_triangles_that_share_a_diagonal_lie_side_by_side(tmp_path: Path) -> None:
    text = (
        '(maparea "http://a/" "A" (poly 0 0 300 0 300 400))'
        '(maparea "http://b/" "B" (poly 0 0 0 400 300 400) (border #FF0000))'
    )
    _, pdf = convert_bytes(tmp_path, annotated(text))
    with pdf:
        links = [a for a in annotations_on(pdf) if str(a.Subtype) == "/Link"]
        quads = [[float(number) for number in link.QuadPoints] for link in links]
        rects = [[float(number) for number in link.Rect] for link in links]
    assert [str(link) for link in rects] == [str([0.0, 0.0, 216.0, 288.0])] * 2
    areas = [sum(_boxed(q) for q in zip(*[iter(numbers)] * 8, strict=True)) for numbers in quads]
    page_area = 216 * 288
    # even a reader that takes each quadrilateral for its box has hardly any overlap
    assert all(page_area / 2 <= area < page_area * 0.53 for area in areas)


def _boxed(quad: tuple[float, ...]) -> float:
    xs, ys = quad[0::2], quad[1::2]
    return (max(xs) - min(xs)) * (max(ys) - min(ys))


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=3, max_size=3, unique=True
    )
)
def test_strips_of_a_triangle_cover_it_and_nothing_else(corners: list[tuple[int, int]]) -> None:
    (ax, ay), (bx, by), (cx, cy) = corners
    area = abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2
    strips = polygon_strips(corners)
    covered = sum((b[0] - a[0] + d[0] - c[0]) / 2 * (a[1] - c[1]) for a, b, c, d in strips)
    assert covered == pytest.approx(area, abs=1e-6)
    assert len(strips) <= 50


@pytest.mark.parametrize(
    ("corners", "is_cut"), [(100, True), (176, True), (180, False), (1000, False)]
)
def test_a_zigzag_is_cut_as_long_as_that_takes_few_strips(corners: int, *, is_cut: bool) -> None:
    zigzag = [(37.0 * i % 1000, i + 5000.0 * (i % 2)) for i in range(corners)]
    strips = polygon_strips(zigzag)
    assert bool(strips) is is_cut
    assert len(strips) <= 10_000


@pytest.mark.parametrize("shape", ["oval 10 10 100 50", "line 10 10 200 60", "rect 5 5 9 9"])
def test_points_of_links_lie_in_their_rectangles(tmp_path: Path, shape: str) -> None:
    _, pdf = convert_bytes(tmp_path, annotated(f'(maparea "http://a/" "c" ({shape}))'))
    with pdf:
        link = [a for a in annotations_on(pdf) if str(a.Subtype) == "/Link"][-1]
        left, bottom, right, top = (float(n) for n in link.Rect)
        numbers = [float(n) for n in link.get("/QuadPoints", [])]
        assert str(link.Contents) == "c"
    assert bool(numbers) == (not shape.startswith("rect"))
    assert all(left <= x <= right for x in numbers[0::2])
    assert all(bottom <= y <= top for y in numbers[1::2])


@pytest.mark.parametrize(
    "area",
    [
        '(maparea "#1" "")',
        '(maparea "#1" "" (rect 1 2 3))',
        '(maparea "#1" "" (rect a b c d))',
        '(maparea "#1" "" (poly 1 2 3 4 5))',
        '(maparea "#1" "" (blob 1 2 3 4))',
        '(maparea "#1" "" (rect 1 2 3 99999999999999999999))',
        "(maparea)",
    ],
)
def test_areas_that_cannot_be_read_are_told_and_cost_no_other(tmp_path: Path, area: str) -> None:
    done, pdf = convert_bytes(tmp_path, annotated(f'{area}{area}(maparea "#1" "" (rect 1 2 3 4))'))
    with pdf:
        assert len(list(annotations_on(pdf))) == 1
    assert done.warnings == ("page 1: its annotations hold 2 times an area that cannot be read",)


@pytest.mark.parametrize(
    "text",
    [
        '(maparea "#1" "" (rect 1 2 3 4)) ) (maparea "#1" "" (rect 1 2 3 4))',
        '(maparea "#1" "" (rect 1 2 3 4)) (maparea "#1" "" (rect 1 2 3 4)',
        '(maparea "#1" "" (rect 1 2 3 4) (maparea "#1" "" (rect 1 2 3 4))',
        '(maparea "#1" "" (rect 1 2 3 4)) (maparea "#1" "" (rect 1 2 3 4)) (maparea "x',
    ],
)
def test_a_parenthesis_too_many_or_too_few_costs_no_link(tmp_path: Path, text: str) -> None:
    done, pdf = convert_bytes(tmp_path, annotated(text))
    with pdf:
        assert sum("/A" in a for a in annotations_on(pdf)) == 2
    assert done.warnings == ("page 1: its annotations are damaged",)


def test_backslashes_of_programs_that_know_no_escapes_are_kept(tmp_path: Path) -> None:
    _, pdf = convert_bytes(
        tmp_path, annotated(r'(maparea "file:///C:\new\docs" "a \"q\"" (rect 1 2 3 4))')
    )
    with pdf:
        (link,) = annotations_on(pdf)
        assert str(link.A.URI) == r"file:///C:\new\docs"
        assert str(link.Contents) == 'a "q"'


def test_what_is_said_of_printing_or_in_unknown_words_is_told(tmp_path: Path) -> None:
    text = '(zoom page) (mode bw) (background #FFFFFF) (align left top) (phead "p. 1") (spell 3)'
    done, pdf = convert_bytes(tmp_path, annotated(text))
    pdf.close()
    assert done.warnings == (
        "page 1: its annotations hold once a header or footer for printing, which is not kept",
        "page 1: its annotations hold once an expression that says nothing known",
    )


@pytest.mark.slow
def test_annotations_above_4_mib_are_read(tmp_path: Path) -> None:
    text = b'(metadata (Title "kept"))(maparea "#1" "" (rect 1 2 3 4))(metadata (long "%s"))'
    data = text % (b"many letters " * 400_000)
    djvu = page(info(width=300, height=400), chunk("ANTz", bzz(data)))
    done, pdf = convert_bytes(tmp_path, djvu)
    with pdf:
        assert str(pdf.docinfo.Title) == "kept"
        assert len(str(pdf.docinfo.Long)) > 4 << 20
        assert len(list(annotations_on(pdf))) == 1
    assert done.warnings == ()


@pytest.mark.parametrize("packed", [True, False])
def test_annotations_above_the_limit_are_too_large_and_not_damaged(
    monkeypatch: pytest.MonkeyPatch, *, packed: bool
) -> None:
    data = b'(metadata (k "v"))' + b'(metadata (l "w"))' * 50
    one = ("ANTz", bzz(data)) if packed else ("ANTa", data)
    monkeypatch.setattr(reading, "MAX_UNPACKED_BYTES", len(data))
    reading._unpacked.cache_clear()
    assert read_annotations([one], "").losses == ()
    monkeypatch.setattr(reading, "MAX_UNPACKED_BYTES", len(data) - 1)
    reading._unpacked.cache_clear()
    assert read_annotations([one], "").losses == ("are too large and cut off",)
    reading._unpacked.cache_clear()


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_no_bytes_break_the_reader(data: bytes) -> None:
    read_annotations([("ANTa", data)], "cp1251")


@given(st.text(alphabet='()"\\ ;|#\n1maprect', max_size=80))
def test_no_arrangement_breaks_the_reader(text: str) -> None:
    read_annotations([("ANTa", b'(maparea "#1" "" (rect 1 2 3 4))' + text.encode())], "")
