"""One candidate in a process of its own: converts a folder, prints what it took.

`ours` is a run with the durable ledger; `no-ledger` is the same run with a ledger
in memory; `rerun` is `ours` over a folder that is converted already; `vendor` is the
vendor's client in a pool of 32 threads; `sequential` converts one file after the other as
the tutorials do; `bare` does the least that a durable converter
can. Only what the candidate needs is imported, before the clocks start.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

CONVERT = {
    "ours": ("ours", "convert"),
    "rerun": ("ours", "convert"),
    "no-ledger": ("ours", "convert_without_ledger"),
    "vendor": ("vendor", "convert"),
    "sequential": ("sequential", "convert"),
    "bare": ("bare", "convert"),
}


def convert(name: str) -> Callable[[Path, Path, str], Any]:
    """Return what a candidate converts a folder with, all that it needs being imported.

    The event loop's backend is loaded when a loop is first run.
    """
    module, function = CONVERT[name]
    found: Callable[[Path, Path, str], Any] = getattr(
        import_module(f"benchmarks.scale.{module}"), function
    )
    anyio.run(anyio.sleep, 0)
    return found


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("name", choices=list(CONVERT))
    arguments.add_argument("source", type=Path)
    arguments.add_argument("output", type=Path)
    arguments.add_argument("url")
    given = arguments.parse_args()
    run = convert(given.name)
    began_s, cpu_before_s = time.perf_counter(), time.process_time()
    run(given.source, given.output, given.url)
    figures = {
        "wall_s": time.perf_counter() - began_s,
        "cpu_s": time.process_time() - cpu_before_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
