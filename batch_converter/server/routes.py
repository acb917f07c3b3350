"""The documented endpoints: each a few steps over the tasks of one service."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from batch_converter.codec import Base64Frame
from batch_converter.server.answers import (
    json_response,
    lost_response,
    pdf_response,
    state_of,
    state_response,
    token_refused,
)
from batch_converter.server.callers import CALLER
from batch_converter.server.files import FileWriter, PdfReader
from batch_converter.server.guards import owner_of
from batch_converter.server.queue import DocumentState, NewDocument
from batch_converter.server.requests import (
    announced_document_bytes,
    read_credentials,
    read_task_name,
    receive_document,
    storing,
)
from batch_converter.server.sign_in import Refusal
from batch_converter.wire import (
    CONVERT_PATH,
    STATUS_PATH,
    TOKEN_PATH,
    completed_frame,
    write_token_answer,
    write_token_refusal,
)

if TYPE_CHECKING:
    from batch_converter.clock import Clock
    from batch_converter.server.admission import Admission
    from batch_converter.server.conversions import Conversions
    from batch_converter.server.metrics import ServerMetrics
    from batch_converter.server.queue import DocumentQueue, QueuedDocument
    from batch_converter.server.retention import Retention
    from batch_converter.server.storage import DataFolder
    from batch_converter.server.tokens import TokenDesk

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The vendor's interface."""

    desk: TokenDesk
    queue: DocumentQueue
    folder: DataFolder
    admission: Admission
    conversions: Conversions
    retention: Retention
    metrics: ServerMetrics
    clock: Clock

    def open_routes(self) -> list[web.RouteDef]:
        """Return the endpoint that asks for no token; its path matches in any case."""
        return [web.post(_any_case(TOKEN_PATH), self.token)]

    def bearer_routes(self) -> list[web.RouteDef]:
        """Return the endpoints that do, likewise."""
        return [
            web.post(_any_case(CONVERT_PATH), self.submit),
            web.get(_any_case(CONVERT_PATH), self.fetch, allow_head=False),
            web.delete(_any_case(CONVERT_PATH), self.cancel),
            web.get(_any_case(STATUS_PATH), self.status, allow_head=False),
        ]

    async def token(self, request: web.Request) -> web.Response:
        """Exchange credentials for a token."""
        given = await read_credentials(request)
        if isinstance(given, str):
            return json_response(write_token_refusal(given), status=400)
        answer = await self.desk.issue(given, request[CALLER].address)
        if isinstance(answer, Refusal):
            return token_refused(answer)
        return json_response(write_token_answer(answer), headers={"Cache-Control": "no-store"})

    async def submit(self, request: web.Request) -> web.Response:
        """Take a document in and answer with its task id, once it is on the disk for good."""
        owner, announced_bytes = owner_of(request), announced_document_bytes(request)
        async with self.admission.admitted(owner, announced_bytes):
            task_id = str(uuid.uuid4())
            upload = FileWriter(self.folder.upload_path(task_id), self.folder.threads)
            try:
                size_bytes = await receive_document(request, upload, self.admission)
                await self._take_in(task_id, owner, upload, size_bytes)
            except BaseException:
                await upload.discard()
                await self.folder.remove_upload(task_id)
                raise
        self.conversions.wake()
        return web.Response(text=task_id)

    async def _take_in(self, task_id: str, owner: str, upload: FileWriter, size_bytes: int) -> None:
        with storing():
            await self.folder.sync()
            await self.queue.add(
                NewDocument(
                    id=task_id,
                    owner=owner,
                    submitted_at=self.clock.now(),
                    size_bytes=size_bytes,
                    received_bytes=size_bytes,
                    mtime_ns=upload.mtime_ns,
                    sha256=upload.sha256,
                )
            )
        self.metrics.document_received(size_bytes)
        _log.info("server.task_submitted", task_id=task_id, owner=owner, bytes_in=size_bytes)

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """Answer with the task's state and, once it is there, the PDF."""
        name, document = await self._find(request)
        if document is None or document.state is not DocumentState.READY:
            if document is not None and document.state is DocumentState.FAILED:
                await self.queue.mark_fetched(document)
            return state_response(name, document)
        try:
            reader = await PdfReader.open(self.folder.result_path(document.id), self.folder.threads)
        except OSError as error:
            _log.error("server.result_lost", task_id=document.id, reason=error.strerror)
            return lost_response(document)
        with reader:
            return await self._send(request, document, reader)

    async def _send(
        self, request: web.Request, document: QueuedDocument, reader: PdfReader
    ) -> web.StreamResponse:
        before, after = completed_frame(state_of(document))
        frame = Base64Frame(before=before, payload_bytes=reader.size_bytes, after=after)
        response = await pdf_response(request, frame, reader)
        self.metrics.document_sent(reader.size_bytes)
        await self.queue.mark_fetched(document)
        return response

    async def status(self, request: web.Request) -> web.Response:
        """Answer with the task's state alone."""
        return state_response(*await self._find(request))

    async def cancel(self, request: web.Request) -> web.Response:
        """Call the task off, or delete its PDF; one that is gone already is no error."""
        _, document = await self._find(request)
        if document is not None and await self.queue.remove_one(document.id):
            self.conversions.call_off(document.id)
            await self.folder.remove(document.id)
            _log.info("server.task_cancelled", task_id=document.id, owner=document.owner)
        return web.Response()

    async def _find(self, request: web.Request) -> tuple[str, QueuedDocument | None]:
        """Return the id as it was asked for, and its task unless unknown, foreign or expired."""
        name = read_task_name(request)
        task_id = canonical_id(name)
        if task_id is None:
            return name, None
        document = await self.queue.find(task_id, owner_of(request))
        if document is None or self.retention.is_over(document):
            return name, None
        return name, document


def canonical_id(text: str) -> str | None:
    """Return a GUID as we write it, whatever its spelling; None of what is none."""
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        return None


def _any_case(path: str) -> str:
    """Return the path as a pattern: the vendor's own clients spell it in several ways."""
    return f"/{{path:(?i:{re.escape(path.removeprefix('/'))})}}"
