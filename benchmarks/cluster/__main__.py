"""What a cluster costs beside the embedded engine, and what a run over one needs.

    python -m benchmarks.cluster --documents 240 --books 12 --rounds 5 --growth 500 5000 --write

Three questions: how much longer the same documents take on a cluster of two workers than with
two workers of the embedded engine (short ones and books, in turn, the best of all rounds each,
and whether the PDFs are the same bytes); how much processor time the scheduler needs for a
document; and whether the run's memory grows with the number of documents. Times begin when the
engine is open.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.fidelity.books import PAGES
from benchmarks.fidelity.books import books as typed_books
from benchmarks.results import NOT_INSTALLED, ROOT, Conditions, publish, with_results

TITLE: Final = "Cluster"
WORKERS: Final = 2
SAMPLES: Final = ("book", "mixed", "languages", "colour")
SMALL: Final = "bitonal"
NEEDED: Final = ("cjb2", "djvm")


def make_archive(folder: Path, documents: int, names: tuple[str, ...]) -> None:
    """Make copies of samples, one after the other."""
    folder.mkdir(parents=True)
    given = [(ROOT / f"samples/{name}.djvu").read_bytes() for name in names]
    for number in range(documents):
        (folder / f"{number:05}.djvu").write_bytes(given[number % len(given)])


def make_books(folder: Path, books: int) -> None:
    """Make copies of typed and scanned books, one after the other."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="books-") as press:
        printed = typed_books(Path(press))
        if not printed:
            print("needs the font DejaVu Serif (fonts-dejavu-core)", file=sys.stderr)
            raise SystemExit(NOT_INSTALLED)
        for number in range(books):
            shutil.copyfile(printed[number % len(printed)], folder / f"{number}.djvu")


def measure(engine: str, source: Path, output: Path) -> dict[str, float]:
    """Make one run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.cluster.candidate", engine]
    done = subprocess.run(
        [*command, str(source), str(output), str(WORKERS)],
        capture_output=True,
        check=True,
        cwd=ROOT,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def compare(source: Path, what: str, rounds: int) -> str:
    """Run both engines in turn over the same documents; returns a row of the table."""
    seconds: dict[str, list[float]] = {"local": [], "dask": []}
    for number in range(rounds):
        outputs = {
            engine: source.with_name(f"{source.name}-{engine}-{number}") for engine in seconds
        }
        for engine, taken in seconds.items():
            taken.append(measure(engine, source, outputs[engine])["seconds"])
        check_same(outputs["local"], outputs["dask"])
    best = {engine: min(taken) for engine, taken in seconds.items()}
    ratios = [d / e for d, e in zip(seconds["dask"], seconds["local"], strict=True)]
    told = f"{best['dask'] / best['local'] - 1:+.1%}"
    beside = f"{best['local']:.2f} s and {best['dask']:.2f} s, best of {rounds}; round by round"
    beside += f" {min(ratios):.2f} to {max(ratios):.2f} times as long"
    return f"| over `local`, {what} | ≤ +15 % | {told} ({beside}) |"


def compare_lengths(folder: Path, documents: int, books: int, rounds: int) -> list[str]:
    """Compare the engines over short documents and over books, if any; returns rows."""
    make_archive(folder / "short", documents, SAMPLES)
    called = {"short": f"{documents} documents of 1 to 6 pages"}
    if books:
        make_books(folder / "books", books)
        called["books"] = f"{books} books of {PAGES} pages"
    return [compare(folder / name, what, rounds) for name, what in called.items()]


def check_same(one: Path, other: Path) -> None:
    """Make sure that both have the same PDFs.

    Raises:
        SystemExit: They differ.
    """
    pdfs = [{path.name: path.read_bytes() for path in each.glob("*.pdf")} for each in (one, other)]
    if not pdfs[0] or pdfs[0] != pdfs[1]:
        raise SystemExit("the engines' PDFs are not the same bytes")


def grow(folder: Path, counts: list[int]) -> list[str]:
    """Run ever more documents of one page; returns rows of the table."""
    peaks, cpu_ms = [], []
    for count in counts:
        source = folder / f"small-{count}"
        make_archive(source, count, (SMALL,))
        found = measure("dask", source, folder / f"grown-{count}")
        peaks.append(found["peak_mb"])
        cpu_ms.append(found["scheduler_cpu_s"] * 1e3 / count)
    documents = ", ".join(f"{count:,}" for count in counts)
    cpu_told = ", ".join(f"{ms:.1f} ms" for ms in cpu_ms)
    peaks_told = ", ".join(f"{peak:.0f} MB" for peak in peaks)
    cpu = f"processor time of scheduler and nannies a document, {documents} documents of a page"
    memory = f"peak memory of the run, {documents} documents"
    return [f"| {cpu} | ≤ 8 ms | {cpu_told} |", f"| {memory} | within 40 MB | {peaks_told} |"]


def main() -> None:
    """Measure and print; with `--write` into RESULTS.md."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--documents", type=int, default=240)
    arguments.add_argument("--books", type=int, default=12)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--growth", type=int, nargs="+", default=[500, 5_000])
    given = with_results(arguments).parse_args()
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        arguments.exit(NOT_INSTALLED, f"needs {', '.join(missing)} (djvulibre-bin)\n")
    conditions = Conditions()
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        # First: a process's peak begins with that of who starts it, and books take 300 MB to make.
        grown = grow(Path(folder), given.growth)
        rows = compare_lengths(Path(folder), given.documents, given.books, given.rounds) + grown
    text = f"""A cluster on this machine with {WORKERS} workers, files shared; PDFs the same
bytes in every round; Dask {version("distributed")}. Scheduler, nannies and the run take their
time from the same processors as the workers: with a short document that is what the engine adds.

| what | wanted | found |
| --- | --- | --- |
{chr(10).join(rows)}"""
    publish(TITLE, text, conditions, given.results)


if __name__ == "__main__":
    main()
