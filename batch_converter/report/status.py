"""The ledger's status as JSON and as text."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from batch_converter.report.json_report import SCHEMA, api_calls_fields, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.models import LedgerStatus, RunSummary


def status_json(known: LedgerStatus) -> str:
    """Return one line without its end; the names are the report's."""
    run = known.last_run
    return json.dumps(
        {
            "schema": SCHEMA,
            "run_id": run and run.run_id,
            "started_at": moment_text(run.started_at if run else None),
            "finished_at": moment_text(run.finished_at if run else None),
            "engine": run and run.engine,
            "exit_code": run and run.exit_code,
            "totals": asdict(known.totals),
            "api_calls": api_calls_fields(known.api_calls),
            "states": dict(known.states),
            "out_at_service": known.out_at_service,
            "failures": dict(known.failures),
        }
    )


def human_status(known: LedgerStatus) -> str:
    """Return some lines of text, the last one without its end."""
    return "\n".join(_lines(known))


def _lines(known: LedgerStatus) -> Iterator[str]:
    for state, count in known.states.items():
        yield f"{state.value:<15}{count:>10,}"
    if warned := known.totals.with_warnings:
        yield f"  converted with warnings: {warned:,}"
    for code, count in known.failures.items():
        yield f"  failed with {code}: {count:,}"
    calls = known.api_calls
    yield (
        f"API calls so far: {calls.billed:,} billed ({calls.submit:,} submit, {calls.poll:,} poll,"
        f" {calls.cancel:,} cancel) and {calls.token:,} token"
    )
    if out := known.out_at_service:
        yield f"still out at the service: {out:,}; convert again to fetch them, or cancel"
    if known.last_run is not None:
        yield _run_line(known.last_run)


def _run_line(run: RunSummary) -> str:
    if run.finished_at is None:
        return f"run {run.run_id} began at {moment_text(run.started_at)} and has not ended"
    end = "died" if run.exit_code is None else f"ended with exit code {run.exit_code:d}"
    return f"last run {run.run_id} {end} at {moment_text(run.finished_at)}"
