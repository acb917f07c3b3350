"""What it costs that sources and PDFs lie in a store: from S3 to S3 beside plain copies.

    python -m benchmarks.stores --documents 120 --cloud-documents 300 --rounds 3 --write

The store is moto over HTTP, in a process of its own. The command converts from one bucket into
another, with the embedded engine and through an instant service; beside it, the same documents
from disk to disk, and plain copies: each DjVu read, and as many bytes put as its PDF has, by the
same client of the store and as many at once. Rounds are interleaved; of a way's rounds the median
counts, and ratios are of one round each. What a program's start costs is told by the same over
one document, and is taken off.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.cluster.__main__ import SAMPLES, make_archive
from benchmarks.results import Conditions, publish, with_results
from benchmarks.scale.__main__ import make_archive as make_small_files
from benchmarks.scale.__main__ import service
from benchmarks.service.processes import Process
from benchmarks.stores.archive import AT_ONCE, COPIES, DISK, Archive

if TYPE_CHECKING:
    from collections.abc import Sequence

TITLE: Final = "Object stores"


def body(archives: Sequence[Archive], rounds: int) -> str:
    """Return the section."""
    heads = ["way", "documents/s", "MB/s", "CPU ms a document", "the store's CPU ms"]
    heads += ["requests a document", "peak memory", "one document, start and all"]
    compared = [
        ("seconds a document, over disk → disk", [a.ratio("wall_s", DISK) for a in archives]),
        ("CPU a document, over disk → disk", [a.ratio("cpu_s", DISK) for a in archives]),
        ("seconds a document, over plain copies", [a.ratio("wall_s", COPIES) for a in archives]),
        (
            "what it adds to disk → disk, of the copies' seconds",
            [a.shown_share() for a in archives],
        ),
    ]
    local, cloud = archives
    return f"""`batch-converter convert` from one bucket into another, PDFs the same bytes as from
disk to disk. Embedded engine: {local.documents} documents of 1 to 6 pages, {local.moved_mb:.1f} MB
with their PDFs, {AT_ONCE["local"]} copies at once. Instant service: {cloud.documents} documents of
one page, {cloud.moved_mb:.1f} MB, {AT_ONCE["aspose"]} at once. Medians of {rounds} rounds, and in
brackets the lowest and the highest. The store (moto, written in Python) shares the processors with
what it is measured by. MB are those of DjVus and PDFs; memory is the command's own, without its
workers'.

| `s3 → s3` | embedded engine | instant service |
| --- | --- | --- |
{chr(10).join(f"| {what} | {' | '.join(cells)} |" for what, cells in compared)}

| {" | ".join(heads)} |
{"| --- " * len(heads)}|
{chr(10).join(chain.from_iterable(archive.rows() for archive in archives))}"""


def main() -> None:
    """Measure and print; with `--write` into RESULTS.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=int, default=120, help="for the embedded engine")
    parser.add_argument("--cloud-documents", type=int, default=300, help="for the service")
    parser.add_argument("--rounds", type=int, default=3)
    given = with_results(parser).parse_args()
    conditions = Conditions()
    with tempfile.TemporaryDirectory(prefix="stores-") as name:
        folder = Path(name)
        for engine in AT_ONCE:
            (folder / engine).mkdir()
        log = (folder / "server.log").open("wb")
        command: list[str | Path] = [sys.executable, "-m", "benchmarks.stores.server"]
        with log, Process(command, log=log) as server, service() as url:
            local = Archive("local", folder / "local", given.documents, server)
            make_archive(local.source, given.documents, SAMPLES)
            words = ("--base-url", url, "--poll-interval", "0.001")
            cloud = Archive("aspose", folder / "aspose", given.cloud_documents, server, words)
            make_small_files(cloud.source, given.cloud_documents)
            for archive in (local, cloud):
                archive.prepare()
                for number in range(given.rounds):
                    archive.measure(number)
            text = body((local, cloud), given.rounds)
    publish(TITLE, text, conditions, given.results)


if __name__ == "__main__":
    main()
