"""A document that a `Converter` converts: hand it over, wait, publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.orchestrator.conversion import Conversion
from batch_converter.orchestrator.publication import Publication

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_converter.engines.base import Converter
    from batch_converter.errors import RunStoppedError
    from batch_converter.models import Document, StoredPdf
    from batch_converter.orchestrator.admission import AdmissionTicket
    from batch_converter.orchestrator.calls import DocumentCalls
    from batch_converter.orchestrator.context import RunContext
    from batch_converter.output import PdfWriter


class DirectConversion(Conversion):
    """Drives a document through a converter; it fails for good, or is done, in one attempt."""

    def __init__(
        self,
        context: RunContext,
        converter: Converter,
        document: Document,
        calls: DocumentCalls,
        ticket: AdmissionTicket,
        *,
        on_stop: Callable[[RunStoppedError], None],
        on_failure: Callable[[], None],
    ) -> None:
        super().__init__(context, document, calls, ticket, on_stop=on_stop, on_failure=on_failure)
        self._converter = converter

    def _publication(self, writer: PdfWriter) -> Publication:
        return Publication(self._context, self._outcome, writer, made_elsewhere=False)

    async def _obtain(self, publication: Publication) -> StoredPdf:
        source = await self._prepare_in_order(publication.writer)
        await publication.writer.create()
        await self._ledger.submitting(self._outcome.document)
        self._outcome.attempts = 1
        self._outcome.submitted()
        ready = await self._converter.convert(source, publication.writer)
        return await publication.verify(ready, source)

    @property
    def _keeps_damaged(self) -> bool:
        return self._converter.keeps_damaged

    @property
    def _is_handed_over(self) -> bool:
        return bool(self._outcome.attempts)
