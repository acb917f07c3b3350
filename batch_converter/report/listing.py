"""Files by what is known of them or would be done with them, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from batch_converter.logs import printable
from batch_converter.models import FileStatus
from batch_converter.report.json_report import file_fields

if TYPE_CHECKING:
    from batch_converter.models import FileReport, KnownFile, PlannedFile

_OF_ONE_RUN: Final = ("attempts", "polls")


def known_file_fields(file: KnownFile) -> dict[str, Any]:
    """Return an entry of `status --json --files`: the state, and names as in the report."""
    fields = file_fields(file.report)
    for name in _OF_ONE_RUN:
        del fields[name]
    return {"state": file.state.value, **fields}


def planned_file_fields(file: PlannedFile) -> dict[str, Any]:
    """Return an entry of `convert --dry-run --json --files`: the action, and the report's names."""
    return {"action": file.action.value, **file_fields(file.report)}


def human_known_file(file: KnownFile) -> str:
    """Return a line without its end, safe for a terminal."""
    return _line(file.state.value, file.report)


def human_planned_file(file: PlannedFile) -> str:
    """Return a line without its end, safe for a terminal."""
    return _line(file.action.value, file.report)


def _line(word: str, file: FileReport) -> str:
    line = f"{word:<15}{file.source}"
    if file.error is not None:
        return printable(f"{line}: {file.error.code}: {file.error.message}")
    if file.output is not None:
        line += f" -> {file.output}"
    if file.warnings and file.status is FileStatus.CONVERTED:
        line += f" (with warnings: {len(file.warnings):,})"
    return printable(line)
