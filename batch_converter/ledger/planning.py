"""What is to be done with each found file: read page by page, decided above, kept here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, assert_never

from batch_converter.ledger import moves, outstanding
from batch_converter.ledger.rows import DOCUMENT_COLUMNS, document, failure
from batch_converter.models import DocumentState, FileReport, FileStatus

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from batch_converter.models import Document, Failure, StoredPdf

_MAY_HOLD_TASK: Final = {DocumentState.SUBMITTED, DocumentState.FAILED}
_COLUMNS: Final = (
    f"{DOCUMENT_COLUMNS}, found.path, found.size_bytes, found.mtime_ns, document.source_sha256,"
    " document.parts_mark, document.engine, document.options, document.pdf_bytes,"
    " document.pdf_sha256, document.converted_at IS NOT NULL, document.error_code,"
    " document.error_message"
)
_PAGE: Final = (
    f"SELECT {_COLUMNS} FROM found JOIN document ON document.path = found.path"  # noqa: S608  # our own names
    " WHERE found.path > ? ORDER BY found.path LIMIT ?"
)
_OUT: Final = (
    "INSERT INTO queue (document) SELECT id FROM document WHERE state = 'submitted'"
    " AND engine = ? AND id NOT IN (SELECT document FROM outcome WHERE run = ?"
    " AND document IS NOT NULL) ORDER BY submitted_at"
)
_CHOSEN: Final = (
    "INSERT OR IGNORE INTO queue (document) SELECT document.id FROM found"
    " JOIN document ON document.id = found.chosen ORDER BY {order}, document.path"
)
ORDERS: Final[Mapping[str, str]] = {
    "name": "document.path",
    "smallest": "document.size_bytes",
    "largest": "document.size_bytes DESC",
    "oldest": "document.mtime_ns",
}
_TAKE: Final = (
    f"SELECT {DOCUMENT_COLUMNS}, queue.position FROM queue"  # noqa: S608  # our own names
    " JOIN document ON document.id = queue.document WHERE queue.position > ?"
    " ORDER BY queue.position LIMIT ?"
)
_TELL_WARNINGS: Final = (
    "UPDATE outcome SET warnings = document.warnings FROM document"
    " WHERE document.id = outcome.document AND outcome.run = ? AND outcome.document = ?"
)
"""The run that made the PDF died before it could say so."""


class Verdict(Enum):
    """What is to be done with a found file."""

    CONVERT = auto()
    SKIP = auto()
    ADOPT = auto()
    LEAVE = auto()
    KNOWN_FAILURE = auto()
    REFUSE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A found file beside what the ledger knows of it.

    Attributes:
        found_size_bytes, found_mtime_ns: The file as it is now; those in
            `document` are of the bytes that its state is about.
        source_sha256: Digest of those bytes, where it is known.
        parts_mark: Of an indirect document, how its parts looked then.
        engine, options: What converted it last, or has its task.
        pdf_bytes, pdf_sha256: Of its PDF; recorded just before that gets its name.
        was_converted: Whether a PDF of it was ever put there by this ledger.
    """

    document: Document
    key: bytes
    found_size_bytes: int
    found_mtime_ns: int
    source_sha256: str | None
    parts_mark: str | None
    engine: str | None
    options: str | None
    pdf_bytes: int | None
    pdf_sha256: str | None
    was_converted: bool
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A PDF that another ledger, or none, wrote, and that is taken for a file's own.

    Attributes:
        pages, source_sha256, parts_mark: Of the DjVu.
        engine, options: What is held to have made it.
    """

    pdf: StoredPdf
    pages: int | None
    source_sha256: str
    parts_mark: str | None
    engine: str
    options: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict on a found file.

    Attributes:
        changed: The bytes differ from those that the document's state is about.
        parts_mark: Of an indirect document, how its parts look now.
        abandon_task: The task at the service is given up: the bytes have changed,
            or another engine was asked for.
        failure: Why it is refused or failed before.
        adopted: What is learned of a PDF to adopt; None where the ledger recorded
            it itself, just before it got its name.
    """

    planned: Planned
    verdict: Verdict
    changed: bool = False
    parts_mark: str | None = None
    abandon_task: bool = False
    failure: Failure | None = None
    adopted: Adopted | None = None


def page(connection: sqlite3.Connection, after: bytes, limit: int) -> list[Planned]:
    """Return the next found files in the order of their paths."""
    return [_planned(row) for row in connection.execute(_PAGE, (after, limit))]


def _planned(row: tuple[Any, ...]) -> Planned:
    key, size_bytes, mtime_ns, sha256, mark, engine, options, *pdf, code, message = row[11:]
    return Planned(
        document=document(row),
        key=key,
        found_size_bytes=size_bytes,
        found_mtime_ns=mtime_ns,
        source_sha256=sha256,
        parts_mark=mark,
        engine=engine,
        options=options,
        pdf_bytes=pdf[0],
        pdf_sha256=pdf[1],
        was_converted=bool(pdf[2]),
        failure=failure(code, message),
    )


def decide(
    connection: sqlite3.Connection, run: int, decisions: Sequence[Decision], *, now: float
) -> None:
    """Record verdicts: outcomes of what is not touched, the rest chosen for the queue."""
    for decision in decisions:
        _refresh(connection, decision)
        _act(connection, run, decision, now=now)


def _act(connection: sqlite3.Connection, run: int, decision: Decision, *, now: float) -> None:
    document_id = decision.planned.document.id
    match decision.verdict:
        case Verdict.CONVERT:
            _reopen(connection, decision, now=now)
            _choose(connection, decision)
        case Verdict.SKIP:
            _record(connection, run, decision, FileStatus.SKIPPED)
        case Verdict.ADOPT:
            _adopt(connection, decision, now=now)
            _record(connection, run, decision, FileStatus.SKIPPED)
            connection.execute(_TELL_WARNINGS, (run, document_id))
        case Verdict.LEAVE:
            _record(connection, run, decision, FileStatus.REMAINING)
        case Verdict.KNOWN_FAILURE:
            _record(connection, run, decision, FileStatus.FAILED)
        case Verdict.REFUSE:
            _reopen(connection, decision, now=now)
            if decision.failure is not None:
                moves.failed(connection, document_id, decision.failure)
            _record(connection, run, decision, FileStatus.FAILED)
        case _ as never:
            assert_never(never)


def _adopt(connection: sqlite3.Connection, decision: Decision, *, now: float) -> None:
    found = decision.adopted
    learned: dict[str, object] = {}
    if found is not None:
        learned = {
            "pdf_sha256": found.pdf.sha256,
            "pdf_bytes": found.pdf.size_bytes,
            "pages": found.pages,
            "source_sha256": found.source_sha256,
            "parts_mark": found.parts_mark,
            "engine": found.engine,
            "options": found.options,
            "warnings": None,
        }
    moves.adopted(connection, decision.planned.document, at=now, **learned)


def _refresh(connection: sqlite3.Connection, decision: Decision) -> None:
    planned, known = decision.planned, decision.planned.document
    found = (planned.found_size_bytes, planned.found_mtime_ns, decision.parts_mark)
    as_known = found == (known.size_bytes, known.mtime_ns, planned.parts_mark)
    if as_known or _stays_as_it_was(decision):
        return
    columns: dict[str, object] = dict(
        zip(("size_bytes", "mtime_ns", "parts_mark"), found, strict=True)
    )
    if decision.changed:
        columns |= {"source_sha256": None, "pages": None}
    moves.assign(connection, known.id, **columns)


def _stays_as_it_was(decision: Decision) -> bool:
    """Whether a changed file is passed over: what is known is still of its former bytes."""
    return decision.changed and decision.verdict is Verdict.SKIP


def _reopen(connection: sqlite3.Connection, decision: Decision, *, now: float) -> None:
    known = decision.planned.document
    if known.state is DocumentState.CONVERTED:
        moves.released(connection, known.id)
        moves.assign(connection, known.id, pdf_sha256=None, pdf_bytes=None)
    elif known.state in _MAY_HOLD_TASK and decision.abandon_task:
        moves.released(connection, known.id)
    elif known.state is DocumentState.FAILED:
        outstanding.take_up(connection, known, decision.planned.failure, now=now)


def _choose(connection: sqlite3.Connection, decision: Decision) -> None:
    connection.execute(
        "UPDATE found SET chosen = ? WHERE path = ?",
        (decision.planned.document.id, decision.planned.key),
    )


def _record(
    connection: sqlite3.Connection, run: int, decision: Decision, status: FileStatus
) -> None:
    known = decision.planned.document
    if status is FileStatus.SKIPPED:
        moves.insert_outcome(connection, {"run": run, "document": known.id, "status": status.value})
        return
    report = FileReport(
        source=known.source,
        source_root=known.source_root,
        output=known.output,
        status=status,
        task_id=known.task.task_id if known.task else None,
        bytes_in=decision.planned.found_size_bytes,
        pages=known.pages,
        error=decision.failure,
    )
    moves.record_outcome(connection, run, known.id, known.path, report)


def enqueue(connection: sqlite3.Connection, run: int, *, engine: str, order: str) -> int:
    """Line up what is to be done, tasks out at the engine first; returns the length.

    What was decided not to be touched is not, wherever its task is.
    """
    connection.execute(_OUT, (engine, run))
    connection.execute(_CHOSEN.format(order=ORDERS[order]))
    (length,) = connection.execute("SELECT count(*) FROM queue").fetchone()
    return int(length)


def take(connection: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, Document]]:
    """Return the next documents in line with their positions."""
    return [(row[11], document(row)) for row in connection.execute(_TAKE, (after, limit))]
