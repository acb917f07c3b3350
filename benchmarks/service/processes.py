"""Services as processes: started, measured, asked and killed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import IO, Any, Final, Self

from benchmarks.results import ROOT

COMMAND: Final = Path(sys.executable).with_name("batch-converter")
PATIENCE_S: Final = 120
MB: Final = 1e6


class Process:
    """One that has printed where it listens.

    Attributes:
        ready_s: From its start to that line.
        ready_cpu_s: Processor time that it has had by then.
    """

    def __init__(self, command: list[str | Path], *, log: IO[bytes]) -> None:
        began_s = time.perf_counter()
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        self.ready_s = time.perf_counter() - began_s
        found = re.fullmatch(r"listening on (http://\S+)\n", line)
        if found is None:
            raise SystemExit(f"{command[0]} said {line!r}; {Path(log.name).read_text()[-2000:]}")
        self.url = found[1]
        stat = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        self.ready_cpu_s = sum(map(int, stat[11:13])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill -9, and wait until it is over."""
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def get(self, path: str) -> Any:  # noqa: ANN401  # JSON
        """Return what an endpoint answers."""
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE_S) as response:  # noqa: S310  # ours
            return json.load(response)

    def tasks(self) -> dict[str, int]:
        """Return how many tasks the service has, by state."""
        found: dict[str, int] = self.get("/health")["tasks"]
        return found

    def memory_mb(self) -> float:
        """Return what it has of memory now, without its workers."""
        return self._status_mb("VmRSS")

    def peak_mb(self) -> float:
        """Return the most that it has had since `forget_peak`."""
        return self._status_mb("VmHWM")

    def forget_peak(self) -> None:
        """Let the peak be what it has now."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")

    def _status_mb(self, name: str) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (kilobytes,) = re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
        return int(kilobytes) * 1024 / MB


def service(data: Path, config: Path) -> Process:
    """Start `serve` on a data folder."""
    command: list[str | Path] = [
        COMMAND,
        "serve",
        "--port",
        "0",
        "--config",
        config,
        "--data-dir",
        data,
    ]
    return Process(command, log=_log(data.parent))


def floor(folder: Path) -> Process:
    """Start the bare handler."""
    folder.mkdir()
    module = "benchmarks.service.floor"
    return Process([sys.executable, "-m", module, folder], log=_log(folder.parent))


def _log(folder: Path) -> IO[bytes]:
    return tempfile.NamedTemporaryFile(dir=folder, prefix="log-", delete=False)


def submit(url: str, clients: int, count: int, *more: str | Path) -> dict[str, Any]:
    """Have so many clients submit; return what they measured."""
    module = [sys.executable, "-m", "benchmarks.service.clients"]
    done = subprocess.run(
        [*module, url, str(clients), str(count), *more],
        cwd=ROOT,
        env=os.environ,
        check=True,
        stdout=subprocess.PIPE,
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured
