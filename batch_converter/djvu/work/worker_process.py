"""One worker process, as its parent sees it.

It is started by hand, not by the event loop: only so is there never a moment in which a
cancelled start leaves a process that nobody owns.
"""

from __future__ import annotations

import json
import os
import select
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import anyio

from batch_converter.djvu.work.spawning import spawn
from batch_converter.shortage import shortage_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    from batch_converter.threads import DiskThreads

_MAX_ANSWER_BYTES: Final = 16 << 20
_PIECE_BYTES: Final = 64 << 10
_WORKER_MODULE: Final = "batch_converter.djvu.work.worker"


class WorkerGoneError(Exception):
    """The process ended, or ends, without an answer.

    Attributes:
        begun: Whether it had taken the job up; if not, the job did it no harm.
    """

    def __init__(self, *, begun: bool) -> None:
        super().__init__(begun)
        self.begun = begun


class WorkerStartError(Exception):
    """The system starts no process; the argument is why."""


class WorkerProcess:
    """A process that does one job at a time; whoever holds it must `end` it, once.

    Attributes:
        jobs_left: How many more it may be given.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], threads: DiskThreads, jobs_left: int
    ) -> None:
        if process.stdin is None or process.stdout is None:
            raise WorkerStartError("it has no pipes")
        for pipe in (process.stdin, process.stdout):
            os.set_blocking(pipe.fileno(), False)
        self._process = process
        self._questions = process.stdin
        self._answers = process.stdout
        self._unread = bytearray()
        self._threads = threads
        self._is_ready = False
        self.jobs_left = jobs_left

    @classmethod
    async def start(
        cls,
        *,
        max_memory_bytes: int,
        max_jobs: int,
        threads: DiskThreads,
        kernel_folder: Path | None = None,
    ) -> Self:
        """Start one; cancellation waits until it is there, and is not raised here then.

        Args:
            max_memory_bytes: Its address space.
            max_jobs: How many it may be given.
            threads: Where it is started and ended.
            kernel_folder: Where it keeps compiled kernels; None: it compiles none.

        Raises:
            WorkerStartError: The system starts no process.
        """
        try:
            process = await threads.run(spawn, _WORKER_MODULE, max_memory_bytes, kernel_folder)
        except (OSError, RuntimeError, MemoryError) as error:
            raise WorkerStartError(shortage_of(error) or str(error)) from error
        return cls(process, threads, max_jobs)

    @property
    def alive(self) -> bool:
        """Whether the process runs, or is still about to end: only an answer proves life.

        Seen by its end of the pipe, which nobody else holds. To wait for the process
        would free its number, which `end` is yet to signal; and `waitid`, which need
        not, is not everywhere.
        """
        look = select.poll()
        look.register(self._answers, 0)  # a hang-up is told unasked
        return not look.poll(0)

    async def ready(self) -> None:
        """Wait until it takes jobs: its kernels are compiled by then.

        Raises:
            EOFError: It ended before.
        """
        if not self._is_ready:
            await self._line()
            self._is_ready = True

    async def ask(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Send a job and wait for its answer.

        Raises:
            WorkerGoneError: There will be none.
        """
        begun = False
        try:
            await self._send(json.dumps(job).encode("ascii") + b"\n")
            await self.ready()
            await self._line()
            begun = True
            answer: dict[str, Any] = json.loads(await self._line())
        except (BrokenPipeError, EOFError) as error:
            raise WorkerGoneError(begun=begun) from error
        return answer

    async def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._questions.fileno(), rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._questions)

    async def _line(self) -> bytes:
        seen = 0
        while (end := self._unread.find(b"\n", seen)) < 0:
            seen = len(self._unread)
            self._unread += await self._piece()
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        return line

    async def _piece(self) -> bytes:
        await anyio.wait_readable(self._answers)
        piece = os.read(self._answers.fileno(), _PIECE_BYTES)
        if not piece or len(self._unread) > _MAX_ANSWER_BYTES:
            raise EOFError
        return piece

    async def end(self) -> int:
        """Kill the process, whatever it does, with all that it started.

        Cancellation waits for it.

        Returns:
            The status with which it ended, or had ended before; of a signal, negative.
        """
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._questions.close()
        self._answers.close()
        with anyio.CancelScope(shield=True):
            status = await self._threads.start(self._process.wait)
        return status  # noqa: RET504  # mypy takes the scope for one that swallows errors
