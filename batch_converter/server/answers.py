"""What requests are answered with."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from batch_converter.server.queue import DocumentState
from batch_converter.wire import (
    JSON_TYPE,
    PROBLEM_TYPE,
    ResponseCode,
    TaskAnswer,
    TaskStatus,
    write_problem,
    write_task_answer,
    write_token_refusal,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_converter.codec import Base64Frame
    from batch_converter.server.files import PdfReader
    from batch_converter.server.queue import QueuedDocument
    from batch_converter.server.sign_in import Refusal

STATUSES: Final[Mapping[DocumentState, TaskStatus]] = {
    DocumentState.UPLOADING: TaskStatus.NOT_EXIST,
    DocumentState.WAITING: TaskStatus.PENDING,
    DocumentState.CONVERTING: TaskStatus.PROCESSING,
    DocumentState.READY: TaskStatus.COMPLETED,
    DocumentState.FAILED: TaskStatus.ERROR,
    DocumentState.CANCELLED: TaskStatus.NOT_EXIST,
}
"""The API's word for each state; what is not in the queue, or not any more, does not exist."""

_NOT_FOUND: Final = "The requested conversion task was not found."
_LOST: Final = "The result is not there any more."


HARDENING: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer that says nothing else: no cache, frame, foreign page or guess of its type."""


SERVER: Final = "batch-converter"
"""Without versions: who looks for holes in them is not helped."""


async def harden(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Add to an answer what every answer has; aiohttp calls this before each is sent."""
    for name, value in HARDENING.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = SERVER


def problem_response(
    status: int, detail: str, *, headers: dict[str, str] | None = None
) -> web.Response:
    """Return an error as ProblemDetails (RFC 9457).

    Hardened here as well: what is no request has no application whose `harden` is called.
    """
    return web.Response(
        status=status,
        body=write_problem(status=status, title=HTTPStatus(status).phrase, detail=detail),
        headers=HARDENING | {"Server": SERVER} | (headers or {}),
        content_type=PROBLEM_TYPE,
    )


def raw_problem(status: int, detail: str, *, retry_after_s: int | None = None) -> bytes:
    """Return an error as bytes of HTTP/1.1, for connections whose request aiohttp never saw."""
    title = HTTPStatus(status).phrase
    body = write_problem(status=status, title=title, detail=detail)
    headers = HARDENING | {
        "Content-Type": PROBLEM_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Server": SERVER,
    }
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    lines = [f"HTTP/1.1 {status} {title}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def json_response(
    body: bytes, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """Return a response that says it is JSON."""
    return web.Response(body=body, status=status, headers=headers, content_type=JSON_TYPE)


def token_refused(refusal: Refusal) -> web.Response:
    """Return 400, or 429 where the pair was not looked at: too many were wrong before."""
    if refusal.retry_after_s is None:
        return json_response(write_token_refusal(), status=400)
    headers = {"Retry-After": str(refusal.retry_after_s)}
    return json_response(write_token_refusal(), status=429, headers=headers)


def state_of(document: QueuedDocument) -> TaskAnswer:
    """Return where the task stands."""
    status = STATUSES[document.state]
    return TaskAnswer(
        task_id=document.id,
        status_word=status,
        code_word=ResponseCode.ERROR if status is TaskStatus.ERROR else ResponseCode.OK,
        messages=document.messages,
        warnings=document.warnings,
    )


def not_exist(name: str) -> TaskAnswer:
    """Return that there is no task of this name (any more), as the vendor words it."""
    return TaskAnswer(
        task_id=name,
        status_word=TaskStatus.NOT_EXIST,
        code_word=ResponseCode.ERROR,
        messages=(_NOT_FOUND,),
    )


def state_response(name: str, document: QueuedDocument | None) -> web.Response:
    """Return the answer without a result; `name` is the id as it was asked for."""
    if document is None or STATUSES[document.state] is TaskStatus.NOT_EXIST:
        return json_response(write_task_answer(not_exist(name)))
    return json_response(write_task_answer(state_of(document)))


def lost_response(document: QueuedDocument) -> web.Response:
    """Return that the task is complete and its PDF has vanished."""
    answer = TaskAnswer(
        task_id=document.id,
        status_word=TaskStatus.COMPLETED,
        code_word=ResponseCode.RESULT_DATA_LOST,
        messages=(_LOST,),
    )
    return json_response(write_task_answer(answer))


async def pdf_response(
    request: web.Request, frame: Base64Frame, reader: PdfReader
) -> web.StreamResponse:
    """Send the PDF; a small one in a single write, a large one in constant memory."""
    if reader.is_small:
        return json_response(b"".join([piece async for piece in frame.pieces(reader.read)]))
    response = web.StreamResponse()
    response.content_type = JSON_TYPE
    response.content_length = frame.content_length
    await response.prepare(request)
    async for piece in frame.pieces(reader.read):
        await response.write(piece)
    await response.write_eof()
    return response
