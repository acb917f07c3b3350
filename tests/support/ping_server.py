"""A receiver of pings that answers as a test wants: at once, never, wrongly, from elsewhere."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self

import anyio
from aiohttp import web

from tests.support.threaded_server import served_in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PingServer:
    """The server, in a thread; a context manager.

    Attributes:
        url: Its address, without a path.
        got: What was asked for, with queries, as it was written.
        authorizations: The header of that name, of each.
    """

    def __init__(self) -> None:
        self.url = ""
        self.got: list[str] = []
        self.authorizations: list[str | None] = []
        self._answers: deque[Answer] = deque()
        self._always: Answer = status(200)

    def answer(self, *answers: Answer) -> None:
        """Answer the next pings so."""
        self._answers.extend(answers)

    def always(self, answer: Answer) -> None:
        """Answer all others so."""
        self._always = answer

    def __enter__(self) -> Self:
        self._server = served_in_thread(self._take)
        _, self.url = self._server.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.__exit__(exc_type, exc, traceback)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        assert request.method == "GET"
        self.got.append(request.raw_path)
        self.authorizations.append(request.headers.get("Authorization"))
        answer = self._answers.popleft() if self._answers else self._always
        return await answer(request)


def status(code: int, body: str = "OK") -> Answer:
    """Answer with a status."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text=body)

    return answer


def redirect(location: str, code: int = 302) -> Answer:
    """Send on to another address."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers={"Location": location})

    return answer


async def hang(_: web.Request) -> web.StreamResponse:
    """Never answer."""
    await anyio.sleep_forever()
    raise AssertionError


async def hang_in_body(request: web.Request) -> web.StreamResponse:
    """Answer, and never come to the end of it."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"O")
    await anyio.sleep_forever()
    return response


async def break_off(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def babble(request: web.Request) -> web.StreamResponse:
    """Answer something that is no HTTP."""
    assert request.transport is not None
    assert isinstance(request.transport, asyncio.Transport)
    request.transport.write(b"220 mail.example.org ESMTP\r\n\r\n")
    request.transport.close()
    return web.Response()
