"""A few worker processes, given jobs in order of urgency, replaced when they die."""

from __future__ import annotations

import heapq
import signal
import time
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import anyio

from batch_converter.djvu.jobs.verdicts import SHORTAGE
from batch_converter.djvu.work.spawning import describe_end
from batch_converter.djvu.work.worker_process import WorkerGoneError, WorkerStartError
from batch_converter.djvu.work.worker_starter import WorkerStarter
from batch_converter.errors import EngineError, MachineExhaustedError, OutputError
from batch_converter.shortage import machine_trouble, stopped_when_exhausted
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractContextManager

    from batch_converter.djvu.work.worker_process import WorkerProcess

_PAUSES_S: Final = (0.0, 0.25, 1.0)  # after one that died idle, unnoticed, and two fresh ones
MAX_KILLS: Final = 3
"""The kernel picks its victims by their size, and by nobody's fault: one or two may be bad luck."""

_MAX_JOBS: Final = 2_000
"""A start takes as long as some 50 small documents. Nothing is known to pile up: over 3,500
documents, most of them damaged, after the largest of them a process grew by 0.1 MB."""

_AT_ONCE: Final = (float("-inf"),)
_GROW_AFTER_S: Final = 60.0
_MOST_THREADS: Final = 4

Priority = tuple[float, ...]


class _NotBegunError(Exception):
    """A process died before it took its job up; the argument is how."""


class _LackError(Exception):
    """The machine lacked something when a process was at its job; the argument is what."""


class _KilledError(Exception):
    """Somebody, most likely the kernel, killed a process at its job; the argument is how."""


def _fate(status: int, *, begun: bool) -> Exception:
    """Return what the end of a process means for its job."""
    if not begun:
        return _NotBegunError(f"the last one, before it began, {describe_end(status)}")
    if status == -signal.SIGKILL:
        return _KilledError(describe_end(status))
    return EngineError(f"the process that converted it {describe_end(status)}")


@dataclass(slots=True)
class _History:
    """What has happened to a job so far.

    Attributes:
        max_kills: So many are the job's own fault.
        failures: Processes that never began it, or lacked something.
        kills: Processes that were killed at it.
        last: What the last one failed with.
    """

    max_kills: int
    failures: int = 0
    kills: int = 0
    last: Exception | None = None

    def note(self, error: Exception) -> None:
        """Count a failure.

        Raises:
            EngineError: It has been killed too often: the job itself must be the reason.
        """
        self.last = error
        if not isinstance(error, _KilledError):
            self.failures += 1
            return
        self.kills += 1
        if self.kills >= self.max_kills:
            tries = "the process" if self.max_kills == 1 else f"each of {self.kills} processes"
            raise EngineError(f"{tries} that converted it {error}")

    def pause_s(self) -> float:
        """Return how long to wait before the next try.

        Raises:
            OutputError: There were enough of them, and at least the last had begun.
            MachineExhaustedError: There were enough of them.
        """
        if self.failures <= len(_PAUSES_S):
            return _PAUSES_S[max(0, self.failures - 1)]
        if isinstance(self.last, _LackError):
            raise OutputError(
                f"the machine lacks what its conversion needs: {self.last}"
            ) from machine_trouble(str(self.last))
        raise MachineExhaustedError(
            f"the embedded engine can start no process that converts: {self.last}; no file is at"
            " fault. See the limits on open files, processes and memory (ulimit -n, ulimit -u,"
            " ulimit -v, those of a container or service), and run the same command again"
        )


@dataclass(order=True, slots=True)
class _Waiter:
    """Somebody in the queue for a worker."""

    priority: Priority
    number: int
    called: anyio.Event = field(compare=False, default_factory=anyio.Event)
    gone: bool = field(compare=False, default=False)


class WorkerPool:
    """At most `size` processes; they start when they are first needed, or `start_for` is asked.

    Args:
        size: Processes at once.
        max_memory_bytes: Address space of each.
        max_jobs: After so many a process is replaced, so that nothing piles up.
        max_kills: So many processes that are killed at a job are the job's own fault.
    """

    def __init__(
        self,
        *,
        size: int,
        max_memory_bytes: int,
        max_jobs: int = _MAX_JOBS,
        max_kills: int = MAX_KILLS,
    ) -> None:
        self.size = self._size = self._free = size
        self._surplus = 0  # places that are given up with their turn
        self._is_proven = False
        self._grow_at_s = 0.0
        self._max_kills = max_kills
        self._starter = WorkerStarter(
            max_memory_bytes=max_memory_bytes,
            max_jobs=max_jobs,
            threads=DiskThreads(min(size, _MOST_THREADS)),
        )
        self._idle: list[WorkerProcess] = []
        self._waiting: list[_Waiter] = []
        self._numbers = count()

    async def start_for(self, jobs: int) -> None:
        """Start processes for so many jobs before they come, as far as there is room.

        A job that comes meanwhile takes the first that is there. One that cannot be started is
        left to the job that needs it.
        """
        async with anyio.create_task_group() as group:
            for _ in range(min(jobs, self._free)):
                group.start_soon(self._start_idle)

    async def _start_idle(self) -> None:
        if len(self._idle) >= self._free:  # jobs were here first, and have started them
            return
        async with self._turn(_AT_ONCE):
            with suppress(WorkerStartError, MachineExhaustedError), stopped_when_exhausted():
                self._idle.append(await self._starter.start())

    async def run(
        self,
        job: Mapping[str, Any],
        *,
        priority: Priority,
        timeout_s: float,
        at_work: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> dict[str, Any]:
        """Have a job done; the smallest priority that waits is served first.

        Cancellation kills the process that works on it. A job that was not begun, whose
        process was killed from outside, or for which the machine lacked something, goes
        to another process. While others work, one that cannot be started is done without.

        Args:
            job: What a worker is told.
            priority: Its place in the queue.
            timeout_s: Patience with each process that works on it.
            at_work: Entered whenever one is at it, and left when that ends.

        Raises:
            EngineError: A process died at it by itself, `max_kills` were killed at it, or
                one took longer than `timeout_s`.
            OutputError: The machine lacked what the job needs, again and again.
            MachineExhaustedError: Process after process could not even begin.
        """
        history = _History(self._max_kills)
        while True:
            async with self._turn(priority):
                try:
                    worker = await self._take()
                    answer = await self._have_done(job, worker, timeout_s, at_work)
                except (WorkerStartError, _NotBegunError, _KilledError) as error:
                    history.note(error)
                else:
                    if answer.get("error") != SHORTAGE:
                        return answer
                    history.note(_LackError(answer["message"]))
                if history.failures > 1 and self._is_anyone_working():
                    self._shrink()
                    history.failures = 1
            await anyio.sleep(history.pause_s())

    async def _have_done(
        self,
        job: Mapping[str, Any],
        worker: WorkerProcess,
        timeout_s: float,
        at_work: Callable[[], AbstractContextManager[None]],
    ) -> dict[str, Any]:
        try:
            with at_work(), anyio.fail_after(timeout_s):
                answer = await worker.ask(job)
        except BaseException as error:
            status = await worker.end()
            if isinstance(error, TimeoutError):
                message = f"it took longer than {timeout_s:.0f} seconds"
                raise EngineError(message) from error
            if isinstance(error, WorkerGoneError):
                raise _fate(status, begun=error.begun) from error
            raise
        self._is_proven = True
        await self._put_back(worker)
        return answer

    def _is_anyone_working(self) -> bool:
        """Whether others are at work, in processes like those that have answered before."""
        return self._is_proven and self._size - self._free > 1

    def _shrink(self) -> None:
        """Do without this one for a while: its place is not passed on."""
        self._size -= 1
        self._surplus += 1
        self._grow_at_s = time.monotonic() + _GROW_AFTER_S

    def _grow(self) -> None:
        """Try again with one more; what was lacking may be there by now."""
        if self._size < self.size and time.monotonic() >= self._grow_at_s:
            self._size += 1
            self._grow_at_s = time.monotonic() + _GROW_AFTER_S
            self._pass_on()

    async def aclose(self) -> None:
        """End all processes that have nothing to do, together: each takes the system 40 ms.

        The others belong to their callers.
        """
        async with anyio.create_task_group() as group:
            while self._idle:
                group.start_soon(self._idle.pop().end)

    async def _take(self) -> WorkerProcess:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            await worker.end()
        return await self._starter.start()

    async def _put_back(self, worker: WorkerProcess) -> None:
        self._grow()
        worker.jobs_left -= 1
        if worker.jobs_left > 0:
            self._idle.append(worker)
        else:
            await worker.end()

    @asynccontextmanager
    async def _turn(self, priority: Priority) -> AsyncIterator[None]:
        if self._free:
            self._free -= 1
        else:
            await self._wait(priority)
        try:
            yield
        finally:
            if self._surplus:
                self._surplus -= 1
            else:
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
