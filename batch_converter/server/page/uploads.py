"""Files on their way in: in pieces that can be sent again from where they broke off."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import structlog
from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from batch_converter.discovery import MAGIC
from batch_converter.errors import ErrorCode
from batch_converter.server.expectations import ask_for_body
from batch_converter.server.guards import owner_of
from batch_converter.server.page.asking import MOST, answer_json, number_of, read_json
from batch_converter.server.page.document_locks import DocumentLocks
from batch_converter.server.page.upload_files import (
    found_bytes,
    make_upload,
    seal,
    share_upload,
    write_piece,
)
from batch_converter.server.queue import DocumentState, NewDocument
from batch_converter.server.requests import storing
from batch_converter.threads import LimitedThreads

if TYPE_CHECKING:
    from batch_converter.clock import Clock
    from batch_converter.server.admission import Admission
    from batch_converter.server.conversions import Conversions
    from batch_converter.server.metrics import ServerMetrics
    from batch_converter.server.page.asking import Documents
    from batch_converter.server.queue import DocumentQueue, QueuedDocument
    from batch_converter.server.storage import DataFolder

_log = structlog.get_logger()

CHUNK_BYTES: Final = 512 << 10
"""The longest piece: below the megabyte that proxies usually let through."""

OFFSET_HEADER: Final = "Upload-Offset"
_MAX_NAME_CHARS: Final = 4096
_HASHES_AT_ONCE: Final = 2
_S = DocumentState


def _storable(name: object) -> object:
    """Return a name with what is no text (half of a surrogate pair) marked as such."""
    if not isinstance(name, str):
        return name
    return name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class NewUpload(BaseModel):
    """A file that is about to be sent."""

    model_config = ConfigDict(strict=True)

    name: Annotated[
        str, Field(min_length=1, max_length=_MAX_NAME_CHARS), BeforeValidator(_storable)
    ]
    size_bytes: Annotated[int, Field(ge=1, le=MOST)]
    sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None


class Uploads:
    """Takes files in.

    A row of state `uploading` says how much of its file was acknowledged; the file may be
    longer, after a death of the service, and is never shorter but after a loss of power.

    Args:
        documents: Finds the one that is named.
        queue: Where the rows are.
        folder: Where the files are.
        admission: Asked before a file is taken in.
        conversions: Told when a document is whole.
        metrics: Counts.
        clock: Time.
    """

    def __init__(
        self,
        documents: Documents,
        queue: DocumentQueue,
        folder: DataFolder,
        *,
        admission: Admission,
        conversions: Conversions,
        metrics: ServerMetrics,
        clock: Clock,
    ) -> None:
        self._documents = documents
        self._queue = queue
        self._folder = folder
        self._admission = admission
        self._conversions = conversions
        self._metrics = metrics
        self._clock = clock
        self._writing = DocumentLocks()
        self._sealing = LimitedThreads(folder.threads, at_once=_HASHES_AT_ONCE)

    async def resume(self) -> None:
        """Compare unfinished uploads with their files, as a service starts.

        Raises:
            QueueWriteError: That cannot be recorded.
            OutputError: The disk does not do its part.
        """
        for document in await self._queue.in_state(_S.UPLOADING):
            path = self._folder.upload_path(document.id)
            there = await self._folder.threads.run(found_bytes, path)
            if there < document.received_bytes:
                await self._queue.change(document.id, _S.UPLOADING, received_bytes=there)

    async def start_upload(self, request: web.Request) -> web.Response:
        """Give the file a row; bytes that this session has sent before are not sent again.

        Under the same name they are the same document, under another name one of its own: the
        PDFs of a folder are as many as its files.
        """
        owner, new = owner_of(request), await read_json(request, NewUpload)
        known = await self._known(owner, new)
        if known is not None and known.name == new.name:
            return _known_answer(known.id, new)
        self._admission.check_size(new.size_bytes)
        async with self._admission.admitted(owner, new.size_bytes):
            if known is not None and (copy_id := await self._share(known, new)):
                return _known_answer(copy_id, new)
            document_id = await self._make(owner, new)
        return answer_json({"id": document_id, "offset": 0}, status=201)

    async def _known(self, owner: str, new: NewUpload) -> QueuedDocument | None:
        if new.sha256 is None:
            return None
        known = await self._queue.same_bytes(owner, new.sha256, new.size_bytes, name=new.name)
        return known if known is not None and not self._documents.is_over(known) else None

    async def _share(self, known: QueuedDocument, new: NewUpload) -> str | None:
        """Make a document of the bytes of another; None where they have to be sent after all."""
        document_id = str(uuid.uuid4())
        path = self._folder.upload_path(document_id)
        try:
            shared = self._folder.upload_path(known.id)
            if not await self._folder.threads.run(share_upload, shared, path):
                return None
            with storing():
                await self._folder.sync()
                await self._queue.add(
                    NewDocument(
                        id=document_id,
                        owner=known.owner,
                        submitted_at=self._clock.now(),
                        size_bytes=known.size_bytes,
                        received_bytes=known.size_bytes,
                        mtime_ns=known.mtime_ns,
                        name=new.name,
                        sha256=known.sha256,
                        keeps_source=True,
                    )
                )
        except BaseException:
            await self._folder.remove_upload(document_id)
            raise
        self._whole(document_id, known.owner, known.size_bytes)
        return document_id

    async def _make(self, owner: str, new: NewUpload) -> str:
        document_id = str(uuid.uuid4())
        path = self._folder.upload_path(document_id)
        try:
            with storing():
                await self._folder.threads.run(make_upload, path)
                await self._folder.sync()
                await self._queue.add(
                    NewDocument(
                        id=document_id,
                        owner=owner,
                        submitted_at=self._clock.now(),
                        size_bytes=new.size_bytes,
                        name=new.name,
                        state=_S.UPLOADING,
                        sha256=new.sha256,
                        keeps_source=True,
                    )
                )
        except BaseException:
            await self._folder.remove_upload(document_id)
            raise
        return document_id

    async def tell_offset(self, request: web.Request) -> web.Response:
        """Answer with how much is here."""
        document = await self._documents.named(request)
        if document.state is not _S.UPLOADING and not document.is_whole:
            raise _no_upload()
        return answer_json({"offset": document.received_bytes})

    async def take_piece(self, request: web.Request) -> web.Response:
        """Append a piece at the offset that it is sent for.

        The body is read before its turn to be written comes: a browser that has lost its
        connection goes on with another at once, and whichever piece comes whole first counts.
        """
        offset = number_of(request.headers.get(OFFSET_HEADER), OFFSET_HEADER, default=None)
        document = await self._expecting(request, offset)
        piece = await _read_piece(request, document.size_bytes - offset)
        async with self._writing.holding(document.id):
            document = await self._expecting(request, offset)
            received = await self._append(document, piece)
        return web.Response(status=204, headers={OFFSET_HEADER: str(received)})

    async def _expecting(self, request: web.Request, offset: int) -> QueuedDocument:
        """Return the document, if this is what it waits for."""
        document = await self._documents.named(request)
        if document.state is _S.UPLOADING or document.is_whole:
            if document.state is not _S.UPLOADING or document.received_bytes != offset:
                raise _other_offset(document)
            return document
        raise _no_upload()

    async def _append(self, document: QueuedDocument, piece: bytes) -> int:
        path = self._folder.upload_path(document.id)
        received = document.received_bytes + len(piece)
        with storing():
            head = await self._folder.threads.run(write_piece, path, document.received_bytes, piece)
            if not _may_be_djvu(head, is_whole=received == document.size_bytes):
                await self._refuse(document, received)
            if received == document.size_bytes:
                await self._finish(document)
            elif not await self._queue.change(
                document.id,
                _S.UPLOADING,
                only_from={_S.UPLOADING},
                received_bytes=received,
                started_at=self._clock.now(),
            ):
                raise _no_upload()
        return received

    async def _finish(self, document: QueuedDocument) -> None:
        """Bring the document to the disk; then it waits for its conversion."""
        whole = await self._sealing.run(seal, self._folder.upload_path(document.id))
        await self._folder.sync()
        if document.sha256 not in {None, whole.sha256}:
            message = "what came is not the file that was announced: it has changed meanwhile"
            await self._fail(document, ErrorCode.UNREADABLE, message)
            raise web.HTTPConflict(text=message)
        waiting = await self._queue.change(
            document.id,
            _S.WAITING,
            only_from={_S.UPLOADING},
            received_bytes=document.size_bytes,
            started_at=None,
            mtime_ns=whole.mtime_ns,
            sha256=whole.sha256,
        )
        if waiting is None:
            raise _no_upload()
        self._whole(document.id, document.owner, document.size_bytes)

    def _whole(self, document_id: str, owner: str, size_bytes: int) -> None:
        self._conversions.wake()
        self._metrics.document_received(size_bytes)
        _log.info("server.document_uploaded", task_id=document_id, owner=owner, bytes_in=size_bytes)

    async def _refuse(self, document: QueuedDocument, received: int) -> NoReturn:
        """Fail what is no DjVu; its row says why."""
        message = f"the file does not begin as a DjVu does ({MAGIC.decode()})"
        await self._fail(document, ErrorCode.NOT_DJVU, message, received_bytes=received)
        raise web.HTTPUnsupportedMediaType(text=message)

    async def _fail(
        self,
        document: QueuedDocument,
        code: ErrorCode,
        message: str,
        *,
        received_bytes: int | None = None,
    ) -> None:
        await self._queue.change(
            document.id,
            _S.FAILED,
            only_from={_S.UPLOADING},
            started_at=None,
            ended_at=self._clock.now(),
            error_code=code.value,
            messages=(message,),
            received_bytes=document.received_bytes if received_bytes is None else received_bytes,
        )
        await self._folder.remove_upload(document.id)


def _known_answer(document_id: str, new: NewUpload) -> web.Response:
    return answer_json({"id": document_id, "offset": new.size_bytes, "known": True})


def _may_be_djvu(head: bytes, *, is_whole: bool) -> bool:
    """Whether what is known of a document's beginning is a DjVu's."""
    return head == MAGIC or (not is_whole and MAGIC.startswith(head))


def _no_upload() -> web.HTTPException:
    return web.HTTPNotFound(text="this document is not being uploaded any more")


def _other_offset(document: QueuedDocument) -> web.HTTPException:
    offset = str(document.received_bytes)
    return web.HTTPConflict(text=f"byte {offset} comes next", headers={OFFSET_HEADER: offset})


async def _read_piece(request: web.Request, most: int) -> bytes:
    """Return the body.

    Raises:
        HTTPRequestEntityTooLarge: It is longer than a piece, or than what the document lacks.
        HTTPBadRequest: It is empty.
    """
    most = min(most, CHUNK_BYTES)
    if (request.content_length or 0) > most:
        raise _too_long(most)
    await ask_for_body(request)
    piece = bytearray()
    async for data in request.content.iter_any():
        piece += data
        if len(piece) > most:
            raise _too_long(most)
    if not piece:
        raise web.HTTPBadRequest(text="the piece is empty")
    return bytes(piece)


def _too_long(most: int) -> web.HTTPException:
    text = f"a piece may have {most} bytes here"
    return web.HTTPRequestEntityTooLarge(max_size=most, actual_size=most + 1, text=text)
