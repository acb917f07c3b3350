"""A cluster on this machine that lasts as long as the run: its scheduler's process, and ours.

It is a process of its own, so that a scheduler's work takes no turn of the run's event loop,
and that it is gone with the run however that ends: it ends when the pipe to it closes, its
workers when it has, and what converts for them when they have. Certificates that are made for
the run keep other users of the machine out, whom a loopback address would let in.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio

from batch_converter.djvu.work.environment import worker_environment
from batch_converter.errors import ServiceUnavailableError
from batch_converter.shortage import stopped_when_exhausted

if TYPE_CHECKING:
    from batch_converter.threads import DiskThreads

_MODULE: Final = "batch_converter.engines.dask.cluster_process"
_START_S: Final = 45.0
_END_S: Final = 5.0
_PIECE_BYTES: Final = 64 << 10


class LocalCluster:
    """The process of a scheduler and its workers.

    Args:
        workers: How many.
        threads: Where it is started and ended.
    """

    def __init__(self, workers: int, threads: DiskThreads) -> None:
        self._workers = workers
        self._threads = threads
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> dict[str, Any]:
        """Start it and wait until its workers are there.

        Returns:
            Its `address`, and under `security` what Dask's `Security` is made with.

        Raises:
            ServiceUnavailableError: It does not start.
            MachineExhaustedError: The machine has no process for it.
        """
        with stopped_when_exhausted():
            process = self._process = await self._threads.run(_spawn, self._workers)
        try:
            with anyio.fail_after(_START_S):
                told = json.loads(await self._line(process))
        except (TimeoutError, ValueError) as error:
            await self.aclose()
            how = "took too long" if isinstance(error, TimeoutError) else "ended at its start"
            raise ServiceUnavailableError(f"the cluster on this machine {how}") from error
        if "error" in told:
            await self.aclose()
            raise ServiceUnavailableError(
                f"the cluster on this machine cannot be started: {told['error']}"
            )
        found: dict[str, Any] = told
        return found

    async def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        pipe = process.stdout
        if pipe is None:
            return b""
        os.set_blocking(pipe.fileno(), False)
        line = b""
        while not line.endswith(b"\n"):
            await anyio.wait_readable(pipe)
            piece = os.read(pipe.fileno(), _PIECE_BYTES)
            if not piece:
                break
            line += piece
        return line

    async def aclose(self) -> None:
        """End it, and with it its workers."""
        if self._process is not None:
            process, self._process = self._process, None
            with anyio.CancelScope(shield=True):
                await self._threads.run(_end, process)


def _environment() -> dict[str, str]:
    """Return what the cluster needs, which is no secret, and Dask's own settings."""
    needed = worker_environment(os.environ)
    given = {
        name: value
        for name, value in os.environ.items()
        if name in needed or name.startswith("DASK_")
    }
    return {**given, "PYTHONPATH": needed["PYTHONPATH"]}


def _spawn(workers: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # our own interpreter
        [sys.executable, "-P", "-m", _MODULE, str(workers)],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        cwd=_folder(),
        start_new_session=True,  # a terminal's signals are for the run
    )


def _folder() -> str | None:
    """Return where it works: anywhere that is there."""
    with suppress(OSError):
        return os.fspath(Path.cwd())
    return "/"


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
