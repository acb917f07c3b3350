from __future__ import annotations

import errno
import os
import tempfile
import uuid
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from batch_converter.codec import READ_BYTES
from batch_converter.errors import OutputError, StateLockedError, UsageError
from batch_converter.output.backlog import TURN_BYTES
from batch_converter.server.files import FileWriter, PdfReader
from batch_converter.server.storage import LOCK_NAME, open_data_folder
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_without_a_folder_a_temporary_one_is_made_and_removed() -> None:
    async with open_data_folder(None) as folder:
        assert folder.path.stat().st_mode & 0o777 == 0o700
        folder.upload_path(str(uuid.uuid4())).write_bytes(b"x")
        (folder.path / "stray").write_bytes(b"x")
    assert not folder.path.exists()


async def test_a_sweep_deletes_our_own_files_that_nobody_wants_and_no_others(
    tmp_path: Path,
) -> None:
    waiting, ready = str(uuid.uuid4()), str(uuid.uuid4())
    foreign = {"book.djvu", "task-1.pdf", f"task-{uuid.uuid4()}.pdf.txt", "notes"}
    kept = foreign | {f"task-{waiting}.djvu", f"task-{ready}.pdf", f"task-{ready}.jpg"}
    stale = {f"task-{waiting}.pdf", f"task-{waiting}.pdf.0.part", f"task-{ready}.djvu"}
    stale |= {f"task-{uuid.uuid4()}.{kind}" for kind in ("djvu", "pdf", "pdf.12.part", "jpg.part")}
    stale |= {f"task-{ready}.pdf.3.part.ocr"}
    for name in kept | stale:
        (tmp_path / name).write_bytes(b"x")
    async with open_data_folder(tmp_path) as folder:
        swept = await folder.threads.run(folder.sweep, {waiting}, {ready})
    assert swept == len(stale)
    assert names(tmp_path) - {LOCK_NAME} == kept


async def test_a_temporary_folder_of_a_killed_service_is_cleared_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed, foreign = tmp_path / "batch-converter-serve-dead", tmp_path / "batch-converter-serve-x"
    for folder in (killed, foreign):
        folder.mkdir()
        (folder / "task").write_bytes(b"x")
    (killed / LOCK_NAME).touch()
    async with open_data_folder(None) as alive:
        async with open_data_folder(None):
            assert alive.path.exists()
        assert not killed.exists()
        assert foreign.exists()


async def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    async with open_data_folder(tmp_path / "a" / "b") as folder:
        assert folder.path.is_dir()


async def test_a_folder_serves_one_service_at_a_time(tmp_path: Path) -> None:
    async with open_data_folder(tmp_path) as folder:
        upload = folder.upload_path(str(uuid.uuid4()))
        upload.write_bytes(b"x")
        with pytest.raises(StateLockedError, match="--data-dir"):
            async with open_data_folder(tmp_path):
                pytest.fail("the folder was opened twice")
        assert upload.exists()
    async with open_data_folder(tmp_path):
        pass


async def test_a_folder_that_cannot_be_used_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot use the data folder"):
        async with open_data_folder(tmp_path / "file"):
            pytest.fail("a file was opened as a folder")


async def test_removing_deletes_both_files_of_a_task_and_no_others(tmp_path: Path) -> None:
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    async with open_data_folder(tmp_path) as folder:
        for path in (folder.upload_path(one), folder.result_path(one), folder.upload_path(two)):
            path.write_bytes(b"x")
        await folder.remove(one, one)
        assert names(tmp_path) == {LOCK_NAME, folder.upload_path(two).name}
        await folder.remove_upload(two)
        assert names(tmp_path) == {LOCK_NAME}


async def test_what_cannot_be_deleted_is_logged_and_stops_nothing(tmp_path: Path) -> None:
    task_id = str(uuid.uuid4())
    async with open_data_folder(tmp_path) as folder:
        folder.upload_path(task_id).mkdir()
        folder.result_path(task_id).write_bytes(b"x")
        with capture_logs() as logs:
            await folder.remove(task_id)
        assert not folder.result_path(task_id).exists()
        folder.upload_path(task_id).rmdir()
    assert [one["event"] for one in logs] == ["server.file_not_deleted"]


@settings(max_examples=30, deadline=None)
@given(pieces=st.lists(st.binary(max_size=50) | st.just(b"x" * (TURN_BYTES - 1)), max_size=6))
async def test_pieces_of_any_size_become_one_file(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("pieces") / "file"
    file = FileWriter(path, DiskThreads(2))
    for piece in pieces:
        await file.write(piece)
    await file.close()
    assert (path.read_bytes() if path.exists() else b"") == b"".join(pieces)


async def test_a_closed_file_knows_its_time(tmp_path: Path) -> None:
    file = FileWriter(tmp_path / "file", DiskThreads(2))
    await file.write(b"abc")
    await file.close()
    await file.close()
    assert file.mtime_ns == (tmp_path / "file").stat().st_mtime_ns


async def test_restart_forgets_what_was_written(tmp_path: Path) -> None:
    file = FileWriter(tmp_path / "file", DiskThreads(2))
    await file.restart()
    await file.write(b"x" * TURN_BYTES)
    await file.write(b"y")
    await file.restart()
    await file.write(b"end")
    await file.close()
    assert file.path.read_bytes() == b"end"


async def test_discarding_deletes_the_file_also_when_cancelled(tmp_path: Path) -> None:
    file = FileWriter(tmp_path / "file", DiskThreads(2))
    await file.write(b"x" * TURN_BYTES)
    while not file.path.exists():
        await anyio.lowlevel.checkpoint()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await file.discard()
    assert not file.path.exists()
    await file.write(b"x" * TURN_BYTES)
    assert not file.path.exists()


async def test_a_disk_that_fails_is_an_output_error(tmp_path: Path) -> None:
    file = FileWriter(tmp_path / "missing" / "file", DiskThreads(2))
    await file.write(b"x")
    with pytest.raises(OutputError) as caught:
        await file.close()
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOENT
    assert str(tmp_path) not in str(caught.value)
    await file.discard()


async def test_what_was_closed_stays(tmp_path: Path) -> None:
    file = FileWriter(tmp_path / "file", DiskThreads(2))
    await file.write(b"abc")
    await file.close()
    await file.discard()
    assert file.path.read_bytes() == b"abc"


@pytest.mark.parametrize("size", [0, 1, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES])
async def test_a_reader_gives_everything_even_after_deletion(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    with await PdfReader.open(path, DiskThreads(2)) as reader:
        path.unlink()
        assert reader.size_bytes == size
        assert reader.is_small == (size <= READ_BYTES)
        parts = [await reader.read(READ_BYTES) for _ in range(4)]
    assert b"".join(parts) == data


async def test_a_reader_of_nothing_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await PdfReader.open(tmp_path / "file", DiskThreads(1))
