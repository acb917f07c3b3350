"""The ledger as others read it: status, past runs, manifest; also while a run writes."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from batch_converter.errors import ExitCode, LedgerError
from batch_converter.ledger.outstanding import out_at_service
from batch_converter.ledger.rows import file_report, moment
from batch_converter.ledger.store import connect
from batch_converter.models import (
    ApiCalls,
    CallKind,
    DocumentState,
    LedgerStatus,
    RunSummary,
    Totals,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from batch_converter.models import FileReport

_CONVERTS: Final = "(totals IS NOT NULL OR exit_code IS NULL)"
"""A run that ended without counting files (`cancel`) is not meant by "the last run"."""

_FILES: Final = """
SELECT outcome.status, outcome.attempts, outcome.polls,
    coalesce(outcome.source_root, document.source_root) AS source_root,
    coalesce(outcome.source, document.source) AS source,
    coalesce(outcome.output, document.output) AS output,
    outcome.task_id, outcome.submitted_at, outcome.completed_at,
    coalesce(outcome.bytes_in, document.size_bytes) AS bytes_in,
    CASE outcome.status WHEN 'skipped' THEN document.pdf_bytes ELSE outcome.bytes_out END
        AS bytes_out,
    coalesce(outcome.pages, document.pages) AS pages,
    CASE outcome.status WHEN 'skipped' THEN document.pdf_sha256 ELSE outcome.sha256 END AS sha256,
    outcome.error_code, outcome.error_message, outcome.warnings
FROM outcome LEFT JOIN document ON document.id = outcome.document
WHERE outcome.run = ? ORDER BY coalesce(outcome.path, document.path)
"""
_TOTALS: Final = """
SELECT count(*), sum(outcome.status = 'converted'), sum(outcome.status = 'skipped'),
    sum(outcome.status = 'failed'), sum(outcome.status = 'remaining'),
    sum(outcome.warnings IS NOT NULL),
    sum(CASE outcome.status WHEN 'converted' THEN bytes_in ELSE 0 END),
    sum(CASE outcome.status WHEN 'converted' THEN bytes_out ELSE 0 END),
    sum(CASE outcome.status WHEN 'converted' THEN coalesce(pages, 0) ELSE 0 END)
FROM outcome WHERE run = ?
"""
_WARNED: Final = "SELECT count(*) FROM document WHERE state = 'converted' AND warnings IS NOT NULL"
_WARNED_BY_OUTCOMES: Final = """
SELECT count(*) FROM document JOIN (
    SELECT document, warnings, max(run) FROM outcome
    WHERE status = 'converted' AND document IS NOT NULL GROUP BY document
) AS last ON last.document = document.id
WHERE document.state = 'converted' AND last.warnings IS NOT NULL
"""
"""The same of a ledger that no run of this version has opened yet: readers change nothing."""


class LedgerReader:
    """A read-only view; a context manager. Blocking: use it in a thread.

    Raises:
        LedgerError: There is no ledger, or it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect(path, read_only=True)
        self._connection.row_factory = sqlite3.Row

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it; what SQLite raised in between is told as the ledger's.

        Raises:
            LedgerError: The file could not be read.
        """
        self._connection.close()
        if isinstance(exc, sqlite3.Error):
            raise LedgerError(f"the ledger {self._path} cannot be read: {exc}") from exc

    def status(self, *, now: datetime | None = None) -> LedgerStatus:
        """Count documents, failures and calls, all of the same moment.

        Args:
            now: The service forgets tasks with time; the present where absent.
        """
        self._connection.execute("BEGIN")
        try:
            return self._status(now or datetime.now(UTC))
        finally:
            self._connection.execute("ROLLBACK")

    def _status(self, now: datetime) -> LedgerStatus:
        states = dict.fromkeys(DocumentState, 0) | {
            DocumentState(word): count
            for word, count in self._connection.execute(
                "SELECT state, count(*) FROM document GROUP BY state"
            )
        }
        failures = self._connection.execute(
            "SELECT error_code, count(*) FROM document WHERE state = 'failed' GROUP BY error_code"
        )
        return LedgerStatus(
            states=states,
            failures=dict(tuple(row) for row in failures),
            totals=self._totals(states),
            api_calls=count_calls(self._connection, None),
            out_at_service=len(out_at_service(self._connection, now=now.timestamp())),
            last_run=self._last_run(),
        )

    def _totals(self, states: Mapping[DocumentState, int]) -> Totals:
        found, converted = sum(states.values()), states[DocumentState.CONVERTED]
        failed = states[DocumentState.FAILED]
        sizes = self._connection.execute(
            "SELECT sum(size_bytes), sum(pdf_bytes), sum(pages) FROM document"
            " WHERE state = 'converted'"
        ).fetchone()
        return Totals(
            found=found,
            converted=converted,
            failed=failed,
            remaining=found - converted - failed,
            with_warnings=self._count_warned(),
            bytes_in=sizes[0] or 0,
            bytes_out=sizes[1] or 0,
            pages=sizes[2] or 0,
        )

    def _count_warned(self) -> int:
        columns = {row[1] for row in self._connection.execute("PRAGMA table_info(document)")}
        query = _WARNED if "warnings" in columns else _WARNED_BY_OUTCOMES
        (count,) = self._connection.execute(query).fetchone()
        return int(count)

    def _last_run(self) -> RunSummary | None:
        row = self._connection.execute(
            f"SELECT * FROM run WHERE {_CONVERTS} ORDER BY id DESC LIMIT 1"  # noqa: S608  # our own words
        ).fetchone()
        return None if row is None else summary(self._connection, row)

    def run(self, run_id: str | None = None) -> RunSummary:
        """Return a run, the newest where none is named.

        Raises:
            LedgerError: There is no such run.
        """
        row = self._run_row(run_id)
        return summary(self._connection, row)

    def files(self, run_id: str | None = None) -> Iterator[FileReport]:
        """Yield what the run did with each file, by path, one row at a time."""
        row = self._run_row(run_id)
        for file in self._connection.execute(_FILES, (row["id"],)):
            yield file_report(file)

    def failed_paths(self, run_id: str | None = None) -> Iterator[str]:
        """Yield the absolute paths of the sources that failed in the run."""
        row = self._run_row(run_id)
        query = (
            "SELECT coalesce(outcome.path, document.path) AS path FROM outcome"
            " LEFT JOIN document ON document.id = outcome.document"
            " WHERE run = ? AND status = 'failed' ORDER BY 1"
        )
        for (path,) in self._connection.execute(query, (row["id"],)):
            yield os.fsdecode(path)

    def converted(self) -> Iterator[tuple[str, str, int]]:
        """Yield output, SHA-256 and size of every PDF known as converted, by output."""
        query = (
            "SELECT output, pdf_sha256, pdf_bytes FROM document WHERE state = 'converted'"
            " ORDER BY output"
        )
        for output, sha256, size_bytes in self._connection.execute(query):
            yield os.fsdecode(output), sha256, size_bytes

    def _run_row(self, run_id: str | None) -> sqlite3.Row:
        row = self._connection.execute(
            f"SELECT * FROM run WHERE iif(?1 IS NULL, {_CONVERTS}, run_id = ?1)"  # noqa: S608  # our own words
            " ORDER BY id DESC LIMIT 1",
            (run_id,),
        ).fetchone()
        if row is None:
            what = "no run yet" if run_id is None else f"no run {run_id!r}"
            msg = f"the ledger {self._path} knows {what}"
            raise LedgerError(msg)
        found: sqlite3.Row = row
        return found


def summary(connection: sqlite3.Connection, row: Any) -> RunSummary:  # noqa: ANN401  # a row of any factory
    """Return the run of a row of `run`."""
    run = dict(zip((column for column, *_ in _run_columns(connection)), row, strict=True))
    stored = run["totals"]
    started_at = moment(run["started_at"])
    if started_at is None:
        msg = f"run {run['run_id']} has no beginning"
        raise LedgerError(msg)
    return RunSummary(
        run_id=run["run_id"],
        started_at=started_at,
        finished_at=moment(run["finished_at"]),
        engine=run["engine"],
        exit_code=None if run["exit_code"] is None else ExitCode(run["exit_code"]),
        totals=_stored_totals(connection, run["id"], stored),
        api_calls=count_calls(connection, run["id"]),
        submit_unknown=_count_lost(connection, run["id"]),
    )


def _stored_totals(connection: sqlite3.Connection, run: int, stored: str | None) -> Totals:
    """Return what was counted when the run ended; what its version did not count is counted now."""
    if not stored:
        return totals(connection, run)
    known = json.loads(stored)
    if "with_warnings" not in known:
        known["with_warnings"] = totals(connection, run).with_warnings
    return Totals(**known)


def _run_columns(connection: sqlite3.Connection) -> list[tuple[str]]:
    return [(row[1],) for row in connection.execute("PRAGMA table_info(run)")]


def totals(connection: sqlite3.Connection, run: int) -> Totals:
    """Count the outcomes of a run."""
    row = connection.execute(_TOTALS, (run,)).fetchone()
    names = Totals.__dataclass_fields__
    return Totals(**{name: value or 0 for name, value in zip(names, row, strict=True)})


def count_calls(connection: sqlite3.Connection, run: int | None) -> ApiCalls:
    """Count the requests that left, of one run or of all."""
    rows = connection.execute(
        "SELECT kind, count(*) FROM call WHERE (?1 IS NULL OR run = ?1)"
        " AND outcome IS NOT 'unsent' GROUP BY kind",
        (run,),
    )
    counts = {CallKind(kind).value: count for kind, count in rows}
    return ApiCalls(**counts)


def _count_lost(connection: sqlite3.Connection, run: int) -> int:
    (count,) = connection.execute(
        "SELECT count(*) FROM call WHERE run = ? AND kind = 'submit' AND outcome = 'lost'", (run,)
    ).fetchone()
    return int(count)
