"""What earlier runs left: tasks at the service, failures to take up again, files that went."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from batch_converter.errors import ErrorCode
from batch_converter.ledger import moves
from batch_converter.ledger.rows import DOCUMENT_COLUMNS, document, failure
from batch_converter.models import DocumentState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from batch_converter.models import Document, Failure

TASK_LIFE_S: Final = 24 * 3600
"""The service keeps a result for 24 hours after submission (API-FACTS, Fetch)."""

_ENDED_AT_SERVICE: Final = {ErrorCode.CONVERSION_ERROR, ErrorCode.BAD_PDF}
"""After these the service has nothing better to give for the same task."""


def take_up(
    connection: sqlite3.Connection, known: Document, failure: Failure | None, *, now: float
) -> None:
    """Put a failed document back: to be fetched, where the service may still have its task."""
    if _is_fetchable(known, failure, now=now):
        moves.move(connection, known.id, DocumentState.SUBMITTED)
    else:
        moves.released(connection, known.id)


def _is_fetchable(known: Document, failure: Failure | None, *, now: float) -> bool:
    passing = failure is not None and failure.code not in _ENDED_AT_SERVICE
    young = known.task is not None and now - known.task.submitted_at.timestamp() < TASK_LIFE_S
    return passing and young


def retry(connection: sqlite3.Connection, paths: Sequence[str] | None, *, now: float) -> list[str]:
    """Put failed files back, all or those at or below `paths`; returns their sources."""
    failed = connection.execute(
        f"SELECT {DOCUMENT_COLUMNS}, error_code, error_message FROM document"  # noqa: S608  # our own names
        " WHERE state = 'failed' ORDER BY path"
    ).fetchall()
    sources = []
    for row in failed:
        known = document(row)
        if paths is None or any(_is_below(known.path, path) for path in paths):
            take_up(connection, known, failure(*row[11:]), now=now)
            sources.append(known.source)
    return sources


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def out_at_service(connection: sqlite3.Connection, *, now: float) -> list[Document]:
    """Return the documents whose task the service may still have, oldest first.

    One that failed in passing (a timeout, say) is among them: the next run would ask
    for its task again.
    """
    rows = connection.execute(
        f"SELECT {DOCUMENT_COLUMNS}, error_code, error_message FROM document"  # noqa: S608  # our own names
        " WHERE state IN ('submitted', 'failed') AND task_id IS NOT NULL ORDER BY submitted_at"
    )
    known = [(document(row), failure(*row[11:])) for row in rows]
    return [
        each
        for each, why in known
        if each.state is DocumentState.SUBMITTED or _is_fetchable(each, why, now=now)
    ]


def vanished(connection: sqlite3.Connection, roots: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return path, source and output of known files below `roots` that were not found now."""
    rows: list[tuple[str, str, str]] = []
    for root in roots:
        prefix = os.fsencode(root).rstrip(b"/") + b"/"
        rows += [
            (os.fsdecode(path), os.fsdecode(source), os.fsdecode(output))
            for path, source, output in connection.execute(
                "SELECT document.path, document.source, document.output FROM document"
                " LEFT JOIN found ON found.path = document.path"
                " WHERE document.path >= ? AND document.path < ? AND found.path IS NULL",
                (prefix, prefix[:-1] + b"0"),
            )
        ]
    return rows
