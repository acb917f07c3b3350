"""A few worker processes, given jobs in order of urgency, replaced when they die."""

from __future__ import annotations

import heapq
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import anyio

from batch_converter.djvu.worker_process import WorkerGoneError, WorkerProcess
from batch_converter.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_WORKERS_A_JOB: Final = 4  # one that died idle, unnoticed, and three fresh ones

Priority = tuple[int, ...]


class _NotBegunError(Exception):
    """A process died before it took its job up; the argument is how."""


@dataclass(order=True, slots=True)
class _Waiter:
    """Somebody in the queue for a worker."""

    priority: Priority
    number: int
    called: anyio.Event = field(compare=False, default_factory=anyio.Event)
    gone: bool = field(compare=False, default=False)


class WorkerPool:
    """At most `size` processes; they start when they are first needed.

    Args:
        size: Processes at once.
        max_memory_bytes: Address space of each.
        max_jobs: After so many a process is replaced, so that nothing piles up.
    """

    def __init__(self, *, size: int, max_memory_bytes: int, max_jobs: int = 200) -> None:
        self.size = self._free = size
        self._max_memory_bytes = max_memory_bytes
        self._max_jobs = max_jobs
        self._threads = anyio.CapacityLimiter(size)  # each starts or ends a process
        self._idle: list[WorkerProcess] = []
        self._waiting: list[_Waiter] = []
        self._numbers = count()

    async def run(
        self, job: Mapping[str, Any], *, priority: Priority, timeout_s: float
    ) -> dict[str, Any]:
        """Have a job done; the smallest priority that waits is served first.

        Cancellation kills the process that works on it.

        Raises:
            EngineError: The process died at it or took longer than `timeout_s`, or
                process after process died before it began.
        """
        async with self._turn(priority):
            how = ""
            for attempt in range(_WORKERS_A_JOB):
                worker = await (self._start() if attempt else self._take())
                try:
                    return await self._have_done(job, worker, timeout_s)
                except _NotBegunError as error:
                    how = str(error)
            raise EngineError(f"no process begins to convert it: the last one {how}")

    async def _have_done(
        self, job: Mapping[str, Any], worker: WorkerProcess, timeout_s: float
    ) -> dict[str, Any]:
        try:
            with anyio.fail_after(timeout_s):
                answer = await worker.ask(job)
        except BaseException as error:
            how = await worker.end()
            if isinstance(error, TimeoutError):
                message = f"it took longer than {timeout_s:.0f} seconds"
                raise EngineError(message) from error
            if isinstance(error, WorkerGoneError):
                if error.begun:
                    raise EngineError(f"the process that converted it {how}") from error
                raise _NotBegunError(how) from error
            raise
        await self._put_back(worker)
        return answer

    async def aclose(self) -> None:
        """End all processes that have nothing to do; the others belong to their callers."""
        while self._idle:
            await self._idle.pop().end()

    async def _take(self) -> WorkerProcess:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            await worker.end()
        return await self._start()

    async def _put_back(self, worker: WorkerProcess) -> None:
        worker.jobs_left -= 1
        if worker.jobs_left > 0:
            self._idle.append(worker)
        else:
            await worker.end()

    async def _start(self) -> WorkerProcess:
        return await WorkerProcess.start(
            max_memory_bytes=self._max_memory_bytes,
            max_jobs=self._max_jobs,
            threads=self._threads,
        )

    @asynccontextmanager
    async def _turn(self, priority: Priority) -> AsyncIterator[None]:
        if self._free:
            self._free -= 1
        else:
            await self._wait(priority)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, priority: Priority) -> None:
        waiter = _Waiter(priority, next(self._numbers))
        heapq.heappush(self._waiting, waiter)
        try:
            await waiter.called.wait()
        except BaseException:
            waiter.gone = True
            if waiter.called.is_set():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            waiter = heapq.heappop(self._waiting)
            if not waiter.gone:
                waiter.called.set()
                return
        self._free += 1
