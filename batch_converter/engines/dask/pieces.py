"""How files travel to and from workers that do not see them: in pieces, through the scheduler.

Each piece is a call that waits for its answer, so that neither the run, nor the scheduler, nor
a worker ever holds more of a file than that; and no machine needs to reach another that it did
not reach before.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import anyio

from batch_converter.engines.dask.tasks import drop, read, receive
from batch_converter.errors import OutputError, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_converter.engines.dask.cluster import Cluster
    from batch_converter.engines.dask.orders import Answer, Order
    from batch_converter.storage import OpenSource, SourceBytes
    from batch_converter.threads import DiskThreads

PIECE_BYTES: Final = 2 << 20
_AT_ONCE: Final = 4


class Pieces:
    """Sends sources and fetches results, a few at once.

    Args:
        cluster: Whose scheduler passes them on.
        threads: Where files are read and written.
        open_source: Opens a source by its path.
    """

    def __init__(self, cluster: Cluster, threads: DiskThreads, open_source: OpenSource) -> None:
        self._cluster = cluster
        self._threads = threads
        self._open_source = open_source
        self._under_way = anyio.Semaphore(_AT_ONCE)

    async def send(self, order: Order, worker: str) -> None:
        """Send a source, as long as that worker wants it.

        Raises:
            UnreadableError: It cannot be read, or is another one by now.
        """
        async with self._under_way:
            try:
                source = await self._threads.run(self._open_source, order.source.path)
                try:
                    await self._send(order, worker, source)
                finally:
                    source.close()
            except OSError as error:
                raise UnreadableError(f"it cannot be read: {error.strerror or error}") from error

    async def _send(self, order: Order, worker: str, source: SourceBytes) -> None:
        facts, offset = order.source, 0
        while offset < facts.size_bytes:
            status = await self._threads.run(source.status)
            if (status.size_bytes, status.mtime_ns) != (facts.size_bytes, facts.mtime_ns):
                raise UnreadableError("it changed while it was sent to a worker")
            data = await self._threads.run(
                source.at, offset, min(PIECE_BYTES, facts.size_bytes - offset)
            )
            if not data or not await self._call(worker, receive, order.document, offset, data):
                return
            offset += len(data)

    async def fetch(self, order: Order, answer: Answer) -> str | None:
        """Bring a result here; returns its place, or None where not all of it came.

        Raises:
            OutputError: It cannot be written.
        """
        worker, place = answer.held_by or "", order.target.new_place()
        async with self._under_way:
            offset = 0
            while offset < answer.size_bytes:
                data = await self._call(worker, read, order.key, offset, PIECE_BYTES)
                if not data:
                    return None
                try:
                    await self._threads.run(_write, place, offset, data)
                except OSError as error:
                    raise OutputError(f"the PDF cannot be written: {error.strerror}") from error
                offset += len(data)
            await self._call(worker, drop, order.key)
        return place

    async def _call(self, worker: str, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401  # what the worker returns
        """Call a function on a worker; None where it cannot be reached."""
        try:
            told = await self._cluster.client.run(
                function, *arguments, workers=[worker], on_error="return"
            )
        except (OSError, KeyError):
            return None
        found = told.get(worker)
        return None if isinstance(found, Exception) else found


def _write(place: str, offset: int, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(place, flags, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            count = os.pwrite(descriptor, rest, offset)
            rest, offset = rest[count:], offset + count
    finally:
        os.close(descriptor)
