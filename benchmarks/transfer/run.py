"""How fast documents move, and what that costs: ours beside the alternatives.

    python benchmarks/transfer/run.py [--rounds 5] [--write]

All candidates fetch the same PDF into a file, or send the same file, over loopback
from a service that costs next to nothing; each in a process of its own, the rounds
interleaved, the best of each kept. `--write` puts the table into RESULTS.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))

from service import BLOCK_BYTES, Service, pdf_block

MIB: Final = 1024 * 1024
MEMORY_MB: Final = 8
BUSY_LOAD: Final = 2
FETCHES: Final = {
    "ours": "fetch_ours",
    "ours, every `/` and `+` escaped": "fetch_ours_dense",
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
    script = Path(__file__).with_name("candidate.py")
    done = subprocess.run(
        [sys.executable, script, name, url, str(size), path],
        check=True,
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
    """Return the best of each candidate, over interleaved rounds."""
    best: dict[str, Measured] = {}
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
            known = best.setdefault(title, measured)
            for key in ("wall_s", "cpu_s"):
                known[key] = min(known[key], measured[key])
            known["peak_mb"] = max(known["peak_mb"], measured["peak_mb"])
    return best


def table(best: dict[str, Measured], size: int) -> str:
    """Return the measurements as Markdown, ours against each."""
    ours = best["ours"]
    lines = [
        "| way | GB/s | CPU s/GB | peak memory over idle | ours is faster | ours needs CPU |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for title, measured in best.items():
        lines.append(
            f"| {title} | {size / 1e9 / measured['wall_s']:.2f}"
            f" | {measured['cpu_s'] / size * 1e9:.2f}"
            f" | {measured['peak_mb'] - measured['idle_mb']:.1f} MB"
            f" | {measured['wall_s'] / ours['wall_s']:.2f} times"
            f" | 1/{measured['cpu_s'] / ours['cpu_s']:.1f} |"
        )
    return "\n".join(lines)


def verdict(fetched: dict[str, Measured], sent: dict[str, Measured]) -> str:
    """Return what was wanted beside what was found."""
    names = list(FETCHES)
    ours, dense, raw, naive, vendor = (fetched[name] for name in names)
    rows = [
        ("speed over `response.json()`", 8, naive["wall_s"] / ours["wall_s"]),
        ("speed over the vendor's client", 5, vendor["wall_s"] / ours["wall_s"]),
        ("CPU saved over `response.json()`", 8, naive["cpu_s"] / ours["cpu_s"]),
        ("CPU saved over the vendor's client", 5, vendor["cpu_s"] / ours["cpu_s"]),
        ("speed of receiving and throwing away", 0.6, raw["wall_s"] / ours["wall_s"]),
        ("speed with dense escapes, of the plain", 0.5, ours["wall_s"] / dense["wall_s"]),
    ]
    sizes = [
        value["peak_mb"] - value["idle_mb"] for value in (ours, dense, sent[next(iter(UPLOADS))])
    ]
    lines = ["| what | wanted | found |", "| --- | --- | --- |"]
    for what, wanted, found in rows:
        missed = "" if found >= wanted else "**missed:** "
        lines.append(f"| {what} | {wanted} times | {missed}{found:.2f} times |")
    missed = "" if max(sizes) <= MEMORY_MB else "**missed:** "
    lines.append(f"| memory over idle, the worst | {MEMORY_MB} MB | {missed}{max(sizes):.1f} MB |")
    return "\n".join(lines)


def main() -> None:
    """Measure everything and print the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fetch-mib", type=int, default=1024)
    parser.add_argument("--upload-mib", type=int, default=256)
    parser.add_argument("--dir", default=None, help="where files are written")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    given = parser.parse_args()
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
    growth = small["ours"]["peak_mb"] - small["ours"]["idle_mb"]
    load, busy = os.getloadavg()[2], ""
    if load > BUSY_LOAD:
        busy = f" The machine had other work (load {load:.0f} over a quarter of an hour)."
    section = f"""## Transfer

Python {platform.python_version()}, {os.cpu_count()} cores, loopback, best of {given.rounds},
`benchmarks/transfer/run.py`; files in a temporary folder.
GB of PDF or DjVu, not of Base64. Each candidate has a process of its own; the service
shares the cores with it.{busy}

{verdict(fetched, sent)}

A PDF of {given.fetch_mib} MiB, fetched into a file:

{table(fetched, fetch_bytes)}

Of a PDF 64 times smaller ours needs {growth:.1f} MB over idle.

A DjVu of {given.upload_mib} MiB, sent from a file:

{table(sent, upload_bytes)}
"""
    print(section)
    if given.write:
        write(section)


def write(section: str) -> None:
    """Replace our section of RESULTS.md, or append it."""
    path = Path(__file__).parents[1] / "RESULTS.md"
    text = path.read_text() if path.exists() else "# Measured\n"
    before, found, rest = text.partition("## Transfer\n")
    after = rest.partition("\n## ")
    kept = "\n## " + after[2] if found and after[1] else ""
    path.write_text(before.rstrip() + "\n\n" + section.rstrip() + "\n" + kept)


if __name__ == "__main__":
    main()
