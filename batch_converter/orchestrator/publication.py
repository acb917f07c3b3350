"""From bytes in a part file to a PDF under its name: check, announce, rename, record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from batch_converter.fault_points import reach
from batch_converter.models import FileStatus, Phase
from batch_converter.orchestrator.expectation import (
    Expectation,
    expectation,
    known_expectation,
)
from batch_converter.output import ExpectedPdf

if TYPE_CHECKING:
    from batch_converter.djvu.jobs.document_facts import DocumentOutlook
    from batch_converter.engines.base import Ready, SourceDocument
    from batch_converter.models import StoredPdf
    from batch_converter.orchestrator.context import RunContext
    from batch_converter.orchestrator.outcome import DocumentOutcome
    from batch_converter.output import PdfWriter


class Publication:
    """Gives one document's PDF its name, once it is whole.

    Args:
        context: What the run shares.
        outcome: The document's.
        writer: Where the engine writes.
        made_elsewhere: Whether sizes and text are compared with the DjVu's, too: the
            embedded engine says itself what is lost.
    """

    def __init__(
        self,
        context: RunContext,
        outcome: DocumentOutcome,
        writer: PdfWriter,
        *,
        made_elsewhere: bool,
    ) -> None:
        self._context = context
        self._outcome = outcome
        self._made_elsewhere = made_elsewhere
        self.writer = writer

    async def verify(
        self, ready: Ready, source: SourceDocument, *, outlook: DocumentOutlook | None = None
    ) -> StoredPdf:
        """Check what the engine has written, and bring it to the disk.

        Args:
            ready: What the engine said of it.
            source: What it was made of.
            outlook: What the headers of that say, where it is known already.

        Raises:
            BadPdfError: It is no whole PDF, or not this document's.
            OutputError: The disk is full or gone.
        """
        self._outcome.phases.enter(Phase.CHECKING)
        document, output = self._outcome.document, self._context.settings.output
        expected = await self._expectation(source, outlook)
        pdf = await self.writer.verify_and_sync(
            expected=expected.pdf,
            keeps_other_pages=output.page_mismatch == "warn",
            mtime_ns=document.mtime_ns if output.preserve_times else None,
        )
        if document.pages is None:
            self._outcome.document = replace(document, pages=expected.pdf.pages or pdf.pages)
        self._outcome.warn((*expected.warnings, *ready.warnings, *pdf.differences))
        return pdf

    async def _expectation(
        self, source: SourceDocument, outlook: DocumentOutlook | None
    ) -> Expectation:
        document, sources = self._outcome.document, self._context.sources
        if not self._made_elsewhere:
            return Expectation(ExpectedPdf(pages=document.pages))
        if outlook is not None:
            return known_expectation(outlook, document, source.path, sources)
        threads = self._context.preflight_of(document.path)
        return await threads.run(expectation, document, source.path, sources)

    async def publish(self, pdf: StoredPdf) -> None:
        """Name the PDF and record it; once begun, it is not broken off.

        Raises:
            OutputError: It cannot get its name.
            LedgerWriteError: It cannot be recorded.
        """
        context, outcome = self._context, self._outcome
        made_by = {"engine": context.engine.name, "options": context.engine.options_digest}
        reach("pdf.sealed")
        with anyio.CancelScope(shield=True):
            await context.ledger.publishing(
                outcome.document, pdf, warnings=outcome.warnings, **made_by
            )
            reach("pdf.announced")
            pdf = await self.writer.publish()
            reach("pdf.published")
            await context.ledger.converted(
                outcome.document,
                pdf,
                outcome.report(FileStatus.CONVERTED, pdf=pdf),
                at=context.clock.now(),
                **made_by,
            )
        reach("pdf.recorded")
        outcome.converted(pdf)
