"""The JSON report: the contract's names, in the contract's order.

Written in ASCII, so that a name that is not UTF-8 stands as Python's
`surrogateescape` gives it, and streamed, so that its size does not matter.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from batch_converter.models import Failure, FileReport
from batch_converter.report.atomic_writer import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from batch_converter.models import ApiCalls, Price, RunSummary, ShardRun, Totals

SCHEMA: Final = 1
_FOR_PEOPLE: Final = frozenset({"timeline"})
"""What the HTML report alone shows: the fields of the others are the contract's."""

FILE_FIELDS: Final = tuple(
    field.name for field in fields(FileReport) if field.name not in _FOR_PEOPLE
)
"""In the order of the dataclass, which is the contract's."""


def write_json_report(
    path: Path, summary: RunSummary, files: Iterable[FileReport], *, price: Price
) -> None:
    """Write the report of a run; it appears whole, on disk, or not at all.

    Args:
        path: Where it goes; missing folders are made.
        summary: The run.
        files: What it did with each file, taken one at a time.
        price: Of a billed call.

    Raises:
        OutputError: It cannot be written.
    """
    with replacing(path, "report") as out:
        for piece in json_report_text(summary, files, price=price):
            out.write(piece.encode("ascii"))
        out.write(b"\n")


def summary_json(summary: RunSummary, *, price: Price) -> str:
    """Return the report without `files`, on one line without its end."""
    return json.dumps(summary_fields(summary, price=price))


def json_report_text(
    summary: RunSummary, files: Iterable[FileReport], *, price: Price
) -> Iterator[str]:
    """Yield the report in pieces, without its last end of line: a line for the run, one a file."""
    yield summary_json(summary, price=price).removesuffix("}") + ', "files": ['
    separator = "\n"
    for file in files:
        yield separator + json.dumps(file_fields(file))
        separator = ",\n"
    yield "\n]}"


def summary_fields(summary: RunSummary, *, price: Price) -> dict[str, Any]:
    """Return the report without `files`, as JSON has it."""
    return {
        "schema": SCHEMA,
        "run_id": summary.run_id,
        "started_at": moment_text(summary.started_at),
        "finished_at": moment_text(summary.finished_at),
        "engine": summary.engine,
        "exit_code": summary.exit_code,
        "totals": totals_fields(summary.totals),
        "api_calls": api_calls_fields(summary.api_calls),
        "submit_unknown": summary.submit_unknown,
        **({"unlisted": summary.unlisted} if summary.unlisted else {}),
        **cost_fields(summary.api_calls, price),
        **_shard_fields(summary),
    }


def _shard_fields(summary: RunSummary) -> dict[str, Any]:
    """Return which part of an archive it is of, or the runs that it was merged of."""
    if not summary.shards:
        return {} if summary.shard is None else {"shard": summary.shard}
    return {
        "shards": [_shard_run_fields(shard) for shard in summary.shards],
        "missing_shards": summary.missing_shards,
    }


def _shard_run_fields(shard: ShardRun) -> dict[str, Any]:
    run = shard.summary
    return {
        "shard": run.shard,
        "state_dir": shard.state_dir,
        "run_id": run.run_id,
        "started_at": moment_text(run.started_at),
        "finished_at": moment_text(run.finished_at),
        "engine": run.engine,
        "exit_code": run.exit_code,
        "totals": totals_fields(run.totals),
        "api_calls": api_calls_fields(run.api_calls),
    }


def totals_fields(totals: Totals) -> dict[str, int]:
    """Return the counts under the names of the report; what was moved only where anything was."""
    fields = asdict(totals)
    return fields if totals.moved else {n: v for n, v in fields.items() if n != "moved"}


def api_calls_fields(calls: ApiCalls) -> dict[str, int]:
    """Return the calls under the names of the report."""
    return {**asdict(calls), "billed": calls.billed}


def cost_fields(calls: ApiCalls, price: Price) -> dict[str, float | str | None]:
    """Return what the calls cost; null without a price."""
    return {"cost": price.of(calls), "currency": price.currency}


def file_fields(file: FileReport) -> dict[str, Any]:
    """Return an entry of `files`, as JSON has it."""
    return {name: _plain(getattr(file, name)) for name in FILE_FIELDS}


def _plain(value: Any) -> Any:  # noqa: ANN401  # of any field
    match value:
        case datetime():
            return moment_text(value)
        case Failure():
            return {"code": value.code, "message": value.message}
        case _:
            return value


def moment_text(moment: datetime | None) -> str | None:
    """Return ISO 8601 in UTC, to the millisecond."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
