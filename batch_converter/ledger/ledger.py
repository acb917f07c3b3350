"""The ledger as the orchestrator writes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from batch_converter.ledger import lessons, moves, outstanding, planning, reader, recovery, settling
from batch_converter.ledger.reserve import Reserve
from batch_converter.ledger.rows import warnings_text
from batch_converter.ledger.store import Store, connect
from batch_converter.models import CallKind, DocumentState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from batch_converter.errors import ExitCode
    from batch_converter.ledger.planning import Decision, Planned
    from batch_converter.ledger.recovery import Recovered
    from batch_converter.models import (
        CallOutcome,
        Document,
        Failure,
        FileReport,
        RunSummary,
        SourceFile,
        StoredPdf,
        Task,
    )
    from batch_converter.polling import Observation

_REMAINING: Final = """
INSERT OR IGNORE INTO outcome (run, document, status, path, source_root, source, output, bytes_in,
    pages, task_id, submitted_at)
SELECT ?, document.id, 'remaining', document.path, document.source_root, document.source,
    document.output, document.size_bytes, document.pages, document.task_id, document.submitted_at
FROM document WHERE document.id IN (SELECT document FROM queue)
    OR document.path IN (SELECT path FROM found)
"""


class Ledger:
    """Durable truth about one state directory, for one run at a time.

    Every awaited method is on disk when it returns. `path` is the SQLite file.
    """

    def __init__(self, path: Path, store: Store) -> None:
        self.path = path
        self._store = store
        self._run = 0

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open or create the ledger.

        Raises:
            LedgerError: It is damaged or newer; it was not touched.
        """
        connection = await anyio.to_thread.run_sync(lambda: connect(path, read_only=False))
        return cls(path, Store(connection, Reserve(path)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._store.close()

    async def unfinished(self) -> tuple[list[str], set[str]]:
        """Return the names of all runs so far, and the folders of PDFs that are not there yet."""
        return await self._store.execute(recovery.unfinished)

    async def begin_run(self, run_id: str, engine: str, *, at: datetime) -> Recovered:
        """Put right what a dead run left, and begin a new one."""

        def operation(connection: sqlite3.Connection) -> Recovered:
            recovered = recovery.recover(connection, now=at.timestamp())
            recovery.forget_old_skips(connection)
            cursor = connection.execute(
                "INSERT INTO run (run_id, started_at, engine) VALUES (?, ?, ?)",
                (run_id, at.timestamp(), engine),
            )
            self._run = cursor.lastrowid or 0
            settling.clear(connection)
            return recovered

        return await self._store.execute(operation)

    async def record_found(self, files: Sequence[SourceFile]) -> None:
        """Note files that discovery found."""
        await self._store.execute(lambda connection: settling.record_found(connection, files))

    async def settle(self) -> int:
        """Give every new file its output; returns how many files were found."""
        return await self._store.execute(settling.settle)

    async def page(self, after: bytes, limit: int) -> list[Planned]:
        """Return the found files after `after`, beside what is known of them."""
        return await self._store.execute(lambda connection: planning.page(connection, after, limit))

    async def decide(self, decisions: Sequence[Decision], *, at: datetime) -> None:
        """Record what is to be done with found files."""
        await self._store.execute(
            lambda connection: planning.decide(connection, self._run, decisions, now=at.timestamp())
        )

    async def vanished(self, roots: Sequence[str]) -> list[tuple[str, str, str]]:
        """Return path, source and output of known files below `roots` that were not found."""
        return await self._store.execute(lambda connection: outstanding.vanished(connection, roots))

    async def enqueue(self, engine: str, order: str) -> int:
        """Line up the work of this run; returns its length."""
        return await self._store.execute(
            lambda connection: planning.enqueue(connection, self._run, engine=engine, order=order)
        )

    async def take(self, after: int, limit: int) -> list[tuple[int, Document]]:
        """Return the next documents in line, each with its position."""
        return await self._store.execute(lambda connection: planning.take(connection, after, limit))

    def describe(
        self, document: Document, *, source_sha256: str, parts_mark: str | None = None
    ) -> None:
        """Record what was learned of the source; on disk with the next awaited step."""
        self._store.post(
            lambda connection: moves.assign(
                connection,
                document.id,
                size_bytes=document.size_bytes,
                mtime_ns=document.mtime_ns,
                pages=document.pages,
                source_sha256=source_sha256,
                parts_mark=parts_mark,
            )
        )

    async def begin_call(self, kind: CallKind, document_id: int | None, *, at: datetime) -> int:
        """Record a request that is about to leave; a submission moves its document."""

        def operation(connection: sqlite3.Connection) -> int:
            if kind is CallKind.SUBMIT and document_id is not None:
                moves.submitting(connection, document_id)
            cursor = connection.execute(
                "INSERT INTO call (run, document, kind, started_at) VALUES (?, ?, ?, ?)",
                (self._run, document_id, kind.value, at.timestamp()),
            )
            return cursor.lastrowid or 0

        return await self._store.execute(operation)

    def end_call(self, call_id: int, outcome: CallOutcome, http_status: int | None) -> None:
        """Record how a request ended, without waiting for the disk."""
        self._store.post(
            lambda connection: connection.execute(
                "UPDATE call SET outcome = ?, http_status = ? WHERE id = ?",
                (outcome.value, http_status, call_id),
            )
        )

    async def billed_since(self, since: datetime) -> int:
        """Count billed requests since `since`, over all runs of this ledger."""

        def operation(connection: sqlite3.Connection) -> int:
            (count,) = connection.execute(
                "SELECT count(*) FROM call WHERE started_at >= ? AND kind <> 'token'"
                " AND outcome IS NOT 'unsent'",
                (since.timestamp(),),
            ).fetchone()
            return int(count)

        return await self._store.execute(operation)

    async def submitting(self, document: Document) -> None:
        """Record that an engine without billed calls is about to be given the document."""
        await self._store.execute(lambda connection: moves.submitting(connection, document.id))

    async def submitted(self, document: Document, task: Task, engine: str) -> None:
        """Record the task id: from here on the document is never submitted twice."""
        await self._store.execute(
            lambda connection: moves.submitted(connection, document.id, task, engine)
        )

    async def interrupted(self, document: Document) -> None:
        """Settle the state of a document whose submission was broken off."""
        await self._store.execute(lambda connection: recovery.interrupted(connection, document.id))

    async def publishing(
        self,
        document: Document,
        pdf: StoredPdf,
        *,
        engine: str,
        options: str,
        warnings: Sequence[str] = (),
    ) -> None:
        """Record the PDF that is about to get its final name, and what is to be said of it."""
        told = warnings_text(warnings)
        await self._store.execute(
            lambda connection: moves.publishing(
                connection, document.id, pdf, engine=engine, options=options, warnings=told
            )
        )

    async def submit_unknown(self, document: Document) -> None:
        """Record that the answer to a submission was lost."""
        await self._store.execute(
            lambda connection: moves.move(connection, document.id, DocumentState.SUBMIT_UNKNOWN)
        )

    async def released(self, document: Document) -> None:
        """Record that the document waits to be submitted (again)."""
        await self._store.execute(lambda connection: moves.released(connection, document.id))

    async def converted(
        self,
        document: Document,
        pdf: StoredPdf,
        report: FileReport,
        *,
        at: datetime,
        engine: str,
        options: str,
    ) -> None:
        """Record that the PDF is on disk under its final name."""

        def operation(connection: sqlite3.Connection) -> None:
            moves.converted(
                connection,
                document.id,
                pdf,
                at=at.timestamp(),
                engine=engine,
                options=options,
                warnings=warnings_text(report.warnings),
                **({} if document.pages is None else {"pages": document.pages}),
            )
            moves.record_outcome(connection, self._run, document.id, document.path, report)

        await self._store.execute(operation)

    async def failed(self, document: Document, failure: Failure, report: FileReport) -> None:
        """Record a failure of this run."""

        def operation(connection: sqlite3.Connection) -> None:
            moves.failed(connection, document.id, failure)
            moves.record_outcome(connection, self._run, document.id, document.path, report)

        await self._store.execute(operation)

    async def outcome(self, document: Document | None, path: str, report: FileReport) -> None:
        """Record what became of a file without moving its document."""
        document_id = None if document is None else document.id
        await self._store.execute(
            lambda connection: moves.record_outcome(
                connection, self._run, document_id, path, report
            )
        )

    async def finish_run(self, *, at: datetime) -> RunSummary:
        """Give what is left its outcome and count the run; call `end_run` after."""

        def operation(connection: sqlite3.Connection) -> RunSummary:
            connection.execute(_REMAINING, (self._run,))
            connection.execute(
                "UPDATE run SET finished_at = ?, totals = ? WHERE id = ?",
                (
                    at.timestamp(),
                    json.dumps(asdict(reader.totals(connection, self._run))),
                    self._run,
                ),
            )
            row = connection.execute("SELECT * FROM run WHERE id = ?", (self._run,)).fetchone()
            return reader.summary(connection, row)

        return await self._store.execute(operation)

    async def summary(self) -> RunSummary:
        """Return the run as far as it is recorded; reads only, so a full disk is no obstacle."""

        def operation(connection: sqlite3.Connection) -> RunSummary:
            row = connection.execute("SELECT * FROM run WHERE id = ?", (self._run,)).fetchone()
            return reader.summary(connection, row)

        return await self._store.execute(operation)

    async def retry(self, paths: Sequence[str] | None, *, at: datetime) -> list[str]:
        """Put failed files back, all or those named; returns their sources.

        Args:
            paths: Absolute paths of files or of folders that hold them.
            at: The present; a task that the service still holds is kept.
        """
        return await self._store.execute(
            lambda connection: outstanding.retry(connection, paths, now=at.timestamp())
        )

    async def out_at_service(self, *, at: datetime) -> list[Document]:
        """Return the documents whose task the service may still have."""
        return await self._store.execute(
            lambda connection: outstanding.out_at_service(connection, now=at.timestamp())
        )

    async def remember(self, service: str, observations: Sequence[Observation]) -> None:
        """Keep what this run learned about a service."""
        await self._store.execute(
            lambda connection: lessons.remember(connection, service, observations)
        )

    async def recall(self, service: str) -> list[Observation]:
        """Return what earlier runs learned about a service, oldest first."""
        return await self._store.execute(lambda connection: lessons.recall(connection, service))

    async def end_errand(self, exit_code: ExitCode, *, at: datetime) -> None:
        """Record how a run ended that had no files to count: it has no report."""
        await self._store.execute(
            lambda connection: connection.execute(
                "UPDATE run SET finished_at = ?, exit_code = ? WHERE id = ?",
                (at.timestamp(), int(exit_code), self._run),
            )
        )

    async def end_run(self, exit_code: ExitCode) -> None:
        """Record how the run ended."""
        await self._store.execute(
            lambda connection: connection.execute(
                "UPDATE run SET exit_code = ? WHERE id = ?", (int(exit_code), self._run)
            )
        )
