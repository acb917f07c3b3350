"""What a run would do and cost, without doing it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from batch_converter.engines.base import TaskService
from batch_converter.errors import FileError
from batch_converter.models import (
    ApiCalls,
    Estimate,
    Failure,
    FileReport,
    FileStatus,
    PlannedAction,
    PlannedFile,
    Totals,
)
from batch_converter.orchestrator.keeping import SourceKeeper

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from batch_converter.discovery import Found
    from batch_converter.models import Document
    from batch_converter.orchestrator.context import RunContext
    from batch_converter.orchestrator.planner import Planner
    from batch_converter.sources import SourceStores

_PAGE: Final = 256
_ACTIONS: Final = {
    FileStatus.SKIPPED: PlannedAction.SKIP,
    FileStatus.FAILED: PlannedAction.FAIL,
    FileStatus.REMAINING: PlannedAction.LEAVE,
}
"""What is settled before anything is in line."""

_ORDER: Final = {action: place for place, action in enumerate(PlannedAction)}


async def estimate(
    context: RunContext,
    planner: Planner,
    found: Iterator[Found],
    roots: Sequence[str],
    *,
    with_files: bool = False,
) -> Estimate:
    """Plan on a ledger that may be changed, and count what is in line.

    Calls are those of a run in which every document is asked for once: one to submit
    what is not out yet, and one to fetch.
    """
    await planner.plan(found, roots)
    counts = planner.counts
    totals = Totals(found=counts.found, skipped=counts.skipped, failed=counts.failed)
    sums = _Sums(totals, with_files=with_files)
    position = 0
    while page := await context.ledger.take(position, _PAGE):
        documents = [document for _, document in page]
        measured = await anyio.to_thread.run_sync(_pages, documents, context.sources)
        for document, pages in zip(documents, measured, strict=True):
            sums.add(document, pages)
        position, _ = page[-1]
    if with_files:
        sums.files += map(_settled, await context.ledger.outcomes())
    estimated = Estimate(
        engine=context.engine.name,
        totals=sums.totals,
        api_calls=sums.calls if isinstance(context.engine, TaskService) else ApiCalls(),
        files=tuple(_in_order(sums.files)) if with_files else None,
    )
    return await _with_moves(estimated, context, sums.failing)


async def _with_moves(
    estimated: Estimate, context: RunContext, failing: Collection[str]
) -> Estimate:
    folder = context.move_dir
    if folder is None:
        return estimated
    keeper = SourceKeeper(context, folder, planned=True, failing=failing)
    moved, stays = await keeper.foresee()
    totals = replace(estimated.totals, moved=moved)
    return replace(estimated, totals=totals, moved_to=os.fspath(folder), stays=stays)


def _pages(documents: Sequence[Document], sources: SourceStores) -> list[int | FileError]:
    return [_count(document, sources) for document in documents]


def _count(document: Document, sources: SourceStores) -> int | FileError:
    """Count pages by the headers; returns why not of what would fail before any call."""
    try:
        return sources.inspector(document.path).count_pages(document.path)
    except FileError as error:
        return error


@dataclass(slots=True)
class _Sums:
    """What is in line, added up; each file too where that is wished.

    Attributes:
        failing: Paths of what is in line and cannot be converted.
    """

    totals: Totals
    with_files: bool
    calls: ApiCalls = field(default_factory=ApiCalls)
    files: list[PlannedFile] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)

    def add(self, document: Document, measured: int | FileError) -> None:
        """Add a document with its pages, or with why they cannot be counted."""
        if document.task is not None:
            pages = None if isinstance(measured, FileError) else measured
            self._take(document, pages, PlannedAction.FETCH)
        elif isinstance(measured, FileError):
            self.totals = replace(self.totals, failed=self.totals.failed + 1)
            self.failing.add(document.path)
            failure = Failure(code=measured.code, message=str(measured))
            self._note(PlannedAction.FAIL, _report(document, error=failure))
        else:
            self.calls = replace(self.calls, submit=self.calls.submit + 1)
            self._take(document, measured, PlannedAction.CONVERT)

    def _take(self, document: Document, pages: int | None, action: PlannedAction) -> None:
        self.calls = replace(self.calls, poll=self.calls.poll + 1)
        self.totals = replace(
            self.totals,
            remaining=self.totals.remaining + 1,
            bytes_in=self.totals.bytes_in + document.size_bytes,
            pages=self.totals.pages + (pages or 0),
        )
        self._note(action, _report(document, pages=pages))

    def _note(self, action: PlannedAction, report: FileReport) -> None:
        if self.with_files:
            self.files.append(PlannedFile(action=action, report=report))


def _report(
    document: Document, *, pages: int | None = None, error: Failure | None = None
) -> FileReport:
    task = document.task
    return FileReport(
        source=document.source,
        source_root=document.source_root,
        output=document.output,
        status=FileStatus.REMAINING if error is None else FileStatus.FAILED,
        task_id=None if task is None else task.task_id,
        bytes_in=document.size_bytes,
        pages=document.pages if pages is None else pages,
        submitted_at=None if task is None else task.submitted_at,
        error=error,
    )


def _settled(report: FileReport) -> PlannedFile:
    return PlannedFile(action=_ACTIONS[report.status], report=report)


def _in_order(files: Iterable[PlannedFile]) -> list[PlannedFile]:
    return sorted(files, key=lambda f: (_ORDER[f.action], f.report.source_root, f.report.source))
