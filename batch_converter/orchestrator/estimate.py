"""What a run would do and cost, without doing it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from batch_converter.engines.base import TaskService
from batch_converter.errors import FileError
from batch_converter.models import ApiCalls, Estimate, Totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_converter.discovery import Found
    from batch_converter.models import Document
    from batch_converter.orchestrator.context import RunContext
    from batch_converter.orchestrator.planner import Planner
    from batch_converter.sources import SourceStores

_PAGE: Final = 256


async def estimate(
    context: RunContext, planner: Planner, found: Iterator[Found], roots: Sequence[str]
) -> Estimate:
    """Plan on a ledger that may be changed, and count what is in line.

    Calls are those of a run in which every document is asked for once: one to submit
    what is not out yet, and one to fetch.
    """
    await planner.plan(found, roots)
    counts = planner.counts
    totals = Totals(found=counts.found, skipped=counts.skipped, failed=counts.failed)
    calls = ApiCalls()
    position = 0
    while page := await context.ledger.take(position, _PAGE):
        documents = [document for _, document in page]
        measured = await anyio.to_thread.run_sync(_pages, documents, context.sources)
        for document, pages in zip(documents, measured, strict=True):
            totals, calls = _with(totals, calls, document, pages)
        position, _ = page[-1]
    if not isinstance(context.engine, TaskService):
        calls = ApiCalls()
    return Estimate(engine=context.engine.name, totals=totals, api_calls=calls)


def _pages(documents: Sequence[Document], sources: SourceStores) -> list[int | None]:
    return [_count(document, sources) for document in documents]


def _count(document: Document, sources: SourceStores) -> int | None:
    """Count pages by the headers; None for what would fail before any call."""
    try:
        return sources.inspector(document.path).count_pages(document.path)
    except FileError:
        return None


def _with(
    totals: Totals, calls: ApiCalls, document: Document, pages: int | None
) -> tuple[Totals, ApiCalls]:
    if pages is None and document.task is None:
        return replace(totals, failed=totals.failed + 1), calls
    totals = replace(
        totals,
        remaining=totals.remaining + 1,
        bytes_in=totals.bytes_in + document.size_bytes,
        pages=totals.pages + (pages or 0),
    )
    submits = 1 if document.task is None else 0
    return totals, replace(calls, submit=calls.submit + submits, poll=calls.poll + 1)
