"""Runs the benchmarks one after the other, each in a process of its own.

    python -m benchmarks                         # quick: about five minutes, into build/benchmarks
    python -m benchmarks --size full             # hours, into benchmarks/RESULTS.md
    python -m benchmarks --size full stores transfer

One that fails, or lacks a program that it cannot do without, stops no other; the last lines say
what became of each, and the exit status is 1 if one failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from benchmarks.results import NOT_INSTALLED, RESULTS, ROOT
from benchmarks.sizes import BENCHMARKS, NAMES, SIZES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.sizes import Benchmark

QUICK_RESULTS: Final = ROOT / "build/benchmarks/RESULTS.md"
_BECAME: Final = {0: "done", NOT_INSTALLED: "left out, a program is missing"}


def command(benchmark: Benchmark, size: str, results: Path) -> list[str]:
    """Return the command of one benchmark, which writes its section."""
    words = [sys.executable, "-m", f"benchmarks.{benchmark.module}", *benchmark.options(size)]
    return [*words, *(["--write"] if results == RESULTS else ["--results", str(results)])]


def run(chosen: Sequence[Benchmark], size: str, results: Path) -> int:
    """Run them all; returns the exit status."""
    became, statuses = [], []
    for benchmark in chosen:
        long = f", about {benchmark.full_minutes} minutes" * (size == "full")
        print(f"== {benchmark.module}{long}", file=sys.stderr, flush=True)
        began_s = time.monotonic()
        status = subprocess.run(command(benchmark, size, results), cwd=ROOT, check=False).returncode
        told = _BECAME.get(status, f"FAILED with {status}")
        became.append(f"{benchmark.module:18} {time.monotonic() - began_s:6.0f} s  {told}")
        statuses.append(status)
    print("\n".join([*became, f"results: {results.relative_to(ROOT)}"]), file=sys.stderr)
    return int(any(status not in _BECAME for status in statuses))


def main() -> None:
    """Run what is named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--size", choices=SIZES, default=SIZES[0])
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(NAMES)):
        parser.error(f"no benchmark is called {', '.join(unknown)}")
    chosen = [each for each in BENCHMARKS if not given.names or each.module in given.names]
    results = RESULTS if given.size == "full" else QUICK_RESULTS
    sys.exit(run(chosen, given.size, results))


if __name__ == "__main__":
    main()
