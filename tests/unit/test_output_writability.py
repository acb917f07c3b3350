"""Whether a PDF could be written, asked before it is paid for."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from batch_converter.errors import OutputError
from batch_converter.output import is_disk_failure, nearest_folder, writability
from batch_converter.output.writability import GROWTH, MARGIN_BYTES, check_writable
from tests.support.disks import small_disk

if TYPE_CHECKING:
    from pathlib import Path


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
