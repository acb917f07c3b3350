"""Programs that run to their end, measured from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.results import ROOT
from benchmarks.stores.server import COUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.service.processes import Process

KEYS: Final = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "ASPOSE_CLIENT_ID": "benchmark",
    "ASPOSE_CLIENT_SECRET": "benchmark",
}
"""Credentials that servers of the benchmark's own take, as they take any."""
_PAUSE_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a program took.

    Attributes:
        wall_s: From its start to its end, the start of Python in it.
        cpu_s: Processor time of it and of its children.
        peak_mb: The most memory that it had itself, its children aside.
        server_cpu_s: Processor time of the store's server meanwhile.
        requests: What the store was asked meanwhile.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    server_cpu_s: float
    requests: int


def measure(words: Sequence[str | Path], server: Process) -> Figures:
    """Run a module of Python's to its end.

    Raises:
        SystemExit: It ended with an error.
    """
    environment = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": server.url}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled again in every process
    before = server.get(COUNTS)
    began_s = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    peak = _Peak(process.pid)
    said = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words[0]} ended with {process.returncode}: {said[-2_000:]}")
    return Figures(
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=peak.highest_mb(),
        **_spent(before, server.get(COUNTS)),
    )


def _spent(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "server_cpu_s": after["cpu_s"] - before["cpu_s"],
        "requests": after["requests"] - before["requests"],
    }


class _Peak:
    """Reads a process' highest memory until it is gone; the last reading counts."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._kib = 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while (kib := self._read()) is not None:
            self._kib = kib
            time.sleep(_PAUSE_S)

    def _read(self) -> int | None:
        """Return the peak so far; None once the process has no memory any more."""
        try:
            lines = self._status.read_text(encoding="utf-8").splitlines()
        except OSError:
            return None
        return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)

    def highest_mb(self) -> float:
        """Wait until the process is gone; returns what it had at most."""
        self._thread.join()
        return self._kib * 1024 / 1e6
