"""What earlier runs left: tasks at the service, and failures to take up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.errors import TASK_ENDING_CODES
from batch_converter.ledger import moves
from batch_converter.ledger.operations import LedgerPart, durable
from batch_converter.ledger.queries import query
from batch_converter.ledger.rows import document, failure, named
from batch_converter.models import DocumentState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from batch_converter.models import Document, Failure


class Outstanding(LedgerPart):
    """The part of the ledger that takes up what is not done."""

    @durable
    def retry(
        self, connection: sqlite3.Connection, paths: Sequence[str] | None, *, at: datetime
    ) -> list[str]:
        """Put failed files back, all or those named; returns their sources.

        Args:
            connection: Of the transaction.
            paths: Absolute paths of files or of folders that hold them.
            at: The present; a task that the service still holds is kept.
        """
        sources, is_meant = [], None if paths is None else at_or_below(paths)
        for row in list(named(connection.execute(query("failed_documents")))):
            known = document(row)
            if is_meant is None or is_meant(known.path):
                reopen(connection, known, failure(row.error_code, row.error_message), at=at)
                sources.append(known.source)
        return sources

    @durable
    def out_at_service(
        self, connection: sqlite3.Connection, *, at: datetime, engine: str | None = None
    ) -> list[Document]:
        """Return the documents whose task a service may still have, oldest first.

        One that failed in passing (a timeout, say) is among them: the next run would ask
        for its task again.

        Args:
            connection: Of the transaction.
            at: The present.
            engine: The service; any where none is named.
        """
        return with_living_task(connection, at=at, engine=engine)


def with_living_task(
    connection: sqlite3.Connection, *, at: datetime, engine: str | None = None
) -> list[Document]:
    """Do what `Outstanding.out_at_service` does, on any connection."""
    rows = connection.execute(query("documents_with_task"), {"engine": engine})
    known = [(document(row), failure(row.error_code, row.error_message)) for row in named(rows)]
    return [
        each
        for each, why in known
        if each.state is DocumentState.SUBMITTED or _is_fetchable(each, why, at=at)
    ]


def reopen(
    connection: sqlite3.Connection, known: Document, failure: Failure | None, *, at: datetime
) -> None:
    """Put a failed document back: to be fetched, where the service may still have its task."""
    if _is_fetchable(known, failure, at=at):
        moves.move(connection, known.id, DocumentState.SUBMITTED)
    else:
        moves.release(connection, known.id)


def _is_fetchable(known: Document, failure: Failure | None, *, at: datetime) -> bool:
    passing = failure is not None and failure.code not in TASK_ENDING_CODES
    return passing and known.task is not None and not known.task.is_expired(at)


def at_or_below(named: Sequence[str]) -> Callable[[str], bool]:
    """Return what says whether a path is one of these, or below one.

    It is looked up, and each folder above it: thousands may be named, and thousands asked for.
    """
    exact, folders = frozenset(named), frozenset(path.rstrip("/") for path in named)

    def is_meant(path: str) -> bool:
        above = (path[:end] for end, letter in enumerate(path) if letter == "/")
        return path in exact or any(folder in folders for folder in above)

    return is_meant
