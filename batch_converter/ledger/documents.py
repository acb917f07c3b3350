"""What happens to a document on its way to its PDF, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.ledger import moves
from batch_converter.ledger.operations import LedgerPart, durable, posted
from batch_converter.ledger.queries import query
from batch_converter.ledger.recovery import settle_broken_submission
from batch_converter.ledger.rows import path_bytes, warnings_text
from batch_converter.models import DocumentState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime

    from batch_converter.models import Document, Failure, FileReport, StoredPdf, Task


class Documents(LedgerPart):
    """The part of the ledger that follows documents."""

    @posted
    def describe(
        self,
        connection: sqlite3.Connection,
        document: Document,
        *,
        source_sha256: str,
        parts_fingerprint: str | None = None,
    ) -> None:
        """Record what was learned of the source; on disk with the next awaited step."""
        values = {
            "document": document.id,
            "size_bytes": document.size_bytes,
            "mtime_ns": document.mtime_ns,
            "etag": document.etag,
            "pages": document.pages,
            "source_sha256": source_sha256,
            "parts_fingerprint": parts_fingerprint,
        }
        connection.execute(query("describe_source"), values)

    @durable
    def submitting(self, connection: sqlite3.Connection, document: Document) -> None:
        """Record that an engine without billed calls is about to be given the document."""
        moves.move(connection, document.id, DocumentState.SUBMITTING, may_be_there=True)

    @durable
    def submitted(
        self, connection: sqlite3.Connection, document: Document, task: Task, engine: str
    ) -> None:
        """Record the task id: from here on the document is never submitted twice."""
        moves.move(connection, document.id, DocumentState.SUBMITTED)
        expires_at = task.expires_at
        values = {
            "document": document.id,
            "task_id": task.task_id,
            "submitted_at": task.submitted_at.timestamp(),
            "expires_at": None if expires_at is None else expires_at.timestamp(),
            "engine": engine,
        }
        connection.execute(query("set_task"), values)

    @durable
    def interrupted(self, connection: sqlite3.Connection, document: Document) -> None:
        """Settle the state of a document whose submission was broken off."""
        settle_broken_submission(connection, document.id)

    @durable
    def submit_unknown(self, connection: sqlite3.Connection, document: Document) -> None:
        """Record that the answer to a submission was lost."""
        moves.move(connection, document.id, DocumentState.SUBMIT_UNKNOWN)

    @durable
    def released(self, connection: sqlite3.Connection, document: Document) -> None:
        """Record that the document waits to be submitted (again)."""
        moves.release(connection, document.id)

    @durable
    def publishing(
        self,
        connection: sqlite3.Connection,
        document: Document,
        pdf: StoredPdf,
        *,
        engine: str,
        options: str,
        warnings: Sequence[str] = (),
    ) -> None:
        """Record the PDF that is about to get its final name, and what is to be said of it.

        A run that dies between the name and the word `converted` is so found to have
        finished: the PDF is there, with this digest, made by this engine and options,
        and what was to be said of it is not lost.
        """
        _announce(connection, document, pdf, engine=engine, options=options, warnings=warnings)

    @durable
    def converted(
        self,
        connection: sqlite3.Connection,
        document: Document,
        pdf: StoredPdf,
        report: FileReport,
        *,
        at: datetime,
        engine: str,
        options: str,
    ) -> None:
        """Record that the PDF is on disk under its final name."""
        moves.move(connection, document.id, DocumentState.CONVERTED)
        _announce(
            connection, document, pdf, engine=engine, options=options, warnings=report.warnings
        )
        values = {"document": document.id, "at": at.timestamp(), "pages": document.pages}
        connection.execute(query("set_converted"), values)
        learn_pdf_etag(connection, document, pdf.etag)
        self._record(connection, document, report)
        if report.source_sha256 is None:  # an earlier run has read it
            outcome = {"run": self._run, "document": document.id}
            connection.execute(query("copy_source_digest"), outcome)

    @durable
    def failed(
        self,
        connection: sqlite3.Connection,
        document: Document,
        failure: Failure,
        report: FileReport,
    ) -> None:
        """Record a failure of this run."""
        moves.fail(connection, document.id, failure)
        self._record(connection, document, report)

    @durable
    def outcome(
        self,
        connection: sqlite3.Connection,
        document: Document | None,
        path: str,
        report: FileReport,
    ) -> None:
        """Record what became of a file without moving its document."""
        document_id = None if document is None else document.id
        moves.record_outcome(connection, self._run, document_id, path_bytes(path), report)

    def _record(
        self, connection: sqlite3.Connection, document: Document, report: FileReport
    ) -> None:
        path = path_bytes(document.path)
        moves.record_outcome(connection, self._run, document.id, path, report)


def learn_pdf_etag(
    connection: sqlite3.Connection, document: Document, pdf_etag: str | None
) -> None:
    """Record which version of the object is the document's own; on a disk there are none."""
    if pdf_etag != document.pdf_etag:
        values = {"document": document.id, "pdf_etag": pdf_etag}
        connection.execute(query("learn_pdf_etag"), values)


def _announce(
    connection: sqlite3.Connection,
    document: Document,
    pdf: StoredPdf,
    *,
    engine: str,
    options: str,
    warnings: Sequence[str],
) -> None:
    values = {
        "document": document.id,
        "sha256": pdf.sha256,
        "size_bytes": pdf.size_bytes,
        "engine": engine,
        "options": options,
        "warnings": warnings_text(warnings),
    }
    connection.execute(query("announce_pdf"), values)
