"""Documents on their way: what is found, where it stands, what it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from batch_converter.errors import ErrorCode


class DocumentState(StrEnum):
    """Where a document stands; the ledger holds exactly one for each."""

    PENDING = "pending"
    SUBMITTING = "submitting"
    SUBMIT_UNKNOWN = "submit_unknown"
    SUBMITTED = "submitted"
    CONVERTED = "converted"
    FAILED = "failed"


_S = DocumentState

MOVES: Final[Mapping[DocumentState, frozenset[DocumentState]]] = {
    _S.PENDING: frozenset({_S.SUBMITTING, _S.CONVERTED, _S.FAILED}),
    _S.SUBMITTING: frozenset(
        {_S.SUBMITTED, _S.SUBMIT_UNKNOWN, _S.PENDING, _S.CONVERTED, _S.FAILED}
    ),
    _S.SUBMIT_UNKNOWN: frozenset({_S.SUBMITTING, _S.PENDING, _S.CONVERTED, _S.FAILED}),
    _S.SUBMITTED: frozenset({_S.CONVERTED, _S.PENDING, _S.FAILED}),
    _S.CONVERTED: frozenset({_S.PENDING}),
    _S.FAILED: frozenset({_S.PENDING, _S.SUBMITTED}),
}
"""The allowed moves.

`submitting → converted` is an engine whose tasks end with the process: it has no
`submitted`. `pending → converted` adopts a PDF that is already there, and
`failed → submitted` asks again for a task that the service may still hold.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A DjVu file as discovery found it.

    Attributes:
        path: Its address, which is its identity: the absolute path, links not resolved.
        source_root: The source as the user gave it.
        source: Path below the source folder; of a file source, its name.
        wanted_output: The PDF's path below the output folder, before clashes
            are settled.
        size_bytes: Size when it was found.
        mtime_ns: Time of change when it was found.
        in_shard: Whether it is in the part of the archive that is meant; one that is not is only
            told so that it is not taken for another where a second source holds it too.
        etag: What its store told this version by; None on a disk.
    """

    path: str
    source_root: str
    source: str
    wanted_output: str
    size_bytes: int
    mtime_ns: int
    in_shard: bool = True
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a file failed: a stable code and a sentence for a person."""

    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A conversion that the engine has accepted.

    Attributes:
        task_id: The engine's name for it (Aspose: a GUID).
        submitted_at: When the engine answered with the id; UTC.
        expires_at: When the engine forgets it; None where it never does.
    """

    task_id: str
    submitted_at: datetime
    expires_at: datetime | None = None

    def is_expired(self, at: datetime) -> bool:
        """Return whether the engine has forgotten it by then."""
        return self.expires_at is not None and at >= self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A row of the ledger: one source file and the PDF that belongs to it.

    Attributes:
        etag: What the source's store told by that this is it; None on a disk.
        pdf_etag: The same of the PDF that the ledger has put there last.
    """

    id: int
    path: str
    source_root: str
    source: str
    output: str
    size_bytes: int
    mtime_ns: int
    state: DocumentState
    pages: int | None = None
    task: Task | None = None
    etag: str | None = None
    pdf_etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPdf:
    """A PDF that is whole, under its final name or about to get it.

    Attributes:
        sha256: Hexadecimal digest of the bytes.
        size_bytes: Length of the file.
        pages: Pages counted in the PDF; None where they were not counted.
        differences: In what it differs from its DjVu and was kept all the same, one
            sentence each.
        etag: What an object store tells it by, once it is there; None on a disk.
    """

    sha256: str
    size_bytes: int
    pages: int | None
    differences: tuple[str, ...] = ()
    etag: str | None = None
