"""One document's way through a run, from admission to exactly one outcome."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from batch_converter.errors import (
    EngineError,
    FileError,
    LedgerWriteError,
    NoRoomError,
    OutputError,
    OutputLostError,
    PassingError,
    RunStoppedError,
)
from batch_converter.models import Failure, FileStatus
from batch_converter.orchestrator.outcome import DocumentOutcome
from batch_converter.orchestrator.preflight import prepare, source_document
from batch_converter.shortage import exhausted

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_converter.djvu.jobs.document_facts import DocumentIdentity
    from batch_converter.engines.base import SourceDocument
    from batch_converter.models import Document, StoredPdf
    from batch_converter.orchestrator.admission import AdmissionTicket
    from batch_converter.orchestrator.calls import DocumentCalls
    from batch_converter.orchestrator.context import RunContext
    from batch_converter.orchestrator.preflight import Prepared
    from batch_converter.orchestrator.publication import Publication
    from batch_converter.output import PdfWriter

log = structlog.get_logger()

SUBMIT_GRACE_S: Final = 5.0
"""What a submission under way is given to bring its id home after a signal."""


class Conversion:
    """Drives one document; nobody else moves it from state to state.

    How its PDF is obtained is the subclass's business: there is one for each kind of engine.

    Args:
        context: What the run shares.
        document: As the ledger knew it at admission.
        calls: Records the requests about it.
        ticket: Its place in the order of admission.
        on_stop: Told when the run cannot go on.
        on_failure: Told at once when the document has failed, before that is recorded.
    """

    def __init__(
        self,
        context: RunContext,
        document: Document,
        calls: DocumentCalls,
        ticket: AdmissionTicket,
        *,
        on_stop: Callable[[RunStoppedError], None],
        on_failure: Callable[[], None],
    ) -> None:
        self._context = context
        self._ledger = context.ledger
        self._calls = calls
        self._ticket = ticket
        self._on_stop = on_stop
        self._on_failure = on_failure
        self._outcome = DocumentOutcome(context, document, calls)
        self._prepared: Prepared | None = None
        self._scope = anyio.CancelScope()
        self._is_interrupted = False
        self._has_failed = False

    @property
    def source(self) -> str:
        """The document's path below its source folder."""
        return self._outcome.document.source

    def interrupt(self) -> None:
        """Break off as after a signal; a submission under way may still bring its id home."""
        self._is_interrupted = True
        if self._calls.is_submitting:
            self._scope.deadline = anyio.current_time() + SUBMIT_GRACE_S
        else:
            self._scope.cancel()

    def withdraw(self) -> None:
        """Leave the document for a later run, unless it was handed over or has failed."""
        if not (self._is_handed_over or self._has_failed):
            self.interrupt()

    async def drive(self) -> None:
        """Convert the document and record what became of it, whatever happens."""
        with ExitStack() as stack:
            stack.enter_context(self._calls)
            stack.enter_context(self._ticket)
            stack.callback(self._context.disk_room.release, self._outcome.document.id)
            try:
                await self._drive()
            except LedgerWriteError as error:
                self._on_stop(error)
            finally:
                await self._discard_bundle()

    async def _discard_bundle(self) -> None:
        if self._prepared is not None and self._prepared.bundle is not None:
            with anyio.CancelScope(shield=True):
                await self._context.threads.run(self._prepared.discard)

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
            elif self._is_cut_short_by(error):
                await self._leave()
            elif isinstance(error, FileError):
                await self._fail(error)
            else:
                log.exception("file.crashed", source=self.source)
                crash = EngineError(f"unexpected {type(error).__name__}; please report it")
                await self._fail(crash)

    def _is_cut_short_by(self, error: Exception) -> bool:
        """Whether it is an error only because the run stops; a lack of room is why it stops."""
        is_passing = isinstance(error, PassingError) and not isinstance(error, NoRoomError)
        return self._is_interrupted and is_passing

    async def _stop(self, error: RunStoppedError) -> None:
        self._on_stop(error)
        await self._leave()

    async def _convert(self) -> None:
        document = self._outcome.document
        writing = self._context.pdfs.writer(document.output, known_etag=document.pdf_etag)
        async with writing as writer:
            publication = self._publication(writer)
            try:
                await publication.publish(await self._obtain(publication))
            except FileError as error:
                if exhausted(error) is None:
                    self._count_failure()
                raise

    def _publication(self, writer: PdfWriter) -> Publication:
        raise NotImplementedError

    async def _obtain(self, publication: Publication) -> StoredPdf:
        """Have the document converted, and return its PDF, checked."""
        raise NotImplementedError

    @property
    def _is_handed_over(self) -> bool:
        raise NotImplementedError

    def _check_writable(self) -> None:
        document = self._outcome.document
        self._context.pdfs.check_writable(document.output, source_bytes=document.size_bytes)

    async def _take_room(self, writer: PdfWriter) -> None:
        """Take the room for what is about to be paid for; what costs nothing needs none."""

    async def _check_current(self) -> None:
        """Make sure that what is about to be paid for is still the document."""

    async def _prepare_in_order(self, writer: PdfWriter) -> SourceDocument:
        """Check the source, and leave the queue at its head, fit or not, with room for its PDF.

        A failure keeps its place until it is counted (`_count_failure`): where it is one
        too many, nobody behind it has gone ahead.
        """
        try:
            prepared = await self._prepare()
        except FileError:
            await self._ticket.wait_first()
            raise
        await self._ticket.wait_first()
        await self._check_current()
        await self._take_room(writer)
        self._ticket.leave_queue()
        return prepared.source

    async def _prepare(self) -> Prepared:
        if self._prepared is not None:
            return self._prepared
        threads = self._context.preflight_of(self._outcome.document.path)
        prepared, known = await threads.run(self._check_and_prepare)
        self._prepared, self._outcome.document = prepared, prepared.document
        self._outcome.source_sha256 = known.sha256
        self._outcome.warn(prepared.warnings)
        self._ledger.describe(
            prepared.document, source_sha256=known.sha256, parts_fingerprint=known.parts_fingerprint
        )
        return prepared

    def _check_and_prepare(self) -> tuple[Prepared, DocumentIdentity]:
        self._check_writable()
        document = self._outcome.document
        bundle_path = self._context.scratch.file(f"bundle-{document.id}")
        inspector = self._context.sources.inspector(document.path)
        return prepare(document, inspector, bundle_path, keep_damaged=self._keeps_damaged)

    @property
    def _keeps_damaged(self) -> bool:
        """Whether the engine makes the best of pages that are damaged."""
        return False

    @property
    def _source(self) -> SourceDocument:
        """What the engine is given: what was prepared, else the document as it is known."""
        if self._prepared is not None:
            return self._prepared.source
        return source_document(self._outcome.document)

    def _count_failure(self) -> None:
        """Let a limit on failures act before anybody goes ahead into the place that is free."""
        if not self._has_failed:
            self._has_failed = True
            self._on_failure()
            self._ticket.leave_queue()

    async def _fail(self, error: FileError) -> None:
        self._count_failure()
        failure = Failure(code=error.code, message=str(error))
        report = self._outcome.report(FileStatus.FAILED, error=failure)
        with anyio.CancelScope(shield=True):
            await self._ledger.failed(self._outcome.document, failure, report)
        self._outcome.failed(failure)
        if isinstance(error, NoRoomError):
            return
        if isinstance(error, OutputError) and self._context.pdfs.is_failing(error):
            self._on_stop(OutputLostError(f"no PDF can be written any more: {error}"))

    async def _leave(self) -> None:
        """Leave the document for a later run, in the state that its calls prove."""
        document = self._outcome.document
        report = self._outcome.report(FileStatus.REMAINING)
        with anyio.CancelScope(shield=True):
            await self._ledger.interrupted(document)
            await self._ledger.outcome(document, document.path, report)
