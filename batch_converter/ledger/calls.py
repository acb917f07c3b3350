"""The requests to a service: each recorded before it leaves, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.ledger import moves
from batch_converter.ledger.operations import LedgerPart, durable, posted
from batch_converter.ledger.queries import query
from batch_converter.models import ApiCalls, CallKind, DocumentState

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from batch_converter.models import CallOutcome


class Calls(LedgerPart):
    """The part of the ledger that keeps requests."""

    @durable
    def begin_call(
        self,
        connection: sqlite3.Connection,
        kind: CallKind,
        document_id: int | None,
        *,
        at: datetime,
    ) -> int:
        """Record a request that is about to leave; a submission moves its document."""
        if kind is CallKind.SUBMIT and document_id is not None:
            moves.move(connection, document_id, DocumentState.SUBMITTING, may_be_there=True)
        values = {
            "run": self._run,
            "document": document_id,
            "kind": kind.value,
            "at": at.timestamp(),
        }
        return connection.execute(query("begin_call"), values).lastrowid or 0

    @posted
    def end_call(
        self,
        connection: sqlite3.Connection,
        call_id: int,
        outcome: CallOutcome,
        http_status: int | None,
    ) -> None:
        """Record how a request ended, without waiting for the disk.

        Args:
            connection: Of the transaction.
            call_id: The request.
            outcome: All that the ledger goes by.
            http_status: Of its answer, for whoever reads the table.
        """
        values = {"call": call_id, "outcome": outcome.value, "http_status": http_status}
        connection.execute(query("end_call"), values)

    @durable
    def billed_since(self, connection: sqlite3.Connection, since: datetime) -> int:
        """Count billed requests since `since`, over all runs of this ledger."""
        values = {"since": since.timestamp()}
        (count,) = connection.execute(query("billed_calls_since"), values).fetchone()
        return int(count)


def count_calls(connection: sqlite3.Connection, run: int | None) -> ApiCalls:
    """Count the requests that left, of one run or of all."""
    rows = connection.execute(query("calls_by_kind"), {"run": run})
    return ApiCalls(**{CallKind(row["kind"]).value: row["calls"] for row in rows})


def count_lost_submissions(connection: sqlite3.Connection, run: int) -> int:
    """Count the submissions of a run whose answer was lost."""
    (count,) = connection.execute(query("lost_submissions"), {"run": run}).fetchone()
    return int(count)
