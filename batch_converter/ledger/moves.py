"""Changes of one document, each a statement within the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from batch_converter.ledger.rows import outcome_values, seconds, storable
from batch_converter.models import MOVES, DocumentState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from batch_converter.models import Document, Failure, FileReport, StoredPdf, Task


_BEFORE: Final = {
    to: frozenset(state for state, after in MOVES.items() if to in after) for to in DocumentState
}


def move(
    connection: sqlite3.Connection, document_id: int, to: DocumentState, **columns: object
) -> None:
    """Move a document to a state that its present one allows, and set `columns`.

    Raises:
        RuntimeError: The move is not in the table; nothing was changed.
    """
    _move(connection, document_id, to, _BEFORE[to], columns)


def submitting(connection: sqlite3.Connection, document_id: int) -> None:
    """The document is about to be sent; it may have been moved by an earlier try."""
    to = DocumentState.SUBMITTING
    _move(connection, document_id, to, _BEFORE[to] | {to}, {})


def _move(
    connection: sqlite3.Connection,
    document_id: int,
    to: DocumentState,
    before: frozenset[DocumentState],
    columns: Mapping[str, object],
) -> None:
    allowed = ", ".join(f"'{state}'" for state in sorted(before))
    values = {"state": to.value, **columns, "document_id": document_id}
    moved = connection.execute(
        f"UPDATE document SET {_assignments(values)}"  # noqa: S608  # our own names
        f" WHERE id = :document_id AND state IN ({allowed})",
        values,
    )
    if not moved.rowcount:
        query = "SELECT state FROM document WHERE id = ?"
        (state,) = connection.execute(query, (document_id,)).fetchone()
        msg = f"document {document_id} cannot move from {state} to {to}"
        raise RuntimeError(msg)


def assign(connection: sqlite3.Connection, document_id: int, **columns: object) -> None:
    """Set columns of a document."""
    values = {**columns, "document_id": document_id}
    connection.execute(
        f"UPDATE document SET {_assignments(values)} WHERE id = :document_id",  # noqa: S608  # our own names
        values,
    )


def _assignments(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = :{name}" for name in values if name != "document_id")


def submitted(connection: sqlite3.Connection, document_id: int, task: Task, engine: str) -> None:
    """The engine has accepted the document."""
    move(
        connection,
        document_id,
        DocumentState.SUBMITTED,
        task_id=task.task_id,
        submitted_at=seconds(task.submitted_at),
        engine=engine,
    )


def released(connection: sqlite3.Connection, document_id: int) -> None:
    """The document is no longer out; it waits to be submitted (again)."""
    move(connection, document_id, DocumentState.PENDING, task_id=None, submitted_at=None)


def publishing(
    connection: sqlite3.Connection, document_id: int, pdf: StoredPdf, **columns: object
) -> None:
    """The PDF is whole and about to get its final name.

    A run that dies between the name and the word `converted` is so found to have
    finished: the PDF is there, with this digest, made by this engine and options, and
    what was to be said of it is not lost.
    """
    assign(connection, document_id, pdf_sha256=pdf.sha256, pdf_bytes=pdf.size_bytes, **columns)


def adopted(
    connection: sqlite3.Connection, known: Document, *, at: float, **learned: object
) -> None:
    """The PDF that is there already is known to be this document's."""
    if known.state is DocumentState.FAILED:
        released(connection, known.id)
    move(
        connection,
        known.id,
        DocumentState.CONVERTED,
        task_id=None,
        converted_at=at,
        error_code=None,
        error_message=None,
        **learned,
    )


def failed(connection: sqlite3.Connection, document_id: int, failure: Failure) -> None:
    """The document failed; a task that may still be fetched later stays known."""
    move(
        connection,
        document_id,
        DocumentState.FAILED,
        error_code=failure.code.value,
        error_message=storable(failure.message),
    )


def converted(
    connection: sqlite3.Connection,
    document_id: int,
    pdf: StoredPdf,
    *,
    at: float,
    **columns: object,
) -> None:
    """The PDF is on disk under its final name."""
    move(
        connection,
        document_id,
        DocumentState.CONVERTED,
        task_id=None,
        pdf_sha256=pdf.sha256,
        pdf_bytes=pdf.size_bytes,
        converted_at=at,
        error_code=None,
        error_message=None,
        **columns,
    )


def record_outcome(
    connection: sqlite3.Connection, run: int, document_id: int | None, path: str, file: FileReport
) -> None:
    """Record what the run did with a file; the last word of a run counts."""
    insert_outcome(connection, outcome_values(run, document_id, path, file))


def insert_outcome(connection: sqlite3.Connection, values: Mapping[str, Any]) -> None:
    """Insert or replace the outcome with these columns."""
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    connection.execute(f"INSERT OR REPLACE INTO outcome ({names}) VALUES ({places})", values)  # noqa: S608  # our own names
