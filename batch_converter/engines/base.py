"""The two contracts that an engine keeps one of, and the values that cross them.

A `Converter` turns a document into a PDF and is done when it returns. A `TaskService`
takes a document in and is asked for its PDF later: its tasks outlive this process, and
its calls cost. An engine knows no ledger: it sees a plain source, a target to write to,
and a recorder that each request is announced to before it leaves. What becomes of a
document is the run's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from batch_converter.models import CallKind, CallOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDocument:
    """A DjVu file as an engine sees it.

    Attributes:
        number: Tells documents of one run apart.
        name: What messages call it; its path below the source.
        path: Absolute path of a file with all of it; for a service that may also be the
            address of one elsewhere, for who opens sources.
        size_bytes: Its length; a file of another length is another file.
        mtime_ns: Its time of change, likewise.
        pages: Its pages, where they are known.
    """

    number: int
    name: str
    path: str
    size_bytes: int
    mtime_ns: int
    pages: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReady:
    """The task is queued or being worked on; `status` is the service's word."""

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The PDF stands whole in the target; `warnings` came with it."""

    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The task ended without a PDF; `messages` are the service's reasons."""

    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The service does not know the task (any more); `status` is its word for it."""

    status: str


Fetched = NotReady | Ready | Failed | Gone


class PdfTarget(Protocol):
    """Where an engine puts the PDF: a part file that nobody else sees.

    A streaming engine calls `restart` and then `write` for each piece; an engine
    whose worker writes files itself writes `path` and calls neither.
    """

    @property
    def path(self) -> Path:
        """Absolute path of the part file; a converter's is there, and empty.

        An engine may make files of its own beside it, whose names begin with the
        part's and a dot: those of a dead run are cleared with its part.
        """
        ...

    async def restart(self) -> None:
        """Empty the part file: what was written so far does not count.

        Raises:
            OutputError: The file cannot be opened or emptied.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Append `data`; pieces may be of any size, the target gathers small ones.

        It returns when the target can take more, not when all is written: that is the
        business of whoever made the target.

        Raises:
            OutputError: The disk is full or gone, now or for an earlier piece.
        """
        ...


class CallRecorder(Protocol):
    """Records requests before they leave; ledger and budget are behind it."""

    async def begin(self, kind: CallKind) -> int:
        """Reserve and durably record a request that is about to be sent.

        Returns:
            The record's number, for `end`.

        Raises:
            BudgetSpentError: The request would exceed the budget; do not send it.
        """
        ...

    def end(self, call_id: int, outcome: CallOutcome, *, http_status: int | None = None) -> None:
        """Record how the request ended; returns at once, never raises."""
        ...


class OpenableEngine(Protocol):
    """What both kinds of engine are: named, and an async context manager."""

    @property
    def name(self) -> str:
        """The name that the ledger, the report and `--engine` use."""
        ...

    @property
    def options_digest(self) -> str:
        """A short digest of every option that changes the PDF of the same bytes."""
        ...

    async def __aenter__(self) -> Self:
        """Open what the engine needs (connections, workers).

        Raises:
            ConfigError: Something that its settings ask for cannot be had.
        """
        ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release it; conversions still running are called off."""
        ...


@runtime_checkable
class Converter(OpenableEngine, Protocol):
    """Converts here and now; a document costs nothing but time."""

    @property
    def capacity(self) -> int:
        """Documents that it is of use to hand over at once; may change while it runs."""
        ...

    @property
    def keeps_damaged(self) -> bool:
        """Whether a page that is damaged costs no more than that page."""
        ...

    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:
        """Convert the document into the target; cancelling it calls the work off.

        Raises:
            FileError: This document cannot be converted; the code says why.
            RunStoppedError: No document can.
        """
        ...


@runtime_checkable
class StartableConverter(Converter, Protocol):
    """A converter whose processes take a moment to start."""

    async def start_for(self, documents: int) -> None:
        """Start what so many documents need, while the first of them is still looked at.

        Returns when all is ready; cancelling it undoes what is not. What cannot be started
        is told by the conversion that needs it.
        """
        ...


@runtime_checkable
class TaskService(OpenableEngine, Protocol):
    """Converts elsewhere: documents are submitted, and fetched when they are ready.

    Each request is announced to `calls` before it leaves, by its kind, and ended there:
    a request that is not is neither counted nor kept within the budget.
    """

    @property
    def address(self) -> str:
        """Where the service is: what was learned of one's speed is of no use for another."""
        ...

    @property
    def result_lifetime(self) -> timedelta | None:
        """How long a result can be fetched after its submission; None is for good."""
        ...

    async def submit(self, source: SourceDocument, calls: CallRecorder) -> str:
        """Hand the document over once, with the request-level retries inside.

        Returns:
            The task id.

        Raises:
            SubmitUnknownError: It went out whole and no answer came.
            FileError: This document cannot be submitted; the code says why.
            RunStoppedError: No document can.
        """
        ...

    async def fetch(
        self, source: SourceDocument, task_id: str, target: PdfTarget, calls: CallRecorder
    ) -> Fetched:
        """Ask for the task once, with the request-level retries inside.

        Raises:
            CorruptResultError: The task is complete but its data is unusable.
            FileError: The task cannot be fetched; the code says why.
            RunStoppedError: No task can.
        """
        ...

    async def cancel(self, source: SourceDocument, task_id: str, calls: CallRecorder) -> None:
        """Call the task off; a task that is gone already is no error.

        Raises:
            FileError: It could not be cancelled.
            RunStoppedError: No request is answered.
        """
        ...


Engine = Converter | TaskService
