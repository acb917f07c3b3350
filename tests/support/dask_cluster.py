"""A real Dask scheduler and workers, as processes that a test starts, kills and ends."""

from __future__ import annotations

import atexit
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 120.0
"""What anything is given before a test fails; nothing is ever awaited for so long."""

_GRACE_S: Final = 3.0
_LOOPBACK: Final = "127.0.0.1"
_ORPHANED: Final = ("--idle-timeout", "1200 s")
"""A scheduler whose test was killed ends by itself, and its workers with it."""


class DaskProcess:
    """A process of `dask scheduler` or `dask worker`, which logs to standard error.

    Args:
        arguments: Of `dask`.
        env: Beside this process's own.
    """

    def __init__(self, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        path = os.pathsep.join([*((env or {}).get("PYTHONPATH") or "").split(), str(ROOT)])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "dask", *arguments],
            env={**os.environ, **(env or {}), "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                with self._changed:
                    self.log.append(line)
                    self._changed.notify_all()

    def told(self, pattern: str) -> str:
        """Wait for a line in its log, and return the pattern's only group."""

        def found() -> re.Match[str] | None:
            return next((m for line in self.log if (m := re.search(pattern, line))), None)

        with self._changed:
            match = self._changed.wait_for(found, PATIENCE_S)
        assert match, f"{pattern} was not logged: {''.join(self.log)}"
        return match[1]

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> None:
        """See to it that it is no more, with all that it has started.

        In order, where that takes no time: so the lines of ours that it has run are counted.
        """
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(self.pid).children(recursive=True)
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_S)
            self._process.kill()
            for process in started:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self._process.wait()
        self._reader.join()


class TestCluster:
    """A scheduler, and as many workers as a test wants."""

    __test__ = False

    def __init__(self, scheduler_env: Mapping[str, str] | None = None) -> None:
        self.scheduler = DaskProcess(
            "scheduler", "--host", _LOOPBACK, "--port", "0", "--no-dashboard",
            "--dashboard-address", f"{_LOOPBACK}:0", *_ORPHANED, env=scheduler_env,
        )  # fmt: skip
        self.address = self.scheduler.told(r"Scheduler at:\s*(tcp://\S+)")
        self.workers: dict[str, DaskProcess] = {}

    def add_worker(
        self, *, env: Mapping[str, str] | None = None, with_nanny: bool = False, threads: int = 1
    ) -> str:
        """Start a worker and return its address, when the scheduler knows it."""
        worker = DaskProcess(
            "worker", self.address, "--host", _LOOPBACK, "--nthreads", str(threads),
            "--nanny" if with_nanny else "--no-nanny", "--no-dashboard",
            "--death-timeout", "60 s", env=env,
        )  # fmt: skip
        address = worker.told(r"Start worker at:\s*(tcp://\S+)")
        worker.told(r"(Registered) to:")
        self.workers[address] = worker
        return address

    def end(self) -> None:
        """End all of it."""
        for worker in self.workers.values():
            worker.end()
        self.scheduler.signal(signal.SIGKILL)
        self.scheduler.end()


@contextmanager
def cluster(
    workers: int = 0,
    *,
    with_nannies: bool = False,
    scheduler_env: Mapping[str, str] | None = None,
) -> Iterator[TestCluster]:
    """Start a cluster that does not outlive the block."""
    started = TestCluster(scheduler_env)
    try:
        for _ in range(workers):
            started.add_worker(with_nanny=with_nannies)
        yield started
    finally:
        started.end()


@cache
def shared_cluster() -> TestCluster:
    """Return the cluster of all tests of this process that leave it as they find it."""
    started = TestCluster()
    atexit.register(started.end)
    started.add_worker()
    started.add_worker(threads=2)
    return started
