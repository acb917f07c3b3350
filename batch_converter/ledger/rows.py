"""Between rows of the ledger and the values of `models`."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from batch_converter.errors import ErrorCode
from batch_converter.models import (
    Document,
    DocumentState,
    Failure,
    FileReport,
    FileStatus,
    Task,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

DOCUMENT_COLUMNS: Final = (
    "document.id, document.path, document.source_root, document.source, document.output,"
    " document.size_bytes, document.mtime_ns, document.state, document.pages, document.task_id,"
    " document.submitted_at"
)


def moment(seconds: float | None) -> datetime | None:
    """Return the time of day in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def seconds(at: datetime | None) -> float | None:
    """Return seconds since 1970 UTC."""
    return None if at is None else at.timestamp()


def failure(code: str | None, message: str | None) -> Failure | None:
    """Return the failure that two columns spell."""
    return None if code is None else Failure(code=ErrorCode(code), message=message or "")


def document(row: tuple[Any, ...]) -> Document:
    """Return the document of a row of `DOCUMENT_COLUMNS`.

    Raises:
        ValueError: The state is none that this version knows.
    """
    task_id, submitted_at = row[9], moment(row[10])
    return Document(
        id=row[0],
        path=os.fsdecode(row[1]),
        source_root=os.fsdecode(row[2]),
        source=os.fsdecode(row[3]),
        output=os.fsdecode(row[4]),
        size_bytes=row[5],
        mtime_ns=row[6],
        state=DocumentState(row[7]),
        pages=row[8],
        task=Task(task_id=task_id, submitted_at=submitted_at) if task_id and submitted_at else None,
    )


def storable(text: str) -> str:
    """Escape what SQLite's text cannot hold: of names that are not UTF-8, or of the service's."""
    return text.encode("utf-8", "backslashreplace").decode()


def warnings_text(warnings: Sequence[str]) -> str | None:
    """Return what a column of warnings holds; nothing where there are none."""
    return json.dumps(warnings) if warnings else None


def outcome_values(
    run: int, document_id: int | None, path: str, file: FileReport
) -> dict[str, Any]:
    """Return the columns of an outcome."""
    return {
        "run": run,
        "document": document_id,
        "status": file.status.value,
        "path": os.fsencode(path),
        "source_root": os.fsencode(file.source_root),
        "source": os.fsencode(file.source),
        "output": None if file.output is None else os.fsencode(file.output),
        "attempts": file.attempts,
        "polls": file.polls,
        "task_id": file.task_id,
        "bytes_in": file.bytes_in,
        "bytes_out": file.bytes_out,
        "pages": file.pages,
        "sha256": file.sha256,
        "submitted_at": seconds(file.submitted_at),
        "completed_at": seconds(file.completed_at),
        "error_code": file.error.code.value if file.error else None,
        "error_message": storable(file.error.message) if file.error else None,
        "warnings": warnings_text(file.warnings),
    }


def file_report(row: sqlite3.Row) -> FileReport:
    """Return the report entry of a row of the `outcomes` query."""
    return FileReport(
        source=os.fsdecode(row["source"]),
        source_root=os.fsdecode(row["source_root"]),
        output=None if row["output"] is None else os.fsdecode(row["output"]),
        status=FileStatus(row["status"]),
        attempts=row["attempts"],
        polls=row["polls"],
        task_id=row["task_id"],
        bytes_in=row["bytes_in"] or 0,
        bytes_out=row["bytes_out"] or 0,
        pages=row["pages"],
        sha256=row["sha256"],
        submitted_at=moment(row["submitted_at"]),
        completed_at=moment(row["completed_at"]),
        error=failure(row["error_code"], row["error_message"]),
        warnings=tuple(json.loads(row["warnings"] or "[]")),
    )
