"""What is looked at before it is decided what becomes of a found file. Blocks.

Everything is looked at once: one stat of the PDF, at most one hash of it, and at most
one of the source. What nobody would ask for is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_converter.errors import ErrorCode, FileError, OutputError
from batch_converter.models import DocumentState, Failure
from batch_converter.storage import SourceStatus

if TYPE_CHECKING:
    from batch_converter.ledger import Planned
    from batch_converter.orchestrator.verdict import PlanOptions
    from batch_converter.output import OutputStore
    from batch_converter.sources import SourceInspector


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFacts:
    """A found file, its PDF and what the ledger knows of both.

    Attributes:
        planned: The file as it is now beside what the ledger knows of it.
        address: What messages call the place where its PDF belongs.
        changed: Its bytes differ from those that the ledger's state is about.
        parts_fingerprint: Of an indirect document, how its parts look now.
        has_parts_now: Of an index that failed for want of its parts: they are there.
        pdf_bytes: Size of the file that is there; None where there is none.
        pdf_etag: What its store tells it by; None on a disk.
        is_announced: That file holds the very bytes that the ledger recorded before they
            got their name.
        obstacle: What keeps a PDF from that name, whatever is asked for.
    """

    planned: Planned
    address: str
    changed: bool
    parts_fingerprint: str | None = None
    has_parts_now: bool = False
    pdf_bytes: int | None = None
    pdf_etag: str | None = None
    is_announced: bool = False
    obstacle: str | None = None

    @property
    def is_other_pdf(self) -> bool:
        """Whether the store says that it is not the version which this ledger has put there."""
        return self.pdf_etag is not None and self.pdf_etag != self.planned.document.pdf_etag

    @property
    def refusal(self) -> Failure:
        """Why no PDF of the file may be put there."""
        message = (
            f"{self.address} cannot be written: {self.obstacle}; move it away"
            if self.obstacle
            else f"{self.address} is there already and this ledger did not write it; move it away,"
            " or use --adopt to take it for this file's own, --overwrite always to replace it or"
            " --overwrite never to keep it"
        )
        return Failure(code=ErrorCode.OUTPUT_ERROR, message=message)


def gather_facts(
    planned: Planned, pdfs: OutputStore, inspector: SourceInspector, options: PlanOptions
) -> FoundFacts:
    """Look at a found file and at its PDF."""
    changed, parts = _compared(planned, inspector)
    found = pdfs.look(planned.document.output)
    return FoundFacts(
        planned=planned,
        address=pdfs.address(planned.document.output),
        changed=changed,
        parts_fingerprint=parts,
        has_parts_now=not (changed or options.retry_failed) and _has_parts_now(planned, inspector),
        pdf_bytes=found.size_bytes,
        pdf_etag=found.etag,
        is_announced=options.minds_pdfs and _is_announced(planned, pdfs, found.size_bytes),
        obstacle=found.obstacle,
    )


def _is_announced(planned: Planned, pdfs: OutputStore, pdf_bytes: int | None) -> bool:
    """Whether a run died between naming the PDF and recording it; read only where it may have."""
    may_be = (
        planned.document.state is not DocumentState.CONVERTED
        and planned.pdf_sha256 is not None
        and planned.pdf_bytes == pdf_bytes
    )
    return may_be and planned.pdf_sha256 == _sha256(pdfs, planned.document.output)


def _sha256(pdfs: OutputStore, output: str) -> str | None:
    try:
        return pdfs.sha256(output)
    except OutputError:
        return None


def _has_parts_now(planned: Planned, inspector: SourceInspector) -> bool:
    failure = planned.failure
    if failure is None or failure.code is not ErrorCode.NOT_DJVU:
        return False
    return _parts_fingerprint(planned.document.path, inspector) is not None


def _compared(planned: Planned, inspector: SourceInspector) -> tuple[bool, str | None]:
    """Compare size and version; bytes are read only where the size is the same and that is not.

    Parts of an indirect document that have gone are no change: its PDF is all that is left.

    Returns:
        Whether the bytes differ, and how the parts look now.
    """
    known = planned.document
    version = SourceStatus(known.size_bytes, known.mtime_ns, known.etag)
    found = SourceStatus(planned.found_size_bytes, planned.found_mtime_ns, planned.found_etag)
    if found.size_bytes != version.size_bytes:
        return True, None
    known_parts = planned.parts_fingerprint
    found_parts = _parts_fingerprint(known.path, inspector) if known_parts else None
    parts = found_parts or known_parts
    is_touched = parts != known_parts or not found.is_same(version)
    differs = is_touched and _differs(planned, inspector, with_parts=found_parts is not None)
    return differs, parts


def _parts_fingerprint(path: str, inspector: SourceInspector) -> str | None:
    try:
        return inspector.parts_fingerprint(path)
    except FileError:
        return None


def _differs(planned: Planned, inspector: SourceInspector, *, with_parts: bool) -> bool:
    if planned.source_sha256 is None:
        return True
    try:
        found = inspector.sha256(planned.document.path, with_parts=with_parts)
    except FileError:
        return True
    return found != planned.source_sha256
