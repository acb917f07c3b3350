"""How throughput, CPU and memory grow with the number of files.

    python -m benchmarks.scale --files 1000 --rounds 5 --write
    python -m benchmarks.scale --growth 1000 10000 100000 --sizes 30kB:20kB 1MB:2MB 5MB:10MB

The service is instant and a process of its own, so what is measured is the client.
Candidates take turns within a round; figures are medians, ratios are of one round.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.results import Conditions, publish, with_results
from benchmarks.scale import tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.scale.tables import Figures, Results

BY_SIZE = ("ours", "bare", "vendor")
A_FOLDER = 1_000
ARCHIVE_BYTES = 500_000_000
FEWEST = 20
_SIZES = re.compile(r"([0-9.]+)(kB|MB):([0-9.]+)(kB|MB)")
_UNITS = {"kB": 1_000, "MB": 1_000_000}


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


def compare(root: Path, url: str, *, files: int, rounds: int) -> Iterator[str]:
    """Measure all candidates in turns; yields the lines of a table, and of what was wanted."""
    source = root / "compare"
    make_archive(source, files)
    results = take_turns(tables.CANDIDATES, source, url, rounds=rounds)
    yield from tables.compared(results, files=files, rounds=rounds)


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


def compare_sizes(root: Path, wanted: Sequence[Sizes], *, files: int, rounds: int) -> Iterator[str]:
    """Measure ours, the floor and the vendor's client with files of several sizes."""
    yield from tables.sizes_head(BY_SIZE, rounds)
    for sizes in wanted:
        folder, count = root / str(sizes), sizes.count(files)
        make_archive(folder / "source", count, djvu_bytes=sizes.djvu_bytes)
        with service(pdf_bytes=sizes.pdf_bytes) as url:
            results = take_turns(BY_SIZE, folder / "source", url, rounds=rounds)
        shutil.rmtree(folder)
        yield tables.sizes_row(str(sizes), results, count)


def grow(root: Path, url: str, counts: list[int]) -> Iterator[str]:
    """Convert archives of growing size, and each once more."""
    found = []
    for count in counts:
        source, output = root / f"grow-{count}", root / f"grown-{count}"
        make_archive(source, count)
        first = measure("ours", source, output, url)
        found.append((count, first, measure("rerun", source, output, url)))
    yield from tables.grown(found)


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
        help="compare with files of these sizes too, as many of each as fit into 500 MB",
    )
    arguments.add_argument("--size-rounds", type=int, default=3, help="of --sizes")
    arguments.add_argument("--folder", type=Path, help="where the archives go (default: /tmp)")
    given = with_results(arguments).parse_args()
    conditions = Conditions()
    lines = ["\n".join(tables.EXPLAINED)]
    with tempfile.TemporaryDirectory(prefix="scale-", dir=given.folder) as folder:
        root = Path(folder)
        with service() as url:
            lines.append("\n".join(compare(root, url, files=given.files, rounds=given.rounds)))
            if given.growth:
                lines.append("\n".join(grow(root, url, given.growth)))
        if given.sizes:
            sized = compare_sizes(root, given.sizes, files=given.files, rounds=given.size_rounds)
            lines.append("\n".join(sized))
    publish("Scale", "\n\n".join(lines), conditions, given.results)


if __name__ == "__main__":
    main()
