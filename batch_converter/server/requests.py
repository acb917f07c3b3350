"""What requests say: forms, task ids, documents."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from batch_converter.codec import MAX_SKELETON_BYTES, SubmissionScanner
from batch_converter.errors import OutputError, QueueWriteError, RejectedError
from batch_converter.server.credentials import Credentials
from batch_converter.server.expectations import ask_for_body
from batch_converter.server.guards import too_large, unstorable
from batch_converter.wire import FORM_TYPE, ID_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from batch_converter.server.admission import Admission
    from batch_converter.server.files import FileWriter

_log = structlog.get_logger()

MAX_FORM_BYTES: Final = 64 * 1024
_MAX_FIELDS: Final = 20


async def read_credentials(request: web.Request) -> Credentials | str:
    """Return the pair that asks for a token, or the error's code (RFC 6749, 5.2)."""
    form = await _read_form(request)
    if not form:
        return "invalid_request"
    if form.get("grant_type") != "client_credentials":
        return "unsupported_grant_type"
    client_id, client_secret = form.get("client_id"), form.get("client_secret")
    if not client_id or not client_secret:
        return "invalid_client"
    return Credentials(client_id=client_id, client_secret=client_secret)


async def _read_form(request: web.Request) -> dict[str, str]:
    """Return the form's fields; of a body that is no form, none."""
    if request.content_type != FORM_TYPE:
        return {}
    await ask_for_body(request)
    body = (await request.read()).decode("utf-8", errors="replace")
    try:
        return dict(parse_qsl(body, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}


def read_task_name(request: web.Request) -> str:
    """Return the id that is asked for; its parameter may be spelled in any case.

    Raises:
        HTTPBadRequest: There is none, or there are several.
    """
    values = [value for name, value in request.query.items() if name.casefold() == ID_PARAMETER]
    if len(values) > 1:
        raise web.HTTPBadRequest(text="the query holds more than one id")
    if not values or not values[0]:
        raise web.HTTPBadRequest(text="the query holds no id")
    return values[0]


def announced_document_bytes(request: web.Request) -> int:
    """Return about how long the document is that a submission's body holds; 0 where unknown."""
    return (request.content_length or 0) * 3 // 4


def most_body_bytes(most_document_bytes: int) -> int:
    """Return how long a body may be: Base64 is a third more, escapes and line breaks the rest."""
    return 2 * most_document_bytes + MAX_SKELETON_BYTES


class BoundedBody:
    """A request's body as it arrives, as long as it is no larger than that.

    It is asked for where the client waits for that. Iterating raises
    HTTPRequestEntityTooLarge as soon as it is larger.
    """

    def __init__(self, request: web.Request, max_bytes: int) -> None:
        self._request = request
        self._max_bytes = max_bytes
        self._received_bytes = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await ask_for_body(self._request)
        piece = await self._request.content.readany()
        if not piece:
            raise StopAsyncIteration
        self._received_bytes += len(piece)
        if self._received_bytes > self._max_bytes:
            raise too_large(self._max_bytes)
        return piece


async def receive_document(request: web.Request, upload: FileWriter, admission: Admission) -> int:
    """Store the document as it arrives, in constant memory; return its size in bytes.

    Raises:
        HTTPBadRequest: The body is not the documented JSON, or was cut off.
        HTTPRequestEntityTooLarge: The document is longer than one may be, or the body is.
        HTTPInsufficientStorage: The disk is full.
        HTTPServiceUnavailable: The disk fails otherwise.
    """
    scanner, size_bytes = SubmissionScanner(), 0
    body = BoundedBody(request, most_body_bytes(admission.most_document_bytes))
    with storing():
        try:
            async for chunk in body:
                for piece in scanner.feed(chunk):
                    size_bytes += len(piece)
                    admission.check_size(size_bytes)
                    await upload.write(piece)
            submission = scanner.finish()
        except RejectedError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        except (web.RequestPayloadError, HttpProcessingError) as error:
            raise web.HTTPBadRequest(text="the request's body is cut off or damaged") from error
        await upload.close()
    return submission.size_bytes


@contextmanager
def storing() -> Iterator[None]:
    """Tell a client that what it has sent could not be kept: nothing was accepted.

    Raises:
        HTTPInsufficientStorage: The disk is full.
        HTTPServiceUnavailable: It fails otherwise.
    """
    try:
        yield
    except (OutputError, QueueWriteError) as error:
        _log.error("server.upload_failed", message=str(error))
        raise unstorable(error) from error
