"""Parts of files that are replaced whole: of the dead, of the living, and of nobody's business."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from batch_converter.storage import new_part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def written(target: Path, mode: int = 0o666) -> Iterator[Path]:
    """Have a part that is being written."""
    part, descriptor = new_part(target, mode)
    try:
        yield part
    finally:
        os.close(descriptor)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_a_dead_process_has_left_goes_whatever_it_may_have_held(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    with written(target) as dead:
        dead.write_bytes(b"half a repo")
        dead.chmod(0o644)
    with written(target, 0o600) as part:
        assert names(tmp_path) == {part.name}
        assert part.read_bytes() == b""
        assert part.stat().st_mode & 0o777 == 0o600
        assert part.name.startswith(".")


def test_two_that_write_at_once_have_a_part_each(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    with written(target) as first, written(target) as second:
        assert first != second
        assert names(tmp_path) == {first.name, second.name}
        second.replace(target)
        assert first.exists()


def test_parts_of_several_that_wrote_at_once_and_died_go_all(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    with ExitStack() as stack:
        dead = {stack.enter_context(written(target)).name for _ in range(4)}
        assert names(tmp_path) == dead
        many = stack.enter_context(written(target))
        assert names(tmp_path) == {*dead, many.name}
        many.unlink()
    with written(target) as part:
        assert names(tmp_path) == {part.name}


@pytest.mark.parametrize("named", [True, False])
def test_a_new_part_that_came_to_a_dead_ones_place_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    target = tmp_path / "report.json"
    with written(target) as usual:
        pass
    living: list[int] = []
    lock = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        if not living:  # another was quicker, and its part is not the one that was opened
            usual.replace(target) if named else usual.unlink()
            living.append(os.open(usual, os.O_RDWR | os.O_CREAT | os.O_EXCL))
            lock(living[0], operation)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    try:
        with written(target) as part:
            assert part != usual
            assert os.path.samestat(usual.stat(), os.fstat(living[0]))
    finally:
        os.close(living[0])


def test_another_files_part_is_not_touched(tmp_path: Path) -> None:
    with written(tmp_path / "a") as other:
        pass
    with written(tmp_path / "b") as part:
        assert names(tmp_path) == {other.name, part.name}


def test_a_name_of_any_length_has_one(tmp_path: Path) -> None:
    with written(tmp_path / ("x" * 255)) as part:
        assert part.exists()


def test_a_link_in_its_place_is_neither_followed_nor_removed(tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "report.json", tmp_path / "elsewhere"
    elsewhere.write_bytes(b"another's")
    with written(target) as part:
        part.unlink()
        part.symlink_to(elsewhere)
    with written(target) as other:
        assert other != part
        assert elsewhere.read_bytes() == b"another's"


@pytest.mark.parametrize("taken", [True, False])
def test_a_part_that_is_taken_for_dead_before_it_is_locked_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, taken: bool
) -> None:
    target = tmp_path / "report.json"
    with written(target) as usual:
        usual.unlink()
    lock = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        if usual.exists():
            usual.unlink()  # by the other, which still has the lock, or has closed it
            if taken:
                raise BlockingIOError
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with written(target) as part:
        assert part != usual
        assert part.exists()


def test_where_nothing_can_be_locked_nothing_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    target = tmp_path / "report.json"
    with written(target) as first, written(target) as second:
        assert first.exists()
        assert second.exists()
