from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.djvu.read import outline as outlines
from batch_converter.djvu.read.encodings import Letters
from batch_converter.djvu.read.links import Destinations
from batch_converter.djvu.read.outline import Bookmark, OutlineError, read_outline, write_outline
from tests.support.bundles import bzz
from tests.support.navigation import (
    annotations_on,
    convert_bytes,
    djvused,
    document,
    leaf,
    navm,
    outline_of,
)

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = {
    b"#1": 1,  # the page titled 1, not the first
    b"#3": 2,  # no title: a number
    b"#$2": 1,
    b"#$1": 0,
    b"#i": 0,
    b"#p3.djvu": 2,
    b"#third.djvu": 2,  # its file's name
    b"p3.djvu": 2,
    b"#+1": 1,
    b"#-1": 0,
    b"#02": 1,
    b"?page=1": 1,
    b"?pageno=1": 0,
    b"?page=3": 2,
    b"?djvuopts&page=3&zoom=100": 2,
    b"?djvuopts&zoom=width;page=i": 0,
    b"#page=3": 2,
    b"#i?zoom=100": 0,
    b"#%69": 0,
    b"#two words": 3,
    b"#two%20words": 3,
    b"": None,
    b"#0": None,
    b"#999": None,
    b"#$5": None,
    b"#P3.DJVU": None,
    b"#nowhere": None,
    b"#": None,
    b"?page=99": None,
    b"http://example.org/#1": "http://example.org/#1",
    b"other.djvu#2": "other.djvu#2",
}


def test_targets_of_bookmarks_are_found_as_viewers_find_them(tmp_path: Path) -> None:
    djvu = document(
        [leaf() for _ in range(4)],
        titles=[b"i", b"1", b"", b"two words"],
        names=[b"", b"", b"third.djvu"],
        outline=navm(*[(0, url or b"heading", url) for url in TARGETS]),
    )
    done, pdf = convert_bytes(tmp_path, djvu)
    with pdf:
        found = [target for _, _, target in outline_of(pdf)]
    assert dict(zip(TARGETS, found, strict=True)) == TARGETS
    dead = sum(target is None for target in TARGETS.values()) - 1  # a heading is no loss
    assert done.warnings == (
        f"{dead} bookmarks lead to pages that are not there (#0, #999, #$5, …)",
    )


def test_links_count_from_their_page_and_are_told_by_page(tmp_path: Path) -> None:
    links = b"".join(
        b'(maparea "%s" "" (rect 1 1 9 9))' % url
        for url in (b"#+1", b"#-1", b"#same", b"#1", b"#gone", b"#lost")
    )
    djvu = document([leaf(), leaf(), leaf(links), leaf()], titles=[b"same", b"1", b"", b"same"])
    done, pdf = convert_bytes(tmp_path, djvu)
    with pdf:
        pages: list[object] = [page.objgen for page in pdf.pages]
        leads = [pages.index(a.A.D[0].objgen) for a in annotations_on(pdf, 2)]
    assert leads == [3, 1, 3, 1]  # of two pages of one title the next one
    assert done.warnings == ("page 3: 2 links lead to pages that are not there (#gone, #lost)",)


def test_the_next_page_of_the_last_is_the_last() -> None:
    destinations = Destinations([], 3, "")
    assert destinations.page_index("#+1", current=2) == 2
    assert destinations.page_index("#-5", current=1) == 0


@pytest.mark.parametrize("depth", [1, 13, 20, 100])
def test_outlines_are_as_deep_as_they_are(tmp_path: Path, depth: int) -> None:
    chain = [(int(i < depth - 1), b"L%d" % i, b"#1") for i in range(depth)]
    done, pdf = convert_bytes(
        tmp_path, document([leaf()], outline=navm(*chain, (0, b"last", b"#1")))
    )
    with pdf:
        assert outline_of(pdf) == [(i, f"L{i}", 0) for i in range(depth)] + [(0, "last", 0)]
        assert int(pdf.Root.Outlines.Count) == depth + 1
    assert done.warnings == ()


@pytest.mark.slow
def test_a_hostile_depth_is_flattened_and_told(tmp_path: Path) -> None:
    chain = [(1, b"", b"") for _ in range(60_000)]
    done, pdf = convert_bytes(tmp_path, document([leaf()], outline=navm(*chain)))
    with pdf:
        depths = [depth for depth, _, _ in outline_of(pdf)]
    assert len(depths) == 60_000
    assert max(depths) == 500
    assert done.warnings == ("59499 bookmarks deeper than 500 levels are kept at that depth",)
    command: list[str | Path] = ["qpdf", "--check", tmp_path / "out.pdf"]
    assert subprocess.run(command, check=False).returncode == 0


@given(st.lists(st.integers(0, 3), max_size=30))
def test_written_trees_have_the_depths_that_were_read(children: list[int]) -> None:
    plain = navm(*[(count, b"%d" % i, b"") for i, count in enumerate(children)])
    bookmarks, _ = outlines._bookmarks(plain, Letters())
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        assert write_outline(pdf, bookmarks, Destinations([], 1, "")) == []
        assert [d for d, _, _ in outline_of(pdf)] == [b.depth for b in bookmarks]
        if bookmarks:
            assert int(pdf.Root.Outlines.Count) == len(bookmarks)


@pytest.mark.slow
def test_bookmarks_above_4_mib_come_through(tmp_path: Path) -> None:
    filler = b"x" * 450
    marks = [(0, b"%06d%s" % (i, filler), b"#%d" % (i % 2 + 1)) for i in range(10_000)]
    plain = navm(*marks)
    assert len(plain) > 4 << 20
    djvu = document([leaf(), leaf()], outline=plain)
    done, pdf = convert_bytes(tmp_path, djvu)
    with pdf:
        found = outline_of(pdf)
        assert (
            len(found)
            == 10_000
            == djvused(tmp_path / "in.djvu", "print-outline").count(filler.decode())
        )
        assert found[-1] == (0, f"009999{filler.decode()}", 1)
    assert done.warnings == ()


def test_an_outline_above_the_limit_is_too_large_and_not_damaged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = navm(*[(0, b"title %d" % i, b"#1") for i in range(100)])
    packed = bzz(plain)
    monkeypatch.setattr(outlines, "_MAX_BYTES", len(plain))
    assert len(read_outline(packed, Letters())) == 100
    monkeypatch.setattr(outlines, "_MAX_BYTES", len(plain) - 1)
    with pytest.raises(OutlineError, match=r"^the bookmarks are too large$"):
        read_outline(packed, Letters())
    monkeypatch.setattr(outlines, "_MAX_PACKED_BYTES", len(packed) - 1)
    with pytest.raises(OutlineError, match=r"^the bookmarks are too large$"):
        read_outline(packed, Letters())


@pytest.mark.parametrize("lost", [1, 5, 9])
def test_what_stands_before_a_flaw_is_kept(lost: int) -> None:
    plain = navm(*[(0, b"title", b"#1") for _ in range(3)])
    with pytest.raises(OutlineError, match=r"^the bookmarks are damaged: 2 of 3 are kept$") as told:
        read_outline(bzz(plain[:-lost]), Letters())
    assert told.value.found == (Bookmark(depth=0, title="title", url="#1"),) * 2


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    found, end = outlines._bookmarks(data, Letters())
    assert 2 + 7 * len(found) <= max(2, end) <= max(2, len(data))


@pytest.mark.parametrize("counted", [0, 1, 3])
def test_bookmarks_beyond_the_number_that_is_told_are_kept(counted: int) -> None:
    """DjVuLibre writes more than 65,535 of them, and their number modulo 65,536."""
    plain = counted.to_bytes(2, "big") + navm(*[(0, b"%d" % i, b"#1") for i in range(3)])[2:]
    for padding in (b"", b"\0", b"\0" * 20):
        found = read_outline(bzz(plain + padding), Letters())
        assert [(b.title, b.depth) for b in found] == [("0", 0), ("1", 0), ("2", 0)]


@pytest.mark.parametrize("behind", [b"x", b"\0\0\0\x09title"])
def test_what_stands_behind_the_bookmarks_and_is_none_is_told(behind: bytes) -> None:
    plain = navm((0, b"one", b"#1"), (0, b"two", b"#2"))
    with pytest.raises(OutlineError, match=r"damaged behind the first 2$") as told:
        read_outline(bzz(plain + behind), Letters())
    assert [b.title for b in told.value.found] == ["one", "two"]


def test_more_bookmarks_than_are_read_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = bzz(navm(*[(0, b"%d" % i, b"#1") for i in range(5)]))
    monkeypatch.setattr(outlines, "_MAX_BOOKMARKS", 6)
    assert len(read_outline(packed, Letters())) == 5
    monkeypatch.setattr(outlines, "_MAX_BOOKMARKS", 4)
    with pytest.raises(OutlineError, match=r"4 of 5 are kept$"):
        read_outline(packed, Letters())


def test_a_very_long_page_title_does_not_cost_the_directory(tmp_path: Path) -> None:
    djvu = document([leaf(), leaf()], titles=[b"y" * 60_000, b"z" * 60_000])
    done, pdf = convert_bytes(tmp_path, djvu)
    with pdf:
        assert [len(str(page.label)) for page in pdf.pages] == [60_000, 60_000]
    assert done.warnings == ()
