"""One file in and one file out: large pieces, never on the event loop."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from aiofiles.threadpool import wrap
from anyio import CancelScope

from batch_converter.codec import READ_BYTES
from batch_converter.errors import OutputError
from batch_converter.output import Backlog, write_pieces
from batch_converter.storage import sync_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import BufferedReader
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from batch_converter.threads import DiskThreads

PIECE_BYTES: Final = 1024 * 1024


class FileWriter:
    """A new file that is written and hashed in large pieces, off the event loop.

    Small documents wait in memory and take one trip to a thread. It is a `PdfTarget`
    too. Its methods raise OutputError if the disk does not do its part.

    Attributes:
        mtime_ns: Time of the last change, once it is closed.
        sha256: Of what was written, in hexadecimal digits, once it is closed.
    """

    def __init__(self, path: Path, threads: DiskThreads) -> None:
        self.mtime_ns = 0
        self.sha256 = ""
        self._hash = hashlib.sha256()
        self._path = path
        self._threads = threads
        self._file: BinaryIO | None = None
        self._backlog = Backlog(self._append, threads)
        self._is_done = False

    @property
    def path(self) -> Path:
        """Where the file stands."""
        return self._path

    async def restart(self) -> None:
        """Empty the file."""
        await self._backlog.drop()
        await self._threads.run(self._empty)

    async def write(self, data: bytes) -> None:
        """Append the data, sooner or later; what comes after `discard` is dropped."""
        if self._is_done:
            return
        await self._backlog.put(data)

    async def close(self) -> None:
        """Bring all to the disk and close; a file that was never written to is not made.

        Its name is not on the disk yet.
        """
        if self._is_done:
            return
        with CancelScope(shield=True):
            rest = await self._backlog.rest()
            await self._threads.start(self._finish, rest)
            self._is_done = True

    async def discard(self) -> None:
        """Delete the file if it was not closed, once no thread is at it; nothing is raised."""
        if self._is_done:
            return
        self._is_done = True
        with CancelScope(shield=True):
            await self._backlog.drop()
            await self._threads.start(self._delete)

    def _append(self, pieces: Sequence[bytes | bytearray]) -> None:
        with disk_errors():
            if self._file is None:
                self._file = self._path.open("wb", buffering=0)
            write_pieces(self._file.fileno(), pieces)
        for piece in pieces:
            self._hash.update(piece)

    def _empty(self) -> None:
        with disk_errors():
            if self._file is not None:
                self._file.seek(0)
                self._file.truncate()
        self._hash = hashlib.sha256()

    def _finish(self, rest: bytes | bytearray) -> None:
        if rest:
            self._append([rest])
        if self._file is not None:
            with disk_errors(), self._file as file:
                sync_file(file.fileno())
                self.mtime_ns = os.fstat(file.fileno()).st_mtime_ns
            self.sha256 = self._hash.hexdigest()

    def _delete(self) -> None:
        if self._file is not None:
            self._file.close()
        with suppress(OSError):  # the next service in this folder clears it
            self._path.unlink(missing_ok=True)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Map every `OSError` inside to an `OutputError` without a path of ours; it stays the cause."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write to the data folder: {error.strerror}") from error


class PdfReader:
    """A PDF on its way out; a small one is read whole while it is opened.

    Deleting the file in the meantime does no harm.

    Attributes:
        size_bytes: Length of the file.
    """

    def __init__(self, file: BufferedReader, ahead: bytes, threads: DiskThreads) -> None:
        self.size_bytes = os.fstat(file.fileno()).st_size
        self._file = file
        self._ahead = ahead
        self._pieces = wrap(file, loop=asyncio.get_running_loop(), executor=threads.executor)

    @classmethod
    async def open(cls, path: Path, threads: DiskThreads) -> PdfReader:
        """Open the file, which is read in the threads; one trip to them is enough for a small one.

        Raises:
            OSError: It is not there, or cannot be read.
        """
        file, ahead = await threads.run(_begun, path)
        return cls(file, ahead, threads)

    @property
    def is_small(self) -> bool:
        """Whether the first read gives everything."""
        return self.size_bytes <= READ_BYTES

    async def read(self, size: int) -> bytes:
        """Return the next bytes, at most so many; none at the end."""
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        return b"" if self.is_small else await self._pieces.read(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close at once: what is only read has nothing to write, so nothing to wait for.

        In a thread it would be left undone by a handler that aiohttp cancels.
        """
        self._file.close()


def _begun(path: Path) -> tuple[BufferedReader, bytes]:
    file = path.open("rb")
    try:
        return file, file.read(READ_BYTES)
    except BaseException:
        file.close()
        raise
