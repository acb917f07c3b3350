"""Pictures of first pages: made when somebody looks, and kept beside the PDF."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, runtime_checkable

import structlog
from aiohttp import web

from batch_converter.errors import FileError, MachineExhaustedError
from batch_converter.server.page.document_locks import DocumentLocks
from batch_converter.server.queue import DocumentState
from batch_converter.shortage import shortage_of

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.server.page.asking import Documents
    from batch_converter.server.queue import DocumentQueue, QueuedDocument
    from batch_converter.server.storage import DataFolder

_log = structlog.get_logger()

_MAX_FAILED: Final = 10_000
_BUSY_S: Final = 10


@runtime_checkable
class PictureMaker(Protocol):
    """An engine that draws first pages, too; it bounds how many at once."""

    async def picture(self, source_path: str, target_path: str) -> None:
        """Draw the first page of a document as a small JPEG.

        Raises:
            FileError: There is none.
            MachineExhaustedError: The machine is in the way.
        """
        ...


class Pictures:
    """Answers with pictures of documents that are ready.

    Args:
        documents: Finds the one that is named.
        queue: Asked whether a document is still there.
        folder: Where pictures are kept.
        engine: What draws, if it can.
    """

    def __init__(
        self, documents: Documents, queue: DocumentQueue, folder: DataFolder, engine: object
    ) -> None:
        self._documents = documents
        self._queue = queue
        self._folder = folder
        self._maker = engine if isinstance(engine, PictureMaker) else None
        self._drawing = DocumentLocks()
        self._failed: OrderedDict[str, None] = OrderedDict()

    async def send_picture(self, request: web.Request) -> web.Response:
        """Answer with the picture of a document's first page."""
        document = await self._documents.named(request)
        if document.state is not DocumentState.READY:
            _refuse()
        path = self._folder.picture_path(document.id)
        picture = await self._folder.threads.run(_read, path)
        if picture is None:
            async with self._drawing.holding(document.id):
                # Whoever waited finds what the one before has made.
                picture = await self._folder.threads.run(_read, path)
                if picture is None:
                    picture = await self._made(document, path)
        return web.Response(body=picture, content_type="image/jpeg")

    async def _made(self, document: QueuedDocument, path: Path) -> bytes:
        if self._maker is None or document.id in self._failed:
            _refuse()
        source = self._folder.upload_path(document.id)
        try:
            await self._maker.picture(str(source), str(path))
        except (FileError, MachineExhaustedError) as error:
            self._note(document, error)
        picture = await self._folder.threads.run(_read, path)
        if await self._queue.find(document.id, document.owner) is None:
            await self._folder.remove(document.id)  # removed while its picture was made
            _refuse()
        if picture is None:
            _refuse()
        return picture

    def _note(self, document: QueuedDocument, error: FileError | MachineExhaustedError) -> NoReturn:
        if isinstance(error, MachineExhaustedError) or shortage_of(error) or error.__cause__:
            headers = {"Retry-After": str(_BUSY_S)}
            raise web.HTTPServiceUnavailable(text="no picture for now", headers=headers) from error
        _log.info("server.no_picture", task_id=document.id, reason=error.code.value)
        self._failed[document.id] = None
        if len(self._failed) > _MAX_FAILED:
            self._failed.popitem(last=False)
        _refuse()


def _refuse() -> NoReturn:
    raise web.HTTPNotFound(text="there is no picture of this document")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
