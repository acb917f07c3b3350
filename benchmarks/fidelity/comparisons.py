"""Words, what leads through a document, and pictures: our PDFs against their DjVus."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from benchmarks.fidelity import navigation, pictures, words
from benchmarks.fidelity.rendering import pages_of
from benchmarks.fidelity.tables import at_least, at_most, goal, section, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.fidelity.subjects import Subject

    Row = tuple[str, str, str]

_OVERLAP: Final = 0.7


def text(subjects: Sequence[Subject]) -> tuple[str, list[Row]]:
    """Return how many words are found, and where they stand; with the rows of issue E."""
    rows = []
    least = {"recall": 1.0, "precision": 1.0, "boxes": 1.0}
    for subject in subjects:
        expected = words.djvu_words(str(subject.path))
        if not expected:
            continue
        poppler = words.compare(expected, words.poppler_words(subject.ours))
        pdfium = words.compare(expected, words.pdfium_words(subject.ours))
        good, placed = _boxes(subject)
        share = good / placed if placed else 1.0
        told = f"{share:.4f} of {placed}" if placed else "no boxes of their own"
        figures = (f"{x:.5f}" for x in (poppler.recall, poppler.precision, pdfium.recall))
        rows.append((subject.name, poppler.expected, *figures, told))
        found = {"recall": poppler.recall, "precision": poppler.precision, "boxes": share}
        least = {key: min(least[key], found[key]) for key in least}
    head = ("file", "words", "poppler recall", "precision", "pdfium recall", f"IoU ≥ {_OVERLAP}")
    title = "words, `pdftotext -raw` against `djvutxt`, the worst file"
    return section("Words", table(head, rows)), [
        at_least(f"{title}: recall", 0.999, least["recall"], unit="", digits=5),
        at_least(f"{title}: precision", 0.999, least["precision"], unit="", digits=5),
        at_least(
            f"word boxes with IoU ≥ {_OVERLAP}, the worst file",
            0.995,
            least["boxes"],
            unit="",
            digits=4,
        ),
    ]


def _boxes(subject: Subject) -> tuple[int, int]:
    found = words.poppler_boxes(subject.ours, subject.rotations)
    good = placed = 0
    for number, page in enumerate(subject.info.pages):
        size = (page.width, page.height)
        expected = words.djvu_boxes(str(subject.path), number + 1, size, page.rotation_deg)
        fitting, of = words.share_that_overlaps(expected, found[number], _OVERLAP)
        good, placed = good + fitting, placed + of
    return good, placed


def leading(subjects: Sequence[Subject]) -> tuple[str, list[Row]]:
    """Return what leads through the documents, and the sizes of pages; with the rows."""
    rows, lacking, worst_pt = [], [], 0.0
    for subject in subjects:
        djvu = navigation.of_djvu(str(subject.path), subject.info.page_count)
        pdf = navigation.of_pdf(subject.ours)
        facts = len(djvu.facts & pdf.facts)
        same = djvu.bookmarks == pdf.bookmarks
        if not (same and pdf.links == djvu.links and facts == len(djvu.facts)):
            lacking.append(subject.name)
        off = max(_differences(subject))
        worst_pt = max(worst_pt, off)
        marks = f"{len(pdf.bookmarks)} of {len(djvu.bookmarks)}, {'equal' if same else 'DIFFERENT'}"
        links = f"{pdf.links} of {djvu.links}"
        rows.append((subject.name, marks, links, f"{facts} of {len(djvu.facts)}", f"{off:.3f}"))
    head = ("file", "bookmarks", "links", "facts", "largest difference of a side, pt")
    told = f"not all of {', '.join(lacking)}" if lacking else "all"
    return section("Navigation and page sizes", table(head, rows)), [
        goal("bookmarks, links, title, author", "all", told, met=not lacking),
        at_most("page sizes against `ddjvu`'s", 1, worst_pt, unit=" pt", digits=3),
    ]


def _differences(subject: Subject) -> Iterator[float]:
    ours, theirs = (navigation.page_sizes(pdf) for pdf in (subject.ours, subject.theirs))
    for one, other in zip(ours, theirs, strict=True):
        yield max(abs(one[0] - other[0]), abs(one[1] - other[1]))


def seen(subjects: Sequence[Subject], most_pages: int) -> tuple[str, list[Row]]:
    """Return how far pages are from what DjVuLibre shows; with the row of issue E."""
    rows, worst_db = [], math.inf
    for subject in subjects:
        pages = pages_of(subject, most_pages)
        dpis = [page.dpi for page in subject.info.pages]
        compared = list(
            pictures.compare_pages(str(subject.path), subject.ours, subject.theirs, dpis, pages)
        )
        margin = min(map(_margin, compared))
        worst_db = min(worst_db, margin)
        worst = (
            min(getattr(p, key) for p in compared) for key in ("ours", "theirs", "their_pixels")
        )
        figures = (f"{value:.1f}" for value in worst)
        rows.append((subject.name, len(pages), *figures, f"{margin:+.1f}"))
    head = ("file", "pages", "ours", "`ddjvu`'s PDF", "`ddjvu`'s pixels", "worst margin, dB")
    return section(
        "Pictures: decibels against `ddjvu -format=ppm` (worst page)", table(head, rows)
    ), [at_least("pictures against what `ddjvu`'s PDF has", -3, worst_db, unit=" dB")]


def _margin(page: pictures.PageFidelity) -> float:
    best = max(page.theirs, page.their_pixels)
    return 0.0 if math.isinf(page.ours) and math.isinf(best) else page.ours - best
