"""The same traces, but for real: whole runs against a service in a process of its own.

    python -m benchmarks.polling.over_http --seed 531

prints the section "Polling over HTTP", and with `--write` puts it into benchmarks/RESULTS.md.
Both sides' clocks run faster than the machine's, so that the oracle would need
`--wall-s`. Latencies are stretched with them, unlike in the simulation: take the calls as
they are, and the makespan as an upper bound.
"""

from __future__ import annotations

import argparse
import json
import logging
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from batch_converter import wiring
from batch_converter.clock import SystemClock
from batch_converter.config import Settings
from batch_converter.opening import open_run
from batch_converter.sources import Sources
from benchmarks.polling.runs import cold, ideal, score, trace_of
from benchmarks.polling.traces import GOAL_TRACES, LOSING_TRACES, TRACES
from benchmarks.results import Conditions, publish, with_results
from benchmarks.simulated_service import write_document

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDING: Final = tuple(name for name in TRACES if name not in LOSING_TRACES)
_STARTED: Final = SystemClock().now()


class FastClock:
    """A clock on which `speed` seconds pass in one."""

    speed = 1.0
    _since_s = time.monotonic()
    _before_s = 0.0

    @classmethod
    def go_on(cls, *, speed: float) -> None:
        """Go on from now at another speed."""
        cls._before_s, cls._since_s = cls().monotonic_s(), time.monotonic()
        cls.speed = speed

    def now(self) -> datetime:
        return _STARTED + timedelta(seconds=self.monotonic_s())

    def monotonic_s(self) -> float:
        return self._before_s + (time.monotonic() - self._since_s) * self.speed

    async def wait_until(self, at_s: float, wake: anyio.Event) -> None:
        with anyio.move_on_after(max(0.0, at_s - self.monotonic_s()) / self.speed):
            await wake.wait()


@contextmanager
def _service(name: str, seed: int, *, count: int, speed: float, port: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.simulated_service", "--trace", name]
    command += ["--seed", str(seed), "--count", str(count), "--speed", str(speed)]
    command += ["--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


async def _convert(folder: Path, output: Path, url: str, *, max_in_flight: int) -> None:
    settings = Settings.model_validate(
        {
            "engine": "aspose",
            "output": {"dir": output},
            "aspose": {"base_url": url, "client_id": "id", "client_secret": "bench-secret"},
            "concurrency": {"max_in_flight": max_in_flight},
            "polling": {"task_timeout_s": 1e6},
        }
    )
    async with open_run(settings, Sources(paths=(str(folder),))) as (run, opened):
        summary = await run.execute(opened.found, opened.roots)
    if summary.totals.failed or summary.totals.remaining:
        raise SystemExit(f"not everything was converted: {summary.totals}")


class Work:
    """Batches of one trace, run one after the other on the same ledger."""

    def __init__(self, name: str, folder: Path, given: argparse.Namespace) -> None:
        self._name = name
        self._folder = folder
        self._given = given
        self._port = _free_port()

    def run(self, seed: int, *, batch: int) -> str:
        """Convert the batch of this seed; returns its calls a document @ its makespan."""
        count, max_in_flight = self._given.count, self._given.max_in_flight
        oracle_s = ideal(self._name, seed, count, max_in_flight).makespan_s
        speed = oracle_s / self._given.wall_s
        FastClock.go_on(speed=speed)
        jobs = trace_of(self._name, seed, count=count).jobs
        source = self._folder / f"in-{batch}"
        source.mkdir()
        for number, job in enumerate(jobs):
            path = source / f"{batch}-{number:05}.djvu"
            write_document(path, number, job.pages, batch=batch)
        convert = partial(_convert, source, self._folder / "out", max_in_flight=max_in_flight)
        service = _service(self._name, seed, count=len(jobs), speed=speed, port=self._port)
        with service as url:
            anyio.run(convert, url)
            with urllib.request.urlopen(f"{url}/outcome") as answer:  # noqa: S310  # our own
                outcome = json.load(answer)
        calls, late = outcome["calls"] / len(jobs), outcome["makespan_s"] / oracle_s
        return f"{calls:.2f} @ {late:.3f}"

    def simulated(self, seed: int) -> str:
        """Return what the simulation says of the same batch, on a cold ledger."""
        count, max_in_flight = self._given.count, self._given.max_in_flight
        result = score(
            self._name, (seed,), cold(max_in_flight), count=count, max_in_flight=max_in_flight
        )
        return f"{result.mean_calls:.2f} @ {result.mean_makespan:.3f}"


def _free_port() -> int:
    """Find a port for both batches: what is learned is kept by the service's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _row(name: str, given: argparse.Namespace) -> str:
    with tempfile.TemporaryDirectory() as folder:
        work = Work(name, Path(folder), given)
        cells = [work.simulated(given.seed), work.run(given.seed, batch=0)]
        cells.append(work.run(given.seed + 1, batch=1) if name in GOAL_TRACES else "")
    return f"| {name} | {' | '.join(cells)} |"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", default=",".join(_ENDING), help="all that end, unless named")
    parser.add_argument("--seed", type=int, default=531, help="of the cold batch; then the next")
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--wall-s", type=float, default=45.0)
    parser.add_argument("--max-in-flight", type=int, default=64)
    return with_results(parser).parse_args()


def _head(given: argparse.Namespace) -> Iterator[str]:
    yield (
        "Whole runs, from the folder to the PDFs and the ledger, over HTTP to a service in a"
        f" process of its own, its hours compressed to {given.wall_s:g} s. Cells: calls a document"
        " @ makespan over the oracle's. Latencies are stretched with the clock, unlike in the"
        " simulation: take the makespan as an upper bound. (The oracle takes 0.2 s to submit; where"
        " the clock is slowed, as for first-fast, a run may come in before it.) The warm batch is"
        " the next seed's, on the ledger that the cold one left."
    )
    yield ""
    yield "| trace | simulated, cold | over HTTP, cold | over HTTP, warm |"
    yield "| --- | --- | --- | --- |"


def main() -> None:
    given = _options()
    # Documents are nothing but headers here, and each is warned of: that hides what fails.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # The run's clock; sockets keep the real one.
    wiring.SystemClock = FastClock  # type: ignore[attr-defined, assignment]  # swapped on purpose
    conditions = Conditions()
    lines = list(_head(given))
    for name in given.traces.split(","):
        lines.append(_row(name, given))
        print(lines[-1], file=sys.stderr, flush=True)
    publish("Polling over HTTP", "\n".join(lines), conditions, given.results)


if __name__ == "__main__":
    main()
