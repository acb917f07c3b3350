"""A ledger of a test's own, and the values that go in and out of it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from batch_converter.ledger import Decision, Ledger, Verdict
from batch_converter.models import (
    Failure,
    FileReport,
    FileStatus,
    SourceFile,
    StoredPdf,
    Task,
)
from batch_converter.naming import wanted_output

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from batch_converter.errors import ErrorCode
    from batch_converter.models import Document

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ENGINE = "aspose"


def source_file(name: str, *, root: str = "/archive", size_bytes: int = 10) -> SourceFile:
    """Return a file as discovery would have found it."""
    return SourceFile(
        path=f"{root}/{name}",
        source_root=root,
        source=name,
        wanted_output=wanted_output(name),
        size_bytes=size_bytes,
        mtime_ns=1,
    )


@asynccontextmanager
async def opened(path: Path, run_id: str | None = "run-1") -> AsyncIterator[Ledger]:
    """Open a ledger and begin a run on it."""
    async with await Ledger.open(path) as ledger:
        if run_id is not None:
            await ledger.begin_run(run_id, ENGINE, at=NOON)
        yield ledger


async def admitted(ledger: Ledger, *files: SourceFile) -> dict[str, Document]:
    """Find these files, choose them all, and return their documents by source."""
    await ledger.record_found(files)
    await ledger.assign_outputs()
    planned = await ledger.page(b"", 10_000)
    decisions = [Decision(planned=each, verdict=Verdict.CONVERT) for each in planned]
    await ledger.decide(decisions, at=NOON)
    await ledger.enqueue(ENGINE, "name")
    return {document.source: document for _, document in await ledger.take(0, 10_000)}


async def settled(ledger: Ledger, *files: SourceFile) -> dict[str, str]:
    """Find these files and return the outputs that they were given, by path."""
    await ledger.record_found(files)
    await ledger.assign_outputs()
    return {each.document.path: each.document.output for each in await ledger.page(b"", 10_000)}


def task(number: int = 1, *, at: datetime = NOON) -> Task:
    """Return a task that was accepted at noon, and that the service forgets after a day."""
    return Task(task_id=f"task-{number}", submitted_at=at, expires_at=at + timedelta(days=1))


def pdf(*, sha256: str = "ab") -> StoredPdf:
    """Return a PDF that is said to be on disk."""
    return StoredPdf(sha256=sha256, size_bytes=100, pages=1)


def report(document: Document, status: FileStatus, *, code: ErrorCode | None = None) -> FileReport:
    """Return what a run says of a document."""
    return FileReport(
        source=document.source,
        source_root=document.source_root,
        output=document.output,
        status=status,
        error=None if code is None else Failure(code=code, message="so it is"),
    )


async def convert(
    ledger: Ledger, document: Document, *, days: float = 0, warnings: tuple[str, ...] = ()
) -> None:
    """Record that a document was converted."""
    stored = pdf()
    await ledger.converted(
        document,
        stored,
        replace(report(document, FileStatus.CONVERTED), warnings=warnings),
        at=NOON + timedelta(days=days),
        engine=ENGINE,
        options="0",
    )


async def fail(ledger: Ledger, document: Document, code: ErrorCode) -> None:
    """Record that a document failed."""
    failure = Failure(code=code, message="so it is")
    await ledger.failed(document, failure, report(document, FileStatus.FAILED, code=code))


def names(documents: Sequence[Document]) -> list[str]:
    """Return the sources of documents."""
    return [document.source for document in documents]
