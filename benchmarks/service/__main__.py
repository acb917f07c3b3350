"""How `serve` bears many clients, long queues, large bodies and deaths.

    python -m benchmarks.service [--rounds 3] [--dir DIR] [--queue 10000] [--write]

The service is the installed command with `--data-dir` on a real disk (`--dir`), its embedded
engine at work; documents are blank pages unless said otherwise. Rounds of ours and of a bare
handler that syncs one file a request are interleaved. `--write` puts the section into RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.results import Conditions, publish, with_results
from benchmarks.service import processes

if TYPE_CHECKING:
    from benchmarks.service.processes import Process

WANTED_MS: Final = {50: 100, 500: 400}
WANTED_QUEUE: Final = 1_000
WANTED_RESTART_S: Final = 2.0
FLAT_MB: Final = 20
FEW: Final = 100
BODY_MB: Final = 300
CONFIG: Final = "[serve]\nmax_queued = 50000\nmax_queued_per_client = 50000\n"

Samples = dict[tuple[str, int], list[float]]


def latencies(folder: Path, config: Path, rounds: int) -> tuple[Samples, Samples]:
    """Return the seconds of all submissions, one a client and four a client without a pause."""
    bursts: Samples = defaultdict(list)
    steady: Samples = defaultdict(list)
    for number in range(rounds):
        for clients in WANTED_MS:
            for name in ("ours", "floor"):
                place = folder / f"{name}-{clients}-{number}"
                with _started(name, place, config) as process:
                    for found, each in ((bursts, 1), (steady, 4)):
                        measured = processes.submit(process.url, clients, clients * each)
                        found[name, clients] += measured["taken_s"]
                        _say(name, clients, each, measured)
    return bursts, steady


def _started(name: str, place: Path, config: Path) -> Process:
    return processes.service(place, config) if name == "ours" else processes.floor(place)


def _say(name: str, clients: int, each: int, measured: dict[str, Any]) -> None:
    middle_ms = 1000 * statistics.median(measured["taken_s"])
    rate = len(measured["taken_s"]) / measured["wall_s"]
    text = f"{name:6} {clients:4} clients x {each}: {middle_ms:7.1f} ms, {rate:6.0f} a second"
    print(text, file=sys.stderr)


def queue(folder: Path, config: Path, length: int) -> dict[str, float]:
    """Return memory with a few and with many documents waiting, and what a restart then takes."""
    data, found = folder / "queue", {}
    with processes.service(data, config) as process:
        _fill(process, FEW)
        found["few_mb"] = process.memory_mb()
        found["fill_s"] = _fill(process, length)
        found["many_mb"] = process.memory_mb()
        found["waiting"] = process.tasks().get("Pending", 0)
        found["accepted"] = sum(process.tasks().values())
        process.kill()
    with processes.service(data, config) as process:
        found["restarted"] = sum(process.tasks().values())
        found["restarted_mb"] = process.memory_mb()
    return found


def _fill(process: Process, length: int) -> float:
    """Submit until so many wait, whatever is converted meanwhile; returns the seconds."""
    began_s = time.perf_counter()
    while (missing := length - process.tasks().get("Pending", 0)) > 0:
        processes.submit(process.url, min(50, missing), missing)
    return time.perf_counter() - began_s


def bodies(folder: Path, config: Path) -> dict[str, float]:
    """Return the peak of memory while a small and a large document come in."""
    found = {}
    with processes.service(folder / "bodies", config) as process:
        processes.submit(process.url, 1, 1)  # what is loaded by the first stays
        for name, size_mb in (("small", 1), ("large", BODY_MB)):
            document = folder / f"{name}.djvu"
            with document.open("wb") as file:
                file.write(b"AT&TFORM" + (size_mb * 10**6 - 12).to_bytes(4, "big") + b"DJVU")
                for _ in range(size_mb):
                    file.write(os.urandom(10**6))
            process.forget_peak()
            measured = processes.submit(process.url, 1, 1, "--document", document)
            found[f"{name}_peak_mb"] = process.peak_mb()
            found[f"{name}_s"] = measured["taken_s"][0]
    return found


def restarts(folder: Path, config: Path, rounds: int) -> dict[str, float]:
    """Return what starts take, by the clock and of the processors: on the queue, and on nothing."""
    taken: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        for name, data in (("long", "queue"), ("empty", f"empty-{number}")):
            with processes.service(folder / data, config) as process:
                process.get("/health")
                taken[f"{name}_s"].append(process.ready_s)
                taken[f"{name}_cpu_s"].append(process.ready_cpu_s)
    print("starts:", dict(taken), file=sys.stderr)
    return {name: statistics.median(each) for name, each in taken.items()}


def section(
    bursts: Samples, steady: Samples, queued: dict[str, float], sizes: dict[str, float]
) -> str:
    """Return all as Markdown, what was wanted first."""
    lines = ["| what | wanted | found |", "| --- | --- | --- |"]
    for clients, wanted_ms in WANTED_MS.items():
        found = [1000 * statistics.median(each["ours", clients]) for each in (bursts, steady)]
        shown = f"{found[0]:.0f} ms; {found[1]:.0f} ms of four each without a pause"
        wanted = f"≤ {wanted_ms} ms"
        what = f"submission at the median, {clients} clients at once"
        lines.append(_row(what, wanted, shown, is_met=found[0] <= wanted_ms))
    waiting = queued["waiting"]
    rate = queued["waiting"] / queued["fill_s"]
    lines += [
        _row(
            "documents accepted and waiting",
            f"{WANTED_QUEUE:,}",
            f"{waiting:,.0f}, accepted at {rate:.0f} a second while others were converted",
            is_met=waiting >= WANTED_QUEUE,
        ),
        _flat(f"memory with {waiting:,.0f} waiting, {FEW}", queued["many_mb"], queued["few_mb"]),
        _flat(
            f"peak memory while {BODY_MB} MB come in, 1 MB",
            sizes["large_peak_mb"],
            sizes["small_peak_mb"],
        ),
        _row(
            f"`kill -9` with {waiting:,.0f} waiting, start to serving",
            f"≤ {WANTED_RESTART_S:.0f} s",
            f"{queued['long_s']:.1f} s, of which {queued['long_cpu_s']:.2f} s on a processor; with"
            f" nothing waiting {queued['empty_s']:.1f} s and {queued['empty_cpu_s']:.2f} s",
            is_met=queued["long_s"] <= WANTED_RESTART_S,
        ),
        _row(
            "accepted before the death, there after it",
            "all",
            f"{queued['restarted']:,.0f} of {queued['accepted']:,.0f}",
            is_met=queued["restarted"] >= queued["accepted"],
        ),
    ]
    return "\n".join(
        [*lines, "", *_beside_floor("one each", bursts), *_beside_floor("four", steady)]
    )


def _row(what: str, wanted: str, found: str, *, is_met: bool) -> str:
    return f"| {what} | {wanted} | {'' if is_met else '**missed:** '}{found} |"


def _flat(what: str, large_mb: float, small_mb: float) -> str:
    return _row(
        what,
        f"within {FLAT_MB} MB",
        f"{large_mb:.0f} MB, {small_mb:.0f} MB",
        is_met=large_mb - small_mb <= FLAT_MB,
    )


def _beside_floor(title: str, found: Samples) -> list[str]:
    lines = []
    if title == "one each":
        lines += [
            "| clients | documents | ours: median, p95 | bare handler: median, p95 | ratio |",
            "| --- | --- | --- | --- | --- |",
        ]
    for clients in WANTED_MS:
        ours, floor = found["ours", clients], found["floor", clients]
        ratio = statistics.median(ours) / statistics.median(floor)
        lines.append(f"| {clients} | {title} | {_shown(ours)} | {_shown(floor)} | {ratio:.2f} |")
    return lines


def _shown(taken_s: list[float]) -> str:
    late = statistics.quantiles(taken_s, n=20)[-1]
    return f"{1000 * statistics.median(taken_s):.0f} ms, {1000 * late:.0f} ms"


def main() -> None:
    """Measure everything and print the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--queue", type=int, default=10_000, help="documents that wait")
    parser.add_argument("--dir", help="on the disk to be measured (default: the temporary one)")
    given = with_results(parser).parse_args()
    conditions = Conditions()
    with tempfile.TemporaryDirectory(dir=given.dir) as name:
        folder, config = Path(name), Path(name) / "config.toml"
        config.write_text(CONFIG)
        bursts, steady = latencies(folder, config, given.rounds)
        sizes = bodies(folder, config)
        queued = queue(folder, config, given.queue)
        queued |= restarts(folder, config, given.rounds)
    body = f"""`serve` with `--data-dir` on {_disk(given.dir)}, its embedded engine converting
meanwhile; clients, service and workers share the processors.
Every id that counts was given out after the fsync of file and folder and
the commit of its row. The bare handler beside it is one of aiohttp that syncs one file a request
and does nothing else.

{section(bursts, steady, queued, sizes)}
"""
    publish("Service", body, conditions, given.results)


def _disk(folder: str | None) -> str:
    place = Path(folder or tempfile.gettempdir()).resolve()
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [one for one in mounts if place.is_relative_to(one[1])]
    return max(holding, key=lambda one: len(one[1]))[2]


if __name__ == "__main__":
    main()
