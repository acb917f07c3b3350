"""A document that a `TaskService` converts: submit, poll, fetch, again where that is allowed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from batch_converter.errors import (
    BadPdfError,
    ConversionFailedError,
    CorruptResultError,
    ExpiredError,
    FileError,
    NoRoomError,
    OutputFullError,
    SubmitUnknownError,
    UnreadableError,
)
from batch_converter.fault_points import reach
from batch_converter.models import Phase, Task
from batch_converter.orchestrator.conversion import Conversion
from batch_converter.orchestrator.phase_clock import TimedSubmission, TimedTarget
from batch_converter.orchestrator.publication import Publication
from batch_converter.orchestrator.task_poller import TaskPoller
from batch_converter.storage import SourceStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_converter.djvu.jobs.document_facts import DocumentOutlook
    from batch_converter.engines.base import SourceDocument, TaskService
    from batch_converter.errors import RunStoppedError
    from batch_converter.models import Document, StoredPdf
    from batch_converter.orchestrator.admission import AdmissionTicket
    from batch_converter.orchestrator.calls import DocumentCalls
    from batch_converter.orchestrator.context import RunContext
    from batch_converter.output import PdfWriter

_UNUSABLE: Final = (CorruptResultError, BadPdfError)
_RESUBMITTABLE: Final = (ExpiredError, ConversionFailedError, *_UNUSABLE)


class TaskConversion(Conversion):
    """Drives a document through a service; each id is on disk before anything else is done."""

    def __init__(
        self,
        context: RunContext,
        service: TaskService,
        document: Document,
        calls: DocumentCalls,
        ticket: AdmissionTicket,
        *,
        on_stop: Callable[[RunStoppedError], None],
        on_failure: Callable[[], None],
    ) -> None:
        super().__init__(context, document, calls, ticket, on_stop=on_stop, on_failure=on_failure)
        self._service = service
        self._retry = context.settings.retry
        self._ended_in_error = 0

    def _publication(self, writer: PdfWriter) -> Publication:
        return Publication(self._context, self._outcome, writer, made_elsewhere=True)

    @property
    def _is_handed_over(self) -> bool:
        return self._outcome.task is not None or bool(self._calls.submissions)

    async def _obtain(self, publication: Publication) -> StoredPdf:
        """Submit, wait and fetch, again where the rules allow it, until the PDF is whole."""
        while True:
            if self._outcome.task or self._prepared:
                await self._take_room(publication.writer)
            known = self._outcome.task
            task = known or await self._submit(publication.writer)
            try:
                return await self._fetch(task, publication, is_of_this_run=known is None)
            except _RESUBMITTABLE as error:
                await self._give_up_task(error)

    async def _take_room(self, writer: PdfWriter) -> None:
        """Take the room for what is about to be paid for; without it, nobody goes ahead."""
        try:
            await self._context.disk_room.take(self._outcome.document, writer)
        except NoRoomError as error:
            self._on_stop(OutputFullError(f"nothing more is submitted: {error}"))
            raise

    async def _submit(self, writer: PdfWriter) -> Task:
        """Submit until the service has the document, within the attempts."""
        self._ticket.mark_polled()
        while True:
            source = await self._prepare_in_order(writer)
            try:
                return await self._record_task(await self._hand_over(source))
            except SubmitUnknownError as error:
                if not self._has_attempts():
                    raise
                await self._ledger.submit_unknown(self._outcome.document)
                self._outcome.phases.enter(Phase.QUEUED)
                self._outcome.retrying(error)

    async def _check_current(self) -> None:
        """Make sure that a copy is of the version that its store has: no other is paid for.

        A file of this disk is looked at where it is read to be sent.

        Raises:
            UnreadableError: It is not, or cannot be looked at.
        """
        context, document = self._context, self._outcome.document
        if document.etag is None:
            return
        path, known = (
            document.path,
            SourceStatus(document.size_bytes, document.mtime_ns, document.etag),
        )
        try:
            found = await context.preflight_of(path).run(context.sources.status, path)
        except OSError as error:
            raise UnreadableError(f"{path} cannot be read: {error.strerror}") from error
        if not found.is_same(known):
            msg = f"{path} changed while it waited to be sent; the next run takes it up"
            raise UnreadableError(msg)

    async def _hand_over(self, source: SourceDocument) -> str:
        """Submit once; what no request left for (no token, no budget) is no attempt."""
        before = self._calls.submissions
        try:
            return await self._service.submit(
                source, TimedSubmission(self._calls, self._outcome.phases)
            )
        finally:
            if self._calls.submissions > before:
                self._outcome.attempts += 1

    async def _record_task(self, task_id: str) -> Task:
        reach("task.arrived")
        now, lifetime = self._context.clock.now(), self._service.result_lifetime
        expires_at = None if lifetime is None else now + lifetime
        task = Task(task_id=task_id, submitted_at=now, expires_at=expires_at)
        with anyio.CancelScope(shield=True):
            await self._ledger.submitted(self._outcome.document, task, self._service.name)
        reach("task.recorded")
        self._outcome.submitted(task)
        if self._is_interrupted:
            self._scope.cancel()
        return task

    async def _fetch(
        self, task: Task, publication: Publication, *, is_of_this_run: bool
    ) -> StoredPdf:
        """Fetch and check the PDF; a paid result that is unusable is asked for once more."""
        poller = TaskPoller(
            service=self._service,
            source=self._source,
            task=task,
            target=TimedTarget(publication.writer, self._outcome.phases),
            calls=self._calls,
            schedule=self._context.polling,
            disk_room=self._context.disk_room,
            ticket=self._ticket,
            clock=self._context.clock,
            timeout_s=self._context.settings.polling.task_timeout_s,
            is_of_this_run=is_of_this_run,
            outcome=self._outcome,
        )
        verify = partial(publication.verify, source=poller.source, outlook=self._outlook)
        try:
            return await verify(await poller.until_ready())
        except _UNUSABLE as error:
            self._outcome.retrying(error)
            self._outcome.phases.enter(Phase.AT_SERVICE)
            return await verify(await poller.once_more())

    @property
    def _outlook(self) -> DocumentOutlook | None:
        """What the headers say of what this run has sent; nothing of what an earlier one has."""
        return None if self._prepared is None else self._prepared.outlook

    async def _give_up_task(self, error: FileError) -> None:
        """Put the document back to be submitted again, or raise where that is over.

        A task that the service has lost is forgotten either way; one whose result is
        unusable stays known when no attempt is left, so that a later run may ask.
        """
        is_over = not self._has_attempts()
        if isinstance(error, ConversionFailedError):
            self._ended_in_error += 1
            is_over |= self._ended_in_error > self._retry.resubmit_on_error
        if not is_over or isinstance(error, ExpiredError):
            await self._ledger.released(self._outcome.document)
        if is_over:
            raise error
        self._outcome.retrying(error)
        self._outcome.phases.enter(Phase.QUEUED)
        self._outcome.task = None

    def _has_attempts(self) -> bool:
        return self._outcome.attempts < self._retry.max_attempts
