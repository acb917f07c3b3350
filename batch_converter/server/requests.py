"""What requests say: forms, task ids, documents."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from batch_converter.codec import SubmissionScanner
from batch_converter.errors import OutputError, RejectedError
from batch_converter.server.tokens import Credentials
from batch_converter.wire import FORM_TYPE, ID_PARAMETER

if TYPE_CHECKING:
    from batch_converter.server.files import FileWriter

_log = structlog.get_logger()

MAX_FORM_BYTES: Final = 64 * 1024
_MAX_FIELDS: Final = 20
_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


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
    body = (await request.read()).decode("utf-8", errors="replace")
    try:
        return dict(parse_qsl(body, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}


def read_task_name(request: web.Request) -> str:
    """Return the id that is asked for; its parameter may be spelled in any case.

    Raises:
        HTTPBadRequest: There is none.
    """
    for name, value in request.query.items():
        if name.casefold() == ID_PARAMETER and value:
            return value
    raise web.HTTPBadRequest(text="the query holds no id")


async def receive_document(request: web.Request, upload: FileWriter) -> int:
    """Store the document as it arrives, in constant memory; return its size in bytes.

    Raises:
        HTTPBadRequest: The body is not the documented JSON, or was cut off.
        HTTPInsufficientStorage: The disk is full.
        HTTPInternalServerError: The disk fails otherwise.
    """
    scanner = SubmissionScanner()
    try:
        async for chunk in request.content.iter_any():
            for piece in scanner.feed(chunk):
                await upload.write(piece)
        submission = scanner.finish()
        await upload.close()
    except RejectedError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    except (web.RequestPayloadError, HttpProcessingError) as error:
        raise web.HTTPBadRequest(text="the request's body is cut off or damaged") from error
    except OutputError as error:
        raise _unstorable(error) from error
    return submission.size_bytes


def _unstorable(error: OutputError) -> web.HTTPException:
    cause = error.__cause__
    _log.error("server.upload_failed", message=str(error))
    if isinstance(cause, OSError) and cause.errno in _DISK_FULL:
        return web.HTTPInsufficientStorage(text="the disk of the service is full")
    return web.HTTPInternalServerError(text="the service cannot store the document")
