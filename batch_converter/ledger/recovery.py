"""What a dead run left behind, put right before the next one starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.ledger import moves
from batch_converter.ledger.queries import query
from batch_converter.models import CallOutcome, DocumentState

if TYPE_CHECKING:
    import sqlite3

_MAY_BE_BILLED: Final = {CallOutcome.LOST, CallOutcome.ANSWERED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was found.

    Attributes:
        runs: Runs that ended without a word.
        submit_unknown: Submissions that had left and whose task id never came home.
        out_at_service: Documents whose task is still to be fetched.
    """

    runs: int
    submit_unknown: int
    out_at_service: int


def recover(connection: sqlite3.Connection, *, now: float) -> Recovered:
    """Give every document of a dead run the one state that its calls prove."""
    connection.execute(query("lose_open_calls"))
    rows = connection.execute(query("submitting_documents")).fetchall()
    settled = [_settle(connection, row["id"]) for row in rows]
    runs = connection.execute(query("end_dead_runs"), {"at": now}).rowcount
    (out,) = connection.execute(query("submitted_documents")).fetchone()
    return Recovered(
        runs=runs,
        submit_unknown=settled.count(DocumentState.SUBMIT_UNKNOWN),
        out_at_service=out,
    )


def settle_broken_submission(connection: sqlite3.Connection, document_id: int) -> None:
    """Do the same for one document whose submission, if any, was broken off in this run."""
    values = {"document": document_id}
    connection.execute(query("lose_open_calls_of_document"), values)
    row = connection.execute(query("document_state"), values).fetchone()
    if row["state"] == DocumentState.SUBMITTING:
        _settle(connection, document_id)


def _settle(connection: sqlite3.Connection, document_id: int) -> DocumentState:
    """Move a document on from `submitting`, as the last request for it proves.

    One that got no answer, or whose answer's task id was not recorded any more, may
    have been billed: it becomes `submit_unknown`. One that was refused, or never left,
    goes back to `pending`, and so does one that no request was made for.
    """
    row = connection.execute(query("last_submission"), {"document": document_id}).fetchone()
    may_be_billed = row is not None and row["outcome"] in _MAY_BE_BILLED
    state = DocumentState.SUBMIT_UNKNOWN if may_be_billed else DocumentState.PENDING
    moves.move(connection, document_id, state)
    return state
