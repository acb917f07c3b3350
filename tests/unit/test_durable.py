"""What outlasts a power loss, on file systems that can promise it and on others."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from batch_converter.errors import OutputError, UsageError
from batch_converter.report.atomic_writer import replacing
from batch_converter.storage import (
    ScratchFolder,
    durable,
    make_folder,
    make_subfolder,
    missing_folders,
    sync_file,
    sync_folder,
)
from tests.support.disks import AS_ORDINARY_USER

if TYPE_CHECKING:
    from collections.abc import Callable

SYNC_FOLDER: Final = """
import sys
from pathlib import Path
from batch_converter.storage import sync_folder
sync_folder(Path(sys.argv[1]))
"""


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Have fsync answer with an error, for folders or for files; returns what was asked."""

    def refuse(code: int, *, folders: bool) -> list[int]:
        asked: list[int] = []
        real = os.fsync

        def fsync(descriptor: int) -> None:
            asked.append(descriptor)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode) is folders:
                raise OSError(code, os.strerror(code))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        return asked

    return refuse


@pytest.mark.parametrize(
    "code", ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EBADF", "EISDIR", "ENOTTY"]
)
def test_a_folder_that_cannot_be_synced_by_its_nature_is_no_failure(
    tmp_path: Path, refusing: Callable[..., list[int]], code: str
) -> None:
    asked = refusing(getattr(errno, code), folders=True)
    sync_folder(tmp_path)
    make_folder(tmp_path / "a" / "b")
    with replacing(tmp_path / "new" / "report.json", "report") as file:
        file.write(b"{}")
    assert (tmp_path / "new" / "report.json").read_bytes() == b"{}"
    assert len(asked) > 3


@pytest.mark.parametrize("code", ["EIO", "ENOSPC", "EDQUOT", "ESTALE", "EROFS"])
def test_a_disk_that_fails_is_a_failure_for_folders_and_files(
    tmp_path: Path, refusing: Callable[..., list[int]], code: str
) -> None:
    number = getattr(errno, code)
    refusing(number, folders=True)
    with pytest.raises(OSError, match=os.strerror(number)):
        sync_folder(tmp_path)
    with (
        pytest.raises(OutputError, match=os.strerror(number)),
        replacing(tmp_path / "report.json", "report"),
    ):
        pass
    refusing(number, folders=False)
    with (tmp_path / "x").open("wb") as file, pytest.raises(OSError, match=os.strerror(number)):
        sync_file(file.fileno())


@pytest.mark.parametrize(
    ("code", "is_forgiven"),
    [("EINVAL", True), ("ENOTSUP", True), ("ENOSYS", True), ("EBADF", False), ("EISDIR", False)],
)
def test_a_file_is_forgiven_what_its_file_system_cannot_but_no_mistake_of_ours(
    tmp_path: Path, refusing: Callable[..., list[int]], code: str, *, is_forgiven: bool
) -> None:
    refusing(getattr(errno, code), folders=False)
    with (tmp_path / "x").open("wb") as file:
        if is_forgiven:
            sync_file(file.fileno())
        else:
            with pytest.raises(OSError, match=os.strerror(getattr(errno, code))):
                sync_file(file.fileno())


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="the kernel has no such folder")
def test_a_real_file_system_that_cannot_is_forgiven() -> None:
    descriptor = os.open("/proc/self", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Invalid argument"):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(Path("/proc/self"))


def test_a_folder_that_only_takes_files_in_is_no_failure_and_a_missing_one_is(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "in-box"
    folder.mkdir(mode=0o300)
    command = [*AS_ORDINARY_USER, sys.executable, "-c", SYNC_FOLDER]
    assert subprocess.run([*command, folder], check=False).returncode == 0
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")


@pytest.mark.parametrize(
    ("answer", "falls_back"), [(None, False), (errno.ENOTTY, True), (errno.ENOTSUP, True)]
)
def test_where_the_drive_has_a_cache_of_its_own_that_is_flushed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int | None, *, falls_back: bool
) -> None:
    """As on macOS, whose fsync(2) stops at the drive; its own call is not known everywhere."""
    asked: list[str] = []

    def control(_descriptor: int, command: int) -> int:
        assert command == 51
        asked.append("full")
        if answer is not None:
            raise OSError(answer, os.strerror(answer))
        return 0

    monkeypatch.setattr(durable, "_FULL_SYNC", 51)
    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: asked.append("fsync"))
    sync_folder(tmp_path)
    assert asked == (["full", "fsync"] if falls_back else ["full"])


def test_a_drive_that_fails_to_flush_its_cache_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def control(_descriptor: int, _command: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durable, "_FULL_SYNC", 51)
    monkeypatch.setattr(fcntl, "fcntl", control)
    with pytest.raises(OSError, match="Input/output error"):
        sync_folder(tmp_path)


def test_what_is_missing_is_told_in_the_order_of_making(tmp_path: Path) -> None:
    assert missing_folders(tmp_path) == []
    assert missing_folders(tmp_path / "a" / "b") == [tmp_path / "a", tmp_path / "a" / "b"]


def test_scratch_of_dead_runs_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    scratch = ScratchFolder(tmp_path / "state" / "parts")
    assert scratch.prepare() == 0
    for name in ("bundle-7.part", "12345.part.7", "notes.txt"):
        (scratch.path / name).write_bytes(b"x")
    assert scratch.file("bundle-7").exists()
    assert scratch.prepare() == 2
    assert [path.name for path in scratch.path.iterdir()] == ["notes.txt"]


def test_scratch_that_cannot_be_made_is_bad_usage(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(UsageError, match="cannot be used"):
        ScratchFolder(tmp_path / "state" / "parts").prepare()


def test_folders_are_made_below_a_root_that_is_there_only(tmp_path: Path) -> None:
    make_subfolder(tmp_path / "a" / "b", root=tmp_path)
    assert (tmp_path / "a" / "b").is_dir()
    with pytest.raises(FileNotFoundError):
        make_subfolder(tmp_path / "gone" / "c", root=tmp_path / "gone")
    assert not (tmp_path / "gone").exists()
