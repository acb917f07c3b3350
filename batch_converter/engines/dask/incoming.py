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


class StalledError(Exception):
    """No more pieces came; the argument says so."""


@dataclass(slots=True)
class _Copy:
    """A source that is arriving, or has arrived.

    Attributes:
        key: The task that has asked for it.
        users: Tasks that wait for it, or read it.
        is_broken: Whether no more of it will come.
    """

    key: str
    path: Path
    users: int = 0
    received_bytes: int = 0
    is_broken: bool = False
    changed: anyio.Event = field(default_factory=anyio.Event)

    def note(self, count: int) -> None:
        """Count bytes that have been written, and wake who waits for them."""
        self.received_bytes += count
        self.wake()

    def wake(self) -> None:
        """Have those look who wait for a change."""
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
            with anyio.move_on_after(_SILENCE_S) as patience:
                await copy.changed.wait()
            if patience.cancelled_caught or copy.is_broken:
                raise StalledError("its bytes stopped coming")
        if copy.key == order.key:
            await self._threads.run(_finish, copy.path, order.source.mtime_ns)

    async def receive(self, document: str, offset: int, data: bytes) -> bool:
        """Write a piece; returns whether anybody still wants the next one."""
        copy = self._copies.get(document)
        if copy is None or copy.received_bytes != offset:
            return False
        await self._threads.run(_append, copy.path, offset, data)
        copy.note(len(data))
        return True

    async def _tidy(self) -> None:
        while len(unused := [(d, c) for d, c in self._copies.items() if not c.users]) > _KEPT:
            await self._forget(*unused[0])  # meanwhile others are wanted again, or forgotten, too

    async def _forget(self, document: str, copy: _Copy) -> None:
        if self._copies.get(document) is copy:
            del self._copies[document]
        copy.is_broken = True
        copy.wake()
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


def _append(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def _finish(path: Path, mtime_ns: int) -> None:
    """Give the copy the time of its source, which a PDF may tell."""
    os.utime(path, ns=(mtime_ns, mtime_ns))


def _remove(folder: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(folder)
