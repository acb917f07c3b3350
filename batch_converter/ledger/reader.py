"""The ledger as others read it: status, past runs, manifest; also while a run writes."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_converter.clock import SystemClock
from batch_converter.errors import LASTING_CODES, ExitCode, LedgerError
from batch_converter.ledger.calls import count_calls
from batch_converter.ledger.connection import advice, connect
from batch_converter.ledger.outstanding import with_living_task
from batch_converter.ledger.queries import query
from batch_converter.ledger.rows import file_reports, moment, optional_moment, placed_reports
from batch_converter.ledger.runs import run_summary
from batch_converter.models import (
    DocumentState,
    FileStatus,
    KnownFile,
    LedgerStatus,
    RunKind,
    Totals,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from batch_converter.ledger.rows import PlacedReport
    from batch_converter.models import FileReport, RunSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedSource:
    """A source whose PDF is there.

    Attributes:
        path: Its address now, wherever it was moved to.
        sha256: Of its bytes as they were converted; None where nobody knows.
        has_parts: Whether it is an index, whose parts count.
    """

    path: str
    sha256: str | None
    has_parts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPdf:
    """A PDF that is there.

    Attributes:
        output: Its path below the output folder.
        recorded_at: When the ledger learned of it.
    """

    output: bytes
    sha256: str
    size_bytes: int
    recorded_at: datetime


class LedgerReader:
    """A read-only view; a context manager. Blocking: use it in a thread.

    Args:
        path: Where the ledger is.
        is_checked: Whether this process has written it, or read it before: then it is not
            checked once more, and damage is told where it is met.

    Raises:
        LedgerError: There is no ledger, or it cannot be used.
    """

    def __init__(self, path: Path, *, is_checked: bool = False) -> None:
        self._path = path
        self._connection = connect(path, read_only=True, is_checked=is_checked)

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
            msg = f"the ledger {self._path} cannot be read ({exc}). {advice(exc)}"
            raise LedgerError(msg) from exc

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Have all that is read in this block be of the same moment; blocks may be nested."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def status(self, *, now: datetime | None = None) -> LedgerStatus:
        """Count documents, failures and calls, all of the same moment.

        Args:
            now: The service forgets tasks with time; the present where absent.
        """
        with self.snapshot():
            return self._status(now or SystemClock().now())

    def _status(self, now: datetime) -> LedgerStatus:
        counted = self._connection.execute(query("documents_by_state"))
        states = dict.fromkeys(DocumentState, 0) | {
            DocumentState(row["state"]): row["documents"] for row in counted
        }
        failures = self._connection.execute(query("failures_by_code"))
        last_run = self._connection.execute(query("last_conversion_run")).fetchone()
        return LedgerStatus(
            states=states,
            failures={row["error_code"]: row["documents"] for row in failures},
            totals=self._totals(states),
            api_calls=count_calls(self._connection, None),
            out_at_service=len(with_living_task(self._connection, at=now)),
            last_run=None if last_run is None else run_summary(self._connection, last_run),
        )

    def _totals(self, states: Mapping[DocumentState, int]) -> Totals:
        found, converted = sum(states.values()), states[DocumentState.CONVERTED]
        failed = states[DocumentState.FAILED]
        sums = self._connection.execute(query("converted_totals")).fetchone()
        return Totals(
            found=found,
            converted=converted,
            failed=failed,
            remaining=found - converted - failed,
            **{name: sums[name] for name in sums.keys()},  # noqa: SIM118  # a row is no mapping
        )

    def known_files(self) -> Iterator[KnownFile]:
        """Yield what is known of each file, by state and then by path, one row at a time."""
        for state in DocumentState:
            rows = self._connection.execute(query("documents_in_state"), {"state": state.value})
            for report in file_reports(rows):
                yield KnownFile(state=state, report=report)

    def runs(self) -> Iterator[tuple[RunKind, RunSummary]]:
        """Yield all runs, the oldest first, each with what it was begun for."""
        for row in self._connection.execute(query("all_runs")):
            yield RunKind(row["kind"]), run_summary(self._connection, row)

    def run(self, run_id: str | None = None) -> RunSummary:
        """Return a run, the newest that converted where none is named.

        Raises:
            LedgerError: There is no such run.
        """
        return run_summary(self._connection, self._run_row(run_id))

    def last_success(self, run_id: str | None = None) -> datetime | None:
        """Return when the last run up to this one ended with 0; None where none has yet."""
        row = self._run_row(run_id)
        if row["exit_code"] == ExitCode.OK:
            return optional_moment(row["finished_at"])
        values = {"run": row["id"]}
        before = self._connection.execute(query("last_success_before"), values).fetchone()
        return None if before is None else optional_moment(before["finished_at"])

    def files(self, run_id: str | None = None) -> Iterator[FileReport]:
        """Yield what the run did with each file, by path, one row at a time."""
        values = {"run": self._run_row(run_id)["id"]}
        yield from file_reports(self._connection.execute(query("outcomes_of_run"), values))

    def placed_files(self, run_id: str) -> Iterator[PlacedReport]:
        """Yield what the run did with each file, with its address, by address."""
        values = {"run": self._run_row(run_id)["id"]}
        yield from placed_reports(self._connection.execute(query("outcomes_of_run"), values))

    def paths_without_document(self, run_id: str) -> Iterator[tuple[bytes, FileStatus]]:
        """Yield by address what the run found to be no document, and what it said of it."""
        values = {"run": self._run_row(run_id)["id"]}
        for row in self._connection.execute(query("paths_without_document"), values):
            yield row["path"], FileStatus(row["status"])

    def has_document(self, run_id: str, path: bytes) -> bool:
        """Whether the run had a document at this address."""
        values = {"run": self._run_row(run_id)["id"], "path": path}
        return bool(self._connection.execute(query("has_document_at"), values).fetchone()[0])

    def document_paths(self, run_id: str) -> Iterator[bytes]:
        """Yield the addresses of the run's documents, sorted."""
        return self._keys(query("document_paths_of_run"), run_id)

    def document_outputs(self, run_id: str) -> Iterator[bytes]:
        """Yield what tells apart the names of the PDFs of the run's documents, sorted."""
        return self._keys(query("document_outputs_of_run"), run_id)

    def _keys(self, statement: str, run_id: str) -> Iterator[bytes]:
        for row in self._connection.execute(statement, {"run": self._run_row(run_id)["id"]}):
            yield row["key"]

    def failed_paths(self, run_id: str | None = None) -> Iterator[str]:
        """Yield the absolute paths of the sources that failed in the run."""
        values = {"run": self._run_row(run_id)["id"]}
        for row in self._connection.execute(query("failed_paths_of_run"), values):
            yield os.fsdecode(row["path"])

    def paths(self, run_id: str | None = None) -> Iterator[str]:
        """Yield the absolute paths of all sources that the run tells of."""
        values = {"run": self._run_row(run_id)["id"]}
        for row in self._connection.execute(query("paths_of_run"), values):
            yield os.fsdecode(row["path"])

    def left_paths(self, run_id: str | None = None) -> Iterator[str]:
        """Yield the absolute paths of the sources that another run would take up again."""
        values = {"run": self._run_row(run_id)["id"]}
        for row in self._connection.execute(query("paths_left_by_run"), values):
            if row["error_code"] not in LASTING_CODES:
                yield os.fsdecode(row["path"])

    def paths_of_many_files(self) -> Iterator[tuple[str, bool]]:
        """Yield the paths of documents that change when files beside them do.

        Indexes with parts; and, marked by True, what failed and may be one that lacks some.
        """
        for row in self._connection.execute(query("paths_of_many_files")):
            yield os.fsdecode(row["path"]), bool(row["may_lack"])

    def converted(self) -> Iterator[tuple[str, str, int]]:
        """Yield output, SHA-256 and size of every PDF known as converted, by output."""
        for pdf in self.recorded_pdfs():
            yield os.fsdecode(pdf.output), pdf.sha256, pdf.size_bytes

    def recorded_pdfs(self) -> Iterator[RecordedPdf]:
        """Yield every PDF known as converted, by output as bytes."""
        for row in self._connection.execute(query("converted_pdfs")):
            yield RecordedPdf(
                output=row["output"],
                sha256=row["pdf_sha256"],
                size_bytes=row["pdf_bytes"],
                recorded_at=moment(row["converted_at"]),
            )

    def converted_sources(self) -> Iterator[ConvertedSource]:
        """Yield the source of every PDF known as converted, by path."""
        for row in self._connection.execute(query("converted_sources")):
            yield ConvertedSource(
                path=os.fsdecode(row["path"] if row["moved_to"] is None else row["moved_to"]),
                sha256=row["source_sha256"],
                has_parts=row["parts_fingerprint"] is not None,
            )

    def was_moved(self, path: str) -> bool:
        """Whether the source with this absolute path was moved away once its PDF was there."""
        values = {"path": os.fsencode(path)}
        return self._connection.execute(query("moved_document"), values).fetchone() is not None

    def _run_row(self, run_id: str | None) -> sqlite3.Row:
        wanted = query("last_conversion_run") if run_id is None else query("run_by_id")
        row = self._connection.execute(wanted, {"run_id": run_id}).fetchone()
        if row is None:
            what = "no run yet" if run_id is None else f"no run {run_id!r}"
            msg = f"the ledger {self._path} knows {what}"
            raise LedgerError(msg)
        found: sqlite3.Row = row
        return found
