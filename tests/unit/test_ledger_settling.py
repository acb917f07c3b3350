"""Which PDF belongs to which file: given once, given for good, and never to two."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_converter.naming import clash_key
from tests.support.ledgers import opened, settled, source_file

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.models import SourceFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


async def outputs(path: Path, run_id: str, *sources: str, root: str = "/archive") -> list[str]:
    """Settle these files in a run of their own; returns their outputs in the same order."""
    files = [source_file(source, root=root) for source in sources]
    async with opened(path, run_id) as ledger:
        given = await settled(ledger, *files)
    return [given[file.path] for file in files]


async def test_the_first_in_code_point_order_keeps_the_plain_name(path: Path) -> None:
    assert await outputs(path, "1", "x.djvu", "x.djv", "X.DJVU", "a/x.djvu") == [
        "x.djvu.pdf",
        "x.djv.pdf",
        "X.pdf",
        "a/x.pdf",
    ]


async def test_names_are_compared_as_any_file_system_might(path: Path) -> None:
    composed, decomposed = "caf\u00e9.djvu", "cafe\u0301.djvu"
    assert await outputs(path, "1", composed, decomposed, "stra\u00dfe.djv", "STRASSE.djv") == [
        "caf\u00e9.djvu.pdf",
        "cafe\u0301.pdf",
        "stra\u00dfe.djv.pdf",
        "STRASSE.pdf",
    ]
    assert await outputs(path, "2", "b\udcff.djvu", "B\udcff.djvu") == [
        "b\udcff.djvu.pdf",
        "B\udcff.pdf",
    ]


async def test_what_was_given_once_stays_given_whatever_comes_later(path: Path) -> None:
    assert await outputs(path, "1", "x.djvu") == ["x.pdf"]
    assert await outputs(path, "2", "X.djvu", "x.djv", "x.djvu") == [
        "X.djvu.pdf",
        "x.djv.pdf",
        "x.pdf",
    ]
    # The one that had the plain name is gone; nobody inherits it.
    assert await outputs(path, "3", "X.djvu", "x.djvu.djvu") == ["X.djvu.pdf", "x.djvu.djvu.pdf"]


async def test_numbers_go_on_where_whole_names_are_taken(path: Path) -> None:
    roots = ["/a", "/b", "/c", "/d"]
    async with opened(path) as ledger:
        given = await settled(ledger, *(source_file("x.djvu", root=root) for root in roots))
    assert [given[f"{root}/x.djvu"] for root in roots] == [
        "x.pdf",
        "x.djvu.pdf",
        "x.djvu~2.pdf",
        "x.djvu~3.pdf",
    ]


async def test_no_pdf_is_where_a_folder_must_be(path: Path) -> None:
    met = ("A.djvu", "a.pdf/b.djvu", "a.pdf/c/d.djvu", "a.pdf~2/b.djvu")
    assert await outputs(path, "1", *met) == [
        "A.pdf",
        "a.pdf~2/b.pdf",
        "a.pdf~2/c/d.pdf",
        "a.pdf~2/b.djvu.pdf",
    ]
    assert await outputs(path, "2", "C.pdf/deep/d.djvu", "c.djvu") == [
        "C.pdf/deep/d.pdf",
        "c.djvu.pdf",
    ]


async def test_overlapping_sources_count_each_file_once(path: Path) -> None:
    whole, part = source_file("a/x.djvu"), source_file("x.djvu", root="/archive/a")
    async with opened(path) as ledger:
        await ledger.record_found([whole, part])
        assert await ledger.assign_outputs() == 1
        [planned] = await ledger.page(b"", 9)
        assert planned.document.output == "a/x.pdf"


async def test_a_file_given_under_another_source_keeps_its_pdf(path: Path) -> None:
    await outputs(path, "1", "a/x.djvu")
    async with opened(path, "2") as ledger:
        await ledger.record_found([source_file("x.djvu", root="/archive/a")])
        await ledger.assign_outputs()
        [planned] = await ledger.page(b"", 9)
        assert planned.document.output == "a/x.pdf"
        assert (planned.document.source_root, planned.document.source) == ("/archive/a", "x.djvu")


async def test_an_archive_that_was_moved_is_recognised(path: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    assert await outputs(path, "1", "a/x.djvu", "x.djvu", root=str(old)) == ["a/x.pdf", "x.pdf"]
    assert await outputs(path, "2", "a/x.djvu", "x.djvu", root=str(new)) == ["a/x.pdf", "x.pdf"]


@pytest.mark.parametrize("why", ["still there", "a dangling link", "other size", "other place"])
async def test_what_only_looks_like_a_moved_archive_gets_a_name_of_its_own(
    path: Path, tmp_path: Path, why: str
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    await outputs(path, "1", "x.djvu", root=str(old))
    if why == "still there":
        (old / "x.djvu").touch()
    if why == "a dangling link":
        (old / "x.djvu").symlink_to("nowhere")
    found = source_file("x.djvu", root=str(new), size_bytes=11 if why == "other size" else 10)
    if why == "other place":
        found = source_file("X.djvu", root=str(new))
    async with opened(path, "2") as ledger:
        given = await settled(ledger, found)
    assert list(given.values()) == [f"{found.source}.pdf"]


_NAMES = st.sampled_from(
    ["a", "A", "a.pdf", "b", "\u00e9", "e\u0301", "a.djvu", "x\udcff", "a~2", "\u0130"]
)
_SOURCES = st.builds(
    lambda folders, name, suffix: "/".join((*folders, name + suffix)),
    st.lists(_NAMES, max_size=2),
    _NAMES,
    st.sampled_from([".djvu", ".djv", ".DJVU"]),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(runs=st.lists(st.sets(_SOURCES, min_size=1, max_size=8), min_size=1, max_size=3))
async def test_outputs_never_meet_and_never_change(
    tmp_path_factory: pytest.TempPathFactory, runs: list[set[str]]
) -> None:
    path = tmp_path_factory.mktemp("settling") / "ledger.sqlite3"
    known: dict[str, str] = {}
    for number, sources in enumerate(runs):
        files: list[SourceFile] = [source_file(source) for source in sources]
        async with opened(path, f"run-{number}") as ledger:
            given = await settled(ledger, *files)
        assert given.keys() == {file.path for file in files}
        assert all(known.get(file, output) == output for file, output in given.items())
        known |= given
    keys = {os.fsencode(clash_key(output)) for output in known.values()}
    assert len(keys) == len(known)
    assert not any(a.startswith(b + b"/") for a in keys for b in keys)
