"""Hold our PDFs against DjVuLibre's: `python -m benchmarks.fidelity [FOLDER]... [--rounds N]`.

Needs djvulibre-bin and poppler-utils; uses GNU parallel, dpsprep and pypdfium2 where
they are installed. Prints Markdown tables, the figures of issue E in their order.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import tempfile
from pathlib import Path

from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.read.inspect import DjvuInfo, inspect
from benchmarks.fidelity import navigation, pictures, speed, words

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


class Subject:
    """One file with both PDFs."""

    def __init__(self, path: Path, folder: str) -> None:
        self.path = str(path)
        self.name = path.stem
        self.info: DjvuInfo = inspect(path)
        self.ours = f"{folder}/{path.stem}.ours.pdf"
        self.theirs = f"{folder}/{path.stem}.theirs.pdf"
        convert(path, self.ours, ConvertOptions())
        command = ["ddjvu", "-format=pdf", "-quality=80", self.path, self.theirs]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)

    @property
    def rotations(self) -> list[int]:
        return [page.rotation_deg for page in self.info.pages]


def row(*cells: object) -> None:
    print("|", " | ".join(str(cell) for cell in cells), "|")


def header(*cells: str) -> None:
    row(*cells)
    row(*["---"] * len(cells))


def text_table(subjects: list[Subject]) -> None:
    print("\n### Words\n")
    header("file", "words", "poppler recall", "precision", "pdfium recall", "IoU >= 0.7")
    for subject in subjects:
        expected = words.djvu_words(subject.path)
        if expected:
            poppler = words.compare(expected, words.poppler_words(subject.ours))
            pdfium = words.compare(expected, words.pdfium_words(subject.ours))
            good, placed = _boxes(subject)
            share = f"{good / placed:.4f} of {placed}" if placed else "no boxes of their own"
            recalls = (f"{x:.5f}" for x in (poppler.recall, poppler.precision, pdfium.recall))
            row(subject.name, poppler.expected, *recalls, share)


def _boxes(subject: Subject) -> tuple[int, int]:
    found = words.poppler_boxes(subject.ours, subject.rotations)
    good = placed = 0
    for number, page in enumerate(subject.info.pages):
        size = (page.width, page.height)
        expected = words.djvu_boxes(subject.path, number + 1, size, page.rotation_deg)
        fitting, of = words.share_that_overlaps(expected, found[number], 0.7)
        good, placed = good + fitting, placed + of
    return good, placed


def navigation_table(subjects: list[Subject]) -> None:
    print("\n### Navigation and page sizes\n")
    header("file", "bookmarks", "links", "facts", "largest difference of a side, pt")
    for subject in subjects:
        djvu = navigation.of_djvu(subject.path, subject.info.page_count)
        pdf = navigation.of_pdf(subject.ours)
        same = "equal" if djvu.bookmarks == pdf.bookmarks else "DIFFERENT"
        facts = f"{len(djvu.facts & pdf.facts)} of {len(djvu.facts)}"
        pairs = zip(
            navigation.page_sizes(subject.ours), navigation.page_sizes(subject.theirs), strict=True
        )
        off = max(max(abs(a[0] - b[0]), abs(a[1] - b[1])) for a, b in pairs)
        bookmarks = f"{len(pdf.bookmarks)} of {len(djvu.bookmarks)}, {same}"
        row(subject.name, bookmarks, f"{pdf.links} of {djvu.links}", facts, f"{off:.3f}")


def picture_table(subjects: list[Subject], most_pages: int) -> None:
    print("\n### Pictures: decibels against `ddjvu -format=ppm` (worst page)\n")
    header("file", "pages", "ours", "ddjvu's PDF", "ddjvu's pixels", "worst margin, dB")
    for subject in subjects:
        step = max(1, subject.info.page_count // most_pages)
        pages = list(range(1, subject.info.page_count + 1, step))
        dpis = [page.dpi for page in subject.info.pages]
        compared = list(
            pictures.compare_pages(subject.path, subject.ours, subject.theirs, dpis, pages)
        )
        margin = min(_margin(page) for page in compared)
        worst = (
            min(getattr(p, key) for p in compared) for key in ("ours", "theirs", "their_pixels")
        )
        row(subject.name, len(pages), *(f"{value:.1f}" for value in worst), f"{margin:+.1f}")


def _margin(page: pictures.PageFidelity) -> float:
    best = max(page.theirs, page.their_pixels)
    return 0.0 if math.isinf(page.ours) and math.isinf(best) else page.ours - best


def size_table(subjects: list[Subject]) -> None:
    print("\n### Bytes\n")
    header("file", "DjVu", "ours", "ddjvu's PDF", "ratio")
    totals = [0, 0, 0]
    for subject in subjects:
        paths = (subject.path, subject.ours, subject.theirs)
        sizes = [Path(path).stat().st_size for path in paths]
        totals = [total + size for total, size in zip(totals, sizes, strict=True)]
        row(subject.name, *sizes, f"{sizes[1] / sizes[2]:.2f}")
    row("**all**", *totals, f"**{totals[1] / totals[2]:.2f}**")


def speed_table(files: list[str], rounds: int) -> None:
    print("\n### Seconds for all files, all cores (best of", rounds, "interleaved)\n")
    header("candidate", "wall", "processor", "ours is faster by")
    runs = speed.race(files, rounds)
    ours = min(run.wall_s for run in runs["batch-converter"])
    for name, all_runs in runs.items():
        wall, cpu = min(r.wall_s for r in all_runs), min(r.cpu_s for r in all_runs)
        row(name, f"{wall:.2f}", f"{cpu:.2f}", f"{wall / ours:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[SAMPLES])
    parser.add_argument("--rounds", type=int, default=3, help="of the race; 0 leaves it out")
    parser.add_argument("--most-pages", type=int, default=12, help="compared of each file")
    options = parser.parse_args()
    files = sorted(path for folder in options.folders for path in folder.glob("*.djvu"))
    with tempfile.TemporaryDirectory() as folder:
        subjects = [Subject(path, folder) for path in files]
        text_table(subjects)
        navigation_table(subjects)
        picture_table(subjects, options.most_pages)
        size_table(subjects)
    if options.rounds:
        speed_table([str(path) for path in files], options.rounds)


if __name__ == "__main__":
    main()
