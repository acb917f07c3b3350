"""What whole PDFs weigh against their DjVus: the presets, `ddjvu`'s and dpsprep's."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from benchmarks.fidelity.speed import dpsprep
from benchmarks.fidelity.tables import at_most, section, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.fidelity.converting import Converter
    from benchmarks.fidelity.subjects import Subject

PRESETS: Final = ("archive", "balanced", "small")
_WAYS: Final = (*PRESETS, "g4", "ddjvu", "dpsprep")


def convert_all(subjects: Sequence[Subject], compiled: Converter) -> None:
    """Make a PDF by each preset, and dpsprep's where it is installed."""
    for subject in subjects:
        for preset in PRESETS:
            compiled.convert(subject.path, subject.pdf(preset), preset=preset)
        if shutil.which("dpsprep"):
            command = dpsprep(str(subject.path), str(subject.pdf("dpsprep")))
            subprocess.run(command, check=False, capture_output=True)


def size_table(subjects: Sequence[Subject]) -> str:
    """Return the lengths of all PDFs, as shares of their DjVu's."""
    corpus = [subject for subject in subjects if not subject.is_made]
    rows = [(s.name, s.djvu_bytes, *(_ratio([s], way) for way in _WAYS)) for s in subjects]
    total = sum(subject.djvu_bytes for subject in corpus)
    sums = (f"**{_ratio(corpus, way)}**" for way in _WAYS)
    head = ("file", "DjVu", *PRESETS, "balanced, masks as g4", "`ddjvu`'s", "dpsprep's")
    return section(
        "Bytes of whole PDFs, of the DjVu's",
        table(head, [*rows, ("**the folders' together**", total, *sums)]),
    )


def _ratio(subjects: Sequence[Subject], way: str) -> str:
    if not all(subject.pdf(way).exists() for subject in subjects):
        return "none"
    return f"{ratio(subjects, way):.2f}"


def ratio(subjects: Sequence[Subject], way: str) -> float:
    """Return the length of all PDFs together, of all DjVus'."""
    sizes = sum(subject.pdf(way).stat().st_size for subject in subjects)
    return sizes / sum(subject.djvu_bytes for subject in subjects)


def goals(subjects: Sequence[Subject]) -> list[tuple[str, str, str]]:
    """Return the rows of issues E and I about whole PDFs."""
    corpus = [subject for subject in subjects if not subject.is_made]
    ours, theirs = (ratio(corpus, way) for way in ("balanced", "ddjvu"))
    return [
        at_most("whole PDFs against the DjVus, the folders' together, `balanced`", 2, ours),
        at_most("whole PDFs against `ddjvu`'s", 0.5, ours / theirs),
    ]
