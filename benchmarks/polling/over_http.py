"""The same traces, but for real: a whole run against a service in a process of its own.

    python -m benchmarks.polling.over_http --traces fifo-8,log-normal --seed 101

Both sides' clocks run `--speed` times as fast as the machine's. Latencies do too, which
the simulation does not have: take the calls as they are and the makespan as an upper bound.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from batch_converter import api, wiring
from batch_converter.config import Settings
from batch_converter.sources import Sources
from benchmarks.polling.runs import ideal, trace_of
from benchmarks.simulated_service import write_document

if TYPE_CHECKING:
    from collections.abc import Iterator

_STARTED: Final = datetime.now(UTC)
_STARTED_S: Final = time.monotonic()


class FastClock:
    """A clock on which `speed` seconds pass in one."""

    speed = 1.0

    def now(self) -> datetime:
        return _STARTED + timedelta(seconds=self.monotonic_s() - _STARTED_S)

    def monotonic_s(self) -> float:
        return _STARTED_S + (time.monotonic() - _STARTED_S) * self.speed

    async def wait_until(self, at_s: float, wake: anyio.Event) -> None:
        with anyio.move_on_after(max(0.0, at_s - self.monotonic_s()) / self.speed):
            await wake.wait()


@contextmanager
def _service(name: str, seed: int, *, count: int, speed: float) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.simulated_service", "--trace", name]
    command += ["--seed", str(seed), "--count", str(count), "--speed", str(speed)]
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
    async with api.open_run(settings, Sources(paths=(str(folder),))) as (run, opened):
        summary = await run.execute(opened.found, opened.roots)
    if summary.totals.failed or summary.totals.remaining:
        raise SystemExit(f"not everything was converted: {summary.totals}")


def _run(name: str, seed: int, *, count: int, speed: float, max_in_flight: int) -> str:
    trace = trace_of(name, seed, count=count)
    with (
        tempfile.TemporaryDirectory() as work,
        _service(name, seed, count=count, speed=speed) as url,
    ):
        folder = Path(work) / "in"
        folder.mkdir()
        for number, job in enumerate(trace.jobs):
            write_document(folder / f"{number:05}.djvu", number, job.pages)
        anyio.run(partial(_convert, folder, Path(work) / "out", url, max_in_flight=max_in_flight))
        with urllib.request.urlopen(f"{url}/outcome") as answer:  # noqa: S310  # our own service
            outcome = json.load(answer)
    late = outcome["makespan_s"] / ideal(name, seed, count, max_in_flight).makespan_s
    calls = outcome["calls"] / len(trace.jobs)
    return f"| {name} | {seed} | {calls:.2f} @ {late:.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", default="fifo-8,log-normal,first-slow")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--speed", type=float, default=30.0)
    parser.add_argument("--max-in-flight", type=int, default=64)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    FastClock.speed = given.speed
    wiring.SystemClock = FastClock  # type: ignore[misc]  # the run's clock; sockets keep the real
    print("| trace | seed | calls a document @ makespan over the oracle's |")
    print("| --- | --- | --- |")
    for name in given.traces.split(","):
        print(
            _run(
                name,
                given.seed,
                count=given.count,
                speed=given.speed,
                max_in_flight=given.max_in_flight,
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
