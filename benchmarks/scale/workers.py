"""Whether one run keeps many workers busy: documents that take their time elsewhere.

    python -m benchmarks.scale.workers --workers 200 --documents 4000 --seconds 10

A cluster is simulated by a `Converter` whose workers sleep, each with one document at a time:
all else is the real run, with its ledger, files and checks. Its busy share is the time slept over
the time that the workers were there, from the first document on until the line is empty, and of
the whole run.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from batch_converter.cli.allocator import keep_freed_memory
from batch_converter.config import Settings
from batch_converter.opening import open_run
from batch_converter.sources import Sources
from batch_converter.testing import FakeConverter
from benchmarks.results import Conditions, publish, with_results
from benchmarks.scale.__main__ import make_archive

if TYPE_CHECKING:
    from batch_converter.engines.base import PdfTarget, Ready, SourceDocument

TITLE: Final = "Workers kept busy"


class SleepingWorkers(FakeConverter):
    """Workers that sleep a while over each document, and then have its PDF.

    Args:
        workers: How many there are.
        ahead: How many documents wait at them beside.
        seconds: What a document takes on average, from half of it to half as much again.
    """

    def __init__(self, workers: int, *, ahead: int, seconds: float) -> None:
        super().__init__(capacity=workers + ahead)
        self._workers = anyio.Semaphore(workers)
        self._random = Random(1)  # no secret
        self._seconds = seconds
        self.slept: list[tuple[float, float]] = []

    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:
        """Wait for a worker, then for it to be done."""
        async with self._workers:
            began_s = time.perf_counter()
            await anyio.sleep(self._seconds * self._random.uniform(0.5, 1.5))
            self.slept.append((began_s, time.perf_counter()))
        return await super().convert(source, target)


async def measure(engine: SleepingWorkers, settings: Settings, source: Path) -> None:
    """Make a run through the public wiring."""
    opening = open_run(settings, Sources(paths=(str(source),)), engines=[engine.spec])
    async with opening as (run, opened):
        summary = await run.execute(opened.found, opened.roots)
    if summary.exit_code:
        raise SystemExit(f"not everything was converted: {summary.totals}")


def shares(slept: list[tuple[float, float]], workers: int) -> tuple[float, float]:
    """Return the busy share until the line was empty, and over all."""
    first, last = min(slept)[0], max(end for _, end in slept)
    empty = max(slept)[0]
    until = sum(min(end, empty) - begin for begin, end in slept)
    return until / (workers * (empty - first)), sum(e - b for b, e in slept) / (
        workers * (last - first)
    )


def row(given: argparse.Namespace, seconds: float, source: Path, output: Path) -> str:
    """Measure with documents of a length; returns a row of the table."""
    engine = SleepingWorkers(given.workers, ahead=given.ahead, seconds=seconds)
    settings = Settings.model_validate(
        {
            "engine": engine.name,
            "output": {"dir": output},
            "concurrency": {"max_in_flight": given.workers + given.ahead},
        }
    )
    cpu_s = time.process_time()
    anyio.run(partial(measure, engine, settings, source))
    cpu_ms = (time.process_time() - cpu_s) * 1e3 / given.documents
    line, whole = shares(engine.slept, given.workers)
    rate = given.workers / seconds
    return f"| {seconds:g} s | {rate:,.0f} | {line:.1%} | {whole:.1%} | {cpu_ms:.2f} |"


def main() -> None:
    """Measure and print; with `--write` into RESULTS.md."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--workers", type=int, default=200)
    arguments.add_argument("--ahead", type=int, default=56, help="documents that wait at them")
    arguments.add_argument("--documents", type=int, default=4_000)
    arguments.add_argument("--seconds", type=float, nargs="+", default=[10.0, 2.0])
    given = with_results(arguments).parse_args()
    conditions = Conditions()
    keep_freed_memory()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    rows = []
    with tempfile.TemporaryDirectory(prefix="workers-") as folder:
        source = Path(folder) / "source"
        make_archive(source, given.documents)
        for number, seconds in enumerate(given.seconds):
            rows.append(row(given, seconds, source, Path(folder) / str(number)))
    heads = ["a document takes", "a second at most", "busy while there is work in line"]
    heads += ["busy over all", "CPU ms a document here"]
    text = f"""Simulated: {given.workers} workers that sleep over each document, from half its
time to half as much again, with {given.ahead} more documents waiting at them; {given.documents:,}
documents. The run is the real one, with ledger, files, fsync and checks.

| {" | ".join(heads)} |
{"| --- " * len(heads)}|
{chr(10).join(rows)}"""
    publish(TITLE, text, conditions, given.results)


if __name__ == "__main__":
    main()
