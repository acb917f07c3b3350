"""Between rows of the ledger and the values of `models`; columns are read by name."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import namedtuple
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from batch_converter.errors import ErrorCode
from batch_converter.models import (
    Document,
    DocumentState,
    Failure,
    FileReport,
    FileStatus,
    Phase,
    Task,
    Timeline,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence


Row: TypeAlias = Any
"""A named tuple of a statement's columns."""

_FILE_NAMES: Final = sys.getfilesystemencoding()
_FILE_NAME_ERRORS: Final = sys.getfilesystemencodeerrors()
_PHASES: Final = {phase.value: phase for phase in Phase}
_STATES: Final = {state.value: state for state in DocumentState}


def named(rows: sqlite3.Cursor) -> Iterator[Row]:
    """Yield rows as named tuples, for many at once: `sqlite3.Row` tries each name in turn."""
    return map(_kind_of_row(*(name for name, *_ in rows.description))._make, rows)


@cache
def _kind_of_row(*names: str) -> Any:  # noqa: ANN401  # a class of its own for each statement
    return namedtuple("Row", names)  # noqa: PYI024  # columns have no types


def path_text(path: bytes) -> str:
    """Return what `os.fsdecode` does of bytes, at a third of its price."""
    return path.decode(_FILE_NAMES, _FILE_NAME_ERRORS)


def path_bytes(path: str) -> bytes:
    """Return what `os.fsencode` does of text, at a third of its price."""
    return path.encode(_FILE_NAMES, _FILE_NAME_ERRORS)


def bounds_below(folder: bytes) -> tuple[bytes, bytes]:
    """Return what every path below a folder lies between: `0` comes next after `/`."""
    prefix = folder.rstrip(b"/")
    return prefix + b"/", prefix + b"0"


def moment(seconds: float) -> datetime:
    """Return the time of day in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def optional_moment(seconds: float | None) -> datetime | None:
    """Return the time of day in UTC, where there is one."""
    return None if seconds is None else moment(seconds)


def storable(text: str) -> str:
    """Escape what SQLite's text cannot hold: of names that are not UTF-8, or of the service's."""
    return text.encode("utf-8", "backslashreplace").decode()


def warnings_text(warnings: Sequence[str]) -> str | None:
    """Return what a column of warnings holds; nothing where there are none."""
    return json.dumps(warnings) if warnings else None


def timeline_text(timeline: Timeline) -> str:
    """Return what a column of timelines holds: JSON, put together at a third of its price."""
    pieces = [f"[{timeline.began_at.timestamp():.3f}"]
    pieces += [f',"{phase}",{seconds:.3f}' for phase, seconds in timeline.phases]
    return "".join(pieces) + "]"


def timeline(text: str) -> Timeline:
    """Return the timeline that a column spells."""
    began_at, *flat = json.loads(text)
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return Timeline(
        began_at=moment(began_at), phases=tuple((_PHASES[name], seconds) for name, seconds in pairs)
    )


def failure(code: str | None, message: str | None) -> Failure | None:
    """Return the failure that two columns spell."""
    return None if code is None else Failure(code=ErrorCode(code), message=message or "")


DOCUMENT_COLUMNS: Final = (
    "id",
    "path",
    "source_root",
    "source",
    "output",
    "size_bytes",
    "mtime_ns",
    "etag",
    "pdf_etag",
    "state",
    "pages",
    "task_id",
    "submitted_at",
    "task_expires_at",
)
"""What `document` reads; statements that return many documents leave out the rest."""


def document(row: Row) -> Document:
    """Return the document of a row that has `DOCUMENT_COLUMNS`.

    Raises:
        ValueError: The state is none that this version knows.
    """
    return Document(
        id=row.id,
        path=path_text(row.path),
        source_root=path_text(row.source_root),
        source=path_text(row.source),
        output=path_text(row.output),
        size_bytes=row.size_bytes,
        mtime_ns=row.mtime_ns,
        etag=row.etag,
        pdf_etag=row.pdf_etag,
        state=_STATES.get(row.state) or DocumentState(row.state),
        pages=row.pages,
        task=_task(row),
    )


def _task(row: Row) -> Task | None:
    task_id, submitted_at = row.task_id, row.submitted_at
    if not task_id or submitted_at is None:
        return None
    return Task(
        task_id=task_id,
        submitted_at=moment(submitted_at),
        expires_at=optional_moment(row.task_expires_at),
    )


class _Codec(NamedTuple):
    """How a value that is neither number nor plain text is kept; None is NULL either way."""

    to_column: Callable[[Any], Any]
    from_column: Callable[[Any], Any]


def _as_is(value: Any) -> Any:  # noqa: ANN401  # any that SQLite holds
    return value


_PLAIN: Final = _Codec(_as_is, _as_is)
_PATH: Final = _Codec(path_bytes, path_text)
_MOMENT: Final = _Codec(datetime.timestamp, moment)
_CODECS: Final = {
    "source": _PATH,
    "source_root": _PATH,
    "output": _PATH,
    "moved_to": _PATH,
    "status": _Codec(str, FileStatus),
    "submitted_at": _MOMENT,
    "completed_at": _MOMENT,
    "warnings": _Codec(warnings_text, lambda text: tuple(json.loads(text))),
    "timeline": _Codec(timeline_text, timeline),
}
"""Of the fields of `FileReport` that are not kept as they are. `error` has two columns."""

_REPORT_FIELDS: Final = tuple(
    (field.name, _CODECS.get(field.name, _PLAIN))
    for field in dataclasses.fields(FileReport)
    if field.name != "error"
)
REPORT_COLUMNS: Final = (*(name for name, _ in _REPORT_FIELDS), "error_code", "error_message")
"""Of an outcome: a field more in the report's dataclass is a column more, by its name."""

_DEFAULTS: Final = {
    field.name: None if field.default is dataclasses.MISSING else field.default
    for field in dataclasses.fields(FileReport)
}


def report_values(file: FileReport) -> dict[str, Any]:
    """Return the values of `REPORT_COLUMNS`."""
    error = file.error
    values = {
        name: None if (value := getattr(file, name)) is None else codec.to_column(value)
        for name, codec in _REPORT_FIELDS
    }
    values["error_code"] = None if error is None else error.code.value
    values["error_message"] = None if error is None else storable(error.message)
    return values


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlacedReport:
    """What a run did with a file, and which file that is.

    Attributes:
        path: The file's address.
        has_document: Whether it is a document, and not just something that was in the way.
    """

    path: bytes
    has_document: bool
    report: FileReport


def placed_reports(rows: sqlite3.Cursor) -> Iterator[PlacedReport]:
    """Yield the report's entries of rows of the query `outcomes_of_run`, with their addresses."""
    read = _file_report_of(rows)
    for row in rows:
        has_document = row["document"] is not None
        yield PlacedReport(path=row["place"], has_document=has_document, report=read(row))


def file_reports(rows: sqlite3.Cursor) -> Iterator[FileReport]:
    """Yield the report's entries of rows of the query `outcomes_of_run`."""
    return map(_file_report_of(rows), rows)


def _file_report_of(rows: sqlite3.Cursor) -> Callable[[sqlite3.Row], FileReport]:
    """Return what makes an entry of one of these rows."""
    columns = {name for name, *_ in rows.description}
    fields = [
        (name, f"known_{name}" if f"known_{name}" in columns else None, codec.from_column)
        for name, codec in _REPORT_FIELDS
    ]

    def read(row: sqlite3.Row) -> FileReport:
        values: dict[str, Any] = {"error": failure(row["error_code"], row["error_message"])}
        for name, known, from_column in fields:
            value = row[name]
            if value is None and known is not None:
                value = row[known]
            values[name] = _DEFAULTS[name] if value is None else from_column(value)
        return FileReport(**values)

    return read
