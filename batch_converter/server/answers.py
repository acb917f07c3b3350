"""What requests are answered with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from batch_converter.wire import (
    JSON_TYPE,
    ResponseCode,
    TaskAnswer,
    TaskStatus,
    write_task_answer,
    write_token_refusal,
)

if TYPE_CHECKING:
    from batch_converter.codec import Base64Frame
    from batch_converter.server.files import PdfReader
    from batch_converter.server.tasks import ServedTask
    from batch_converter.server.tokens import TokenRefusal

_FAILED: Final = frozenset({TaskStatus.ERROR, TaskStatus.NOT_EXIST})
_NOT_FOUND: Final = "The requested conversion task was not found."
_LOST: Final = "The result is not there any more."


def json_response(
    body: bytes, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """Return a response that says it is JSON."""
    return web.Response(body=body, status=status, headers=headers, content_type=JSON_TYPE)


def token_refused(refusal: TokenRefusal) -> web.Response:
    """Return 400, or 429 while the pair is locked out."""
    if refusal.retry_after_s is None:
        return json_response(write_token_refusal(), status=400)
    headers = {"Retry-After": str(refusal.retry_after_s)}
    return json_response(write_token_refusal(), status=429, headers=headers)


def state_of(task: ServedTask) -> TaskAnswer:
    """Return where the task stands."""
    return TaskAnswer(
        task_id=task.task_id,
        status_word=task.status,
        code_word=ResponseCode.ERROR if task.status in _FAILED else ResponseCode.OK,
        messages=task.messages,
        warnings=task.warnings,
    )


def not_exist(name: str) -> TaskAnswer:
    """Return that there is no task of this name (any more), as the vendor words it."""
    return TaskAnswer(
        task_id=name,
        status_word=TaskStatus.NOT_EXIST,
        code_word=ResponseCode.ERROR,
        messages=(_NOT_FOUND,),
    )


def state_response(name: str, task: ServedTask | None) -> web.Response:
    """Return the answer without a result; `name` is the id as it was asked for."""
    return json_response(write_task_answer(not_exist(name) if task is None else state_of(task)))


def lost_response(task: ServedTask) -> web.Response:
    """Return that the task is complete and its PDF has vanished."""
    answer = TaskAnswer(
        task_id=task.task_id,
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
