"""The service's folder: its queue, documents that came in, PDFs that wait to be fetched.

All names are made here. Only files of these names are ever deleted, so the folder may hold
other things too. A file counts once its row says so: what has no row is swept at the start.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from anyio import CancelScope, to_thread
from filelock import FileLock, Timeout

from batch_converter.errors import StateLockedError, UsageError
from batch_converter.output import GroupedFolderSync
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from collections.abc import Set as AbstractSet

_log = structlog.get_logger()

LOCK_NAME: Final = "batch-converter-serve.lock"
QUEUE_NAME: Final = "queue.sqlite3"
_OWN_NAME: Final = re.compile(
    r"task-(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"\.(?P<kind>djvu|pdf|jpg)(?P<rest>(?:\.\d+)?(?:\.part)?(?:\.ocr)?)"
)
_TEMPORARY: Final = "batch-converter-serve-"
_THREADS: Final = 16
"""Many wait for a flush of the disk at once, and share it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFolder:
    """Where the files of all documents stand, and the threads that read and write them."""

    path: Path
    threads: DiskThreads
    syncs: GroupedFolderSync

    @property
    def queue_path(self) -> Path:
        """Where the rows are."""
        return self.path / QUEUE_NAME

    def upload_path(self, document_id: str) -> Path:
        """Return where a document's DjVu stands."""
        return self.path / f"task-{document_id}.djvu"

    def result_path(self, document_id: str) -> Path:
        """Return where its PDF stands."""
        return self.path / f"task-{document_id}.pdf"

    def picture_path(self, document_id: str) -> Path:
        """Return where the picture of its first page stands."""
        return self.path / f"task-{document_id}.jpg"

    async def sync(self) -> None:
        """Bring the names of all files to the disk, together with whoever else waits for that.

        Raises:
            OutputError: The disk does not say so.
        """
        with CancelScope(shield=True):
            await self.syncs.sync(self.path)

    async def remove(self, *document_ids: str) -> None:
        """Delete all files of these documents; those that are gone already are no error."""
        ways = (self.upload_path, self.result_path, self.picture_path)
        await _unlink_off_loop([way(name) for name in document_ids for way in ways])

    async def remove_upload(self, document_id: str) -> None:
        """Delete the document's DjVu, if it is there."""
        await _unlink_off_loop([self.upload_path(document_id)])

    async def remove_result(self, document_id: str) -> None:
        """Delete the document's PDF, whole or not, if it is there."""
        await _unlink_off_loop([self.result_path(document_id)])

    def uploads(self) -> AbstractSet[str]:
        """Return the ids of the documents whose DjVu is there. Blocks."""
        names = (_OWN_NAME.fullmatch(path.name) for path in self.path.iterdir())
        return {one["id"] for one in names if one and one["kind"] == "djvu" and not one["rest"]}

    def sweep(self, uploads: AbstractSet[str], results: AbstractSet[str]) -> int:
        """Delete what a dead service left half done; returns how many files. Blocks.

        Args:
            uploads: Ids of the documents whose DjVu is wanted.
            results: Ids of those whose PDF is.
        """
        wanted = {"djvu": uploads, "pdf": results, "jpg": results}
        stale = [
            path
            for path in self.path.iterdir()
            if (found := _OWN_NAME.fullmatch(path.name))
            and (found["rest"] or found["id"] not in wanted[found["kind"]])
        ]
        _unlink_all(stale)
        return len(stale)

    def has_lost(self, document_id: str) -> bool:
        """Whether a document's DjVu is gone, and not the whole folder with it. Blocks."""
        return self.queue_path.exists() and not self.upload_path(document_id).exists()

    def free_bytes(self) -> int:
        """Return how much more the disk takes. Blocks.

        Raises:
            OSError: It does not tell.
        """
        return shutil.disk_usage(self.path).free


async def _unlink_off_loop(paths: list[Path]) -> None:
    with CancelScope(shield=True):
        await to_thread.run_sync(_unlink_all, paths)


def _unlink_all(paths: Iterable[Path]) -> None:
    """Delete what can be deleted; the next service in this folder tries the rest again."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("server.file_not_deleted", name=path.name, reason=error.strerror)


@asynccontextmanager
async def open_data_folder(path: Path | None) -> AsyncIterator[DataFolder]:
    """Open the folder for one service alone.

    Args:
        path: The folder, made if it is missing; None makes a temporary one, gone at the end.

    Raises:
        StateLockedError: Another service works in the folder.
        UsageError: It cannot be made or written.
    """
    opened = await to_thread.run_sync(_OpenedFolder.open, path)
    threads = DiskThreads(_THREADS)
    folder = DataFolder(path=opened.path, threads=threads, syncs=GroupedFolderSync(threads))
    if opened.is_temporary:
        _log.warning(
            "server.temporary_folder",
            message="documents and results are lost when the service ends; give --data-dir",
            path=str(opened.path),
        )
    try:
        yield folder
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(opened.close)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenedFolder:
    path: Path
    lock: FileLock
    is_temporary: bool

    @classmethod
    def open(cls, path: Path | None) -> _OpenedFolder:
        try:
            return cls._lock(path or _temporary_folder(), path)
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
        _close_to_others(used)
        lock = FileLock(used / LOCK_NAME, thread_local=False)
        lock.acquire(blocking=False)
        return cls(path=used.resolve(), lock=lock, is_temporary=given is None)

    def close(self) -> None:
        self.lock.release()
        if self.is_temporary:
            shutil.rmtree(self.path, ignore_errors=True)


def _close_to_others(folder: Path) -> None:
    """Say that others may look into the folder; its owner may have meant that."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        _log.warning(
            "server.folder_is_open",
            path=str(folder),
            message=f"others may look into it (mode {mode:04o}); chmod 700 keeps documents private",
        )


def _temporary_folder() -> Path:
    """Make a folder, and clear those of services that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
        if _is_abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=_TEMPORARY))


def _is_abandoned(folder: Path) -> bool:
    """Whether a folder is this user's, has been a service's, and is nobody's now."""
    lock_path = folder / LOCK_NAME
    try:
        if folder.is_symlink() or folder.stat().st_uid != os.getuid() or not lock_path.exists():
            return False
        with FileLock(lock_path, thread_local=False).acquire(blocking=False):
            return True
    except (OSError, Timeout):
        return False
