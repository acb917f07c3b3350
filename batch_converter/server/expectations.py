"""`Expect: 100-continue`, answered when the request has passed every guard.

aiohttp answers it before any middleware has seen the request. Here the header is taken
off before that, and the body is asked for when its handler is about to read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import HttpVersion11, hdrs, web

from batch_converter.server.connections import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler

EXPECTED: Final = web.RequestKey("expected", str)
"""What the client expects before it sends the body."""

_CONTINUED: Final = "100-continue"


def unexpecting(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a factory of requests that keeps aiohttp from answering `Expect`.

    It also tells the connection that its request has begun.
    """

    def make_request(message: Any, payload: Any, protocol: Any, *more: Any) -> Any:  # noqa: ANN401  # aiohttp's own
        expected = message.headers.get(hdrs.EXPECT)
        if expected is not None:
            headers = message.headers.copy()
            del headers[hdrs.EXPECT]
            message = message._replace(headers=type(message.headers)(headers))
        request = make(message, payload, protocol, *more)
        if expected is not None:
            request[EXPECTED] = expected
        if isinstance(protocol, Connection):
            protocol.request_began(request)
        return request

    return make_request


@web.middleware
async def heeding_expectations(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse expectations that nobody knows; the one that is known is met by `ask_for_body`.

    Raises:
        HTTPExpectationFailed: The client expects something else.
    """
    expected = request.get(EXPECTED, _CONTINUED).casefold()
    if expected != _CONTINUED and request.version >= HttpVersion11:
        raise web.HTTPExpectationFailed(text=f"only {_CONTINUED} can be expected")
    return await handler(request)


async def ask_for_body(request: web.Request) -> None:
    """Ask for the body, where the client waits for that; to be called before it is read.

    Until then a refusal costs the client no upload.
    """
    if request.pop(EXPECTED, None) is not None and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun
