"""Bundles whose directory and components are odd, old or at odds, held against DjVuLibre."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.jobs.options import Converted, ConvertOptions
from batch_converter.djvu.read.inspect import inspect
from batch_converter.djvu.read.page_form import asks_for_shapes
from batch_converter.errors import EngineError, FileError, NotDjvuError
from tests.support.bundles import (
    ANNOTATIONS,
    ASKS_FOR_SHAPES,
    HEIGHT,
    PAGE,
    SHARED,
    SHARED_ANNOTATIONS,
    THUMBNAILS,
    WIDTH,
    Part,
    bundle_of,
    form,
    mask,
    offsets_of,
    packed_names,
    page_form,
    pages,
    photo_form,
    put,
)
from tests.support.djvu_files import chunk, info
from tests.unit.test_djvu_convert import drawn, mean_square_error, reference

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("ddjvu") is None, reason="no djvulibre-bin")

FAIL, KEEP = ConvertOptions(), ConvertOptions(keep_damaged=True)
LEFT_OUT = "1 page in the file that the directory does not list as such: left out"


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "in.djvu"
    path.write_bytes(data)
    return path


def converted(tmp_path: Path, data: bytes, options: ConvertOptions = FAIL) -> Converted:
    """Convert, and see to it that all who count pages agree."""
    source = written(tmp_path, data)
    done = convert(source, tmp_path / "out.pdf", options)
    assert inspect(source).page_count == done.pages == len(resolutions(tmp_path))
    return done


def resolutions(tmp_path: Path) -> list[int]:
    """The dots an inch of the small pages of a PDF: they tell one from another."""
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        return [round(WIDTH * 72 / float(page.MediaBox[2])) for page in pdf.pages]


def drawn_by_djvulibre(source: Path) -> list[bool] | None:
    """Whether ddjvu draws each page; None where it refuses the document."""
    command = ["djvused", "-e", "n", str(source)]
    try:
        count = subprocess.run(command, capture_output=True, check=False, timeout=20).stdout
    except subprocess.TimeoutExpired:  # an empty id makes it run in circles
        return None
    if not count:
        return None
    return [is_drawn(source, number) for number in range(1, int(count) + 1)]


def is_drawn(source: Path, number: int) -> bool:
    command = ["ddjvu", "-format=pbm", f"-page={number}", str(source)]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("kind", ["PM44", "BM44"])
def test_wavelets_alone_are_a_page(tmp_path: Path, kind: str) -> None:
    photo = photo_form(kind)
    data = bundle_of([*pages(1), Part(form=photo, id="photo"), *pages(2)[1:]])
    assert converted(tmp_path, data) == Converted(pages=3)
    looks_as_in_djvulibre(tmp_path, 1)
    converted(tmp_path, b"AT&T" + photo)
    looks_as_in_djvulibre(tmp_path, 0)


def looks_as_in_djvulibre(tmp_path: Path, number: int) -> None:
    """At 100 dots an inch, which DjVuLibre gives wavelets."""
    ours, theirs = (
        drawn(tmp_path / "out.pdf", number, 100),
        reference(tmp_path / "in.djvu", number),
    )
    assert mean_square_error(ours, theirs) < 10


@pytest.mark.parametrize("kind", ["DJVM", "THUM", "DJVI", "ABCD"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_page_that_is_none_is_named(tmp_path: Path, kind: str, place: int) -> None:
    inner = page_form()[12:]
    data = bundle_of(put(pages(2), place, form=form(kind, inner)))
    says = f"page {place + 1} cannot be decoded: a FORM:{kind}, which is no page, is in its place"
    with pytest.raises(EngineError, match=says):
        converted(tmp_path, data)
    done = converted(tmp_path, data, KEEP)
    assert done.pages == 2
    assert [w.split(":")[0] for w in done.warnings] == [f"page {place + 1} is blank"]


def test_a_page_that_is_a_document_in_an_old_bundle_is_named(tmp_path: Path) -> None:
    whole = bundle_of(pages(1))[4:]
    with pytest.raises(EngineError, match="page 1 cannot be decoded: a FORM:DJVM"):
        converted(tmp_path, bundle_of(put(pages(2), 0, form=whole)))


def test_directories_of_version_0_and_1_say_the_same(tmp_path: Path) -> None:
    parts = [
        Part(form=ANNOTATIONS, id="shared", kind=SHARED, name="shared.iff"),
        Part(form=page_form(301, chunk("INCL", b"shared")), id="a", title="Title"),
        Part(form=page_form(302), id="b", name="b.djvu", title="ii"),
        Part(form=photo_form(), id="c"),
    ]
    found = []
    for version in (0, 1):
        source = written(tmp_path, bundle_of(parts, version=version))
        converted(tmp_path, source.read_bytes())
        assert drawn_by_djvulibre(source) == [True] * 3
        found.append(
            [(c.kind, c.id, c.name, c.title, c.size_bytes) for c in inspect(source).components]
        )
        with pikepdf.open(tmp_path / "out.pdf") as pdf:
            assert str(pdf.docinfo.Title) == "Shared"
            assert [page.label for page in pdf.pages] == ["Title", "ii", "3"]
    assert found[0] == found[1]


@pytest.mark.parametrize("flag", [0x08, 0x10, 0x40, 0x80])
def test_unknown_flags_of_version_0_say_nothing(tmp_path: Path, flag: int) -> None:
    for kind, count in ((PAGE, 2), (SHARED, 1)):
        parts = put(pages(2), 0, kind=kind | flag)
        done = converted(tmp_path, bundle_of(parts, version=0))
        assert drawn_by_djvulibre(tmp_path / "in.djvu") == [True] * count
        assert done == Converted(pages=count, warnings=() if count == len(parts) else (LEFT_OUT,))


@pytest.mark.parametrize("version", [2, 3, 127])
def test_versions_that_nobody_knows_are_refused(tmp_path: Path, version: int) -> None:
    source = written(tmp_path, bundle_of(pages(), version=version))
    assert drawn_by_djvulibre(source) is None
    with pytest.raises(NotDjvuError, match=f"version {version}; 0 and 1 are known"):
        inspect(source)


@pytest.mark.parametrize("kind", [SHARED, THUMBNAILS, SHARED_ANNOTATIONS, 4, 0x3F])
def test_a_page_that_is_listed_as_something_else_is_told(tmp_path: Path, kind: int) -> None:
    done = converted(tmp_path, bundle_of(put(pages(), 1, kind=kind)))
    assert resolutions(tmp_path) == [301, 303]
    assert done.warnings == (LEFT_OUT,)


def test_a_page_that_is_not_listed_at_all_is_told(tmp_path: Path) -> None:
    one = page_form()
    for data in (bundle_of(pages(), behind=one), bundle_of(pages(), between=one)):
        done = converted(tmp_path, data)
        assert resolutions(tmp_path) == [301, 302, 303]
        assert done.warnings == (LEFT_OUT,)
    done = converted(tmp_path, bundle_of(pages(), behind=page_form() + photo_form()))
    assert done.warnings == (
        "2 pages in the file that the directory does not list as such: left out",
    )


def places(parts: Sequence[Part]) -> list[int]:
    return offsets_of(parts, len(packed_names(parts)))


def test_a_place_that_is_given_away_twice_is_no_second_page(tmp_path: Path) -> None:
    first, second, _ = places(pages())
    for place, owner, at in ((1, 1, first), (2, 2, second), (2, 1, first)):
        data = bundle_of(put(pages(), place, at=at))
        with pytest.raises(EngineError, match=f"page {place + 1} .* leads to page {owner} for it"):
            converted(tmp_path, data)
        done = converted(tmp_path, data, KEEP)
        assert done.pages == 3
        assert done.warnings == (
            f"page {place + 1} is blank: the directory leads to page {owner} for it",
            LEFT_OUT,
        )


def test_a_hundred_pages_of_one_are_named_and_drawn_once(tmp_path: Path) -> None:
    parts = [Part(form=page_form(), id=f"p{n}", stored=n == 0) for n in range(100)]
    at = places(parts)[0]
    data = bundle_of([put([part], 0, at=at)[0] for part in parts])
    with pytest.raises(EngineError, match=r"pages 2, 3, .* and 89 more .*the other page"):
        converted(tmp_path, data)
    assert len(converted(tmp_path, data, KEEP).warnings) == 99


def test_a_place_where_no_page_is_is_named(tmp_path: Path) -> None:
    sound = places(pages())
    end = len(bundle_of(pages()))
    for at in (0, 1, sound[1] + 2, sound[1] + 12, end, end - 4, 0xFFFFFFFF):
        data = bundle_of(put(pages(), 1, at=at))
        with pytest.raises(EngineError, match="page 2 cannot be decoded: nothing is where"):
            converted(tmp_path, data)
        done = converted(tmp_path, data, KEEP)
        assert [w for w in done.warnings if w.startswith("page 2 is blank")]
    with pytest.raises(EngineError, match="page 2 cannot be decoded: a FORM:DJVM"):
        converted(tmp_path, bundle_of(put(pages(), 1, at=4)))


def test_pages_may_stand_in_any_order(tmp_path: Path) -> None:
    first, second, third = places(pages())
    shuffled = [
        part
        for place, at in enumerate((third, first, second))
        for part in put(pages(), place, at=at)[place : place + 1]
    ]
    assert converted(tmp_path, bundle_of(shuffled)) == Converted(pages=3)
    assert resolutions(tmp_path) == [303, 301, 302]


@pytest.mark.parametrize(
    ("size", "is_told"), [(0, False), (-1, True), (1, False), (1 << 23, False)]
)
@pytest.mark.parametrize("version", [0, 1])
def test_a_page_longer_than_the_directory_says_is_drawn_and_told(
    tmp_path: Path, size: int, *, is_told: bool, version: int
) -> None:
    actual = len(page_form())
    data = bundle_of(
        put(pages(), 1, size=actual + size if abs(size) == 1 else size), version=version
    )
    done = converted(tmp_path, data)
    assert drawn_by_djvulibre(tmp_path / "in.djvu") == [True, not is_told, True]
    told = ("the directory gives parts a shorter length than they have",)
    assert done == Converted(pages=3, warnings=told if is_told else ())


@pytest.mark.parametrize("names", [b"", b"no bzz stream", packed_names(pages(2))])
def test_without_its_names_a_directory_loses_no_page(tmp_path: Path, names: bytes) -> None:
    parts = [*pages(), Part(form=ANNOTATIONS, id="i", kind=SHARED), Part(form=photo_form(), id="x")]
    done = converted(tmp_path, bundle_of(parts, names=names, behind=page_form(305)))
    assert done.pages == 5
    assert resolutions(tmp_path)[4] == 305
    assert done.warnings == ("the page directory is damaged: names and titles of pages are lost",)
    info = inspect(tmp_path / "in.djvu")
    assert (info.components, info.is_counted, info.certain_page_count) == ((), False, None)


def test_names_that_several_parts_bear_are_told(tmp_path: Path) -> None:
    parts = put(pages(), 1, id="p1.djvu")
    done = converted(tmp_path, bundle_of(parts))
    assert drawn_by_djvulibre(tmp_path / "in.djvu") is None
    assert resolutions(tmp_path) == [301, 302, 303]
    assert done.warnings == (
        "the directory gives several parts the same name: links may lead to the wrong one",
    )


def including(name: bytes, *, shapes: bytes | None = None, more: bytes = b"") -> bytes:
    layer = mask() if shapes is None else shapes
    size = info(width=WIDTH, height=HEIGHT)
    return form("DJVU", size, chunk("INCL", name), layer, more)


@pytest.mark.parametrize(
    "name", [b"the-id", b"the-name.iff", b"the title", b"the-id\n", b"\nthe-id", b"the-id\0x"]
)
def test_includes_are_found_by_id_then_name_then_title(tmp_path: Path, name: bytes) -> None:
    shared = Part(
        form=ANNOTATIONS, id="the-id", kind=SHARED, name="the-name.iff", title="the title"
    )
    data = bundle_of([shared, Part(form=including(name), id="p")])
    assert converted(tmp_path, data) == Converted(pages=1)
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        assert str(pdf.docinfo.Title) == "Shared"


def test_an_id_wins_over_the_names_of_others(tmp_path: Path) -> None:
    other = form("DJVI", chunk("ANTa", b'(metadata (title "Other"))'))
    parts = [
        Part(form=other, id="x", kind=SHARED, name="wanted"),
        Part(form=ANNOTATIONS, id="wanted", kind=SHARED, name="y"),
        Part(form=including(b"wanted"), id="p"),
    ]
    (told,) = converted(tmp_path, bundle_of(parts)).warnings
    assert "the same name" in told
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        assert str(pdf.docinfo.Title) == "Shared"


MISSING = "a part that it shares with other pages is missing: gone.iff"


@pytest.mark.parametrize("is_bundled", [False, True])
def test_a_picture_that_needs_no_missing_part_is_kept(tmp_path: Path, *, is_bundled: bool) -> None:
    page = including(b"gone.iff")
    data = bundle_of([Part(form=page, id="p")]) if is_bundled else b"AT&T" + page
    done = converted(tmp_path, data)
    assert done.warnings == (f"page 1: {MISSING}",)
    ours = drawn(tmp_path / "out.pdf", 0, 300)
    converted(tmp_path, b"AT&T" + page_form())
    assert mean_square_error(ours, drawn(tmp_path / "out.pdf", 0, 300)) == 0


@pytest.mark.parametrize("is_bundled", [False, True])
@pytest.mark.parametrize("picture", [ASKS_FOR_SHAPES, b""])
def test_a_picture_that_needs_a_missing_part_is_lost(
    tmp_path: Path, *, is_bundled: bool, picture: bytes
) -> None:
    page = including(b"gone.iff", shapes=picture)
    parts = [Part(form=page, id="p"), *pages(1)]
    data = bundle_of(parts) if is_bundled else b"AT&T" + page
    with pytest.raises(EngineError, match=f"page 1 cannot be decoded: {MISSING}"):
        converted(tmp_path, data)
    if is_bundled:
        done = converted(tmp_path, data, KEEP)
        assert done.warnings == (f"page 1 is blank: {MISSING}",)


@pytest.mark.slow
def test_masks_that_need_shapes_are_told_by_their_first_byte(tmp_path: Path) -> None:
    size = info(width=WIDTH, height=HEIGHT)
    for first in range(0, 256, 3):
        layer = chunk("Sjbz", bytes([first]) + bytes.fromhex("033a00081f92f20ede4b62"))
        source = written(tmp_path, b"AT&T" + form("DJVU", size, layer))
        command = ["ddjvu", "-format=pbm", str(source)]
        told = subprocess.run(command, capture_output=True, check=False).stderr
        is_needed = b"requires a shape dictionary" in told
        is_comment = first in range(0x10, 0x14)
        assert asks_for_shapes(bytes([first])) is is_needed or is_comment
    assert not asks_for_shapes(b"")


def test_includes_go_deep_and_in_circles(tmp_path: Path) -> None:
    depth = 30
    parts = [Part(form=ANNOTATIONS, id="d0", kind=SHARED)]
    for n in range(1, depth):
        inner = form("DJVI", chunk("INCL", b"d%d" % (n - 1)), chunk("INCL", b"d%d" % (n - 1)))
        parts.append(Part(form=inner, id=f"d{n}", kind=SHARED))
    parts.append(Part(form=including(b"d%d" % (depth - 1)), id="p"))
    assert converted(tmp_path, bundle_of(parts)) == Converted(pages=1)
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        assert str(pdf.docinfo.Title) == "Shared"
    circle = [
        Part(form=form("DJVI", chunk("INCL", b"b")), id="a", kind=SHARED),
        Part(form=form("DJVI", chunk("INCL", b"a")), id="b", kind=SHARED),
        Part(form=including(b"a"), id="p"),
    ]
    assert converted(tmp_path, bundle_of(circle)) == Converted(pages=1)


def test_more_includes_than_any_page_needs_are_refused(tmp_path: Path) -> None:
    parts = [Part(form=ANNOTATIONS, id=f"i{n}", kind=SHARED) for n in range(65)]
    for count in (64, 65):
        names = [chunk("INCL", b"i%d" % n) for n in range(count)]
        data = bundle_of([*parts, Part(form=page_form(300, *names), id="p")])
        if count == 64:
            assert converted(tmp_path, data) == Converted(pages=1)
        else:
            with pytest.raises(EngineError, match="more parts than any page needs"):
                converted(tmp_path, data)


DAMAGED_SIDES = {
    "text that is no bzz": (
        chunk("TXTz", b"\xff\xff\x00 no text" * 9),
        "its text layer is damaged",
    ),
    "text with a length of its own": (chunk("TXTa", b"\xff\xff\xff"), "its text layer is damaged"),
    "annotations that are no bzz": (chunk("ANTz", bytes(40)), "its annotations are damaged"),
    "text cut off": (b"TXTz\0\0\1\0" + b"abcd", "its text layer cannot be read: it is cut off"),
    "annotations cut off": (
        b"ANTa\x7f\xff\xff\xff" + b"(metadata)",
        "its annotations cannot be read: it is cut off",
    ),
    "text too long": (
        chunk("TXTa", b"\0\0\1a\1") + b"\0\1\2\3",
        "its text layer cannot be read: it is cut off",
    ),
}


@pytest.mark.parametrize("name", DAMAGED_SIDES)
@pytest.mark.parametrize("options", [FAIL, KEEP], ids=["fail", "keep"])
def test_what_is_damaged_beside_the_picture_never_costs_it(
    tmp_path: Path, name: str, options: ConvertOptions
) -> None:
    side, says = DAMAGED_SIDES[name]
    data = bundle_of([Part(form=page_form(301, side), id="a"), *pages(1)])
    done = converted(tmp_path, data, options)
    assert done.warnings == (f"page 1: {says}",)
    ours = drawn(tmp_path / "out.pdf", 0, 301)
    converted(tmp_path, b"AT&T" + page_form(301))
    assert mean_square_error(ours, drawn(tmp_path / "out.pdf", 0, 301)) == 0


def test_a_text_layer_that_swallows_the_picture_costs_it(tmp_path: Path) -> None:
    """Behind a wrong length nobody knows where the picture begins."""
    size = info(width=WIDTH, height=HEIGHT)
    for text in (b"TXTz\0\0\xff\xff", b"TXTa\0\0\0\x09"):
        data = b"AT&T" + form("DJVU", size, text, mask())
        with pytest.raises(EngineError, match="page 1 cannot be decoded: it is cut off"):
            converted(tmp_path, data)


def test_an_outline_that_is_damaged_costs_no_page(tmp_path: Path) -> None:
    done = converted(tmp_path, bundle_of(pages(), between=chunk("NAVM", b"no bzz at all")))
    assert done == Converted(pages=3, warnings=("the bookmarks are damaged",))


@pytest.mark.slow
def test_a_page_of_very_many_chunks_is_drawn_to_its_end(tmp_path: Path) -> None:
    size = info(width=WIDTH, height=HEIGHT)
    many = form("DJVU", size, chunk("ABCD", b"") * 5000, mask())
    assert converted(tmp_path, b"AT&T" + many) == Converted(pages=1)
    ours = drawn(tmp_path / "out.pdf", 0, 300)
    converted(tmp_path, b"AT&T" + page_form())
    assert mean_square_error(ours, drawn(tmp_path / "out.pdf", 0, 300)) == 0
    more = form("DJVU", size, chunk("ABCD", b"") * (1 << 16), mask())
    with pytest.raises(EngineError, match="more chunks than any page needs"):
        converted(tmp_path, b"AT&T" + more)


def without_size() -> bytes:
    return form("DJVU", info(width=0, height=HEIGHT), mask())


def broken_mask() -> bytes:
    return form("DJVU", info(width=WIDTH, height=HEIGHT), ASKS_FOR_SHAPES)


@pytest.mark.parametrize(
    ("marks", "options", "says", "advice"),
    [
        ("-++", FAIL, "page 1 .*it has no size", "keep tries the other 2 pages"),
        ("x++", FAIL, "page 1 .*image data", "keep converts the other 2 pages"),
        ("+x", FAIL, "page 2 .*image data", "keep converts the other page"),
        ("-x", FAIL, "page 1 .*it has no size", "keep tries the other page"),
        ("-x", KEEP, "page 1 .*no size; page 2 .*image.*; no page is left to keep", None),
        ("xx", FAIL, "pages 1, 2 .*; no page is left to keep", None),
        ("x", KEEP, "page 1 .*; no page is left to keep", None),
        ("-", FAIL, "page 1 .*; no page is left to keep", None),
    ],
)
def test_advice_holds_and_never_leads_in_a_circle(
    tmp_path: Path, marks: str, options: ConvertOptions, says: str, advice: str | None
) -> None:
    forms = {"+": page_form(), "-": without_size(), "x": broken_mask()}
    data = bundle_of([Part(form=forms[mark], id=f"p{n}") for n, mark in enumerate(marks)])
    with pytest.raises(EngineError, match=says) as caught:
        converted(tmp_path, data, options)
    message = str(caught.value)
    assert ("on_damage" in message) is (advice is not None)
    assert advice is None or advice in message


def test_blanks_of_lost_pages_have_the_size_that_is_known(tmp_path: Path) -> None:
    parts = put(pages(), 1, form=form("DJVU", info(width=WIDTH, height=HEIGHT, dpi=77), b"junk"))
    converted(tmp_path, bundle_of(parts), KEEP)
    assert resolutions(tmp_path) == [301, 77, 303]


@cache
def odd_parts() -> tuple[bytes, ...]:
    cut = page_form(310)
    return (
        page_form(311),
        page_form(312, chunk("INCL", b"i")),
        page_form(313, chunk("INCL", b"nowhere")),
        photo_form("PM44"),
        photo_form("BM44"),
        ANNOTATIONS,
        form("THUM", chunk("TH44", b"abcd")),
        form("DJVM", page_form(314)),
        form("DJVU"),
        b"FORM" + (len(cut) + 500).to_bytes(4, "big") + cut[8:],
    )


@st.composite
def bundles(draw: st.DrawFn) -> bytes:
    """A bundle of sound and odd parts in sound and odd places, some bytes of its head changed."""
    count = draw(st.integers(1, 5))
    parts = [
        Part(
            form=draw(st.sampled_from(odd_parts())),
            id=draw(st.sampled_from([f"p{n}", f"p{n}", f"p{n}", "i"])),
            kind=draw(st.sampled_from([PAGE, PAGE, PAGE, PAGE, SHARED, THUMBNAILS, 3, 4])),
            name=draw(st.sampled_from([None, f"n{n}"])),
            stored=draw(st.sampled_from([True, True, True, True, False])),
        )
        for n in range(count)
    ]
    version = draw(st.sampled_from([0, 1, 1]))
    sound = offsets_of(parts, len(packed_names(parts, version)), version=version)
    aims = st.sampled_from([None, None, None, None, None, *sound, 0, 4, sound[-1] + 12])
    parts = [put([part], 0, at=draw(aims))[0] for part in parts]
    data = bytearray(bundle_of(parts, version=version))
    for place in draw(st.lists(st.integers(24, min(len(data), 80) - 1), max_size=2)):
        data[place] = draw(st.integers(0, 255))
    return bytes(data)


@pytest.mark.slow
@given(data=bundles())
@settings(max_examples=60, deadline=None)
def test_all_who_count_pages_agree_and_none_goes_missing_without_a_word(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    tmp_path = tmp_path_factory.mktemp("bundle")
    source = written(tmp_path, data)
    theirs = drawn_by_djvulibre(source)
    try:
        done = converted(tmp_path, data, KEEP)
    except FileError:
        assert not theirs or not any(theirs)
        return
    if theirs is None:
        return
    assert done.pages == len(theirs)
    told = "; ".join(done.warnings)
    for number, is_theirs in enumerate(theirs, 1):
        is_blank = f"page {number} is blank" in told
        # A place that was given away is the one thing that DjVuLibre draws and we do not.
        assert (
            not (is_theirs and is_blank) or f"page {number} is blank: the directory leads" in told
        )
        assert is_theirs or is_blank or told
