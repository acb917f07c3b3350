"""How throughput, CPU and memory grow with the number of files.

    python -m benchmarks.scale --files 1000 --rounds 5
    python -m benchmarks.scale --growth 1000 10000 100000

The service is instant and a process of its own, so what is measured is the client.
Candidates take turns within a round; figures are medians, ratios are of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DJVU_BYTES = 30_000
PAIRED = ("ours", "no-ledger", "bare", "vendor")
A_FOLDER = 1_000

Figures = dict[str, float]


def make_archive(folder: Path, count: int) -> None:
    """Write files of one empty page each, with bytes of their own."""
    info = struct.pack(">HHBBHBB", 100, 100, 24, 0, 300, 22, 1)
    for number in range(count):
        mark = b"%08d" % number + b"x" * (DJVU_BYTES - 58)
        body = b"DJVUINFO" + struct.pack(">I", 10) + info
        body += b"CIDa" + struct.pack(">I", len(mark)) + mark
        target = folder / f"{number // A_FOLDER:04}" / f"{number:08}.djvu"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"AT&TFORM" + struct.pack(">I", len(body)) + body)


@contextmanager
def service() -> Iterator[str]:
    """Run the instant service; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.scale.service", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the service did not start")


def measure(name: str, source: Path, output: Path, url: str) -> Figures:
    """Run a candidate in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale.candidate", name, source, output, url]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=_as_installed())
    figures: Figures = json.loads(done.stdout)
    return figures


def _as_installed() -> dict[str, str]:
    """Leave out what would have an editable checkout compiled again in every process."""
    return {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def compare(root: Path, url: str, *, files: int, rounds: int) -> None:
    """Measure all candidates in turns and print a table."""
    source = root / "compare"
    make_archive(source, files)
    results: defaultdict[str, list[Figures]] = defaultdict(list)
    for number in range(rounds):
        for name in PAIRED:
            results[name].append(measure(name, source, root / f"{name}-{number}", url))
    print(f"| {files:,} files, median of {rounds} | files/s | CPU ms/file | peak MB |")
    print("| --- | --- | --- | --- |")
    for name in PAIRED:
        wall, cpu, peak = (_median(results[name], key) for key in ("wall_s", "cpu_s", "peak_mb"))
        print(f"| {name} | {files / wall:,.0f} | {cpu / files * 1e3:.2f} | {peak:.0f} |")
    _ratio(results, "ours", "vendor", "vendor's wall time over ours")
    _ratio(results, "bare", "vendor", "vendor's wall time over the bare converter's")
    _ratio(results, "ours", "no-ledger", "without the ledger over ours")


def _ratio(results: dict[str, list[Figures]], ours: str, other: str, what: str) -> None:
    for key in ("wall_s", "cpu_s"):
        ratios = [b[key] / a[key] for a, b in zip(results[ours], results[other], strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"\n{what} ({key}): {statistics.median(ratios):.2f} ({spread})")


def _median(figures: list[Figures], key: str) -> float:
    return statistics.median(each[key] for each in figures)


def grow(root: Path, url: str, counts: list[int]) -> None:
    """Convert archives of growing size, and each once more."""
    print("\n| files | first run s | ms/file | peak MB | rerun s | rerun peak MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for count in counts:
        source, output = root / f"grow-{count}", root / f"grown-{count}"
        make_archive(source, count)
        first = measure("ours", source, output, url)
        again = measure("rerun", source, output, url)
        print(
            f"| {count:,} | {first['wall_s']:.1f} | {first['wall_s'] / count * 1e3:.2f} |"
            f" {first['peak_mb']:.0f} | {again['wall_s']:.1f} | {again['peak_mb']:.0f} |"
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--files", type=int, default=1_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--growth", type=int, nargs="*", default=[])
    arguments.add_argument("--folder", type=Path, help="where the archives go (default: /tmp)")
    given = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="scale-", dir=given.folder) as folder,
        service() as url,
    ):
        if given.rounds:
            compare(Path(folder), url, files=given.files, rounds=given.rounds)
        if given.growth:
            grow(Path(folder), url, given.growth)


if __name__ == "__main__":
    main()
