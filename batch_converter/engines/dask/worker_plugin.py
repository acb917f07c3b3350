"""What converts inside a Dask worker: tasks come in, isolated processes with limits do the work.

The worker's own process reads no DjVu: it holds the pipes to those that do, as the process of
a run does with the embedded engine. They end with the worker, however it ends, for they end
with their pipes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
from distributed import WorkerPlugin

from batch_converter.djvu.jobs.part_files import remove_parts
from batch_converter.djvu.jobs.parts import parts_of
from batch_converter.djvu.work.workers import WorkerPool
from batch_converter.engines.dask.gate import Gate
from batch_converter.engines.dask.incoming import IncomingSources, StalledError
from batch_converter.engines.dask.orders import TOPIC, Answer
from batch_converter.engines.dask.shared_files import are_here, is_here, make_beside
from batch_converter.engines.local.asking import Workers
from batch_converter.errors import FileError, MachineExhaustedError
from batch_converter.storage import sync_file
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from distributed import Worker

    from batch_converter.engines.dask.orders import Order

_log = logging.getLogger("distributed.worker.batch_converter")  # noqa: TID251  # the worker's own

NAME: Final = "batch-converter"
_IDLE_S: Final = 300.0
"""After so long without a task the processes end: the run may be over, or dead."""

_KEPT_S: Final = 1800.0
"""For so long without a sign of any run, files wait to be fetched."""

_CALLED_OFF: Final = frozenset({"cancelled", "released", "forgotten", "error"})
_PRIORITY: Final = (0.0,)


class ConversionPlugin(WorkerPlugin):
    """The conversions of one worker; it comes with the first task."""

    def setup(self, worker: Worker) -> None:
        """Get ready; processes start when they are first needed."""
        self._worker = worker
        self._threads = DiskThreads()
        self._folder = Path(worker.local_directory) / NAME
        self._gate = Gate()
        self._pools: dict[int, WorkerPool] = {}
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._results: dict[str, Path] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._clearing: asyncio.Task[None] | None = None
        self.incoming = IncomingSources(self._folder / "sources", self._threads)

    @classmethod
    async def of(cls, worker: Worker) -> ConversionPlugin:
        """Return the worker's own."""
        if NAME not in worker.plugins:
            await worker.plugin_add(cls(), name=NAME)
        return cast("ConversionPlugin", worker.plugins[NAME])

    def transition(self, key: object, start: str, finish: str, **_: object) -> None:
        """Call off what nobody wants any more: its process is killed."""
        del start
        if finish in _CALLED_OFF and (scope := self._scopes.get(str(key))) is not None:
            scope.cancel()

    async def teardown(self, worker: Worker) -> None:
        """End with the worker."""
        del worker
        for scope in self._scopes.values():
            scope.cancel()
        await self._clear()
        await self._threads.run(shutil.rmtree, self._folder, ignore_errors=True)

    async def perform(self, order: Order) -> Answer:
        """Do a task.

        The run is told when it begins and ends, and when the worker leaves in order before
        its end: so a death of the worker in between can be laid to it, and no other.
        """
        self._stay()
        scope = self._scopes[order.key] = anyio.CancelScope()
        try:
            with scope:
                async with self._gate.entered(alone=order.is_alone):
                    self._tell(order, "begun")
                    answer = await self._convert(order)
                    self._tell(order, "ended")
                    return answer
        except asyncio.CancelledError:
            self._tell(order, "left")
            raise
        finally:
            del self._scopes[order.key]
            self._stay()
        return Answer(stalled="it was called off")

    def _tell(self, order: Order, what: str) -> None:
        told = {"what": what, "key": order.key, "worker": self._worker.address}
        with suppress(Exception):  # the stream is closed: the run is told of the worker's end
            self._worker.log_event(TOPIC, told)

    async def _convert(self, order: Order) -> Answer:
        try:
            async with self._source(order) as source:
                return await self._placed(order, source)
        except StalledError as error:
            return Answer(stalled=str(error))
        except MachineExhaustedError as error:
            return Answer(stalled=str(error))
        except OSError as error:
            return Answer(stalled=f"its scratch folder cannot be used: {error.strerror}")

    @asynccontextmanager
    async def _source(self, order: Order) -> AsyncIterator[str]:
        """Have the source under a path, its own or a copy's."""
        if await self._threads.run(is_here, order.source):
            yield order.source.path
            return
        async with self.incoming.copy_of(order, lambda: self._tell(order, "wants")) as path:
            yield path

    async def _placed(self, order: Order, source: str) -> Answer:
        """Convert to where the result is to stand, or to where the run can fetch it."""
        target, place = order.target, order.target.new_place()
        is_shared = await self._threads.run(make_beside, target.path, target.word, place)
        if order.kind == "assemble" and not (
            is_shared and await self._threads.run(are_here, order.details["sizes"])
        ):
            await self._removed(place)
            return Answer(is_elsewhere=True)
        if is_shared:
            return await self._written(order, source, place, held_by=None)
        held = self._folder / "results" / order.key
        await self._threads.run(_make_room, held)
        answer = await self._written(order, source, os.fspath(held), held_by=self._worker.address)
        if answer.held_by:
            self._results[order.key] = held
        return answer

    async def _written(
        self, order: Order, source: str, place: str, *, held_by: str | None
    ) -> Answer:
        size_bytes = 0
        try:
            told = await self._told(order, source, place)
            if "warnings" in told or "result" in told:
                size_bytes = await self._threads.run(_sealed, place)
        finally:
            if not size_bytes:
                await self._removed(place)
        if held_by and "error" in told:  # a disk of the worker's own is none of the run's
            told.pop("errno", None)
        if not size_bytes:
            return Answer(told=told)
        return Answer(told=told, place=place, size_bytes=size_bytes, held_by=held_by)

    async def _removed(self, place: str) -> None:
        with anyio.CancelScope(shield=True):
            await self._threads.start(remove_parts, [place])

    async def _told(self, order: Order, source: str, place: str) -> dict[str, Any]:
        try:
            match order.kind:
                case "document":
                    return await self._document(order, source, place)
                case "part":
                    return await self._part(order, source, place)
                case _:
                    return await self._assembled(order, source, place)
        except FileError as error:
            cause = error.__cause__
            number = cause.errno if isinstance(cause, OSError) else None
            return {"error": error.code.value, "message": str(error), "errno": number}

    async def _document(self, order: Order, source: str, place: str) -> dict[str, Any]:
        """Convert a document that is one part; of a longer one, count the pages.

        What a single page includes from files beside it has not come with a copy.
        """
        workers, job = self._workers(order), {"source": source, "target": place}
        counted = await workers.ask({**job, "job": "inspect"}, _PRIORITY, pages=0)
        pages = counted["pages"]
        if len(parts_of(pages)) > 1:
            return {"pages": pages, "is_long": True}
        if pages == 1 and source != order.source.path:
            answer = await workers.ask({**job, "job": "needs_others"}, _PRIORITY, pages=0)
            if answer["needs_others"]:
                return answer
        answer = await workers.ask({**job, "job": "convert"}, _PRIORITY, pages=pages)
        return {**answer, "pages": pages}

    async def _part(self, order: Order, source: str, place: str) -> dict[str, Any]:
        start, stop = order.details["start"], order.details["stop"]
        job = {"job": "part", "source": source, "target": place, "start": start, "stop": stop}
        return await self._workers(order).ask(job, _PRIORITY, pages=stop - start)

    async def _assembled(self, order: Order, source: str, place: str) -> dict[str, Any]:
        told = order.details
        job = {
            "job": "assemble",
            "source": source,
            "target": place,
            "parts": list(told["sizes"]),
            "results": told["results"],
        }
        return await self._workers(order).ask(job, _PRIORITY, pages=told["pages"])

    def _workers(self, order: Order) -> Workers:
        max_bytes = order.options.max_memory_bytes
        pool = self._pools.get(max_bytes)
        if pool is None:
            size = self._worker.state.nthreads
            pool = self._pools[max_bytes] = WorkerPool(size=size, max_memory_bytes=max_bytes)
        return Workers(pool, order.options, page_timeout_s=order.page_timeout_s)

    async def read(self, key: str, offset: int, count: int) -> bytes | None:
        """Return a piece of a result that is held here; None where it is not, any more."""
        self._stay()
        place = self._results.get(key)
        return None if place is None else await self._threads.run(_read, place, offset, count)

    async def drop(self, key: str) -> None:
        """Remove a result."""
        place = self._results.pop(key, None)
        if place is not None:
            await self._removed(os.fspath(place))

    def _stay(self) -> None:
        """Keep processes and files for a while, counted anew."""
        loop = asyncio.get_running_loop()
        self._stop_timers()
        self._timers = [
            loop.call_later(_IDLE_S, self._begin_clearing, self._end_processes),
            loop.call_later(_KEPT_S, self._begin_clearing, self._clear),
        ]

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()

    def _begin_clearing(self, clear: Callable[[], Coroutine[None, None, None]]) -> None:
        if not self._scopes:
            self._clearing = asyncio.get_running_loop().create_task(_logged(clear))

    async def _end_processes(self) -> None:
        """End those that have nothing to do; a task that begins meanwhile may bring a pool."""
        for pool in list(self._pools.values()):
            await pool.aclose()

    async def _clear(self) -> None:
        """Remove what is held now, at first: a task that begins meanwhile has its own result."""
        self._stop_timers()
        for key in list(self._results):
            await self.drop(key)
        await self.incoming.clear()
        await self._end_processes()


async def _logged(clear: Callable[[], Coroutine[None, None, None]]) -> None:
    """Clear, and have the worker's log tell of a failure: nobody waits for it."""
    try:
        await clear()
    except Exception:  # noqa: BLE001  # told in that log, with its traceback
        _log.exception("a worker could not clear what it has not used for a while")


def _make_room(place: Path) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.touch(mode=0o600)


def _sealed(place: str) -> int:
    """Bring a result to the disk, whose it may be; returns its length."""
    descriptor = os.open(place, os.O_RDWR | os.O_CLOEXEC)
    try:
        sync_file(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _read(place: Path, offset: int, count: int) -> bytes:
    with place.open("rb") as file:
        file.seek(offset)
        return file.read(count)
