"""What a dead run left behind, put right before the next one starts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

KEPT_RUNS: Final = 30
"""Runs whose skipped files stay listed one by one; older runs keep the count."""

_TO_UNKNOWN: Final = "UPDATE document SET state = 'submit_unknown'"
_MAY_BE_BILLED: Final = (
    "state = 'submitting' AND (SELECT outcome = 'lost'"
    " OR (outcome = 'answered' AND coalesce(http_status, 200) < 300)"
    " FROM call WHERE call.document = document.id AND call.kind = 'submit'"
    " ORDER BY call.id DESC LIMIT 1)"
)
"""The last submission got no answer, or one whose task id never reached the disk."""


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


def unfinished(connection: sqlite3.Connection) -> tuple[list[str], set[str]]:
    """Return the names of all runs so far, and the folders of PDFs that are not there yet.

    In those folders, relative to the output folder, a run that died may have left parts.
    """
    runs = [name for (name,) in connection.execute("SELECT run_id FROM run")]
    outputs = connection.execute("SELECT output FROM document WHERE state <> 'converted'")
    return runs, {os.fsdecode(output.rpartition(b"/")[0]) for (output,) in outputs}


def recover(connection: sqlite3.Connection, *, now: float) -> Recovered:
    """Give every document of a dead run the one state that its calls prove.

    A submission that got no answer, or whose answer's task id was not recorded any
    more, may have been billed: it becomes `submit_unknown`. One that was refused, or
    never left, goes back to `pending`.
    """
    connection.execute("UPDATE call SET outcome = 'lost' WHERE outcome IS NULL")
    unknown = connection.execute(f"{_TO_UNKNOWN} WHERE {_MAY_BE_BILLED}").rowcount
    connection.execute("UPDATE document SET state = 'pending' WHERE state = 'submitting'")
    runs = connection.execute(
        "UPDATE run SET finished_at = ? WHERE finished_at IS NULL", (now,)
    ).rowcount
    (out,) = connection.execute(
        "SELECT count(*) FROM document WHERE state = 'submitted'"
    ).fetchone()
    return Recovered(runs=runs, submit_unknown=unknown, out_at_service=out)


def interrupted(connection: sqlite3.Connection, document_id: int) -> None:
    """Do the same for one document whose submission was broken off in this run."""
    connection.execute(
        "UPDATE call SET outcome = 'lost' WHERE outcome IS NULL AND document = ?", (document_id,)
    )
    connection.execute(f"{_TO_UNKNOWN} WHERE id = ? AND {_MAY_BE_BILLED}", (document_id,))
    connection.execute(
        "UPDATE document SET state = 'pending' WHERE id = ? AND state = 'submitting'",
        (document_id,),
    )


def forget_old_skips(connection: sqlite3.Connection) -> None:
    """Keep a nightly job's ledger from growing by a row a file a night."""
    connection.execute(
        "DELETE FROM outcome WHERE status = 'skipped' AND run <= (SELECT max(id) FROM run) - ?",
        (KEPT_RUNS,),
    )
