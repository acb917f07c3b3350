"""What a run would do and cost, for a machine and for a person."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from batch_converter.report.json_report import SCHEMA, api_calls_fields
from batch_converter.report.wording import cost, many, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.models import Estimate


def estimate_json(
    estimate: Estimate, *, price_per_call: float | None = None, currency: str | None = None
) -> str:
    """Return one line without its end; the names are the report's."""
    price = None if price_per_call is None else estimate.api_calls.billed * price_per_call
    return json.dumps(
        {
            "schema": SCHEMA,
            "dry_run": True,
            "engine": estimate.engine,
            "totals": asdict(estimate.totals),
            "api_calls": api_calls_fields(estimate.api_calls),
            "cost": price,
            "currency": currency,
        }
    )


def human_estimate(
    estimate: Estimate, *, price_per_call: float | None = None, currency: str | None = None
) -> str:
    """Return some lines of text, the last one without its end."""
    return "\n".join(_lines(estimate, price_per_call, currency))


def _lines(estimate: Estimate, price: float | None, currency: str | None) -> Iterator[str]:
    totals, calls = estimate.totals, estimate.api_calls
    what = f"{many(totals.pages, 'page')}, {size(totals.bytes_in)}"
    yield (
        f"Would convert {totals.remaining:,} of {many(totals.found, 'file')} ({what};"
        f" engine: {estimate.engine})."
    )
    if totals.skipped:
        yield f"  up to date  {totals.skipped:,}"
    if totals.failed:
        yield f"  would fail  {totals.failed:,}"
    if calls.billed:
        yield (
            f"API calls: at least {calls.billed:,} billed ({calls.submit:,} submit,"
            f" {calls.poll:,} poll){cost(calls, price, currency)}."
        )
    yield "Nothing was changed."
