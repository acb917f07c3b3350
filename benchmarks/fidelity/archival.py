"""PDF/A-2b: every document that can be one is, by the validator of pikepdf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pikepdf.pdfa import validate_written

from batch_converter.errors import FileError
from benchmarks.fidelity.tables import goal, section, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.fidelity.converting import Converter
    from benchmarks.fidelity.subjects import Subject

    Verdicts = dict[str, str]
    """By a subject's name, why it is none; empty where it is."""


def verdicts(subjects: Sequence[Subject], compiled: Converter) -> Verdicts:
    """Convert everything into PDF/A and ask the validator."""
    return {subject.name: _verdict(subject, compiled) for subject in subjects}


def _verdict(subject: Subject, compiled: Converter) -> str:
    target = subject.pdf("pdfa")
    try:
        compiled.convert(subject.path, target, pdfa=True)
    except FileError as error:
        return f"refused: {error}"
    report = validate_written(target, "2b")
    return "" if report.passed else f"not valid: {report.findings[0]}"


def archival_table(subjects: Sequence[Subject], found: Verdicts) -> str:
    """Return what became of each, and how much longer it is."""
    rows = []
    for subject in subjects:
        size = subject.pdf("pdfa").stat().st_size if not found[subject.name] else 0
        more = f"{size - subject.pdf('balanced').stat().st_size:+d}" if size else "none"
        rows.append((subject.name, found[subject.name] or "valid", more))
    return section("PDF/A-2b", table(("file", "verdict", "bytes more"), rows))


def goals(found: Verdicts) -> list[tuple[str, str, str]]:
    """Return the row of issue I about PDF/A."""
    wrong = [name for name, told in found.items() if told.startswith("not")]
    refused = [name for name, told in found.items() if told.startswith("refused")]
    valid = len(found) - len(wrong) - len(refused)
    told = f"{valid} of {len(found)} valid"
    if refused:
        told += f"; refused with the reason: {', '.join(refused)}"
    if wrong:
        told += f"; not valid: {', '.join(wrong)}"
    return [goal("PDF/A-2b", "all that can be", told, met=not wrong)]
