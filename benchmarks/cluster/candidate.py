"""One run of one engine in a process of its own: prints what it took, as JSON.

python -m benchmarks.cluster.candidate ENGINE SOURCE OUTPUT WORKERS
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import psutil
import structlog

from batch_converter.cli.allocator import keep_freed_memory
from batch_converter.engines.registry import load_settings
from batch_converter.opening import open_run
from batch_converter.sources import Sources


def scheduler_cpu_s() -> float:
    """Return the processor time of the cluster's process: its scheduler's, and nannies'."""
    children = psutil.Process().children()
    found = [child for child in children if "cluster_process" in " ".join(child.cmdline())]
    return sum(sum(child.cpu_times()[:2]) for child in found)


async def run(engine: str, source: Path, output: Path, workers: int) -> dict[str, float]:
    """Make a run, timed from when the engine is open; its workers start with their first work."""
    flags = {
        "engine": engine,
        "output.dir": str(output),
        "local.workers": workers,
        "dask.workers": workers,
    }
    loaded = await anyio.to_thread.run_sync(partial(load_settings, flags=flags, environ={}))
    async with open_run(loaded.settings, Sources(paths=(str(source),))) as (made, opened):
        cpu_s = await anyio.to_thread.run_sync(scheduler_cpu_s)
        began_s = time.perf_counter()
        summary = await made.execute(opened.found, opened.roots)
        seconds = time.perf_counter() - began_s
        cpu_s = await anyio.to_thread.run_sync(scheduler_cpu_s) - cpu_s
    if summary.exit_code:
        raise SystemExit(f"not everything was converted: {summary.totals}")
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "scheduler_cpu_s": cpu_s, "peak_mb": peak_kib / 1024}


def main() -> None:
    """Run and print."""
    engine, source, output, workers = sys.argv[1:]
    keep_freed_memory()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    found = anyio.run(run, engine, Path(source), Path(output), int(workers))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
