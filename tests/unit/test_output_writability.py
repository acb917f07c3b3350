"""Whether a PDF could be written, asked before it is paid for."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from batch_converter.errors import OutputError
from batch_converter.output import is_disk_failure, nearest_folder, writability
from batch_converter.output.writability import (
    GROWTH,
    MARGIN_BYTES,
    check_takes_files,
    check_writable,
)
from tests.support.disks import small_disk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def refusal(root: Path, output: str, *, source_bytes: int = 1000) -> OutputError | None:
    """Return why there is no place for a PDF."""
    try:
        check_writable(root / output, root=root, state_dir=root, source_bytes=source_bytes)
    except OutputError as error:
        return error
    return None


def test_where_nothing_stands_in_the_way_there_is_a_place(root: Path) -> None:
    (root / "there.pdf").touch()
    for output in ("a.pdf", "a/b/c.pdf", "there.pdf", "n" * 251 + ".pdf", "caf\udce9/x.pdf"):
        assert refusal(root, output) is None
    assert list(root.iterdir()) == [root / "there.pdf"]  # asking makes nothing


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("file/x.pdf", "a file stands where a folder is needed"),
        ("file/deep/x.pdf", "a file stands where a folder is needed"),
        ("folder", "a folder stands where the PDF should go"),
        ("n" * 252 + ".pdf", "takes no name as long as that"),
        ("new/" + "\u00e9" * 126 + ".pdf", "takes no name as long as that"),
        ("n" * 256 + "/x.pdf", "takes no name as long as that"),
        ("/".join(["d" * 200] * 21) + "/x.pdf", "takes no name as long as that"),
    ],
)
def test_what_stands_in_the_way_is_named_and_concerns_only_this_pdf(
    root: Path, output: str, said: str
) -> None:
    (root / "file").touch()
    (root / "folder").mkdir()
    error = refusal(root, output)
    assert error is not None
    assert said in str(error)
    assert not is_disk_failure(error, root)


def test_a_root_that_is_gone_concerns_all(root: Path) -> None:
    root.rmdir()
    error = refusal(root, "a/b.pdf")
    assert error is not None
    assert "vanished" in str(error)
    assert is_disk_failure(error, root)


def test_too_little_room_for_one_is_not_too_little_for_all(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size_bytes=2 * MARGIN_BYTES) as disk:
        assert refusal(disk.path, "a.pdf", source_bytes=MARGIN_BYTES // GROWTH - 4096) is None
        large = refusal(disk.path, "a.pdf", source_bytes=MARGIN_BYTES // GROWTH + 4096)
        assert large is not None
        assert "nothing was paid" in str(large)
        assert not is_disk_failure(large, disk.path)

        disk.fill(but_bytes=MARGIN_BYTES - 4096)
        full = refusal(disk.path, "a.pdf", source_bytes=1)
        assert full is not None
        assert "full" in str(full)
        assert is_disk_failure(full, disk.path)


def test_a_full_state_directory_concerns_all(root: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size_bytes=MARGIN_BYTES // 2) as disk:
        with pytest.raises(OutputError) as caught:
            check_writable(root / "a.pdf", root=root, state_dir=disk.path, source_bytes=1)
        assert is_disk_failure(caught.value, root)


def test_a_read_only_disk_concerns_all(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size_bytes=2 * MARGIN_BYTES) as disk:
        disk.remount("ro")
        error = refusal(disk.path, "a.pdf")
        assert error is not None
        assert "read-only" in str(error)
        assert is_disk_failure(error, disk.path)


@pytest.mark.parametrize(
    ("number", "lost"),
    [
        (errno.ENOSPC, True),
        (errno.EDQUOT, True),
        (errno.EROFS, True),
        (errno.EIO, True),
        (errno.ESTALE, True),
        (errno.EACCES, False),
        (errno.EISDIR, False),
        (errno.EFBIG, False),
        (errno.ENOENT, False),
    ],
)
def test_what_an_error_says_of_other_pdfs(root: Path, number: int, *, lost: bool) -> None:
    error = OutputError("so it is")
    error.__cause__ = OSError(number, os.strerror(number), os.fspath(root / "a" / "b.pdf"))
    assert is_disk_failure(error, root) == lost
    assert not is_disk_failure(OutputError("so it is"), root)


def test_a_folder_that_another_document_makes_meanwhile_is_no_obstacle(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_nearest_folder(path: Path) -> Path:
        found = nearest_folder(path)
        path.mkdir(parents=True, exist_ok=True)  # between our first look and the second
        return found

    monkeypatch.setattr(writability, "nearest_folder", slow_nearest_folder)
    assert refusal(root, "a/b/c.pdf") is None


def test_a_folder_yet_to_be_made_takes_files_and_stays_unmade(tmp_path: Path) -> None:
    before = tmp_path.stat().st_mtime_ns
    status = os.statvfs(tmp_path)
    free_bytes = status.f_bavail * status.f_frsize

    assert abs(check_takes_files(tmp_path / "a/b/c") - free_bytes) < free_bytes / 2
    assert not list(tmp_path.iterdir())
    assert tmp_path.stat().st_mtime_ns == before


@pytest.mark.parametrize("missing", ["", "out", "out/deep"])
@pytest.mark.parametrize(
    ("size_bytes", "inodes", "said"),
    [(MARGIN_BYTES - 4096, 0, "the disk is full"), (4 * MARGIN_BYTES, 1, "no inodes left")],
)
def test_a_disk_without_bytes_or_inodes_takes_no_files(
    tmp_path: Path, missing: str, size_bytes: int, inodes: int, said: str
) -> None:
    with (
        small_disk(tmp_path / "disk", size_bytes=size_bytes, inodes=inodes) as disk,
        pytest.raises(OutputError, match=said),
    ):
        check_takes_files(disk.path / missing)


def test_what_stands_in_the_place_of_a_folder_takes_no_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("file", "link", "loop"):
        for place in (tmp_path / name, tmp_path / name / "deep"):
            with pytest.raises(OutputError, match="Not a directory") as caught:
                check_takes_files(place)
            assert str(tmp_path / name) in str(caught.value)


def test_a_name_that_is_too_long_and_a_system_without_files_take_none(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="name too long"):
        check_takes_files(tmp_path / ("x" * 256) / "deep")
    with pytest.raises(OutputError, match=r"^/proc/x takes no files: .+ \(/proc\)$"):
        check_takes_files(Path("/proc/x"))
