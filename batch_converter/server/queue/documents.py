"""A document that the service was given, as its row says it; states and their table of moves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping


class DocumentState(StrEnum):
    """Where a document stands; the words are those of the page."""

    UPLOADING = "uploading"
    WAITING = "waiting"
    CONVERTING = "converting"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


_S = DocumentState

ENDED: Final = frozenset({_S.READY, _S.FAILED, _S.CANCELLED})
"""Nothing happens to these unless somebody asks."""

OPEN: Final = frozenset(_S) - ENDED
"""These take a place in the queue."""

MOVES: Final[Mapping[DocumentState, frozenset[DocumentState]]] = {
    _S.UPLOADING: frozenset({_S.UPLOADING, _S.WAITING, _S.FAILED, _S.CANCELLED}),
    _S.WAITING: frozenset({_S.CONVERTING, _S.FAILED, _S.CANCELLED}),
    _S.CONVERTING: frozenset({_S.WAITING, _S.READY, _S.FAILED, _S.CANCELLED}),
    _S.READY: frozenset({_S.READY}),
    _S.FAILED: frozenset({_S.FAILED, _S.WAITING}),
    _S.CANCELLED: frozenset({_S.UPLOADING, _S.WAITING}),
}
"""Which state may follow which; any document may be removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedDocument:
    """One row.

    Attributes:
        number: Grows with each document that comes in.
        id: The GUID that the client was given; the API's task id.
        owner: Who may see it: `client:ID`, or `session:KEY`.
        name: Its path below the folder that was chosen; empty of an API task.
        size_bytes: Of the DjVu, whole.
        received_bytes: How much of it has come.
        mtime_ns: Of the file that it stands in, once it is whole.
        sha256: Of the DjVu in hexadecimal digits, once it is known.
        pages: Of the PDF, once it is there.
        pdf_bytes: Of the PDF; 0 before.
        submitted_at: When it was accepted; its time is counted from then.
        started_at: When its conversion was begun; of an upload, when its latest piece came.
        attempts: How often its conversion was begun.
        crashes: How often that ended in a way that nobody has foreseen.
        error_code: The contract's code, of one that failed.
        messages: Why it failed.
        warnings: What the engine said beside the PDF.
        is_fetched: Whether a client has seen its end.
        keeps_source: Whether the DjVu outlives the conversion: for pictures and another try.
        sequence: Grows with every change of any document.
    """

    number: int
    id: str
    owner: str
    name: str
    state: DocumentState
    size_bytes: int
    received_bytes: int
    mtime_ns: int
    sha256: str | None
    pages: int | None
    pdf_bytes: int
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    attempts: int
    crashes: int
    error_code: str | None
    messages: tuple[str, ...]
    warnings: tuple[str, ...]
    is_fetched: bool
    keeps_source: bool
    sequence: int

    @property
    def is_whole(self) -> bool:
        """Whether its file is here to the last byte, on the disk: its time is known from then on.

        As many bytes as were announced may also have come of what was refused or not brought to
        the disk.
        """
        return self.mtime_ns > 0

    @property
    def stored_bytes(self) -> int:
        """What its files take of the disk, roughly: a DjVu that is not kept is counted too.

        Of an upload all that is to come is counted; of one that ended before, what came.
        """
        is_cut_short = (
            self.state in {_S.FAILED, _S.CANCELLED} and self.received_bytes < self.size_bytes
        )
        return (self.received_bytes if is_cut_short else self.size_bytes) + self.pdf_bytes


def document_of(row: sqlite3.Row) -> QueuedDocument:
    """Return what a row says."""
    values: dict[str, Any] = dict(row)
    for name in ("submitted_at", "started_at", "ended_at"):
        values[name] = None if values[name] is None else datetime.fromtimestamp(values[name], UTC)
    for name in ("messages", "warnings"):
        values[name] = tuple(json.loads(values[name]))
    for name in ("is_fetched", "keeps_source"):
        values[name] = bool(values[name])
    return QueuedDocument(**values | {"state": DocumentState(values["state"])})


def values_of(document: QueuedDocument) -> dict[str, object]:
    """Return a row's values by the names of its columns; times are seconds since 1970."""
    return {name: _storable(getattr(document, name)) for name in QueuedDocument.__slots__}


def _storable(value: object) -> object:
    match value:
        case datetime():
            return value.timestamp()
        case tuple():
            return json.dumps(value)
        case _:
            return value
