"""How fast documents move, and what that costs: ours beside the alternatives.

    python -m benchmarks.transfer [--rounds 5] [--write]

All candidates fetch the same PDF into a file, or send the same file, over loopback
from a service that costs next to nothing; each in a process of its own, the rounds
interleaved, the median of each kept. `--write` puts the table into RESULTS.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.results import ROOT, Conditions, publish, with_results
from benchmarks.transfer.service import BLOCK_BYTES, Service, pdf_block

MIB: Final = 1024 * 1024
MEMORY_MB: Final = 8
FETCHES: Final = {
    "ours": "fetch_ours",
    "ours, every `/` and `+` escaped": "fetch_ours_dense",
    "ours, with the digest": "fetch_stored",
    "ours, with the digest, escaped": "fetch_stored_dense",
    "received and thrown away": "fetch_thrown_away",
    "`response.json()` + `b64decode`": "fetch_naive",
    "the vendor's client": "fetch_vendor",
}
UPLOADS: Final = {
    "ours": "submit_ours",
    "the same bytes from memory": "submit_thrown_away",
    "`b64encode` + `json=`": "submit_naive",
    "the vendor's client": "submit_vendor",
}
Measured = dict[str, float]


def measure(name: str, url: str, size: int, path: Path) -> Measured:
    """Run one candidate and return what it says about itself."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.transfer.candidate", name, url, str(size), path],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    measured: Measured = json.loads(done.stdout.splitlines()[-1])
    return measured


def check(path: Path, size: int) -> None:
    """Make sure that what was fetched is the PDF."""
    expected = hashlib.sha256()
    for _ in range(size // BLOCK_BYTES):
        expected.update(pdf_block())
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != expected.hexdigest():
            message = f"{path.name} came out wrong"
            raise SystemExit(message)


def race(
    candidates: dict[str, str], url: str, size: int, rounds: int, folder: Path
) -> dict[str, Measured]:
    """Return the median of each candidate over interleaved rounds, and its highest peak."""
    found: dict[str, list[Measured]] = {title: [] for title in candidates}
    for number in range(rounds):
        for title, name in candidates.items():
            uploads = name.startswith("submit")
            path = folder / ("source" if uploads else f"{number}-{name}")
            measured = measure(name, url, size, path)
            print(f"{title:34} {size / 1e9 / measured['wall_s']:6.2f} GB/s", file=sys.stderr)
            if path.exists() and not uploads:
                if not number:
                    check(path, size)
                path.write_bytes(b"")
            found[title].append(measured)
    return {title: summed_up(each) for title, each in found.items()}


def summed_up(rounds: list[Measured]) -> Measured:
    """Return the median times of the rounds, and the worst of memory."""
    return {
        "wall_s": statistics.median(each["wall_s"] for each in rounds),
        "cpu_s": statistics.median(each["cpu_s"] for each in rounds),
        "over_idle_mb": max(each["peak_mb"] - each["idle_mb"] for each in rounds),
    }


def table(found: dict[str, Measured], size: int) -> str:
    """Return the measurements as Markdown, ours against each."""
    ours = found["ours"]
    lines = [
        "| way | GB/s | CPU s/GB | peak memory over idle | ours is faster | ours needs CPU |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for title, measured in found.items():
        lines.append(
            f"| {title} | {size / 1e9 / measured['wall_s']:.2f}"
            f" | {measured['cpu_s'] / size * 1e9:.2f}"
            f" | {measured['over_idle_mb']:.1f} MB"
            f" | {measured['wall_s'] / ours['wall_s']:.2f} times"
            f" | 1/{measured['cpu_s'] / ours['cpu_s']:.1f} |"
        )
    return "\n".join(lines)


def verdict(fetched: dict[str, Measured], sent: dict[str, Measured]) -> str:
    """Return what was wanted beside what was found."""
    plain, dense, stored, stored_dense, raw, naive, vendor = (fetched[name] for name in FETCHES)
    rows = [
        ("speed over `response.json()`", 8, "wall_s", naive),
        ("speed over the vendor's client", 5, "wall_s", vendor),
        ("CPU saved over `response.json()`", 8, "cpu_s", naive),
        ("CPU saved over the vendor's client", 5, "cpu_s", vendor),
        ("speed of receiving and throwing away", 0.6, "wall_s", raw),
    ]
    lines = [
        "| what | wanted | found, all only write | found, ours makes the digest too |",
        "| --- | --- | --- | --- |",
    ]
    for what, wanted, key, other in rows:
        ratios = (other[key] / plain[key], other[key] / stored[key])
        lines.append(f"| {what} | {wanted} times | {_cells(ratios, wanted)} |")
    ratios = (plain["wall_s"] / dense["wall_s"], stored["wall_s"] / stored_dense["wall_s"])
    what, wanted = "speed with dense escapes, of the plain", 0.5
    lines.append(f"| {what} | {wanted} times | {_cells(ratios, wanted)} |")
    upload = sent["ours"]["over_idle_mb"]
    sizes = [
        max(first["over_idle_mb"], second["over_idle_mb"], upload)
        for first, second in ((plain, dense), (stored, stored_dense))
    ]
    cells = " | ".join(f"{_missed(size <= MEMORY_MB)}{size:.1f} MB" for size in sizes)
    lines.append(f"| memory over idle, the worst | {MEMORY_MB} MB | {cells} |")
    return "\n".join(lines)


def _cells(ratios: tuple[float, float], wanted: float) -> str:
    return " | ".join(f"{_missed(ratio >= wanted)}{ratio:.2f} times" for ratio in ratios)


def _missed(is_met: bool) -> str:  # noqa: FBT001  # reads well where it is called
    return "" if is_met else "**missed:** "


def main() -> None:
    """Measure everything and print the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fetch-mib", type=int, default=1024)
    parser.add_argument("--upload-mib", type=int, default=256)
    parser.add_argument("--dir", default=None, help="where files are written")
    given = with_results(parser).parse_args()
    conditions = Conditions()
    fetch_bytes = given.fetch_mib * MIB // BLOCK_BYTES * BLOCK_BYTES
    upload_bytes = given.upload_mib * MIB
    url = Service().url
    with tempfile.TemporaryDirectory(dir=given.dir) as name:
        folder = Path(name)
        (folder / "source").write_bytes(os.urandom(MIB) * given.upload_mib)
        fetched = race(FETCHES, url, fetch_bytes, given.rounds, folder)
        small = race(
            {"ours": "fetch_ours"}, url, max(BLOCK_BYTES, fetch_bytes // 64), given.rounds, folder
        )
        sent = race(UPLOADS, url, upload_bytes, given.rounds, folder)
    growth = small["ours"]["over_idle_mb"]
    body = f"""Over loopback, median of {given.rounds}; files in a temporary folder.
GB of PDF or DjVu, not of Base64. Each candidate has a process of its own; the service
shares the processors with it.

{verdict(fetched, sent)}

A PDF of {given.fetch_mib} MiB, fetched into a file:

{table(fetched, fetch_bytes)}

Of a PDF 64 times smaller ours needs {growth:.1f} MB over idle.

A DjVu of {given.upload_mib} MiB, sent from a file:

{table(sent, upload_bytes)}
"""
    publish("Transfer", body, conditions, given.results)


if __name__ == "__main__":
    main()
