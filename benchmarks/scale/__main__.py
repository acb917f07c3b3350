"""How throughput, CPU and memory grow with the number of files.

    python -m benchmarks.scale --files 1000 --rounds 5
    python -m benchmarks.scale --growth 1000 10000 100000
    python -m benchmarks.scale --rounds 3 --sizes 30kB:20kB 300kB:300kB 1MB:2MB 5MB:10MB

The service is instant and a process of its own, so what is measured is the client.
Candidates take turns within a round; figures are medians, ratios are of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
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
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAIRED = ("ours", "no-ledger", "bare", "vendor")
BY_SIZE = ("ours", "bare", "vendor")
A_FOLDER = 1_000
ARCHIVE_BYTES = 500_000_000
FEWEST = 20
_SIZES = re.compile(r"([0-9.]+)(kB|MB):([0-9.]+)(kB|MB)")
_UNITS = {"kB": 1_000, "MB": 1_000_000}

Figures = dict[str, float]
Results = dict[str, list[Figures]]


class Sizes(NamedTuple):
    """How long each DjVu is, and each PDF that the service makes of one."""

    djvu_bytes: int
    pdf_bytes: int

    @classmethod
    def parse(cls, text: str) -> Sizes:
        """Read `DJVU:PDF`, as in `300kB:1.5MB`."""
        if (match := _SIZES.fullmatch(text)) is None:
            msg = f"{text!r} is no pair of sizes such as 300kB:1.5MB"
            raise argparse.ArgumentTypeError(msg)
        djvu, djvu_unit, pdf, pdf_unit = match.groups()
        return cls(int(float(djvu) * _UNITS[djvu_unit]), int(float(pdf) * _UNITS[pdf_unit]))

    def __str__(self) -> str:
        """As it is given."""
        return ":".join(f"{n / 1e6:g}MB" if n >= _UNITS["MB"] else f"{n / 1e3:g}kB" for n in self)

    def count(self, most: int) -> int:
        """Return how many files are measured: no more than the disk has room for."""
        return max(FEWEST, min(most, ARCHIVE_BYTES // max(self)))


SMALL = Sizes(30_000, 20_000)


def make_archive(folder: Path, count: int, *, djvu_bytes: int = SMALL.djvu_bytes) -> None:
    """Write files of one empty page each, with bytes of their own."""
    info = struct.pack(">HHBB", 2550, 3300, 24, 0) + struct.pack("<HBB", 300, 22, 1)
    for number in range(count):
        mark = b"%08d" % number + b"x" * (djvu_bytes - 50)
        body = b"DJVUINFO" + struct.pack(">I", 10) + info
        body += b"CIDa" + struct.pack(">I", len(mark)) + mark
        target = folder / f"{number // A_FOLDER:04}" / f"{number:08}.djvu"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"AT&TFORM" + struct.pack(">I", len(body)) + body)


@contextmanager
def service(*, pdf_bytes: int = SMALL.pdf_bytes) -> Iterator[str]:
    """Run the instant service; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.scale.service", "--port", str(port)]
    command += ["--pdf-bytes", str(pdf_bytes)]
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
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.scale.candidate"]
    command += [name, source, output, url]
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
    results = take_turns(PAIRED, source, url, rounds=rounds)
    print(f"| {files:,} files, median of {rounds} | files/s | CPU ms/file | peak MB |")
    print("| --- | --- | --- | --- |")
    for name in PAIRED:
        wall, cpu, peak = (_median(results[name], key) for key in ("wall_s", "cpu_s", "peak_mb"))
        print(f"| {name} | {files / wall:,.0f} | {cpu / files * 1e3:.2f} | {peak:.0f} |")
    _ratio(results, "ours", "vendor", "vendor's wall time over ours")
    _ratio(results, "bare", "vendor", "vendor's wall time over the bare converter's")
    _ratio(results, "ours", "no-ledger", "without the ledger over ours")


def take_turns(names: Sequence[str], source: Path, url: str, *, rounds: int) -> Results:
    """Let each candidate convert the archive once a round, each time into a new folder.

    Nothing is removed before all are done: ext4 writes more slowly while it removes.
    """
    results: defaultdict[str, list[Figures]] = defaultdict(list)
    for number in range(rounds):
        for name in names:
            output = source.parent / f"{name}-{number}"
            results[name].append(measure(name, source, output, url))
    return results


def _ratio(results: Results, ours: str, other: str, what: str) -> None:
    for key in ("wall_s", "cpu_s"):
        ratios = _ratios(results, ours, other, key)
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"\n{what} ({key}): {statistics.median(ratios):.2f} ({spread})")


def _ratios(results: Results, ours: str, other: str, key: str) -> list[float]:
    return [b[key] / a[key] for a, b in zip(results[ours], results[other], strict=True)]


def _median(figures: list[Figures], key: str) -> float:
    return statistics.median(each[key] for each in figures)


def compare_sizes(root: Path, wanted: Sequence[Sizes], *, files: int, rounds: int) -> None:
    """Measure ours, the floor and the vendor's client with files of several sizes."""
    print(f"\n| DjVu:PDF, median of {rounds} | files | " + " | ".join(_headings()) + " |")
    print("| --- " * (2 + 3 * len(BY_SIZE)) + "|")
    for sizes in wanted:
        folder, count = root / str(sizes), sizes.count(files)
        make_archive(folder / "source", count, djvu_bytes=sizes.djvu_bytes)
        with service(pdf_bytes=sizes.pdf_bytes) as url:
            results = take_turns(BY_SIZE, folder / "source", url, rounds=rounds)
        shutil.rmtree(folder)
        print(f"| {sizes} | {count:,} | " + " | ".join(_cells(results, count)) + " |")


def _headings() -> Iterator[str]:
    for name in BY_SIZE:
        yield from (f"{name}: files/s", "CPU ms/file", "CPU over vendor's")


def _cells(results: Results, count: int) -> Iterator[str]:
    for name in BY_SIZE:
        yield f"{count / _median(results[name], 'wall_s'):,.0f}"
        yield f"{_median(results[name], 'cpu_s') / count * 1e3:.2f}"
        yield f"{statistics.median(_ratios(results, 'vendor', name, 'cpu_s')):.2f}"


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
    arguments.add_argument(
        "--sizes",
        type=Sizes.parse,
        nargs="*",
        default=[],
        metavar="DJVU:PDF",
        help="compare with files of these sizes instead, as many of each as fit into 500 MB",
    )
    arguments.add_argument("--folder", type=Path, help="where the archives go (default: /tmp)")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="scale-", dir=given.folder) as folder:
        root = Path(folder)
        if given.sizes:
            compare_sizes(root, given.sizes, files=given.files, rounds=given.rounds)
            return
        with service() as url:
            if given.rounds:
                compare(root, url, files=given.files, rounds=given.rounds)
            if given.growth:
                grow(root, url, given.growth)


if __name__ == "__main__":
    main()
