"""Sources that a worker does not see, as they arrive in pieces."""

from __future__ import annotations

import os
import shutil
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from batch_converter.engines.dask.orders import Order
    from batch_converter.threads import DiskThreads

_KEPT: Final = 2
"""Copies that nobody uses and that the next part of the same document may want."""

_SILENCE_S: Final = 900.0
"""Others' files may be on their way before; of a run that is gone, tasks are called off."""

_SILENT: Final = "its bytes stopped coming"


class StalledError(Exception):
    """No more pieces came; the argument says so."""


@dataclass(slots=True)
class _Copy:
    """A source that is arriving, or has arrived.

    Attributes:
        key: The task that has asked for it.
        users: Tasks that wait for it, or read it.
        received_bytes: How much of it has been written, from its beginning.
        loss: Why no more of it will come; empty while it may.
        writing: Held while its file is made, and while a piece is written.
    """

    key: str
    path: Path
    users: int = 0
    received_bytes: int = 0
    loss: str = ""
    writing: anyio.Lock = field(default_factory=anyio.Lock)
    changed: anyio.Event = field(default_factory=anyio.Event)

    def note(self, received_bytes: int) -> None:
        """Note how much has been written by now, and wake who waits for it."""
        self.received_bytes = received_bytes
        self._wake()

    def lose(self, why: str) -> None:
        """Give it up, and wake who waits for it."""
        self.loss = self.loss or why
        self._wake()

    def _wake(self) -> None:
        changed, self.changed = self.changed, anyio.Event()
        changed.set()


class IncomingSources:
    """Copies of sources, one a document, each in a folder of its own under its own name.

    Args:
        folder: Where they lie.
        threads: Where they are written.
    """

    def __init__(self, folder: Path, threads: DiskThreads) -> None:
        self._folder = folder
        self._threads = threads
        self._copies: dict[str, _Copy] = {}

    @asynccontextmanager
    async def copy_of(self, order: Order, ask: Callable[[], None]) -> AsyncIterator[str]:
        """Have a source, whole, for the length of the context.

        Args:
            order: Whose source it is.
            ask: Asks the run for it.

        Raises:
            StalledError: It did not arrive.
            OSError: There is no room for it.
        """
        copy = self._copies.get(order.document)
        if copy is None:
            copy = self._copies[order.document] = self._begun(order)
        copy.users += 1
        try:
            if copy.key == order.key:
                async with copy.writing:  # an earlier attempt's piece may be on its way
                    await self._threads.run(_prepare, copy.path)
                ask()
            await self._wait(copy, order)
            yield os.fspath(copy.path)
        except BaseException:
            if copy.received_bytes < order.source.size_bytes:
                await self._forget(order.document, copy)
            raise
        finally:
            copy.users -= 1
            await self._tidy()

    def _begun(self, order: Order) -> _Copy:
        name = os.path.basename(order.source.path)  # noqa: PTH119  # a path as str, its bytes kept
        return _Copy(order.key, self._folder / order.key / "source" / name)

    async def _wait(self, copy: _Copy, order: Order) -> None:
        while copy.received_bytes < order.source.size_bytes:
            if copy.loss:
                raise StalledError(copy.loss)
            with anyio.move_on_after(_SILENCE_S) as patience:
                await copy.changed.wait()
            if patience.cancelled_caught:
                raise StalledError(_SILENT)
        if copy.key == order.key:
            await self._threads.run(_finish, copy.path, order.source.mtime_ns)

    async def receive(self, document: str, offset: int, data: bytes) -> bool:
        """Write a piece; returns whether anybody still wants the next one.

        What is there already is wanted no less, and counts once: it may have come from a sender
        that has been called off, and who begins anew has to get behind it.
        """
        copy = self._copies.get(document)
        if copy is None:
            return False
        async with copy.writing:
            end = offset + len(data)
            if copy.loss or offset > copy.received_bytes:
                return False
            if end > copy.received_bytes:
                await self._write(copy, offset, data)
                copy.note(end)
        return True

    async def _write(self, copy: _Copy, offset: int, data: bytes) -> None:
        """Write a piece; where that fails nobody waits for the next one, for none will come."""
        try:
            await self._threads.run(_write, copy.path, offset, data)
        except OSError as error:
            copy.lose(f"its bytes could not be written: {error.strerror}")
            raise

    async def _tidy(self) -> None:
        while len(unused := [(d, c) for d, c in self._copies.items() if not c.users]) > _KEPT:
            await self._forget(*unused[0])  # meanwhile others are wanted again, or forgotten, too

    async def _forget(self, document: str, copy: _Copy) -> None:
        if self._copies.get(document) is copy:
            del self._copies[document]
        copy.lose(_SILENT)
        with anyio.CancelScope(shield=True):
            await self._threads.start(_remove, copy.path.parents[1])

    async def clear(self) -> None:
        """Remove the copies that nobody uses."""
        for document, copy in list(self._copies.items()):
            if not copy.users:
                await self._forget(document, copy)


def _prepare(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)


def _write(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def _finish(path: Path, mtime_ns: int) -> None:
    """Give the copy the time of its source, which a PDF may tell."""
    os.utime(path, ns=(mtime_ns, mtime_ns))


def _remove(folder: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(folder)
