"""PDFs on their way out: one, or all of a session in one archive."""

from __future__ import annotations

from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import structlog
from aiohttp import hdrs, web

from batch_converter.errors import ErrorCode
from batch_converter.server.files import PdfReader
from batch_converter.server.guards import owner_of
from batch_converter.server.page.archive import StreamedZip, whole
from batch_converter.server.page.archive_names import ArchiveNames, pdf_name
from batch_converter.server.queue import DocumentState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from batch_converter.clock import Clock
    from batch_converter.server.metrics import ServerMetrics
    from batch_converter.server.page.asking import Documents
    from batch_converter.server.queue import DocumentQueue, QueuedDocument
    from batch_converter.server.storage import DataFolder

_log = structlog.get_logger()

_AT_ONCE: Final = 200
_MANIFEST: Final = "MANIFEST.txt"
_MAX_MESSAGE_CHARS: Final = 500
_S = DocumentState


@dataclass(slots=True)
class _Manifest:
    """What is in an archive, and above all what is not."""

    pdfs: int = 0
    failed: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def note(self, document: QueuedDocument) -> None:
        """Note one that is not in it."""
        name = _one_line(document.name)
        if document.state is _S.FAILED:
            message = _one_line("; ".join(document.messages))
            self.failed.append(f"{name}\n    {document.error_code}: {message}")
        else:
            self.others.append(f"{name}\n    {document.state}")

    def lose(self, document: QueuedDocument) -> None:
        """Note one whose PDF is not there any more."""
        told = f"{ErrorCode.UNREADABLE}: the PDF is not there any more"
        self.failed.append(f"{_one_line(document.name)}\n    {told}")

    def text(self) -> str:
        """Return it as a text file."""
        parts = [f"PDFs in this archive: {self.pdfs}\n"]
        for title, lines in (("Failed", self.failed), ("Not converted", self.others)):
            parts.append(f"{title}: {len(lines)}\n")
            parts += [f"  {line}\n" for line in lines]
        return "".join(parts)


def _one_line(text: str) -> str:
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return shown[:_MAX_MESSAGE_CHARS]


class Downloads:
    """Answers with PDFs.

    Args:
        documents: Finds the one that is named.
        queue: Where the rows are.
        folder: Where the PDFs are.
        metrics: Counts.
        clock: The time that entries of an archive have.
    """

    def __init__(
        self,
        documents: Documents,
        queue: DocumentQueue,
        folder: DataFolder,
        *,
        metrics: ServerMetrics,
        clock: Clock,
    ) -> None:
        self._documents = documents
        self._queue = queue
        self._folder = folder
        self._metrics = metrics
        self._clock = clock

    async def send_pdf(self, request: web.Request) -> web.StreamResponse:
        """Answer with a document's PDF, to be saved."""
        document = await self._documents.named(request)
        if document.state is not _S.READY:
            raise web.HTTPNotFound(text="there is no PDF of this document")
        reader = await self._opened(document)
        if reader is None:
            raise web.HTTPNotFound(text="the PDF is not there any more")
        with reader:
            response = _attachment("application/pdf", pdf_name(document.name))
            response.content_length = reader.size_bytes
            await response.prepare(request)
            if request.method == hdrs.METH_HEAD:
                return response
            with _whole_or_cut(request):
                async for piece in whole(reader):
                    await response.write(piece)
            await response.write_eof()
        await self._note_sent(document)
        return response

    async def send_all(self, request: web.Request) -> web.StreamResponse:
        """Answer with all PDFs of the session in one archive, and a list of what failed.

        Where a PDF cannot be read to its end the connection is cut.
        """
        response = _attachment("application/zip", "documents.zip")
        response.enable_chunked_encoding()
        await response.prepare(request)
        archive, manifest = StreamedZip(self._clock.now()), _Manifest()
        names = ArchiveNames(_MANIFEST)
        async for document in self._all(owner_of(request)):
            reader = await self._opened(document) if document.state is _S.READY else None
            if reader is None:
                (manifest.lose if document.state is _S.READY else manifest.note)(document)
                continue
            with reader:
                pieces = archive.entry(names.take(document.name), reader)
                with _whole_or_cut(request):
                    async with aclosing(pieces):
                        async for piece in pieces:
                            await response.write(piece)
            manifest.pdfs += 1
            await self._note_sent(document)
        await response.write(archive.text(_MANIFEST, manifest.text()) + archive.end())
        await response.write_eof()
        return response

    async def _all(self, owner: str) -> AsyncIterator[QueuedDocument]:
        after = 0
        while page := await self._queue.of_owner(owner, after=after, limit=_AT_ONCE):
            for document in page:
                if not self._documents.is_over(document):
                    yield document
            after = page[-1].number

    async def _opened(self, document: QueuedDocument) -> PdfReader | None:
        try:
            return await PdfReader.open(self._folder.result_path(document.id), self._folder.threads)
        except OSError as error:
            _log.error("server.result_lost", task_id=document.id, reason=error.strerror)
            return None

    async def _note_sent(self, document: QueuedDocument) -> None:
        self._metrics.document_sent(document.pdf_bytes)
        await self._queue.mark_fetched(document)


@contextmanager
def _whole_or_cut(request: web.Request) -> Iterator[None]:
    """Cut the connection where a file fails: no browser takes what came for all of it.

    Raises:
        ConnectionAbortedError: It was cut.
    """
    try:
        yield
    except ConnectionError:
        raise
    except OSError as error:
        _log.error("server.result_unreadable", reason=str(error))
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionAbortedError from error


def _attachment(content_type: str, name: str) -> web.StreamResponse:
    """Return an answer that a browser saves under this name (RFC 6266, RFC 5987)."""
    plain = "".join(one if " " <= one <= "~" and one not in '"\\%' else "_" for one in name)
    value = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    headers = {hdrs.CONTENT_TYPE: content_type, hdrs.CONTENT_DISPOSITION: value}
    return web.StreamResponse(headers=headers)
