"""What an archive of millions costs the ledger: bytes, time to plan, memory; and how it grows.

    python -m benchmarks.scale.ledger --rows 100000 1000000 5000000

Each step of a ledger's life (`ledger_steps`) is a process of its own. The walk and the look at
each PDF are made up, so the figures are those of the ledger and of the decisions, and lower
bounds of a run's.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.results import Conditions, publish, with_results

if TYPE_CHECKING:
    from collections.abc import Sequence

TITLE: Final = "Ledger at scale"
MODULE: Final = "benchmarks.scale.ledger_steps"
WHOLE: Final = ("first", "rerun", "report", "merge")
BULK: Final = ("bulk", "rerun", "json", "merge")

Figures = dict[str, float]


def step(name: str, folder: Path, rows: int) -> Figures:
    """Do a step in a process of its own; returns what it took."""
    command = [sys.executable, "-m", MODULE, name, str(folder), str(rows)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    figures: Figures = json.loads(done.stdout)
    return figures


def measure(rows: int, folder: Path, steps: Sequence[str]) -> Figures:
    """Take a ledger through its life."""
    found: Figures = {"rows": rows}
    for name in steps:
        told = {"bulk": "first", "json": "report"}.get(name, name)
        found |= {f"{told}_{key}": value for key, value in step(name, folder, rows).items()}
        found[f"{told}_bytes"] = (folder / "ledger.sqlite3").stat().st_size
    return found


ROWS: Final = (
    ("ledger after the first run", "first_bytes", 1e-6, "MB"),
    ("one more run in it, all up to date", "more_bytes", 1e-6, "MB"),
    ("planning a new archive", "first_plan_cpu_s", 1, "s"),
    ("planning it again, all up to date", "rerun_plan_cpu_s", 1, "s"),
    ("opening the ledger, looked through for damage", "rerun_open_cpu_s", 1, "s"),
    ("counting the run at its end", "rerun_finish_cpu_s", 1, "s"),
    ("JSON report", "report_json_cpu_s", 1, "s"),
    ("CSV report", "report_csv_cpu_s", 1, "s"),
    ("HTML report", "report_html_cpu_s", 1, "s"),
    ("manifest", "report_manifest_cpu_s", 1, "s"),
    ("`status`", "report_status_cpu_s", 1, "s"),
    ("`merge` of its two halves: checks and sums", "merge_open_cpu_s", 1, "s"),
    ("`merge` of its two halves: JSON report", "merge_json_cpu_s", 1, "s"),
    ("memory over idle: new archive", "first_over_mb", 1, "MB"),
    ("memory over idle: again", "rerun_over_mb", 1, "MB"),
    ("memory over idle: reports", "report_over_mb", 1, "MB"),
    ("memory over idle: `merge`", "merge_over_mb", 1, "MB"),
)


def table(found: list[Figures]) -> str:
    """Return the figures, and how much the greatest archive costs more than the least."""
    least, most = found[0], found[-1]
    heads = [f"{figures['rows']:,.0f}" for figures in found]
    growth = most["rows"] / least["rows"]
    lines = ["| documents | " + " | ".join(heads) + f" | growth ({growth:g} times the documents) |"]
    lines.append("| --- " * (len(found) + 2) + "|")
    for what, key, scale, unit in ROWS:
        cells = [_cell(figures.get(key), scale, unit) for figures in found]
        grown = f"{most[key] / least[key]:.3g}" if least.get(key) and most.get(key) else ""
        lines.append(f"| {what} | " + " | ".join(cells) + f" | {grown} |")
    return "\n".join(lines)


def _cell(figure: float | None, scale: float, unit: str) -> str:
    return "" if figure is None else f"{figure * scale:,.4g} {unit}"


def with_differences(figures: Figures) -> Figures:
    """Add what is told of two figures."""
    more = {"more_bytes": figures["rerun_bytes"] - figures["first_bytes"]}
    for name in ("first", "rerun", "report", "merge"):
        if name == "first" and "first_plan_s" not in figures:
            continue
        more[f"{name}_over_mb"] = figures[f"{name}_peak_mb"] - figures[f"{name}_idle_mb"]
    return {**figures, **more}


def section(found: list[Figures]) -> str:
    """Return the section of RESULTS.md."""
    most = next(figures for figures in reversed(found) if "first_plan_s" in figures)
    rows, bulk = most["rows"], [f"{f['rows']:.0f}" for f in found if "first_plan_s" not in f]
    filled = ""
    if bulk:
        filled = f" {', '.join(bulk)} were filled by SQL, a little denser than what a run leaves."
    return f"""Seconds are of a processor.
The ledger after a first run through a service: a document, its outcome and two calls each. Walk
and looks at PDFs are made up: a file system adds its own time for them.{filled}

{table(found)}

Of {rows:,.0f} documents each takes {most["first_bytes"] / rows:,.0f} bytes of ledger, and
{most["more_bytes"] / rows:,.0f} more for each of the last 30 runs in which nothing was to be done;
{most["first_plan_cpu_s"] / rows * 1e6:,.0f} µs to plan first and
{most["rerun_plan_cpu_s"] / rows * 1e6:,.0f} µs again."""


def main() -> None:
    """Measure and print; with `--write` into RESULTS.md."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    arguments.add_argument(
        "--bulk", type=int, nargs="*", default=[], help="more, filled by SQL: not all is measured"
    )
    arguments.add_argument("--folder", type=Path, help="where the ledgers go (default: /tmp)")
    given = with_results(arguments).parse_args()
    conditions = Conditions()
    wanted = [(rows, WHOLE) for rows in sorted(given.rows)] + [(rows, BULK) for rows in given.bulk]
    found = []
    for rows, steps in wanted:
        folder = Path(tempfile.mkdtemp(prefix="ledger-", dir=given.folder))
        try:
            found.append(with_differences(measure(rows, folder, steps)))
        finally:
            shutil.rmtree(folder)
        print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    publish(TITLE, section(found), conditions, given.results)


if __name__ == "__main__":
    main()
