"""What stands before every handler: counting, tokens, and errors as ProblemDetails."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from batch_converter.wire import PROBLEM_TYPE, write_problem

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from batch_converter.server.metrics import ServerMetrics
    from batch_converter.server.tokens import TokenDesk

_log = structlog.get_logger()

SECURED: Final = frozenset({"submit", "fetch", "cancel", "status"})
"""The endpoints that ask for a token."""

_ABORTED: Final = "aborted"

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


@web.middleware
async def explaining(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into ProblemDetails; what was not foreseen is logged and tells nothing."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _problem(error.status, error.text or error.reason, error)
    except ConnectionError:
        raise
    except Exception:  # noqa: BLE001  # logged; the client is told in the documented form
        _log.exception("server.request_crashed", endpoint=endpoint_of(request))
        return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed; its log says why")


def _problem(status: int, detail: str, error: web.HTTPException | None = None) -> web.Response:
    response = web.Response(
        status=status,
        body=write_problem(status=status, title=HTTPStatus(status).phrase, detail=detail),
        content_type=PROBLEM_TYPE,
    )
    for name in ("Allow", "Retry-After", "WWW-Authenticate"):
        if error is not None and name in error.headers:
            response.headers[name] = error.headers[name]
    return response


def admitting(desk: TokenDesk) -> Middleware:
    """Let requests of secured endpoints pass only with a token, as its client's."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if endpoint_of(request) in SECURED:
            client = desk.client_of(_token_of(request))
            if client is None:
                raise web.HTTPUnauthorized(
                    text="the access token is missing, unknown or expired",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            request[OWNER] = f"client:{client}"
        return await handler(request)

    return admit


def _token_of(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.casefold() == "bearer" else ""
