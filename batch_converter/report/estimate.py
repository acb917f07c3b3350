"""A dry run's estimate as JSON and as text."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from batch_converter.report.formatting import and_cost, pluralized, size
from batch_converter.report.json_report import SCHEMA, api_calls_fields, cost_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.models import Estimate, Price


def estimate_json(estimate: Estimate, *, price: Price) -> str:
    """Return one line without its end; the names are the report's."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "dry_run": True,
            "engine": estimate.engine,
            "totals": asdict(estimate.totals),
            "api_calls": api_calls_fields(estimate.api_calls),
            **cost_fields(estimate.api_calls, price),
        }
    )


def human_estimate(estimate: Estimate, *, price: Price) -> str:
    """Return some lines of text, the last one without its end."""
    return "\n".join(_lines(estimate, price))


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
