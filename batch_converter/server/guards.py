"""What stands before every handler: counting, tokens, bodies; and errors as ProblemDetails."""

from __future__ import annotations

import errno
import sqlite3
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from batch_converter.errors import OutputError, QueueWriteError
from batch_converter.server.access import Access, access_of
from batch_converter.server.answers import problem_response
from batch_converter.server.callers import CALLER
from batch_converter.storage.grouped_store import is_full

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.typedefs import Handler, Middleware

    from batch_converter.server.callers import Proxies
    from batch_converter.server.metrics import ServerMetrics
    from batch_converter.server.tokens import TokenDesk

    Admit = Callable[[web.Request], None]

_log = structlog.get_logger()

_ABORTED: Final = "aborted"
_OF_THE_BODY: Final = frozenset({"content-type", "content-length"})
_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_RETRY_AFTER_S: Final = 60

OWNER: Final = web.RequestKey("owner", str)
"""Where a request holds whose documents it is about."""


def owner_of(request: web.Request) -> str:
    """Return whose documents the request is about; it has been let in."""
    return request[OWNER]


def endpoint_of(request: web.Request) -> str:
    """Return the endpoint's name, as the metrics have it."""
    match = request.match_info
    return match.handler.__name__ if match.http_exception is None else "other"


def counting(metrics: ServerMetrics) -> Middleware:
    """Count every request by endpoint and status."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        endpoint, status = endpoint_of(request), _ABORTED
        with metrics.request(endpoint):
            try:
                response = await handler(request)
                status = str(response.status)
                return response
            finally:
                metrics.request_ended(endpoint, status)

    return count


def recognising(proxies: Proxies) -> Middleware:
    """Note on every request who asks; the guards behind this one rely on it."""

    @web.middleware
    async def recognise(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[CALLER] = proxies.caller(request)
        return await handler(request)

    return recognise


@web.middleware
async def explaining(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into ProblemDetails; what was not foreseen is logged and tells nothing."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _problem(error)
    except (web.RequestPayloadError, HttpProcessingError):
        return problem_response(400, "the request's body is cut off or damaged")
    except ConnectionError:
        _log.info(
            "server.client_disconnected",
            endpoint=endpoint_of(request),
            client=request[CALLER].address,
        )
        raise
    except QueueWriteError as error:
        _log.error("server.queue_failed", endpoint=endpoint_of(request), message=str(error))
        return _instead(request, _problem(unstorable(error)), error)
    except Exception as error:  # noqa: BLE001  # the last line of defence: logged, and answered for
        _log.exception("server.request_crashed", endpoint=endpoint_of(request))
        failed = "the service failed; its log says why"
        answer = problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, failed)
        return _instead(request, answer, error)


def _instead(request: web.Request, answer: web.Response, error: Exception) -> web.Response:
    """Return an answer; where another has begun, end the connection.

    What came of that one must not be taken for all of it, nor this one for its rest.

    Raises:
        ConnectionAbortedError: It was ended.
    """
    if not request.writer.output_size:
        return answer
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionAbortedError from error


def unstorable(error: OutputError | QueueWriteError) -> web.HTTPException:
    """Return what a client is told where the disk does not do its part: 507 or 503."""
    cause, headers = error.__cause__, {"Retry-After": str(_RETRY_AFTER_S)}
    is_disk_full = isinstance(cause, OSError) and cause.errno in _DISK_FULL
    if is_disk_full or (isinstance(cause, sqlite3.Error) and is_full(cause)):
        text = "the disk of the service is full"
        return web.HTTPInsufficientStorage(text=text, headers=headers)
    text = "the disk of the service does not do its part; the service's log says why"
    return web.HTTPServiceUnavailable(text=text, headers=headers)


def _problem(error: web.HTTPException) -> web.Response:
    """Return the error with all that its headers say (Allow, Retry-After and the like)."""
    headers = {
        name: value for name, value in error.headers.items() if name.lower() not in _OF_THE_BODY
    }
    return problem_response(error.status, error.text or error.reason, headers=headers)


def admitting(admit: Mapping[Access, Admit]) -> Middleware:
    """Let a request pass only with what its endpoint asks for.

    Args:
        admit: For each access how a request is checked; it raises HTTPUnauthorized.
            Where there is none, nobody is let in.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.http_exception is None:
            access = access_of(request)
            if access is None or access not in admit:
                raise web.HTTPUnauthorized(text="nobody is let in here")
            admit[access](request)
        return await handler(request)

    return check


def admit_anybody(_request: web.Request) -> None:
    """Let everybody pass."""


def admit_by_token(desk: TokenDesk) -> Admit:
    """Let pass who has a token of this desk, as its client."""

    def admit(request: web.Request) -> None:
        client = desk.client_of(_token_of(request))
        if client is None:
            raise web.HTTPUnauthorized(
                text="the access token is missing, unknown or expired",
                headers={"WWW-Authenticate": "Bearer"},
            )
        request[OWNER] = f"client:{client}"

    return admit


def _token_of(request: web.Request) -> str:
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.casefold() == "bearer" else ""


def bounding(max_body_bytes: int) -> Middleware:
    """Refuse a body that says beforehand that it will not do; none of it is read.

    Others are counted while they are read (`requests`).
    """

    @web.middleware
    async def bound(request: web.Request, handler: Handler) -> web.StreamResponse:
        encodings = ",".join(request.headers.getall(hdrs.CONTENT_ENCODING, ())).casefold()
        if encodings.strip(" ,") not in {"", "identity"}:
            raise web.HTTPUnsupportedMediaType(
                text="bodies are taken as they are, without a Content-Encoding",
                headers={hdrs.ACCEPT_ENCODING: "identity"},
            )
        if (request.content_length or 0) > max_body_bytes:
            raise too_large(max_body_bytes)
        return await handler(request)

    return bound


def too_large(max_bytes: int) -> web.HTTPException:
    """Return the refusal of a body, with the limit."""
    text = f"a body may have {max_bytes} bytes here (serve.max_body_bytes)"
    return web.HTTPRequestEntityTooLarge(max_size=max_bytes, actual_size=max_bytes + 1, text=text)
