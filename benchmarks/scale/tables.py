"""What was found about scale, as Markdown."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CANDIDATES: Final = ("ours", "no-ledger", "bare", "vendor", "sequential")
EXPLAINED: Final = (
    "An instant service in a process of its own, DjVus of 30 kB and PDFs of 20 kB unless said",
    "otherwise. `ours` checks, hashes, flushes and records every PDF; the vendor's client, in a",
    "pool of 32 threads, only writes it, and so does `sequential`, which takes one file after the",
    "other as tutorials have it. `bare` is the floor of a durable converter: it reads, sends,",
    "decodes, flushes and names each file and commits three steps of it to SQLite as ours does,",
    "and does nothing else; no token, no check, no digest, no second try, no log, no report.",
    "`no-ledger` is ours with a ledger in memory. Imports are done before the clocks start.",
)
GROWTH_MB: Final = 20
MOST_MB: Final = 150
RERUN_S: Final = 15

Figures = dict[str, float]
Results = dict[str, list[Figures]]


def ratios(results: Results, ours: str, other: str, key: str) -> list[float]:
    """Return how many times as much the other took, round by round."""
    return [b[key] / a[key] for a, b in zip(results[ours], results[other], strict=True)]


def median(figures: list[Figures], key: str) -> float:
    """Return the middle of the rounds."""
    return statistics.median(each[key] for each in figures)


def compared(results: Results, *, files: int, rounds: int) -> Iterator[str]:
    """Yield each candidate's figures beside the vendor's client, then what was wanted of ours."""
    yield (
        f"| {files:,} files, median of {rounds} | files/s | CPU ms/file | peak MB"
        " | files/s over the vendor's | CPU over the vendor's |"
    )
    yield "| --- | --- | --- | --- | --- | --- |"
    for name in CANDIDATES:
        wall_s, cpu_s, peak_mb = (
            median(results[name], key) for key in ("wall_s", "cpu_s", "peak_mb")
        )
        faster = statistics.median(ratios(results, name, "vendor", "wall_s"))
        cpu = statistics.median(ratios(results, "vendor", name, "cpu_s"))
        yield (
            f"| {name} | {files / wall_s:,.0f} | {cpu_s / files * 1e3:.2f} | {peak_mb:.0f}"
            f" | {faster:.2f} times | {cpu:.2f} times |"
        )
    yield ""
    yield from _wanted(results)


def _wanted(results: Results) -> Iterator[str]:
    yield "| what | wanted | found | `bare` |"
    yield "| --- | --- | --- | --- |"
    found, floor = (ratios(results, name, "vendor", "wall_s") for name in ("ours", "bare"))
    met = statistics.median(found) >= 1
    yield _row(
        "files a second over the vendor's client", "1 time (at first: 2)", found, floor, met=met
    )
    found, floor = (ratios(results, "vendor", name, "cpu_s") for name in ("ours", "bare"))
    met = statistics.median(found) <= 1
    yield _row(
        "CPU over the vendor's client", "at most 1 time (at first: 0.5)", found, floor, met=met
    )
    walls, cpus = (ratios(results, "no-ledger", "ours", key) for key in ("wall_s", "cpu_s"))
    costs = [statistics.median(each) - 1 for each in (walls, cpus)]
    told = f"{costs[0]:.0%} of the time, {costs[1]:.0%} of the CPU"
    yield f"| what the ledger costs | at most 20 % | {_missed(max(costs) <= 0.2)}{told} | |"


def _row(what: str, wanted: str, found: list[float], floor: list[float], *, met: bool) -> str:
    return f"| {what} | {wanted} | {_missed(met)}{_spread(found)} | {_spread(floor)} |"


def _spread(found: list[float]) -> str:
    return f"{statistics.median(found):.2f} times ({min(found):.2f} to {max(found):.2f})"


def _missed(is_met: bool) -> str:  # noqa: FBT001  # reads well where it is called
    return "" if is_met else "**missed:** "


def grown(found: Sequence[tuple[int, Figures, Figures]]) -> Iterator[str]:
    """Yield what archives of growing size took, and each once more."""
    yield "| files | first run s | ms/file | peak MB | rerun s | rerun peak MB |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for count, first, again in found:
        yield (
            f"| {count:,} | {first['wall_s']:.1f} | {first['wall_s'] / count * 1e3:.2f}"
            f" | {first['peak_mb']:.0f} | {again['wall_s']:.1f} | {again['peak_mb']:.0f} |"
        )
    (least, small, _), (most, large, again) = found[0], found[-1]
    grew = large["peak_mb"] - small["peak_mb"]
    yield ""
    yield "| what | wanted | found |"
    yield "| --- | --- | --- |"
    for what, limit, unit, value in (
        (f"peak memory with {most:,} files over {least:,}", GROWTH_MB, "MB", grew),
        (f"peak memory with {most:,} files", MOST_MB, "MB", large["peak_mb"]),
        (f"rerun over {most:,} converted files", RERUN_S, "s", again["wall_s"]),
    ):
        yield f"| {what} | {limit} {unit} | {_missed(value <= limit)}{value:.1f} {unit} |"


def sizes_head(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Yield the head of the table of sizes."""
    yield "The vendor's client holds and copies each document whole, ours streams:"
    yield ""
    heads = [f"{name}: {what}" for name in names for what in ("files/s", "CPU ms/file")]
    heads += ["ours over the vendor's: files/s", "CPU"]
    yield f"| DjVu:PDF, median of {rounds} | files | {' | '.join(heads)} |"
    yield "| --- " * (2 + len(heads)) + "|"


def sizes_row(told: str, results: Results, count: int) -> str:
    """Return what each candidate took with files of a size."""
    cells = [
        cell
        for figures in results.values()
        for cell in (
            f"{count / median(figures, 'wall_s'):,.0f}",
            f"{median(figures, 'cpu_s') / count * 1e3:.2f}",
        )
    ]
    faster = statistics.median(ratios(results, "ours", "vendor", "wall_s"))
    cpu = statistics.median(ratios(results, "vendor", "ours", "cpu_s"))
    return f"| {told} | {count:,} | {' | '.join(cells)} | {faster:.2f} times | {cpu:.2f} times |"
