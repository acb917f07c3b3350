"""Files that are moved: all of a group or none, over nothing, and told apart after a death."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.storage import (
    Relocation,
    SourceChangedError,
    Stage,
    finish,
    is_same_place,
    relocate,
    stage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture
def group(tmp_path: Path) -> list[Relocation]:
    """Three files that go together."""
    return make_group(tmp_path, 3)


def make_group(folder: Path, count: int) -> list[Relocation]:
    (folder / "from").mkdir()
    files = []
    for number in range(count):
        source = folder / "from" / f"{number}.djvu"
        source.write_bytes(b"hello" * (number + 1))
        files.append(Relocation(source=source, target=folder / "to" / "sub" / source.name))
    return files


@pytest.fixture
def two_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every rename from one folder to another fail as between file systems."""
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self.parent != target.parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), self, None, target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def assert_all_there(files: Sequence[Relocation], tmp_path: Path) -> None:
    assert names(tmp_path / "from") == [file.source.name for file in files]
    assert [file.source.stat().st_size for file in files] == [5, 10, 15]


def test_files_are_moved_durably_with_their_times(group: list[Relocation]) -> None:
    times = [file.source.stat().st_mtime_ns for file in group]
    relocate(group)
    assert [stage(file) for file in group] == [Stage.MOVED] * 3
    assert [file.target.stat().st_mtime_ns for file in group] == times
    assert [file.target.stat().st_size for file in group] == [5, 10, 15]


@pytest.mark.usefixtures("two_disks")
def test_files_are_copied_with_mode_and_times_where_they_cannot_be_renamed(
    group: list[Relocation], tmp_path: Path
) -> None:
    group[0].source.chmod(0o640)
    before = [(f.source.stat().st_mtime_ns, f.source.stat().st_mode) for f in group]
    relocate(group)
    assert [(f.target.stat().st_mtime_ns, f.target.stat().st_mode) for f in group] == before
    assert names(tmp_path / "from") == []
    assert names(tmp_path / "to") == [file.source.name for file in group]


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_a_name_that_is_taken_moves_none(
    group: list[Relocation], tmp_path: Path, taken: int
) -> None:
    group[taken].target.parent.mkdir(parents=True)
    group[taken].target.write_bytes(b"another")
    with pytest.raises(FileExistsError) as error:
        relocate(group)
    assert error.value.filename == os.fspath(group[taken].target)
    assert_all_there(group, tmp_path)
    assert names(tmp_path / "to") == [group[taken].target.name]
    assert group[taken].target.read_bytes() == b"another"


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_rename_that_fails_takes_back_those_before_it(
    group: list[Relocation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self == group[lost].source:
            raise OSError(errno.EIO, os.strerror(errno.EIO), self)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="Input/output"):
        relocate(group)
    assert_all_there(group, tmp_path)
    assert names(tmp_path / "to") == []


@pytest.mark.usefixtures("two_disks")
def test_bytes_that_were_not_expected_stay(group: list[Relocation], tmp_path: Path) -> None:
    first, others = group[0], group[1:]
    expected = Relocation(source=first.source, target=first.target, sha256=HELLO)
    first.source.write_bytes(b"hollo")
    with pytest.raises(SourceChangedError):
        relocate([expected, *others])
    assert_all_there(group, tmp_path)
    assert names(tmp_path / "to") == []
    first.source.write_bytes(b"hello")
    relocate([expected, *others])
    assert names(tmp_path / "from") == []


@pytest.mark.usefixtures("two_disks")
@pytest.mark.parametrize("when", ["copied", "placed"])
def test_a_source_that_changes_while_it_is_copied_stays(
    group: list[Relocation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def change(step: str) -> None:
        if step == f"source.{when}":
            group[1].source.write_bytes(b"changed")

    monkeypatch.setattr("batch_converter.storage.relocation.reach", change)
    with pytest.raises(SourceChangedError):
        relocate(group)
    assert names(tmp_path / "from") == [file.source.name for file in group]
    assert group[1].source.read_bytes() == b"changed"
    assert names(tmp_path / "to") == []


@pytest.mark.usefixtures("two_disks")
def test_a_copy_that_reads_otherwise_than_it_was_written_is_none(
    group: list[Relocation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch_converter.storage.relocation.hash_file", lambda _path: "other")
    with pytest.raises(OSError, match="reads otherwise"):
        relocate(group)
    assert_all_there(group, tmp_path)
    assert names(tmp_path / "to") == []


def _hold(file: Relocation) -> None:
    file.target.parent.mkdir(parents=True, exist_ok=True)
    file.target.touch()


def _copy(file: Relocation) -> None:
    file.target.parent.mkdir(parents=True, exist_ok=True)
    file.target.write_bytes(file.source.read_bytes())


def _move(file: Relocation) -> None:
    file.target.parent.mkdir(parents=True, exist_ok=True)
    file.source.rename(file.target)


def _none(_file: Relocation) -> None:
    pass


@given(st.lists(st.sampled_from([_none, _hold, _copy, _move]), min_size=1, max_size=4))
def test_what_was_begun_is_finished_and_what_was_not_is_taken_back(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Callable[[Relocation], None]]
) -> None:
    folder = tmp_path_factory.mktemp("group")
    files = make_group(folder, len(steps))
    contents = {file.source.name: file.source.read_bytes() for file in files}
    for step, file in zip(steps, files, strict=True):
        step(file)
    has_begun = _copy in steps or _move in steps
    assert finish(files) == has_begun
    where = folder / ("to" if has_begun else "from")
    assert names(folder) == sorted(contents)
    assert {path.name: path.read_bytes() for path in where.rglob("*.djvu")} == contents
    assert finish(files) == has_begun


def test_a_source_that_differs_from_its_copy_is_not_removed(group: list[Relocation]) -> None:
    _copy(group[0])
    group[0].source.write_bytes(b"other")
    assert not finish(group[:1])
    assert stage(group[0]) is Stage.OTHER
    _move(group[1])
    assert finish(group)
    assert [stage(file) for file in group] == [Stage.OTHER, Stage.MOVED, Stage.MOVED]


def test_one_name_in_one_folder_is_known_by_any_path(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to("a")
    one, other = tmp_path / "a" / "x", tmp_path / "b" / "x"
    one.touch()
    assert is_same_place(one, other)
    assert not is_same_place(one, tmp_path / "b" / "y")
    assert not is_same_place(one, tmp_path / "x")
    assert not is_same_place(one, tmp_path / "gone" / "x")
