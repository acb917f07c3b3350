"""One file in and one file out: large pieces, never on the event loop."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from aiofiles.threadpool import wrap
from anyio import CancelScope, to_thread

from batch_converter.codec import READ_BYTES
from batch_converter.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedReader
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from batch_converter.threads import DiskThreads

PIECE_BYTES: Final = 1024 * 1024


class PieceFile:
    """A new file that is written in large pieces, off the event loop.

    Small documents wait in memory and take one hop to a thread. It is a `PdfTarget`
    too. Its methods raise OutputError if the disk does not do its part.

    Attributes:
        mtime_ns: Time of the last change, once it is closed.
    """

    def __init__(self, path: Path) -> None:
        self.mtime_ns = 0
        self._path = path
        self._file: BinaryIO | None = None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        # A handler that aiohttp cancels leaves its thread behind, still writing.
        self._order = threading.Lock()
        self._closed = False

    @property
    def path(self) -> Path:
        """Where the file stands."""
        return self._path

    async def restart(self) -> None:
        """Empty the file."""
        self._take_waiting()
        await self._in_thread(self._empty)

    async def write(self, data: bytes) -> None:
        """Append the data, sooner or later."""
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= PIECE_BYTES:
            await self._in_thread(self._append, self._take_waiting())

    async def close(self) -> None:
        """Write what is waiting and close; closing twice is no error."""
        with CancelScope(shield=True):
            await self._in_thread(self._finish, self._take_waiting())

    async def discard(self) -> None:
        """Close the file and delete it."""
        self._take_waiting()
        with CancelScope(shield=True):
            await self._in_thread(self._delete)

    def _take_waiting(self) -> bytes:
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return data

    async def _in_thread(self, step: Callable[..., None], *args: bytes) -> None:
        try:
            await to_thread.run_sync(self._one_by_one, step, *args)
        except OSError as error:
            msg = f"cannot write to the data folder: {error.strerror}"
            raise OutputError(msg) from error

    def _one_by_one(self, step: Callable[..., None], *args: bytes) -> None:
        with self._order:
            step(*args)

    def _append(self, data: bytes) -> None:
        if self._closed:
            return
        if self._file is None:
            self._file = self._path.open("wb")
        self._file.write(data)

    def _empty(self) -> None:
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()

    def _finish(self, data: bytes) -> None:
        if data:
            self._append(data)
        if self._file is not None and not self._closed:
            self._closed = True
            with self._file as file:
                file.flush()
                self.mtime_ns = os.fstat(file.fileno()).st_mtime_ns

    def _delete(self) -> None:
        """Delete the file even where its last bytes cannot be written."""
        with suppress(OSError):
            self._finish(b"")
        self._closed = True
        self._path.unlink(missing_ok=True)


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
