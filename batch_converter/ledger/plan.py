"""What is to be done with each found file: read page by page, decided above, kept here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Literal, assert_never

from batch_converter.ledger import moves
from batch_converter.ledger.documents import learn_pdf_etag
from batch_converter.ledger.operations import LedgerPart, durable
from batch_converter.ledger.outstanding import reopen
from batch_converter.ledger.queries import query
from batch_converter.ledger.rows import document, failure, named
from batch_converter.models import DocumentState, FileReport, FileStatus

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime

    from batch_converter.ledger.rows import Row
    from batch_converter.models import Document, Failure, StoredPdf

_MAY_HOLD_TASK: Final = {DocumentState.SUBMITTED, DocumentState.FAILED}

Order = Literal["name", "smallest", "largest", "oldest"]
"""What comes first of what is submitted anew."""


class Verdict(Enum):
    """What is to be done with a found file."""

    CONVERT = auto()
    SKIP = auto()
    ADOPT = auto()
    LEAVE = auto()
    KNOWN_FAILURE = auto()
    REFUSE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A found file beside what the ledger knows of it.

    Attributes:
        found_size_bytes, found_mtime_ns, found_etag: The file as it is now; those in
            `document` are of the bytes that its state is about.
        source_sha256: Digest of those bytes, where it is known.
        parts_fingerprint: Of an indirect document, how its parts looked then.
        engine, options: What converted it last, or has its task.
        pdf_bytes, pdf_sha256: Of its PDF; recorded just before that gets its name.
        was_converted: Whether a PDF of it was ever put there by this ledger.
    """

    document: Document
    key: bytes
    found_size_bytes: int
    found_mtime_ns: int
    found_etag: str | None
    source_sha256: str | None
    parts_fingerprint: str | None
    engine: str | None
    options: str | None
    pdf_bytes: int | None
    pdf_sha256: str | None
    was_converted: bool
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A PDF that another ledger, or none, wrote, and that is taken for a file's own.

    Attributes:
        pages, source_sha256, parts_fingerprint: Of the DjVu.
        engine, options: What is held to have made it.
    """

    pdf: StoredPdf
    pages: int | None
    source_sha256: str
    parts_fingerprint: str | None
    engine: str
    options: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict on a found file.

    Attributes:
        changed: The bytes differ from those that the document's state is about.
        parts_fingerprint: Of an indirect document, how its parts look now.
        abandon_task: The task at the service is given up: the bytes have changed,
            or another engine was asked for.
        failure: Why it is refused or failed before.
        pdf_etag: Of the object that stands under the PDF's name, where that is the document's
            own.
        adopted: What is learned of a PDF to adopt; None where the ledger recorded
            it itself, just before it got its name.
    """

    planned: Planned
    verdict: Verdict
    changed: bool = False
    parts_fingerprint: str | None = None
    abandon_task: bool = False
    failure: Failure | None = None
    pdf_etag: str | None = None
    adopted: Adopted | None = None


class Plan(LedgerPart):
    """The part of the ledger that keeps what is to be done in this run."""

    @durable
    def page(self, connection: sqlite3.Connection, after: bytes, limit: int) -> list[Planned]:
        """Return the found files after `after`, in the order of their paths."""
        rows = connection.execute(query("found_page"), {"after": after, "limit": limit})
        return [_planned(row) for row in named(rows)]

    @durable
    def decide(
        self, connection: sqlite3.Connection, decisions: Sequence[Decision], *, at: datetime
    ) -> None:
        """Record verdicts: outcomes of what is not touched, the rest chosen for the queue."""
        for decision in decisions:
            _refresh(connection, decision)
            if decision.pdf_etag is not None:
                learn_pdf_etag(connection, decision.planned.document, decision.pdf_etag)
            _act(connection, self._run, decision, at=at)

    @durable
    def enqueue(self, connection: sqlite3.Connection, engine: str, order: Order) -> int:
        """Line up what is to be done, tasks out at the engine first; returns the length."""
        connection.execute(query("enqueue_submitted"), {"engine": engine, "run": self._run})
        connection.execute(query("enqueue_chosen"), {"order": order})
        (length,) = connection.execute(query("count_queue")).fetchone()
        return int(length)

    @durable
    def take(
        self, connection: sqlite3.Connection, after: int, limit: int
    ) -> list[tuple[int, Document]]:
        """Return the next documents in line, each with its position."""
        rows = connection.execute(query("queue_page"), {"after": after, "limit": limit})
        return [(row.position, document(row)) for row in named(rows)]


def _planned(row: Row) -> Planned:
    return Planned(
        document=document(row),
        key=row.found_key,
        found_size_bytes=row.found_size_bytes,
        found_mtime_ns=row.found_mtime_ns,
        found_etag=row.found_etag,
        source_sha256=row.source_sha256,
        parts_fingerprint=row.parts_fingerprint,
        engine=row.engine,
        options=row.options,
        pdf_bytes=row.pdf_bytes,
        pdf_sha256=row.pdf_sha256,
        was_converted=row.converted_at is not None,
        failure=failure(row.error_code, row.error_message),
    )


def _act(connection: sqlite3.Connection, run: int, decision: Decision, *, at: datetime) -> None:
    document_id = decision.planned.document.id
    match decision.verdict:
        case Verdict.CONVERT:
            _reopen(connection, decision, at=at)
            _choose(connection, decision)
        case Verdict.SKIP:
            _record(connection, run, decision, FileStatus.SKIPPED)
        case Verdict.ADOPT:
            _adopt(connection, decision, at=at)
            _record(connection, run, decision, FileStatus.SKIPPED)
            connection.execute(query("copy_warnings"), {"run": run, "document": document_id})
        case Verdict.LEAVE:
            _record(connection, run, decision, FileStatus.REMAINING)
        case Verdict.KNOWN_FAILURE:
            _record(connection, run, decision, FileStatus.FAILED)
        case Verdict.REFUSE:
            _reopen(connection, decision, at=at)
            if decision.failure is not None:
                moves.fail(connection, document_id, decision.failure)
            _record(connection, run, decision, FileStatus.FAILED)
        case _ as never:
            assert_never(never)


def _adopt(connection: sqlite3.Connection, decision: Decision, *, at: datetime) -> None:
    """Take the PDF that is there already for the document's own."""
    known, found = decision.planned.document, decision.adopted
    if known.state is DocumentState.FAILED:
        moves.release(connection, known.id)
    moves.move(connection, known.id, DocumentState.CONVERTED)
    values = {"document": known.id, "at": at.timestamp(), "pages": None}
    connection.execute(query("set_converted"), values)
    if found is not None:
        learned = {
            "document": known.id,
            "pdf_sha256": found.pdf.sha256,
            "pdf_bytes": found.pdf.size_bytes,
            "pages": found.pages,
            "source_sha256": found.source_sha256,
            "parts_fingerprint": found.parts_fingerprint,
            "engine": found.engine,
            "options": found.options,
        }
        connection.execute(query("learn_adopted"), learned)
        learn_pdf_etag(connection, known, found.pdf.etag)


def _refresh(connection: sqlite3.Connection, decision: Decision) -> None:
    planned, known = decision.planned, decision.planned.document
    found = (planned.found_size_bytes, planned.found_mtime_ns, planned.found_etag)
    as_known = (found, decision.parts_fingerprint) == (
        (known.size_bytes, known.mtime_ns, known.etag),
        planned.parts_fingerprint,
    )
    if as_known or _stays_as_it_was(decision):
        return
    values = {
        "document": known.id,
        "size_bytes": planned.found_size_bytes,
        "mtime_ns": planned.found_mtime_ns,
        "etag": planned.found_etag,
        "parts_fingerprint": decision.parts_fingerprint,
    }
    connection.execute(query("touch_source"), values)
    if decision.changed:
        connection.execute(query("forget_contents"), {"document": known.id})


def _stays_as_it_was(decision: Decision) -> bool:
    """Whether a changed file is passed over: what is known is still of its former bytes."""
    return decision.changed and decision.verdict is Verdict.SKIP


def _reopen(connection: sqlite3.Connection, decision: Decision, *, at: datetime) -> None:
    known = decision.planned.document
    if known.state is DocumentState.CONVERTED:
        moves.release(connection, known.id)
        connection.execute(query("forget_pdf"), {"document": known.id})
    elif known.state in _MAY_HOLD_TASK and decision.abandon_task:
        moves.release(connection, known.id)
    elif known.state is DocumentState.FAILED:
        reopen(connection, known, decision.planned.failure, at=at)


def _choose(connection: sqlite3.Connection, decision: Decision) -> None:
    planned = decision.planned
    values = {"document": planned.document.id, "path": planned.key}
    connection.execute(query("choose_found"), values)


def _record(
    connection: sqlite3.Connection, run: int, decision: Decision, status: FileStatus
) -> None:
    known = decision.planned.document
    if status is FileStatus.SKIPPED:
        connection.execute(query("record_skipped"), {"run": run, "document": known.id})
        return
    report = FileReport(
        source=known.source,
        source_root=known.source_root,
        output=known.output,
        status=status,
        task_id=known.task.task_id if known.task else None,
        bytes_in=decision.planned.found_size_bytes,
        pages=known.pages,
        error=decision.failure,
    )
    moves.record_outcome(connection, run, known.id, decision.planned.key, report)
