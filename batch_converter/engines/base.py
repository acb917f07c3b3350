"""What every engine can do: the Protocol and its values, nothing else.

An engine has three verbs. `submit` hands a document over and returns a task,
`fetch` asks for it and streams the PDF into a sink if there is one, `cancel`
calls it off. An engine moves no document from state to state; the orchestrator
does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from batch_converter.models import CallKind, CallOutcome, Document, EngineName, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTraits:
    """What an engine promises about timing, money and durability.

    Attributes:
        polled: True where `fetch` answers at once and may say that the task is
            not ready; False where it waits until the task has ended.
        billed: True where calls may cost money.
        tasks_outlive_run: True where a later process can fetch a task by its id.
        at_once: The most documents that it is of use to hand over at once; None
            where that is for the user to say.
        keeps_damaged: True where a page that is damaged costs no more than that page.
    """

    polled: bool
    billed: bool
    tasks_outlive_run: bool
    at_once: int | None = None
    keeps_damaged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReady:
    """The task is queued or being worked on; `status` is the service's word."""

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The PDF stands whole in the sink; `warnings` came with it."""

    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The task ended without a PDF; `messages` are the service's reasons."""

    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The engine does not know the task (any more); `status` is its word for it."""

    status: str


Fetched = NotReady | Ready | Failed | Gone


class PdfSink(Protocol):
    """Where `fetch` puts the PDF: a part file that nobody else sees.

    A streaming engine calls `restart` and then `write` for each piece; an engine
    whose worker writes files itself writes `path` and calls neither.
    """

    @property
    def path(self) -> Path:
        """Absolute path of the part file; its folder exists.

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
        """Append `data`; pieces may be of any size, the sink gathers small ones.

        It returns when the sink can take more, not when all is written: that is the
        business of whoever made the sink.

        Raises:
            OutputError: The disk is full or gone, now or for an earlier piece.
        """
        ...


class CallMeter(Protocol):
    """Counts requests before they leave; the ledger and the budget are behind it."""

    async def begin(self, kind: CallKind, document: Document | None) -> int:
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


class Engine(Protocol):
    """A place where documents are converted; used as an async context manager."""

    @property
    def name(self) -> EngineName:
        """The name that the ledger, the report and `--engine` use."""
        ...

    @property
    def traits(self) -> EngineTraits:
        """What this engine promises."""
        ...

    @property
    def options_digest(self) -> str:
        """A short digest of every option that changes the PDF of the same bytes."""
        ...

    async def __aenter__(self) -> Self:
        """Open what the engine needs (connections, workers)."""
        ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release it; conversions still running are called off."""
        ...

    async def submit(self, document: Document, *, content: bytes | None = None) -> str:
        """Hand the document over once, with the request-level retries inside.

        Args:
            document: What is to be converted.
            content: Its bytes, where the caller has them at hand; else its file is read.

        Returns:
            The task id.

        Raises:
            SubmitUnknownError: It went out whole and no answer came.
            FileError: This document cannot be submitted; the code says why.
            RunStoppedError: No document can.
        """
        ...

    async def fetch(self, document: Document, task: Task, sink: PdfSink) -> Fetched:
        """Ask for the task once, with the request-level retries inside.

        Raises:
            CorruptResultError: The task is complete but its data is unusable.
            FileError: The task cannot be fetched; the code says why.
            RunStoppedError: No task can.
        """
        ...

    async def cancel(self, document: Document, task: Task) -> None:
        """Call the task off; a task that is gone already is no error.

        Raises:
            FileError: It could not be cancelled.
            RunStoppedError: No request is answered.
        """
        ...
