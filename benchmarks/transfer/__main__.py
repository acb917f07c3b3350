"""How fast documents move, and what that costs: ours beside the alternatives, and its parts.

    python -m benchmarks.transfer [--rounds 5] [--write]

All candidates fetch the same PDF into a file, or send the same file, over loopback
from a service that costs next to nothing; each in a process of its own, the rounds
interleaved, the median of each kept. Beside them each part of the work is done alone: what
ours needs of a processor is held to their sum, since that swings least.
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
from benchmarks.transfer import verdicts
from benchmarks.transfer.service import BLOCK_BYTES, Service, pdf_block

MIB: Final = 1024 * 1024
FETCHES: Final = {
    "ours": "fetch_ours",
    "ours, every `/` and `+` escaped": "fetch_ours_dense",
    "ours, with the digest": "fetch_stored",
    "ours, with the digest, escaped": "fetch_stored_dense",
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
) -> dict[str, list[Measured]]:
    """Return each candidate's rounds, which are interleaved."""
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
    return found


def summed_up(rounds: list[Measured]) -> Measured:
    """Return the median times of the rounds, and the worst of memory."""
    return {
        "wall_s": statistics.median(each["wall_s"] for each in rounds),
        "cpu_s": statistics.median(each["cpu_s"] for each in rounds),
        "over_idle_mb": max(each["peak_mb"] - each["idle_mb"] for each in rounds),
    }


def table(rounds: dict[str, list[Measured]], size: int) -> str:
    """Return the measurements as Markdown, ours against each."""
    found = {title: summed_up(each) for title, each in rounds.items()}
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
        both = race(FETCHES | verdicts.PARTS, url, fetch_bytes, given.rounds, folder)
        small = race(
            {"ours": "fetch_ours"}, url, max(BLOCK_BYTES, fetch_bytes // 64), given.rounds, folder
        )
        sent = race(UPLOADS, url, upload_bytes, given.rounds, folder)
    fetched = {title: both[title] for title in FETCHES}
    growth = summed_up(small["ours"])["over_idle_mb"]
    body = f"""Over loopback, median of {given.rounds}; files in a temporary folder.
GB of PDF or DjVu, not of Base64. Each candidate has a process of its own; the service
shares the processors with it.

{verdicts.verdict(fetched, sent)}

{verdicts.against_parts(both, fetch_bytes)}

A PDF of {given.fetch_mib} MiB, fetched into a file:

{table(fetched, fetch_bytes)}

Of a PDF 64 times smaller ours needs {growth:.1f} MB over idle.

A DjVu of {given.upload_mib} MiB, sent from a file:

{table(sent, upload_bytes)}
"""
    publish("Transfer", body, conditions, given.results)


if __name__ == "__main__":
    main()
