"""A few worker processes, given jobs in order of urgency, replaced when they die."""

from __future__ import annotations

import heapq
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from batch_converter.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from anyio.abc import Process

_MAX_ANSWER_BYTES: Final = 16 << 20
_IMPORT_ROOT: Final = Path(__file__).resolve().parents[2]
# A page's bitmap is freed and wanted again for each page: glibc is told to keep it.
_ALLOCATOR: Final = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(512 << 20),
    "MALLOC_TOP_PAD_": str(32 << 20),
}
_BROKEN_PIPES: Final = (
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    anyio.IncompleteRead,
)

Priority = tuple[int, ...]


class _WorkerDiedError(Exception):
    """The process ended without an answer; the argument is how."""


class _Worker:
    """One process, one job at a time."""

    def __init__(self, process: Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise EngineError("a worker process has no pipes")
        self._process = process
        self._questions = process.stdin
        self._answers = BufferedByteReceiveStream(process.stdout)
        self.jobs_left = 0

    @property
    def alive(self) -> bool:
        """Whether the process runs; asked of the system, which knows before the loop does."""
        if self._process.returncode is not None:
            return False
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self._process.pid, look) is None
        except ChildProcessError:
            return False

    async def ask(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Send a job and wait for its answer.

        Raises:
            _WorkerDiedError: There will be none.
        """
        try:
            await self._questions.send(json.dumps(job).encode("ascii") + b"\n")
            line = await self._answers.receive_until(b"\n", _MAX_ANSWER_BYTES)
        except (
            anyio.IncompleteRead,
            anyio.BrokenResourceError,
            anyio.ClosedResourceError,
        ) as error:
            raise _WorkerDiedError(_told(await self._process.wait())) from error
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def kill(self) -> None:
        """End the process, whatever it does, with all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await self._process.aclose()


def _told(returncode: int) -> str:
    if returncode >= 0:
        return f"ended with status {returncode}"
    name = signal.Signals(-returncode).name
    return {
        "SIGKILL": "was killed, perhaps for want of memory",
        "SIGABRT": "gave up, most likely for want of memory",
        "SIGXCPU": "used up its processor time",
    }.get(name, f"died of {name}")


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
        self._free = size
        self._max_memory_bytes = max_memory_bytes
        self._max_jobs = max_jobs
        self._idle: list[_Worker] = []
        self._waiting: list[_Waiter] = []
        self._numbers = count()

    async def run(
        self, job: Mapping[str, Any], *, priority: Priority, timeout_s: float
    ) -> dict[str, Any]:
        """Have a job done; the smallest priority that waits is served first.

        Cancellation kills the process that works on it.

        Raises:
            EngineError: The process died or took longer than `timeout_s`.
        """
        async with self._turn(priority):
            worker = await self._take()
            try:
                with anyio.fail_after(timeout_s):
                    answer = await worker.ask(job)
            except BaseException as error:
                await worker.kill()
                if isinstance(error, TimeoutError):
                    message = f"it took longer than {timeout_s:.0f} seconds"
                    raise EngineError(message) from error
                if isinstance(error, _WorkerDiedError):
                    raise EngineError(f"the process that converted it {error}") from error
                raise
            await self._put_back(worker)
            return answer

    async def aclose(self) -> None:
        """End all processes that have nothing to do; the others belong to their callers."""
        while self._idle:
            await self._idle.pop().kill()

    async def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            await worker.kill()
        return await self._start()

    async def _put_back(self, worker: _Worker) -> None:
        worker.jobs_left -= 1
        if worker.jobs_left > 0:
            self._idle.append(worker)
        else:
            await worker.kill()

    async def _start(self) -> _Worker:
        paths = [p for p in (os.environ.get("PYTHONPATH"), os.fspath(_IMPORT_ROOT)) if p]
        command = [sys.executable, "-P", "-m", "batch_converter.djvu.worker"]
        try:
            process = await anyio.open_process(
                [*command, str(self._max_memory_bytes)],
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_ALLOCATOR, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"a worker process cannot be started: {error.strerror}") from error
        worker = _Worker(process)
        worker.jobs_left = self._max_jobs
        return worker

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
