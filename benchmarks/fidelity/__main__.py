"""Hold our PDFs against their DjVus, DjVuLibre's PDFs and dpsprep's.

    python -m benchmarks.fidelity [FOLDER]... [--rounds N] [--most-pages N] [--write]

Needs djvulibre-bin and poppler-utils; uses mupdf-tools, libjs-pdf with chromium, dpsprep and
minidjvu where they are installed, and says which were not. Makes typed books and scans of its
own (unless `--none-made`), which count beside the folders' documents and not among them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.fidelity import (
    archival,
    comparisons,
    mask_bytes,
    memory,
    processor,
    rendering,
    speed,
    whole_bytes,
)
from benchmarks.fidelity.books import books, scans
from benchmarks.fidelity.converting import Converter
from benchmarks.fidelity.subjects import Subject
from benchmarks.fidelity.tables import goal, table
from benchmarks.results import NOT_INSTALLED, ROOT, Conditions, publish, with_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.fidelity.processor import Costs

NEEDED: Final = ("ddjvu", "djvutxt", "djvused", "cjb2", "c44", "djvm", "pdftotext", "pdftoppm")
BESIDE: Final = ("dpsprep", "minidjvu", "mutool", "chromium", "parallel")
"""Peers that are measured where they are installed."""

_KNOWN: Final = """**Known.** pdfium takes a full stop or comma at the end of a Hebrew or
Arabic word for a part of the turned run and puts it first (5 words of `languages.djvu`);
poppler and pdfium want opposite orders there, and poppler's is kept. pdfium joins words that a
hyphen divides at a line's end. Damage (300 mutations, bombs, each known way of silent loss) is
in the tests, by name `test_no_damage_crashes_hangs_or_passes_for_a_blank_page` and
`test_bombs_cost_one_document_each` of `tests/integration/test_local_engine.py`."""


def measured(
    paths: Sequence[Path], scratch: Path, rounds: int, most_pages: int, *, makes: bool
) -> str:
    """Measure everything; returns the section."""
    kernels = scratch / "kernels"
    kernels.mkdir(mode=0o700)
    _tell("books and scans are made")
    made = [*books(scratch), *scans(scratch)] if makes else []
    subjects = [Subject(path, scratch) for path in paths]
    subjects += [Subject(path, scratch, is_made=True) for path in made]
    with Converter(kernels) as compiled, Converter(None) as plain:
        _tell("processor time")
        costs = processor.measure(subjects, compiled, plain, rounds, scratch)
        _tell("presets and PDF/A")
        whole_bytes.convert_all(subjects, compiled)
        verdicts = archival.verdicts(subjects, compiled)
        is_compiled = compiled.is_compiled
    _tell("pixels")
    pixels = rendering.compare(subjects, most_pages)
    _tell("wall time")
    runs = speed.race(paths, rounds, kernels)
    more = {copies: speed.race(paths, rounds, kernels, copies) for copies in speed.COPIES}
    _tell("words, links, pictures, memory")
    corpus = [subject for subject in subjects if not subject.is_made]
    words, word_rows = comparisons.text(corpus)
    leading, leading_rows = comparisons.leading(corpus)
    seen, seen_rows = comparisons.seen(corpus, most_pages)
    goals = [
        *mask_bytes.goals(subjects),
        *whole_bytes.goals(subjects),
        *rendering.goals(pixels),
        *processor.goals(subjects, costs),
        *speed.goals(runs, more),
        *memory.goals(subjects, scratch, kernels),
        *archival.goals(verdicts),
        *_same_bytes(subjects),
        *(*word_rows, *leading_rows, *seen_rows),
    ]
    return "\n\n".join(
        [
            _preface(paths, subjects, costs, is_compiled=is_compiled),
            table(("what", "wanted", "found"), goals),
            _KNOWN,
            mask_bytes.mask_table(subjects),
            whole_bytes.size_table(subjects),
            rendering.pixel_table(subjects, pixels, most_pages),
            processor.cost_table(subjects, costs),
            speed.speed_table(runs, "all files"),
            *(speed.speed_table(r, f"{copies} copies of each file") for copies, r in more.items()),
            archival.archival_table(subjects, verdicts),
            *(words, leading, seen),
        ]
    )


def _tell(phase: str) -> None:
    print(phase, file=sys.stderr)


def _preface(
    paths: Sequence[Path], subjects: Sequence[Subject], costs: Costs, *, is_compiled: bool
) -> str:
    pages = sum(subject.info.page_count for subject in subjects if not subject.is_made)
    made = ", ".join(subject.name for subject in subjects if subject.is_made) or "none"
    missing = ", ".join(name for name in BESIDE if shutil.which(name) is None) or "none"
    total = sum(ways["ddjvu"] for ways in costs.values())
    fast = "" if is_compiled else " **numba was not installed: nothing was compiled.**"
    return (
        f"{len(paths)} files of {pages} pages; beside them, made on the spot: {made}. "
        f"Programs that were not installed, and are missing in the tables: {missing}. "
        f"All ratios are of one run; `ddjvu` needed {total:.1f} s of processor time.{fast}"
    )


def _same_bytes(subjects: Sequence[Subject]) -> list[tuple[str, str, str]]:
    """Compare the PDFs of compiled kernels with those of plain ones."""
    pairs = [
        (subject.pdf(coding), subject.pdf(f"{coding}.plain"))
        for subject in subjects
        if not subject.is_made
        for coding in processor.CODINGS
    ]
    same = sum(one.read_bytes() == other.read_bytes() for one, other in pairs)
    told = f"{same} of {len(pairs)} PDFs"
    title = "same bytes with and without `[fast]`, `g4` and `jbig2`"
    return [goal(title, "all", told, met=same == len(pairs))]


def main() -> None:
    """Measure, print, and write if that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT / "samples"])
    parser.add_argument("--rounds", type=int, default=3, help="the best counts")
    parser.add_argument("--most-pages", type=int, default=12, help="shown of each file")
    parser.add_argument("--none-made", action="store_true", help="no books and scans of its own")
    given = with_results(parser).parse_args()
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        parser.exit(NOT_INSTALLED, f"needs {', '.join(missing)} (djvulibre-bin, poppler-utils)\n")
    conditions = Conditions()
    paths = sorted(path for folder in given.folders for path in folder.glob("*.djvu"))
    makes = not given.none_made
    with tempfile.TemporaryDirectory() as folder:
        found = measured(paths, Path(folder), given.rounds, given.most_pages, makes=makes)
    publish("Fidelity", found, conditions, given.results)


if __name__ == "__main__":
    main()
