"""What masks weigh: in a DjVu as JB2, and in our PDFs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pikepdf

from benchmarks.fidelity.tables import at_most, goal, section, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.fidelity.subjects import Subject


def mask_bytes(pdf: Path) -> int:
    """Return the length of all bilevel images of a PDF, with what they share, each once."""
    with pikepdf.open(pdf) as opened:
        streams = {stream.objgen: stream for stream in _mask_streams(opened)}
        return sum(len(stream.read_raw_bytes()) for stream in streams.values())


def _mask_streams(pdf: pikepdf.Pdf) -> Iterator[pikepdf.Stream]:
    for image in pdf.objects:
        if not isinstance(image, pikepdf.Stream) or image.get("/Subtype") != "/Image":
            continue
        if image.get("/BitsPerComponent") == 1 or image.get("/ImageMask"):
            yield image
            shared = image.get("/DecodeParms", pikepdf.Dictionary()).get("/JBIG2Globals")
            if isinstance(shared, pikepdf.Stream):
                yield shared


def mask_table(subjects: Sequence[Subject]) -> str:
    """Return the lengths of masks of all documents that have some as JB2."""
    rows = []
    for subject in _with_masks(subjects):
        jb2 = subject.jb2_bytes
        g4, jbig2 = (mask_bytes(subject.pdf(coding)) for coding in ("g4", "jbig2"))
        rows.append((subject.name, subject.info.page_count, jb2, g4, jbig2, f"{g4 / jb2:.2f}",
                     f"{jbig2 / jb2:.2f}"))  # fmt: skip
    head = ("file", "pages", "Sjbz + Djbz", "g4", "jbig2", "g4 / JB2", "jbig2 / JB2")
    return section("Bytes of masks", table(head, rows))


def _with_masks(subjects: Sequence[Subject]) -> list[Subject]:
    return [subject for subject in subjects if subject.jb2_bytes]


def goals(subjects: Sequence[Subject]) -> list[tuple[str, str, str]]:
    """Return the rows of issue I about masks."""
    books = [subject for subject in subjects if subject.is_book]
    ratios = [(mask_bytes(book.pdf("jbig2")) / book.jb2_bytes, book.name) for book in books]
    larger = [
        subject.name
        for subject in _with_masks(subjects)
        if mask_bytes(subject.pdf("jbig2")) > mask_bytes(subject.pdf("g4"))
    ]
    rows = [
        goal("masks of `jbig2` against those of `g4`", "never larger",
             f"larger in {', '.join(larger) or 'none'}", met=not larger),
    ]  # fmt: skip
    if ratios:
        worst, name = max(ratios)
        title = "bytes of masks, typed books, against Sjbz + Djbz"
        total = sum(mask_bytes(book.pdf("jbig2")) for book in books)
        jb2 = sum(book.jb2_bytes for book in books)
        rows.insert(0, at_most(f"{title}; {len(books)} books together", 1.35, total / jb2))
        rows.insert(1, at_most(f"{title}; the worst, {name}", 1.35, worst))
    return rows
