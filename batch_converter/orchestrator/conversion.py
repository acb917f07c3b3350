"""One document's way through a run, from admission to exactly one outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio

from batch_converter.errors import (
    BadPdfError,
    ConversionFailedError,
    CorruptResultError,
    EngineError,
    ExpiredError,
    FileError,
    LedgerWriteError,
    OutputError,
    OutputLostError,
    RunStoppedError,
    SubmitUnknownError,
)
from batch_converter.fault_points import reach
from batch_converter.models import Failure, FileStatus, Task
from batch_converter.orchestrator.expectation import Expectation, expectation
from batch_converter.orchestrator.preflight import prepare
from batch_converter.orchestrator.record import Record
from batch_converter.orchestrator.waiting import Waiting
from batch_converter.output import ExpectedPdf, is_lost
from batch_converter.shortage import exhausted

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_converter.djvu.identity import Identity
    from batch_converter.engines.base import Ready
    from batch_converter.models import Document, StoredPdf
    from batch_converter.orchestrator.context import RunContext
    from batch_converter.orchestrator.preflight import Prepared
    from batch_converter.output import PartFile

UPLOAD_GRACE_S: Final = 5.0
"""What an upload under way is given to bring its id home after a signal."""

_UNUSABLE: Final = (CorruptResultError, BadPdfError)
_RESUBMITTABLE: Final = (ExpiredError, ConversionFailedError, *_UNUSABLE)


class Conversion:
    """Drives one document; nobody else moves it from state to state.

    Args:
        context: What the run shares.
        document: As the ledger knew it at admission.
        on_stop: Told when the run cannot go on.
        on_failure: Told at once when the document has failed, before that is recorded.
    """

    def __init__(
        self,
        context: RunContext,
        document: Document,
        *,
        on_stop: Callable[[RunStoppedError], None],
        on_failure: Callable[[], None],
    ) -> None:
        self._context = context
        self._ledger = context.ledger
        self._engine = context.engine
        self._on_stop = on_stop
        self._on_failure = on_failure
        self._record = Record(context, document)
        self._prepared: Prepared | None = None
        self._scope = anyio.CancelScope()
        self._is_interrupted = False
        self._ended_in_error = 0
        self._has_failed = False

    def interrupt(self) -> None:
        """Break off as after a signal; an upload under way may still bring its id home."""
        self._is_interrupted = True
        if self._context.meter.is_submitting(self._record.document.id):
            self._scope.deadline = anyio.current_time() + UPLOAD_GRACE_S
        else:
            self._scope.cancel()

    def withdraw(self) -> None:
        """Leave the document for a later run, unless it was handed over or has failed."""
        if self._record.task is None and not (self._submissions or self._has_failed):
            self.interrupt()

    async def drive(self) -> None:
        """Convert the document and record what became of it, whatever happens."""
        try:
            await self._drive()
        except LedgerWriteError as error:
            self._on_stop(error)
        finally:
            self._forget()

    async def _drive(self) -> None:
        try:
            with self._scope:
                await self._convert()
            if self._scope.cancelled_caught:
                await self._leave()
        except LedgerWriteError:
            raise
        except RunStoppedError as error:
            await self._stop(error)
        except Exception as error:  # a fault of ours in one file must not stop the batch
            if (lack := exhausted(error)) is not None:
                await self._stop(lack)
            elif isinstance(error, FileError):
                await self._fail(error)
            else:
                self._record.log.exception("file.crashed")
                crash = EngineError(f"unexpected {type(error).__name__}; please report it")
                await self._fail(crash)

    async def _stop(self, error: RunStoppedError) -> None:
        self._on_stop(error)
        await self._leave()

    async def _convert(self) -> None:
        document = self._record.document
        async with self._context.parts.part(document.output, document_id=document.id) as part:
            try:
                await self._publish(part, await self._obtain(part))
            except FileError as error:
                if exhausted(error) is None:
                    self._count_failure()
                raise

    async def _obtain(self, part: PartFile) -> StoredPdf:
        """Submit, wait and fetch, again where the rules allow it, until the PDF is whole."""
        while True:
            if self._record.task or self._prepared:
                await self._context.preflight.run(self._check_place)
            task = self._record.task or await self._submit()
            try:
                return await self._fetch(task, part)
            except _RESUBMITTABLE as error:
                await self._give_up_task(error)

    def _check_place(self) -> None:
        document = self._record.document
        self._context.parts.check_place(document.output, source_bytes=document.size_bytes)

    async def _submit(self) -> Task:
        """Submit until the engine has the document, within the attempts."""
        self._context.left_out.asked(self._record.document.id)
        while True:
            prepared = await self._prepare_in_turn()
            try:
                return await self._upload(prepared)
            except SubmitUnknownError as error:
                if not self._has_attempts():
                    raise
                await self._ledger.submit_unknown(self._record.document)
                self._record.retrying(error)

    async def _prepare_in_turn(self) -> Prepared:
        """Check the source, and come out of it in line, fit or not.

        A failure keeps its place until it is counted (`_count_failure`): where it is one
        too many, nobody behind it has gone ahead.
        """
        document_id = self._record.document.id
        try:
            prepared = await self._prepare()
        except FileError:
            await self._context.line.turn(document_id)
            raise
        await self._context.line.turn(document_id)
        self._context.line.leave(document_id)
        return prepared

    async def _prepare(self) -> Prepared:
        if self._prepared is not None:
            return self._prepared
        prepared, known = await self._context.preflight.run(self._check_and_prepare)
        document = prepared.document
        self._prepared, self._record.document = prepared, document
        self._record.warn(prepared.warnings)
        self._context.shelf.put(document.id, known.content)
        self._ledger.describe(document, source_sha256=known.sha256, parts_mark=known.parts_mark)
        return prepared

    def _check_and_prepare(self) -> tuple[Prepared, Identity]:
        self._check_place()
        document = self._record.document
        keep_damaged = self._engine.traits.keeps_damaged
        bundle_path = self._context.bundle_path(document.id)
        return prepare(document, bundle_path, keep_damaged=keep_damaged)

    async def _upload(self, prepared: Prepared) -> Task:
        if not self._engine.traits.billed:
            await self._ledger.submitting(self._record.document)
        task_id = await self._hand_over(prepared.sent)
        reach("task.arrived")
        task = Task(task_id=task_id, submitted_at=self._context.clock.now())
        with anyio.CancelScope(shield=True):
            if self._engine.traits.tasks_outlive_run:
                await self._ledger.submitted(self._record.document, task, self._engine.name)
        reach("task.recorded")
        self._record.submitted(task)
        if self._is_interrupted:
            self._scope.cancel()
        return task

    async def _hand_over(self, sent: Document) -> str:
        """Submit once; what no request left for (no token, no budget) is no attempt."""
        before, shelf = self._submissions, self._context.shelf
        try:
            return await self._engine.submit(sent, content=shelf.look(sent.id))
        finally:
            shelf.clear(sent.id)
            if not self._engine.traits.billed or self._submissions > before:
                self._record.attempts += 1

    @property
    def _submissions(self) -> int:
        return self._context.meter.submissions(self._record.document.id)

    async def _fetch(self, task: Task, part: PartFile) -> StoredPdf:
        """Fetch and check the PDF; a paid result that is unusable is asked for once more."""
        sent = self._prepared.sent if self._prepared else self._record.document
        waiting = Waiting(self._context, sent, task, part, self._record.log)
        try:
            return await self._seal(part, await waiting.until_ready())
        except _UNUSABLE as error:
            if not self._engine.traits.billed:
                raise
            self._record.retrying(error)
            return await self._seal(part, waiting.ended(await waiting.ask()))

    async def _seal(self, part: PartFile, ready: Ready) -> StoredPdf:
        document, output = self._record.document, self._context.settings.output
        expected = await self._expectation()
        pdf = await part.seal(
            expected=expected.pdf,
            keeps_other_pages=output.page_mismatch == "warn",
            mtime_ns=document.mtime_ns if output.preserve_times else None,
        )
        if document.pages is None:
            self._record.document = replace(document, pages=expected.pdf.pages or pdf.pages)
        self._record.warn((*expected.warnings, *ready.warnings, *pdf.differences))
        return pdf

    async def _expectation(self) -> Expectation:
        """Sizes and text are compared where others made the PDF; ours says itself what is lost."""
        document = self._record.document
        if not self._engine.traits.billed:
            return Expectation(ExpectedPdf(pages=document.pages))
        sent = self._prepared.sent if self._prepared else document
        return await self._context.preflight.run(expectation, document, sent.path)

    async def _give_up_task(self, error: FileError) -> None:
        """Put the document back to be submitted again, or raise where that is over.

        A task that the service has lost is forgotten either way; one whose result is
        unusable stays known when no attempt is left, so that a later run may ask.
        """
        is_over = not (self._engine.traits.billed and self._has_attempts())
        if isinstance(error, ConversionFailedError):
            self._ended_in_error += 1
            is_over |= self._ended_in_error > self._context.settings.retry.resubmit_on_error
        if not is_over or isinstance(error, ExpiredError):
            await self._ledger.released(self._record.document)
        if is_over:
            raise error
        self._record.retrying(error)
        self._record.task = None

    def _has_attempts(self) -> bool:
        return self._record.attempts < self._context.settings.retry.max_attempts

    async def _publish(self, part: PartFile, pdf: StoredPdf) -> None:
        """Name the PDF and record it; once begun, it is not broken off."""
        record, context = self._record, self._context
        reach("pdf.sealed")
        with anyio.CancelScope(shield=True):
            await self._ledger.publishing(
                record.document,
                pdf,
                engine=self._engine.name,
                options=self._engine.options_digest,
                warnings=record.warnings,
            )
            reach("pdf.announced")
            await part.publish()
            reach("pdf.published")
            await self._ledger.converted(
                record.document,
                pdf,
                record.report(FileStatus.CONVERTED, pdf=pdf),
                at=context.clock.now(),
                engine=self._engine.name,
                options=self._engine.options_digest,
            )
        reach("pdf.recorded")
        record.converted(pdf)

    def _count_failure(self) -> None:
        """Let a limit on failures act before anybody goes ahead into the place that is free."""
        if not self._has_failed:
            self._has_failed = True
            self._context.tally.failed += 1
            self._on_failure()
            self._context.line.leave(self._record.document.id)

    async def _fail(self, error: FileError) -> None:
        self._count_failure()
        failure = Failure(code=error.code, message=str(error))
        report = self._record.report(FileStatus.FAILED, error=failure)
        with anyio.CancelScope(shield=True):
            await self._ledger.failed(self._record.document, failure, report)
        self._record.failed(failure)
        if isinstance(error, OutputError) and is_lost(error, self._context.output_dir):
            self._on_stop(OutputLostError(f"no PDF can be written any more: {error}"))

    async def _leave(self) -> None:
        """Leave the document for a later run, in the state that its calls prove."""
        document = self._record.document
        report = self._record.report(FileStatus.REMAINING)
        with anyio.CancelScope(shield=True):
            await self._ledger.interrupted(document)
            await self._ledger.outcome(document, document.path, report)

    def _forget(self) -> None:
        document_id = self._record.document.id
        self._context.left_out.asked(document_id)
        self._context.line.leave(document_id)
        self._context.meter.forget(document_id)
        self._context.policy.forget(document_id)
        self._context.wakeups.forget(document_id)
        self._context.shelf.clear(document_id)
        if self._prepared is not None:
            self._prepared.discard()
