"""The documented endpoints: each a few steps over the tasks of one service."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from batch_converter.codec import Base64Frame
from batch_converter.engines.base import SourceDocument
from batch_converter.server.answers import (
    json_response,
    lost_response,
    pdf_response,
    state_of,
    state_response,
    token_refused,
)
from batch_converter.server.files import FileWriter, PdfReader
from batch_converter.server.requests import read_credentials, read_task_name, receive_document
from batch_converter.server.tasks import ServedTask
from batch_converter.server.tokens import TokenRefusal
from batch_converter.wire import (
    CONVERT_PATH,
    STATUS_PATH,
    TOKEN_PATH,
    TaskStatus,
    completed_frame,
    write_token_answer,
    write_token_refusal,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch_converter.clock import Clock
    from batch_converter.server.metrics import ServerMetrics
    from batch_converter.server.storage import DataFolder
    from batch_converter.server.tasks import TaskBoard
    from batch_converter.server.tokens import TokenDesk

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The vendor's interface.

    Attributes:
        start: Begins the conversion of a task that has been taken in.
        numbers: Gives each document the number that engines tell it by.
    """

    desk: TokenDesk
    board: TaskBoard
    folder: DataFolder
    metrics: ServerMetrics
    clock: Clock
    start: Callable[[ServedTask], object]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints; their paths match in any case."""
        return [
            web.post(_any_case(TOKEN_PATH), self.token),
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
        answer = self.desk.issue(given)
        if isinstance(answer, TokenRefusal):
            _log.warning("server.token_refused", locked_s=answer.retry_after_s)
            return token_refused(answer)
        return json_response(write_token_answer(answer), headers={"Cache-Control": "no-store"})

    async def submit(self, request: web.Request) -> web.Response:
        """Take a document in and answer with its task id."""
        task_id = str(uuid.uuid4())
        upload = FileWriter(self.folder.upload_path(task_id), self.folder.threads)
        try:
            size_bytes = await receive_document(request, upload)
        except BaseException:
            await upload.discard()
            raise
        self._take_in(task_id, self._document(upload, size_bytes))
        return web.Response(text=task_id)

    def _document(self, upload: FileWriter, size_bytes: int) -> SourceDocument:
        return SourceDocument(
            number=next(self.numbers),
            name=upload.path.name,
            path=str(upload.path),
            size_bytes=size_bytes,
            mtime_ns=upload.mtime_ns,
        )

    def _take_in(self, task_id: str, document: SourceDocument) -> None:
        task = ServedTask(
            task_id=task_id,
            submitted_at_s=self.clock.monotonic_s(),
            document=document,
            result=self.folder.result_path(task_id),
        )
        self.board.add(task)
        self.metrics.document_received(document.size_bytes)
        self.start(task)
        _log.info("server.task_submitted", task_id=task_id, bytes_in=document.size_bytes)

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """Answer with the task's state and, once it is there, the PDF."""
        name, task = await self._find(request)
        if task is None or task.status is not TaskStatus.COMPLETED:
            if task is not None and task.status is TaskStatus.ERROR:
                self.board.mark_fetched(task)
            return state_response(name, task)
        try:
            reader = await PdfReader.open(task.result, self.folder.threads)
        except OSError as error:
            _log.error("server.result_lost", task_id=task.task_id, reason=error.strerror)
            return lost_response(task)
        with reader:
            return await self._send(request, task, reader)

    async def _send(
        self, request: web.Request, task: ServedTask, reader: PdfReader
    ) -> web.StreamResponse:
        before, after = completed_frame(state_of(task))
        frame = Base64Frame(before=before, payload_bytes=reader.size_bytes, after=after)
        response = await pdf_response(request, frame, reader)
        self.metrics.document_sent(reader.size_bytes)
        self.board.mark_fetched(task)
        return response

    async def status(self, request: web.Request) -> web.Response:
        """Answer with the task's state alone."""
        return state_response(*await self._find(request))

    async def cancel(self, request: web.Request) -> web.Response:
        """Call the task off, or delete its PDF; one that is gone already is no error."""
        _, task = await self._find(request)
        if task is not None:
            self.board.forget(task)
            await self.folder.remove(task.task_id)
            _log.info("server.task_cancelled", task_id=task.task_id)
        return web.Response()

    async def _find(self, request: web.Request) -> tuple[str, ServedTask | None]:
        """Return the id as it was asked for, and its task unless unknown or expired."""
        name = read_task_name(request)
        await self.expire()
        return name, self.board.find(name)

    async def expire(self) -> None:
        """Forget what is older than 24 hours, files and all."""
        expired = self.board.forget_expired(self.clock.monotonic_s())
        if expired:
            await self.folder.remove(*(task.task_id for task in expired))
            _log.info("server.tasks_expired", count=len(expired))


def _any_case(path: str) -> str:
    """Return the path as a pattern: the vendor's own clients spell it in several ways."""
    return f"/{{path:(?i:{re.escape(path.removeprefix('/'))})}}"
