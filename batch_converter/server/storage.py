"""The service's folder: documents that came in and PDFs that wait to be fetched.

All names are made here. Only files of these names are ever deleted, so the folder
may hold other things too.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from anyio import CancelScope, to_thread
from filelock import FileLock, Timeout

from batch_converter.errors import StateLockedError, UsageError
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_log = structlog.get_logger()

LOCK_NAME: Final = "batch-converter-serve.lock"
_OWN_NAME: Final = re.compile(
    r"task-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.(?:djvu|pdf(?:\.\d+\.part)?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFolder:
    """Where the files of all tasks stand, and the threads in which they are read and written."""

    path: Path
    threads: DiskThreads = field(default_factory=DiskThreads, compare=False)

    def upload_path(self, task_id: str) -> Path:
        """Return where the task's DjVu stands."""
        return self.path / f"task-{task_id}.djvu"

    def result_path(self, task_id: str) -> Path:
        """Return where the task's PDF stands."""
        return self.path / f"task-{task_id}.pdf"

    async def remove(self, *task_ids: str) -> None:
        """Delete the files of these tasks; those that are gone already are no error."""
        uploads = [self.upload_path(task_id) for task_id in task_ids]
        await _unlink_off_loop(uploads + [self.result_path(task_id) for task_id in task_ids])

    async def remove_upload(self, task_id: str) -> None:
        """Delete the task's DjVu, if it is there."""
        await _unlink_off_loop([self.upload_path(task_id)])

    def clear(self) -> None:
        """Delete what a service left here, and nothing else. Blocks."""
        _unlink_all([path for path in self.path.iterdir() if _OWN_NAME.fullmatch(path.name)])


async def _unlink_off_loop(paths: list[Path]) -> None:
    with CancelScope(shield=True):
        await to_thread.run_sync(_unlink_all, paths)


def _unlink_all(paths: list[Path]) -> None:
    """Delete what can be deleted; the next service in this folder tries the rest again."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("server.file_not_deleted", name=path.name, reason=error.strerror)


@asynccontextmanager
async def open_data_folder(path: Path | None) -> AsyncIterator[DataFolder]:
    """Open the folder for one service alone; its files are gone at the end.

    Args:
        path: The folder, made if it is missing; None makes a temporary one.

    Raises:
        StateLockedError: Another service works in the folder.
        UsageError: It cannot be made or written.
    """
    opened = await to_thread.run_sync(_OpenedFolder.open, path)
    try:
        yield opened.folder
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(opened.close)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenedFolder:
    folder: DataFolder
    lock: FileLock
    temporary: bool

    @classmethod
    def open(cls, path: Path | None) -> _OpenedFolder:
        try:
            return cls._lock(path or Path(tempfile.mkdtemp(prefix="batch-converter-serve-")), path)
        except Timeout:
            msg = f"another service works in {path}; give this one its own --data-dir"
            raise StateLockedError(msg) from None
        except OSError as error:
            what = "a temporary data folder" if path is None else f"the data folder {path}"
            msg = f"cannot use {what}: {error.strerror}"
            raise UsageError(msg) from error

    @classmethod
    def _lock(cls, used: Path, given: Path | None) -> _OpenedFolder:
        used.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(used / LOCK_NAME, thread_local=False)
        lock.acquire(blocking=False)
        opened = cls(folder=DataFolder(path=used.resolve()), lock=lock, temporary=given is None)
        opened.folder.clear()
        return opened

    def close(self) -> None:
        self.folder.clear()
        self.lock.release()
        if self.temporary:
            shutil.rmtree(self.folder.path, ignore_errors=True)
