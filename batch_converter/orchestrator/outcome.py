"""What a run did with one document: told as it happens, and put into report entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.events import (
    FileConverted,
    FileFailed,
    FilePolled,
    FileResubmitted,
    FileRetrying,
    FileSubmitted,
    FileWarned,
)
from batch_converter.models import FileReport, FileStatus, Phase
from batch_converter.orchestrator.phase_clock import PhaseClock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch_converter.errors import FileError
    from batch_converter.models import Document, Failure, StoredPdf, Task
    from batch_converter.orchestrator.calls import DocumentCalls
    from batch_converter.orchestrator.context import RunContext


class DocumentOutcome:
    """What became of one document in this run, so far.

    Attributes:
        document: As it is known now: preflight refreshes size, mtime and pages.
        task: The task that is out, if one is.
        attempts: Times that it was handed to the engine in this run.
        source_sha256: Digest of the source, where this run has read it.
        warnings: What the engine or a check said beside the result.
        phases: What it does when.
    """

    def __init__(self, context: RunContext, document: Document, calls: DocumentCalls) -> None:
        self._clock = context.clock
        self._emit = context.events.emit
        self._calls = calls
        self._admitted_at_s = self._submitted_at_s = context.clock.monotonic_s()
        self._was_out = document.task is not None
        self._submitted_at = None if document.task is None else document.task.submitted_at
        self.document = document
        self.task = document.task
        self.attempts = 0
        self.source_sha256: str | None = None
        self.warnings: list[str] = []
        self.phases = PhaseClock(context.clock, Phase.AT_SERVICE if self._was_out else Phase.QUEUED)

    def warn(self, warnings: Iterable[str]) -> None:
        """Keep what was lost or is odd; what was said before is not said again."""
        self.warnings = list(dict.fromkeys((*self.warnings, *warnings)))

    def submitted(self, task: Task | None = None) -> None:
        """The engine has the document; a service has given it a task."""
        again = self.attempts > 1 or self._was_out
        self.phases.enter(Phase.CONVERTING if task is None else Phase.AT_SERVICE)
        self._submitted_at_s = self._clock.monotonic_s()
        self._submitted_at = self._clock.now() if task is None else task.submitted_at
        self.task = task
        kind = FileResubmitted if again else FileSubmitted
        self._emit(
            kind(
                source=self.document.source,
                task_id=self._task_id,
                attempt=self.attempts,
                bytes=self.document.size_bytes,
                pages=self.document.pages,
            )
        )

    def polled(self, task: Task, status: str) -> None:
        """The service was asked, and said so."""
        self._emit(FilePolled(source=self.document.source, task_id=task.task_id, status=status))

    def retrying(self, error: FileError) -> None:
        """Something is tried again."""
        self._emit(
            FileRetrying(
                source=self.document.source,
                task_id=self._task_id,
                code=error.code.value,
                message=str(error),
            )
        )

    def converted(self, pdf: StoredPdf) -> None:
        """The PDF is there."""
        now_s = self._clock.monotonic_s()
        self._emit(
            FileConverted(
                source=self.document.source,
                task_id=self._task_id,
                output=self.document.output,
                bytes_in=self.document.size_bytes,
                bytes_out=pdf.size_bytes,
                pages=self.document.pages,
                attempts=self.attempts,
                polls=self._calls.polls,
                waited_s=round(now_s - self._submitted_at_s, 3),
                total_s=round(now_s - self._admitted_at_s, 3),
                warnings=tuple(self.warnings),
            )
        )
        if self.warnings:
            self._emit(
                FileWarned(
                    source=self.document.source,
                    output=self.document.output,
                    warnings=tuple(self.warnings),
                )
            )

    def failed(self, failure: Failure) -> None:
        """The document failed."""
        self._emit(
            FileFailed(
                source=self.document.source,
                task_id=self._task_id,
                code=failure.code.value,
                message=failure.message,
                attempts=self.attempts,
                polls=self._calls.polls,
            )
        )

    @property
    def _task_id(self) -> str | None:
        return None if self.task is None else self.task.task_id

    def report(
        self, status: FileStatus, *, pdf: StoredPdf | None = None, error: Failure | None = None
    ) -> FileReport:
        """Return the report's entry."""
        return FileReport(
            source=self.document.source,
            source_root=self.document.source_root,
            output=self.document.output,
            status=status,
            attempts=self.attempts,
            polls=self._calls.polls,
            task_id=self._task_id,
            bytes_in=self.document.size_bytes,
            bytes_out=0 if pdf is None else pdf.size_bytes,
            pages=self.document.pages,
            sha256=None if pdf is None else pdf.sha256,
            source_sha256=None if pdf is None else self.source_sha256,
            submitted_at=self._submitted_at,
            completed_at=None if pdf is None else self._clock.now(),
            error=error,
            warnings=tuple(self.warnings),
            timeline=self.phases.timeline(),
        )
