"""A dry run's estimate as JSON and as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from batch_converter.report.formatting import and_cost, pluralized, size
from batch_converter.report.json_list import object_text
from batch_converter.report.json_report import SCHEMA, api_calls_fields, cost_fields
from batch_converter.report.listing import human_planned_file, planned_file_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.models import Estimate, Price

_FILES_HEAD: Final = f"{'would':<15}file"


def estimate_json_text(estimate: Estimate, *, price: Price) -> Iterator[str]:
    """Yield one line without its end, in pieces; the names are the report's."""
    fields = {
        "schema": SCHEMA,
        "dry_run": True,
        "engine": estimate.engine,
        "totals": asdict(estimate.totals),
        "api_calls": api_calls_fields(estimate.api_calls),
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
    yield "Nothing was changed."
