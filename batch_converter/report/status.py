"""The ledger's status as JSON and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from batch_converter.models import RunKind
from batch_converter.report.formatting import short_duration
from batch_converter.report.json_list import object_text
from batch_converter.report.json_report import (
    SCHEMA,
    api_calls_fields,
    moment_text,
    summary_fields,
    totals_fields,
)
from batch_converter.report.listing import human_known_file, known_file_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from batch_converter.models import KnownFile, LedgerStatus, Price, RunSummary

_RUNS_HEAD: Final = (
    f"{'run':<25}{'took':<12}{'end':<9}{'converted':>9}{'failed':>8}{'remaining':>10}{'calls':>7}"
)
_FILES_HEAD: Final = f"{'state':<15}file"


def status_json_text(
    known: LedgerStatus,
    *,
    runs: Iterable[tuple[RunKind, RunSummary]] | None = None,
    files: Iterable[KnownFile] | None = None,
    price: Price,
) -> Iterator[str]:
    """Yield one line without its end, in pieces; the names are the report's.

    Args:
        known: What was counted.
        runs: What stands in `runs`; where it is None, that is not there.
        files: What stands in `files`, likewise.
        price: Of a billed call.
    """
    lists: dict[str, Iterable[Mapping[str, Any]]] = {}
    if runs is not None:
        lists["runs"] = ({"kind": kind, **summary_fields(run, price=price)} for kind, run in runs)
    if files is not None:
        lists["files"] = map(known_file_fields, files)
    return object_text(_fields(known), lists)


def _fields(known: LedgerStatus) -> dict[str, Any]:
    run = known.last_run
    return {
        "schema": SCHEMA,
        "run_id": run and run.run_id,
        "started_at": moment_text(run.started_at if run else None),
        "finished_at": moment_text(run.finished_at if run else None),
        "engine": run and run.engine,
        "exit_code": run and run.exit_code,
        "totals": totals_fields(known.totals),
        "api_calls": api_calls_fields(known.api_calls),
        "states": dict(known.states),
        "out_at_service": known.out_at_service,
        "failures": dict(known.failures),
    }


def human_status(
    known: LedgerStatus,
    *,
    runs: Iterable[tuple[RunKind, RunSummary]] | None = None,
    files: Iterable[KnownFile] | None = None,
) -> Iterator[str]:
    """Yield lines of text without their ends: what is long first, the counts last."""
    if files is not None:
        yield _FILES_HEAD
        yield from map(human_known_file, files)
        yield ""
    if runs is not None:
        yield _RUNS_HEAD
        yield from (_run_row(kind, run) for kind, run in runs)
        yield ""
    yield from _lines(known)


def _run_row(kind: RunKind, run: RunSummary) -> str:
    took = "" if run.took_s is None else short_duration(run.took_s)
    counts = ("", "", "")
    if kind is RunKind.CONVERT:
        totals = run.totals
        counts = (f"{totals.converted:,}", f"{totals.failed:,}", f"{totals.remaining:,}")
    converted, failed, remaining = counts
    row = f"{run.run_id:<25}{took:<12}{_end(run):<9}{converted:>9}{failed:>8}{remaining:>10}"
    return f"{row}{run.api_calls.billed:>7,}" + (" (cancel)" if kind is RunKind.CANCEL else "")


def _end(run: RunSummary) -> str:
    if run.finished_at is None:
        return "none yet"
    return "died" if run.exit_code is None else f"exit {run.exit_code:d}"


def _lines(known: LedgerStatus) -> Iterator[str]:
    for state, count in known.states.items():
        yield f"{state.value:<15}{count:>10,}"
    if warned := known.totals.with_warnings:
        yield f"  converted with warnings: {warned:,}"
    if moved := known.totals.moved:
        yield f"  converted, and the source moved: {moved:,}"
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
