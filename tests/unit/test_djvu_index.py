"""Indirect documents: parts of other kinds, missing ones, damaged ones."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pikepdf
import pytest

from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.jobs.options import Converted, ConvertOptions
from batch_converter.djvu.read.bundle import bundle
from batch_converter.djvu.read.identity import identify, indirect_parts
from batch_converter.djvu.read.inspect import inspect
from batch_converter.errors import NotDjvuError
from tests.support.bundles import (
    ANNOTATIONS,
    ASKS_FOR_SHAPES,
    HEIGHT,
    SHARED,
    SHARED_ANNOTATIONS,
    THUMBNAILS,
    WIDTH,
    Part,
    form,
    index_of,
    mask,
    page_form,
    pages,
    photo_form,
    put,
)
from tests.support.djvu_files import chunk, info

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("ddjvu") is None, reason="no djvulibre-bin")

KEEP = ConvertOptions(keep_damaged=True)
THUMBS = form("THUM", chunk("TH44", b"abcd"))


def bundled(index: Path, *, keep_damaged: bool = False) -> Path:
    target = index.parent / "bundle.out"
    bundle(index, target, keep_damaged=keep_damaged)
    assert inspect(index).page_count == inspect(target).page_count
    return target


def is_drawn(source: Path, number: int) -> bool:
    command = ["ddjvu", "-format=pbm", f"-page={number}", str(source)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def including(name: bytes, *layers: bytes) -> bytes:
    return form("DJVU", info(width=WIDTH, height=HEIGHT), chunk("INCL", name), *layers)


@pytest.mark.parametrize("version", [0, 1])
def test_wavelets_alone_are_a_page_of_an_index_too(tmp_path: Path, version: int) -> None:
    parts = [*pages(1), Part(form=photo_form(), id="photo"), *pages(2)[1:]]
    source = bundled(index_of(parts, tmp_path, version=version))
    assert [is_drawn(source, number) for number in (1, 2, 3)] == [True] * 3
    assert convert(source, tmp_path / "out.pdf", KEEP) == Converted(pages=3)


def test_parts_are_found_by_id_before_name(tmp_path: Path) -> None:
    parts = [Part(form=page_form(301), id="a", name="x"), Part(form=page_form(302), id="b")]
    index = index_of(parts, tmp_path)
    assert [page.dpi for page in inspect(index).pages] == [301, 302]
    (tmp_path / "a").write_bytes(b"AT&T" + page_form(303))
    assert [page.dpi for page in inspect(index).pages] == [303, 302]
    assert is_drawn(index, 1)


@pytest.mark.parametrize(
    ("kind", "contents", "included"),
    [
        (THUMBNAILS, THUMBS, None),
        (SHARED, ANNOTATIONS, None),
        (SHARED_ANNOTATIONS, ANNOTATIONS, "extra"),
    ],
)
@pytest.mark.parametrize("there", [None, b"", b"no djvu at all"])
def test_parts_that_no_picture_needs_may_be_gone(
    tmp_path: Path, kind: int, contents: bytes, included: str | None, there: bytes | None
) -> None:
    page = page_form() if included is None else including(included.encode(), mask())
    parts = [
        Part(form=contents, id="extra", kind=kind, stored=False),
        Part(form=page, id="p1"),
        *pages(2)[1:],
    ]
    index = index_of(parts, tmp_path)
    if there is not None:
        (tmp_path / "extra").write_bytes(there)
    assert is_drawn(index, 1) or (included and there is not None)
    found = inspect(index)
    assert found.warnings == ("parts are missing or damaged that no page's picture needs: extra",)
    source = bundled(index)
    assert [is_drawn(source, number) for number in (1, 2)] == [True, True]
    assert convert(source, tmp_path / "out.pdf", ConvertOptions()) == Converted(pages=2)
    (tmp_path / "extra").write_bytes(b"AT&T" + contents)
    assert inspect(index).warnings == ()


@pytest.mark.parametrize(
    ("layers", "is_needed"),
    [
        ([ASKS_FOR_SHAPES], True),
        ([], True),
        ([ASKS_FOR_SHAPES, chunk("Djbz", b"\0")], False),
        ([mask()], False),
        ([chunk("BG44", b"\0")], False),
    ],
)
def test_shapes_that_a_page_includes_may_not_be_gone(
    tmp_path: Path, layers: list[bytes], *, is_needed: bool
) -> None:
    for name in (b"shapes", b"shapes.iff"):
        parts = [
            Part(form=ANNOTATIONS, id="shapes", name="shapes.iff", kind=SHARED, stored=False),
            Part(form=including(name, *layers), id="p1"),
        ]
        index = index_of(parts, tmp_path)
        if is_needed:
            with pytest.raises(NotDjvuError, match=r"put its parts beside it: shapes\.iff"):
                inspect(index)
        else:
            assert len(inspect(index).warnings) == 1


def test_pages_may_not_be_gone(tmp_path: Path) -> None:
    index = index_of(put(pages(), 1, stored=False), tmp_path)
    with pytest.raises(NotDjvuError, match=r"put its parts beside it: p2\.djvu"):
        inspect(index)
    with pytest.raises(NotDjvuError, match=r"put its parts beside it: p2\.djvu"):
        bundle(index, tmp_path / "out")


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (b"AT&T" + page_form()[:-20], "p2.djvu is cut off"),
        (b"no djvu at all", "p2.djvu is no DjVu file"),
        (b"", "p2.djvu is empty"),
        (b"AT&T" + form("DJVM", page_form()), "p2.djvu is a FORM:DJVM and no page"),
        (b"AT&T" + ANNOTATIONS, "p2.djvu is a FORM:DJVI and no page"),
    ],
)
def test_a_page_whose_file_is_damaged_is_named(tmp_path: Path, there: bytes, says: str) -> None:
    index = index_of(pages(), tmp_path)
    (tmp_path / "p2.djvu").write_bytes(there)
    assert not is_drawn(index, 2)
    with pytest.raises(NotDjvuError, match=f"page 2 is unusable: {says}"):
        bundle(index, tmp_path / "out")
    done = convert(bundled(index, keep_damaged=True), tmp_path / "out.pdf", KEEP)
    assert done.warnings == ("page 2 is blank: it has no size",)
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        assert len(pdf.pages) == 3


def test_two_pages_of_one_file_are_one(tmp_path: Path) -> None:
    parts = [*pages(1), Part(form=page_form(), id="other", name="p1.djvu", stored=False)]
    index = index_of(parts, tmp_path)
    assert [page.fault for page in inspect(index).pages] == [
        "",
        "the directory leads to page 1 for it",
    ]


def test_a_document_with_gone_parts_is_the_same_until_they_are_back(tmp_path: Path) -> None:
    thumbs = Part(form=THUMBS, id="thumbs", kind=THUMBNAILS)
    index = index_of([thumbs, *pages(2)], tmp_path)
    whole = identify(str(index))
    assert len(indirect_parts(str(index))) == 3
    (tmp_path / "thumbs").unlink()
    without = identify(str(index))
    assert without.sha256 != whole.sha256
    assert indirect_parts(str(index)) == ()
