"""Shards of an archive: each file in one, and each with the name that it has in the whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batch_converter.config import InputSettings, Settings
from batch_converter.discovery import Selection
from batch_converter.ledger import Ledger
from batch_converter.models import SourceFile
from batch_converter.naming import clash_family, clash_key, wanted_output
from batch_converter.sources import Sources, SourceStores
from batch_converter.wiring import SOURCE_STORES
from tests.support.ledgers import ENGINE, NOON, settled, source_file
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMES = st.lists(
    st.sampled_from(["x", "X", "é", "e\u0301", ".djvu", ".djv", ".DJVU", ".pdf", "~2", "~3", ".a"]),
    min_size=1,
    max_size=4,
).map("".join)
FOLDERS = st.sampled_from(
    ["", "a/", "A/", "x.pdf/", "x.PDF/", "x.pdf~2/", "x.djvu.pdf/", "x.pdf/x.pdf/"]
)
TREES = st.sets(st.builds("{}{}".format, FOLDERS, NAMES), min_size=2, max_size=9)


async def outputs(sources: Iterable[str]) -> dict[str, str]:
    """Return the names that a ledger of its own gives to these sources' PDFs."""
    async with await Ledger.open_copy(Path("no-such-ledger")) as ledger:
        await ledger.begin_run("run", ENGINE, at=NOON)
        return await settled(ledger, *map(source_file, sorted(sources)))


@given(tree=TREES, parts=st.integers(2, 5))
@example(tree={"x.djv", "x.djvu", "x.djvu.djvu"}, parts=2)
@example(tree={"x.djv", "x.djvu", "x.djvu.djvu"}, parts=3)
@example(tree={"x.djvu", "x.pdf/x.djvu", "x.pdf~2/x.djvu"}, parts=4)
@example(tree={"x", "x.djvu", "x~2.djvu"}, parts=3)
def test_a_shard_gives_the_names_that_the_whole_tree_gives(tree: set[str], parts: int) -> None:
    """The whole tree settled by one ledger is the oracle."""
    shards = [Selection(shard=(part, parts)) for part in range(1, parts + 1)]

    async def settle() -> tuple[dict[str, str], dict[str, str]]:
        each = [await outputs(filter(shard.in_shard, tree)) for shard in shards]
        return await outputs(tree), {path: name for names in each for path, name in names.items()}

    whole, sharded = anyio.run(settle)
    assert sharded == whole
    assert len({clash_key(name) for name in whole.values()}) == len(tree)


@pytest.mark.parametrize("source", ["a.djvu", "box/scan.djvu", "Übersicht 1.djv", "v1.2/p.3.djvu"])
def test_a_plain_name_is_its_own_family(source: str) -> None:
    """Fixed by the first release: another key would move files from shard to shard."""
    assert clash_family(source) == clash_key(wanted_output(source))


@pytest.mark.parametrize(
    ("one", "other", "are_related"),
    [
        ("x.djvu", "x.djvu.djv", True),
        ("x.djvu", "X.DJVU~7.djvu", True),
        ("x.pdf/y.djvu", "x.pdf/z/w.djvu", True),
        ("x.pdf/y.djvu", "x.djv", True),
        ("x.djvu", "y.djvu", False),
        ("x.djvu", "a/x.djvu", False),
        ("x.pdfs/y.djvu", "x.djvu", False),
        ("x/y.djvu", "x.djvu", False),
        ("x.djvu/y.djvu", "x.djvu", False),
        ("x~.djvu", "x.djvu", False),
        ("x.1.djvu", "x.djvu", False),
    ],
)
def test_what_may_clash_is_a_family(one: str, other: str, are_related: bool) -> None:  # noqa: FBT001  # a column of the table
    assert (clash_family(one) == clash_family(other)) is are_related


def taken(paths: Sequence[Path], part: int, *, listed: Path | None = None) -> list[SourceFile]:
    """Return what a shard of two finds."""
    sources = Sources(
        paths=tuple(map(str, paths)), files_from=None if listed is None else str(listed)
    )
    opened = sources.open(
        InputSettings(shard=f"{part}/2"),
        SourceStores(SOURCE_STORES, Settings()),
        excluded_dirs=(),
        now=datetime(2026, 5, 1, tzinfo=UTC),
    )
    return [item for item in opened.found if isinstance(item, SourceFile)]


async def converted(found: Sequence[SourceFile]) -> set[str]:
    """Return the paths of what a run on this would convert."""
    async with await Ledger.open_copy(Path("no-such-ledger")) as ledger:
        await ledger.begin_run("run", ENGINE, at=NOON)
        await ledger.record_found(found)
        await ledger.forget_other_shards()
        await ledger.assign_outputs()
        return {planned.document.path for planned in await ledger.page(b"", 1_000)}


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("by_list", [False, True])
def test_a_file_that_two_sources_hold_is_in_one_shard(
    tmp_path: Path, *, by_list: bool, is_reversed: bool
) -> None:
    archive = make_archive(tmp_path / "scans/a", 12)
    given = (tmp_path / "scans", tmp_path / "scans/a", *archive)[:: -1 if is_reversed else 1]
    listed = tmp_path / "list"
    listed.write_text("".join(f"{path}\n" for path in given))
    shards = [taken((), part, listed=listed) if by_list else taken(given, part) for part in (1, 2)]

    async def both() -> list[set[str]]:
        return [await converted(found) for found in shards]

    first, second = anyio.run(both)
    assert first
    assert second
    assert not first & second
    assert first | second == set(map(str, archive))


def test_sources_beside_each_other_are_not_looked_at_for_other_shards(tmp_path: Path) -> None:
    folders = [make_archive(tmp_path / name, 6)[0].parent for name in ("a", "ab")]
    found = [item for part in (1, 2) for item in taken(folders, part)]
    assert len(found) == 12
    assert all(item.in_shard for item in found)


def test_single_files_in_a_list_are_of_one_shard_each(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "scans", 12)
    listed = tmp_path / "list"
    listed.write_text("".join(f"{path}\n" for path in archive))
    found = [item for part in (1, 2) for item in taken((), part, listed=listed)]
    assert sorted(item.path for item in found if item.in_shard) == list(map(str, archive))
