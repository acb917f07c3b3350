"""Frozen values that travel between the modules, and the states of a document.

Paths are `str` as `os.fsdecode` gives them: a name that is not UTF-8 keeps its
bytes as surrogates (PEP 383). Times of day are aware UTC `datetime`s, durations
are seconds in `float`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from batch_converter.errors import ErrorCode, ExitCode


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


class CallKind(StrEnum):
    """The endpoints whose requests are counted; all but `token` are billed."""

    TOKEN = "token"  # noqa: S105  # the endpoint's name, no secret
    SUBMIT = "submit"
    POLL = "poll"
    CANCEL = "cancel"


class RunKind(StrEnum):
    """What a run was begun for; only `CONVERT` has files to report of."""

    CONVERT = "convert"
    CANCEL = "cancel"


class CallOutcome(StrEnum):
    """How a request ended.

    `ANSWERED` was carried out, `REFUSED` was not (Aspose: any HTTP status but 2xx).
    `UNSENT` never reached the service and is not billed. `LOST` went out and no
    whole answer came back.
    """

    ANSWERED = "answered"
    REFUSED = "refused"
    LOST = "lost"
    UNSENT = "unsent"


class FileStatus(StrEnum):
    """What a run did with a file, as the report spells it."""

    CONVERTED = "converted"
    SKIPPED = "skipped"
    FAILED = "failed"
    REMAINING = "remaining"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A DjVu file as discovery found it.

    Attributes:
        path: Absolute path, links not resolved; the file's identity.
        source_root: The source as the user gave it.
        source: Path below the source folder; of a file source, its name.
        wanted_output: The PDF's path below the output folder, before clashes
            are settled.
        size_bytes: Size when it was found.
        mtime_ns: Time of change when it was found.
    """

    path: str
    source_root: str
    source: str
    wanted_output: str
    size_bytes: int
    mtime_ns: int


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
    """A row of the ledger: one source file and the PDF that belongs to it."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPdf:
    """A PDF that is whole and on disk under its final name.

    Attributes:
        sha256: Hexadecimal digest of the bytes.
        size_bytes: Length of the file.
        pages: Pages counted in the PDF; None where they were not counted.
        differences: In what it differs from its DjVu and was kept all the same, one
            sentence each.
    """

    path: Path
    sha256: str
    size_bytes: int
    pages: int | None
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What became of all files of a run, counted.

    Attributes:
        with_warnings: Those of any status with something said beside the result.
    """

    found: int = 0
    converted: int = 0
    skipped: int = 0
    failed: int = 0
    remaining: int = 0
    with_warnings: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    pages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCalls:
    """Requests that left, by endpoint; those that never reached it do not count."""

    token: int = 0
    submit: int = 0
    poll: int = 0
    cancel: int = 0

    @property
    def billed(self) -> int:
        """Requests that reached the conversion endpoint, answered or not."""
        return self.submit + self.poll + self.cancel


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What the user said that a billed call costs; None where nothing was said."""

    per_call: float | None = None
    currency: str | None = None

    def of(self, calls: ApiCalls) -> float | None:
        """Return what the calls cost."""
        return None if self.per_call is None else calls.billed * self.per_call


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What a run did with one file; the entries of the report's `files`.

    Attributes:
        output: The PDF's path below the output folder.
        attempts: Submissions in this run.
        polls: Status requests in this run.
        bytes_out: Size of the PDF; 0 where there is none.
        pages: Pages, where they are known.
        warnings: What the engine or a check said beside the result.
    """

    source: str
    source_root: str
    output: str | None
    status: FileStatus
    attempts: int = 0
    polls: int = 0
    task_id: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    pages: int | None = None
    sha256: str | None = None
    submitted_at: datetime | None = None
    completed_at: datetime | None = None
    error: Failure | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run without its files; `finished_at` and `exit_code` are None while it lasts.

    Attributes:
        submit_unknown: Submissions of this run whose answer was lost: each may
            have been billed without a task that we know of.
        unlisted: Sources that failed and whose names hold a line break, so that they
            could not stand in the list of failures.
    """

    run_id: str
    started_at: datetime
    finished_at: datetime | None
    engine: str
    exit_code: ExitCode | None
    totals: Totals
    api_calls: ApiCalls
    submit_unknown: int = 0
    unlisted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStatus:
    """What the ledger knows, counted over all runs.

    Attributes:
        states: Documents in each state.
        failures: Failed documents by error code.
        totals: The same documents in the words of a report; `remaining` are those
            that are neither converted nor failed.
        api_calls: Requests of all runs.
        out_at_service: Documents whose task the service may still have, failed ones too.
        last_run: The newest run, if there was one.
    """

    states: Mapping[DocumentState, int]
    failures: Mapping[str, int]
    totals: Totals
    api_calls: ApiCalls
    out_at_service: int
    last_run: RunSummary | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run would do: `remaining` would be converted, the rest would not be touched.

    Attributes:
        totals: `failed` are known failures and what is no DjVu.
        api_calls: With each document asked for once.
    """

    engine: str
    totals: Totals
    api_calls: ApiCalls
