"""The JSON report: the contract's names, in the contract's order.

Written in ASCII, so that a name that is not UTF-8 stands as Python's
`surrogateescape` gives it, and streamed, so that its size does not matter.
"""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from batch_converter.report.replacing import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from batch_converter.models import ApiCalls, Failure, FileReport, RunSummary

SCHEMA: Final = 1


def write_json_report(path: Path, summary: RunSummary, files: Iterable[FileReport]) -> None:
    """Write the report of a run; it appears whole, on disk, or not at all.

    Args:
        path: Where it goes; missing folders are made.
        summary: The run.
        files: What it did with each file, taken one at a time.

    Raises:
        OutputError: It cannot be written.
    """
    with replacing(path, "report") as out:
        for piece in _report(summary, files):
            out.write(piece.encode("ascii"))


def summary_json(summary: RunSummary) -> str:
    """Return the report without `files`, on one line without its end."""
    return json.dumps(_summary(summary))


def _report(summary: RunSummary, files: Iterable[FileReport]) -> Iterator[str]:
    """Yield the text in pieces: one line for the run, one for each file."""
    yield summary_json(summary).removesuffix("}") + ', "files": ['
    separator = "\n"
    for file in files:
        yield separator + json.dumps(_file(file))
        separator = ",\n"
    yield "\n]}\n"


def _summary(summary: RunSummary) -> dict[str, Any]:
    totals = summary.totals
    return {
        "schema": SCHEMA,
        "run_id": summary.run_id,
        "started_at": _moment(summary.started_at),
        "finished_at": _moment(summary.finished_at),
        "engine": summary.engine,
        "exit_code": summary.exit_code,
        "totals": {
            "found": totals.found,
            "converted": totals.converted,
            "skipped": totals.skipped,
            "failed": totals.failed,
            "remaining": totals.remaining,
            "bytes_in": totals.bytes_in,
            "bytes_out": totals.bytes_out,
            "pages": totals.pages,
        },
        "api_calls": _api_calls(summary.api_calls),
        "submit_unknown": summary.submit_unknown,
    }


def _api_calls(calls: ApiCalls) -> dict[str, int]:
    return {
        "token": calls.token,
        "submit": calls.submit,
        "poll": calls.poll,
        "cancel": calls.cancel,
        "billed": calls.billed,
    }


def _file(file: FileReport) -> dict[str, Any]:
    return {
        "source": file.source,
        "source_root": file.source_root,
        "output": file.output,
        "status": file.status,
        "attempts": file.attempts,
        "polls": file.polls,
        "task_id": file.task_id,
        "bytes_in": file.bytes_in,
        "bytes_out": file.bytes_out,
        "pages": file.pages,
        "sha256": file.sha256,
        "submitted_at": _moment(file.submitted_at),
        "completed_at": _moment(file.completed_at),
        "error": _failure(file.error),
        "warnings": list(file.warnings),
    }


def _failure(failure: Failure | None) -> dict[str, str] | None:
    return None if failure is None else {"code": failure.code, "message": failure.message}


def _moment(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
