"""A dry run's estimate as JSON and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.logs import printable
from batch_converter.report.formatting import and_cost, pluralized, size
from batch_converter.report.json_list import object_text
from batch_converter.report.json_report import SCHEMA, api_calls_fields, cost_fields, totals_fields
from batch_converter.report.listing import human_planned_file, planned_file_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.models import Estimate, Price

_MOST_NAMED: Final = 10
_FILES_HEAD: Final = f"{'would':<15}file"


def estimate_json_text(estimate: Estimate, *, price: Price) -> Iterator[str]:
    """Yield one line without its end, in pieces; the names are the report's."""
    fields = {
        "schema": SCHEMA,
        "dry_run": True,
        "engine": estimate.engine,
        "totals": totals_fields(estimate.totals),
        "api_calls": api_calls_fields(estimate.api_calls),
        **(
            {"moved_to": estimate.moved_to, "stays": dict(estimate.stays)}
            if estimate.moved_to
            else {}
        ),
        **cost_fields(estimate.api_calls, price),
    }
    files = estimate.files
    return object_text(fields, {} if files is None else {"files": map(planned_file_fields, files)})


def human_estimate(estimate: Estimate, *, price: Price) -> Iterator[str]:
    """Yield lines of text without their ends: the files, where they were asked for, first."""
    if estimate.files is not None:
        yield _FILES_HEAD
        yield from map(human_planned_file, estimate.files)
        yield ""
    yield from _lines(estimate, price)


def _lines(estimate: Estimate, price: Price) -> Iterator[str]:
    totals, calls = estimate.totals, estimate.api_calls
    what = f"{pluralized(totals.pages, 'page')}, {size(totals.bytes_in)}"
    yield (
        f"Would convert {totals.remaining:,} of {pluralized(totals.found, 'file')} ({what};"
        f" engine: {estimate.engine})."
    )
    if totals.skipped:
        yield f"  up to date  {totals.skipped:,}"
    if totals.failed:
        yield f"  would fail  {totals.failed:,}"
    if calls.billed:
        yield (
            f"API calls: at least {calls.billed:,} billed ({calls.submit:,} submit,"
            f" {calls.poll:,} poll){and_cost(calls, price)}."
        )
    yield from _moves(estimate)
    yield "Nothing was changed."


def _moves(estimate: Estimate) -> Iterator[str]:
    if estimate.moved_to is None:
        return
    sources = pluralized(estimate.totals.moved, "source")
    yield printable(f"Would move {sources} to {estimate.moved_to}, once their PDFs are there.")
    if estimate.stays:
        yield f"Would stay where they are ({len(estimate.stays):,}):"
    for source, reason in list(estimate.stays.items())[:_MOST_NAMED]:
        yield printable(f"  {source}: {reason}")
    if (more := len(estimate.stays) - _MOST_NAMED) > 0:
        yield f"  and {more:,} more"
