"""From one state to another, by the table of moves; steps within the caller's transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from batch_converter.ledger.queries import query
from batch_converter.ledger.rows import report_values, storable
from batch_converter.models import MOVES, DocumentState

if TYPE_CHECKING:
    import sqlite3

    from batch_converter.models import Failure, FileReport

_ALLOWED_FROM: Final = {
    to: json.dumps([state for state, after in MOVES.items() if to in after]) for to in DocumentState
}
_ALLOWED_OR_THERE: Final = {
    to: json.dumps([to, *json.loads(allowed)]) for to, allowed in _ALLOWED_FROM.items()
}
"""Each state in its quotes, by which the query finds it: to make rows of a list takes longer."""


def move(
    connection: sqlite3.Connection,
    document_id: int,
    to: DocumentState,
    *,
    may_be_there: bool = False,
) -> None:
    """Move a document to a state that its present one allows; nothing else changes a state.

    Args:
        connection: Within a transaction.
        document_id: The document.
        to: The state.
        may_be_there: Whether it is right that the document is in that state already.

    Raises:
        RuntimeError: The move is not in the table; nothing was changed.
    """
    allowed = (_ALLOWED_OR_THERE if may_be_there else _ALLOWED_FROM)[to]
    values = {"document": document_id, "to": to.value, "allowed_from": allowed}
    if not connection.execute(query("move"), values).rowcount:
        row = connection.execute(query("document_state"), {"document": document_id}).fetchone()
        msg = f"document {document_id} cannot move from {row['state']} to {to}"
        raise RuntimeError(msg)


def release(connection: sqlite3.Connection, document_id: int) -> None:
    """Have the document wait to be submitted (again); a task of it is given up."""
    move(connection, document_id, DocumentState.PENDING)
    connection.execute(query("forget_task"), {"document": document_id})


def fail(connection: sqlite3.Connection, document_id: int, failure: Failure) -> None:
    """Record a failure; a task that may still be fetched later stays known."""
    move(connection, document_id, DocumentState.FAILED)
    values = {"code": failure.code.value, "message": storable(failure.message)}
    connection.execute(query("set_failure"), {"document": document_id, **values})


def record_outcome(
    connection: sqlite3.Connection, run: int, document_id: int | None, path: bytes, file: FileReport
) -> None:
    """Record what the run did with a file; the last word of a run counts."""
    values = {"run": run, "document": document_id, "path": path, **report_values(file)}
    connection.execute(query("record_outcome"), values)
