"""What a run did with one document: counted, logged, and put into report entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from batch_converter.models import FileReport, FileStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from structlog.typing import FilteringBoundLogger

    from batch_converter.errors import FileError
    from batch_converter.models import Document, Failure, StoredPdf, Task
    from batch_converter.orchestrator.context import RunContext


class Record:
    """The story of one document in this run.

    Attributes:
        document: As it is known now: preflight refreshes size, mtime and pages.
        task: The task that is out, if one is.
        attempts: Submissions in this run.
        warnings: What the engine or a check said beside the result.
    """

    def __init__(self, context: RunContext, document: Document) -> None:
        self._context = context
        self._admitted_at_s = context.clock.monotonic_s()
        self._submitted_at_s = self._admitted_at_s
        self._was_out = document.task is not None
        self.document = document
        self.task = document.task
        self.attempts = 0
        self.warnings: list[str] = []
        self.log: FilteringBoundLogger = structlog.get_logger().bind(source=document.source)

    def warn(self, warnings: Iterable[str]) -> None:
        """Keep what was lost or is odd; what was said before is not said again."""
        self.warnings = list(dict.fromkeys((*self.warnings, *warnings)))

    def submitted(self, task: Task) -> None:
        """The engine has the document."""
        again = self.attempts > 1 or self._was_out
        self._submitted_at_s = self._context.clock.monotonic_s()
        self.task = task
        self.log.info(
            "file.resubmitted" if again else "file.submitted",
            task_id=task.task_id,
            attempt=self.attempts,
            bytes=self.document.size_bytes,
            pages=self.document.pages,
        )

    def retrying(self, error: FileError) -> None:
        """Something is tried again."""
        self.log.warning(
            "file.retrying",
            task_id=None if self.task is None else self.task.task_id,
            code=error.code.value,
            message=str(error),
        )

    def converted(self, pdf: StoredPdf) -> None:
        """The PDF is there: the one line that tells all."""
        tally = self._context.tally
        tally.converted += 1
        tally.with_warnings += bool(self.warnings)
        tally.bytes_in += self.document.size_bytes
        tally.bytes_out += pdf.size_bytes
        now_s = self._context.clock.monotonic_s()
        self.log.info(
            "file.converted",
            task_id=None if self.task is None else self.task.task_id,
            output=self.document.output,
            bytes_in=self.document.size_bytes,
            bytes_out=pdf.size_bytes,
            pages=self.document.pages,
            attempts=self.attempts,
            polls=self.polls,
            waited_s=round(now_s - self._submitted_at_s, 3),
            total_s=round(now_s - self._admitted_at_s, 3),
            warnings=self.warnings,
        )
        if self.warnings:
            self.log.warning("file.warned", output=self.document.output, warnings=self.warnings)

    def failed(self, failure: Failure) -> None:
        """The document failed."""
        self.log.error(
            "file.failed",
            task_id=None if self.task is None else self.task.task_id,
            code=failure.code.value,
            message=failure.message,
            attempts=self.attempts,
            polls=self.polls,
        )

    @property
    def polls(self) -> int:
        """Status requests in this run."""
        return self._context.meter.polls(self.document.id)

    def report(
        self, status: FileStatus, *, pdf: StoredPdf | None = None, error: Failure | None = None
    ) -> FileReport:
        """Return the report's entry."""
        now = self._context.clock.now()
        return FileReport(
            source=self.document.source,
            source_root=self.document.source_root,
            output=self.document.output,
            status=status,
            attempts=self.attempts,
            polls=self.polls,
            task_id=None if self.task is None else self.task.task_id,
            bytes_in=self.document.size_bytes,
            bytes_out=0 if pdf is None else pdf.size_bytes,
            pages=self.document.pages,
            sha256=None if pdf is None else pdf.sha256,
            submitted_at=None if self.task is None else self.task.submitted_at,
            completed_at=None if pdf is None else now,
            error=error,
            warnings=tuple(self.warnings),
        )
