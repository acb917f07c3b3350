"""A PDF as an archive's one, PDF/A-2b: made so before it is written, and checked after.

pikepdf's checker approves only what it knows, as veraPDF's rules have it. What it refuses
is no PDF/A, or nobody knows: either way the document fails, and says why.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pikepdf import Dictionary, Name, Pdf, pdfa

from batch_converter.djvu.draw.archival_facts import FLAVOUR, settle_facts
from batch_converter.djvu.draw.archival_sizes import settle_sizes
from batch_converter.errors import EngineError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from pikepdf.pdfa import Finding, Report

SAVE_OPTIONS: Final[dict[str, Any]] = pdfa.resolve_save_kwargs(FLAVOUR, deterministic_id=True)
"""How a PDF is written whose bytes the checker is to approve."""

_NAME: Final = f"PDF/A-{FLAVOUR}"
_RULE: Final = re.compile(r"ISO_(\d+)_(\d+):([\d.]+)(?:-\d+)?")
_OBJECT: Final = re.compile(r"obj (\d+) (\d+)")


def make_archival(pdf: Pdf) -> list[str]:
    """Give a finished document what PDF/A-2b asks for; returns what was lost by it.

    That is an output intent (sRGB), images that are not smoothed, sizes within bounds, and
    XMP that says what the file is. Nothing depends on the clock or on the time zone.
    """
    lost = settle_facts(pdf)
    settle_sizes(pdf)
    packet, facts = pdf.Root.Metadata, pdf.trailer.Info
    # Set aside: pikepdf would name itself and the hour, and make up time zones.
    del pdf.Root.Metadata
    pdf.trailer.Info = pdf.make_indirect(Dictionary())
    prepared = pdfa.prepare(pdf, FLAVOUR)
    pdf.Root.Metadata, pdf.trailer.Info = packet, facts
    return lost + [told for level, told in prepared.messages() if level == "warning"]


def check_archival(path: str | os.PathLike[str]) -> None:
    """Check a PDF that was written; blocking.

    Raises:
        EngineError: It is no PDF/A-2b; the message says why, and where.
    """
    with open(path, "rb") as file:  # noqa: PTH123  # surrogates and PathLike alike
        report = pdfa.validate_written(file, FLAVOUR)
        if report.passed:
            return
        file.seek(0)
        with Pdf.open(file) as pdf:
            raise EngineError(_refusal(report, pdf))


def _refusal(report: Report, pdf: Pdf) -> str:
    first, *others = report.violations or report.unsupported
    verb = "be" if report.violations else "be checked as"
    more = f", and {len(others)} more" if others else ""
    return (
        f"it cannot {verb} {_NAME}: {_place(first, pdf)}{first.message}{_rule(first)}{more};"
        " local.pdfa = false makes a PDF of it"
    )


def _rule(finding: Finding) -> str:
    match = _RULE.match(finding.rule)
    return f" (ISO {match[1]}-{match[2]}, {match[3]})" if match else ""


def _place(finding: Finding, pdf: Pdf) -> str:
    """Name the page, or what else of the document it is; empty where that is not told."""
    match = _OBJECT.match(finding.where)
    if match is None:
        return ""
    wanted = (int(match[1]), int(match[2]))
    for number, page in enumerate(pdf.pages, start=1):
        if wanted in _objects(page.obj):
            return f"page {number}: "
    if wanted == pdf.trailer.Info.objgen:
        return "the document's facts: "
    thing = pdf.get_object(wanted)
    if isinstance(thing, Dictionary) and Name.Title in thing:
        return "a bookmark: "
    return "the page titles: " if wanted == pdf.Root.objgen and Name.PageLabels in thing else ""


def _objects(page: Dictionary) -> Iterator[tuple[int, int]]:
    """Yield the numbers of a page, its contents, its pictures and its annotations."""
    yield page.objgen
    yield from (note.objgen for note in page.get(Name.Annots, []))
    if Name.Contents in page:
        yield page.Contents.objgen
    yield from (image.objgen for image in page.Resources.get(Name.XObject, Dictionary()).values())
