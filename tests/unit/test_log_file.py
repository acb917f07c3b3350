"""The log file as a sink: rotated by size, opened anew where it was moved away."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.logs.log_file import LogFile


class Troubles(list[str]):
    """The events that a log file has told."""

    def __call__(self, event: str, _error: OSError) -> None:
        self.append(event)


@pytest.fixture
def troubles() -> Troubles:
    return Troubles()


def opened(path: Path, troubles: Troubles, *, max_bytes: int = 0, backups: int = 5) -> LogFile:
    return LogFile(path, max_bytes=max_bytes, backups=backups, on_trouble=troubles)


def written(path: Path, lines: list[str], *, max_bytes: int, backups: int = 5) -> None:
    troubles = Troubles()
    log = opened(path, troubles, max_bytes=max_bytes, backups=backups)
    for line in lines:
        log.write(line)
    log.close()
    assert not troubles


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


# After a process that ended in the middle of a line


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ("", "next\nlast\n"),
        ("\n", "\nnext\nlast\n"),
        ("whole\n", "whole\nnext\nlast\n"),
        ("h", "h\nnext\nlast\n"),
        ("whole\nhal", "whole\nhal\nnext\nlast\n"),
    ],
)
@pytest.mark.parametrize("max_bytes", [0, 1000])
def test_a_line_that_was_cut_by_the_end_of_the_disk_is_ended_before_the_next_process_writes(
    tmp_path: Path, there: str, expected: str, max_bytes: int
) -> None:
    (tmp_path / "log").write_text(there)
    written(tmp_path / "log", ["next", "last"], max_bytes=max_bytes)
    assert texts(tmp_path) == {"log": expected}


def test_a_file_that_takes_the_place_of_one_that_was_moved_away_may_end_in_mid_line(
    tmp_path: Path, troubles: Troubles
) -> None:
    log = opened(tmp_path / "log", troubles)
    log.write("first")
    (tmp_path / "log").rename(tmp_path / "moved")
    (tmp_path / "log").write_text("hal")
    log.write("second")
    log.close()
    assert texts(tmp_path) == {"log": "hal\nsecond\n", "moved": "first\n"}


# By size


@pytest.mark.parametrize(
    ("max_bytes", "expected"),
    [
        (0, {"log": "abc\nabc\n"}),
        (8, {"log": "abc\nabc\n"}),
        (7, {"log": "abc\n", "log.1": "abc\n"}),
        (1, {"log": "abc\n", "log.1": "abc\n"}),
    ],
)
def test_a_file_is_rotated_before_the_line_that_would_make_it_too_long(
    tmp_path: Path, max_bytes: int, expected: dict[str, str]
) -> None:
    written(tmp_path / "log", ["abc", "abc"], max_bytes=max_bytes)
    assert texts(tmp_path) == expected


@pytest.mark.parametrize("backups", [0, 1, 2, 5])
def test_so_many_are_kept_and_the_oldest_goes(tmp_path: Path, backups: int) -> None:
    written(tmp_path / "log", list("abcdef"), max_bytes=2, backups=backups)
    kept = {f"log.{n}": f"{'fedcba'[n]}\n" for n in range(1, 6) if n <= backups}
    assert texts(tmp_path) == {"log": "f\n", **kept}


@given(
    lines=st.lists(st.text("ab", max_size=30), max_size=40),
    max_bytes=st.integers(1, 60),
)
def test_no_line_is_lost_or_cut_and_no_file_is_longer_than_agreed(
    lines: list[str], max_bytes: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(folder / "log", lines, max_bytes=max_bytes, backups=50)
        found = texts(folder)
        oldest_first = [found[f"log.{n}"] for n in range(50, 0, -1) if f"log.{n}" in found]
        files = [*oldest_first, found["log"]]
        assert "".join(files) == "".join(f"{line}\n" for line in lines)
        for text in files:
            assert len(text) <= max_bytes or text.count("\n") == 1


def test_a_gap_among_the_backups_costs_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "log.2").write_text("older\n")
    written(tmp_path / "log", ["a", "b"], max_bytes=2, backups=2)
    assert texts(tmp_path) == {"log": "b\n", "log.1": "a\n", "log.2": "older\n"}


def test_backups_beyond_a_smaller_number_go_and_other_files_stay(tmp_path: Path) -> None:
    for name in ("log.1", "log.2", "log.3", "log.4", "log.6", "log.old", "log.1.gz"):
        (tmp_path / name).write_text(name)
    written(tmp_path / "log", ["a", "b"], max_bytes=2, backups=2)
    left = {"log.6": "log.6", "log.old": "log.old", "log.1.gz": "log.1.gz"}
    assert texts(tmp_path) == {"log": "b\n", "log.1": "a\n", "log.2": "log.1", **left}


def test_what_an_earlier_process_wrote_counts(tmp_path: Path) -> None:
    written(tmp_path / "log", ["abc"], max_bytes=7)
    written(tmp_path / "log", ["abc"], max_bytes=7)
    assert texts(tmp_path) == {"log": "abc\n", "log.1": "abc\n"}


def test_the_new_file_has_the_permissions_of_the_old(tmp_path: Path) -> None:
    (tmp_path / "log").touch(mode=0o600)
    written(tmp_path / "log", ["a", "b"], max_bytes=2)
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


def test_a_link_stays_and_the_file_behind_it_is_rotated(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    link = tmp_path / "log"
    link.symlink_to("logs/real")
    written(link, ["a", "b"], max_bytes=2)
    assert link.is_symlink()
    assert texts(tmp_path / "logs") == {"real": "b\n", "real.1": "a\n"}


@pytest.mark.parametrize("max_bytes", [0, 1])
def test_a_device_is_written_to_as_it_is(max_bytes: int) -> None:
    written(Path("/dev/null"), ["a", "b"], max_bytes=max_bytes)
    assert not Path("/dev/null.1").exists()


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    written(path, ["a", "b"], max_bytes=1)
    assert os.read(reader, 100) == b"a\nb\n"
    os.close(reader)


def test_what_stands_in_the_way_of_rotating_is_told_once_and_costs_no_line(
    tmp_path: Path, troubles: Troubles
) -> None:
    (tmp_path / "log.1").mkdir()
    log = opened(tmp_path / "log", troubles, max_bytes=2, backups=1)
    for line in "abc":
        log.write(line)
    assert (tmp_path / "log").read_text() == "a\nb\nc\n"
    assert troubles == ["log.not_rotated"]
    (tmp_path / "log.1").rmdir()
    log.write("d")
    assert texts(tmp_path) == {"log": "d\n", "log.1": "a\nb\nc\n"}
    log.close()


# Moved away


@pytest.mark.parametrize("max_bytes", [0, 1000])
def test_a_file_that_was_moved_away_is_opened_anew(
    tmp_path: Path, troubles: Troubles, max_bytes: int
) -> None:
    path = tmp_path / "log"
    log = opened(path, troubles, max_bytes=max_bytes)
    log.write("a")
    path.rename(tmp_path / "log-20260101")
    log.write("b")
    path.rename(tmp_path / "log-20260102")
    path.touch(mode=0o640)  # as logrotate's `create` does
    log.write("c")
    log.close()
    assert texts(tmp_path) == {"log": "c\n", "log-20260101": "a\n", "log-20260102": "b\n"}
    assert not troubles


def test_a_file_that_was_copied_and_emptied_goes_on_at_its_beginning(
    tmp_path: Path, troubles: Troubles
) -> None:
    log = opened(tmp_path / "log", troubles)
    log.write("a")
    os.truncate(tmp_path / "log", 0)
    log.write("b")
    log.close()
    assert texts(tmp_path) == {"log": "b\n"}


def test_a_folder_that_was_deleted_is_made_again(tmp_path: Path, troubles: Troubles) -> None:
    path = tmp_path / "logs" / "log"
    log = opened(path, troubles)
    log.write("a")
    path.unlink()
    path.parent.rmdir()
    log.write("b")
    log.close()
    assert path.read_text() == "b\n"


def test_where_none_can_be_opened_the_moved_one_is_written_on(
    tmp_path: Path, troubles: Troubles
) -> None:
    path = tmp_path / "log"
    log = opened(path, troubles)
    log.write("a")
    path.rename(tmp_path / "moved")
    path.mkdir()
    log.write("b")
    log.write("c")
    assert (tmp_path / "moved").read_text() == "a\nb\nc\n"
    assert troubles == ["log.not_reopened"]
    path.rmdir()
    log.write("d")
    log.close()
    assert path.read_text() == "d\n"


def test_a_line_for_a_deleted_file_in_whose_place_is_none_is_lost_aloud(
    tmp_path: Path, troubles: Troubles
) -> None:
    path = tmp_path / "log"
    log = opened(path, troubles)
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        log.write("a")
    log.close()
