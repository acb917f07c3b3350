"""The connections of a service: bounded in all and for each address, and never waited for long.

A connection that waits for its next request gives way to a new one as soon as there
are too many, so that clients that say nothing keep nobody out. Others are given up when
they are overdue (`deadlines`).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio
import structlog
from aiohttp import web

from batch_converter.machine_limits import spare_descriptors
from batch_converter.server.answers import problem_response, raw_problem
from batch_converter.server.callers import neighbourhood
from batch_converter.server.deadlines import ConnectionDeadlines, Overdue, Patience

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from batch_converter.config import ServeSettings

_log = structlog.get_logger()

_MOST_CONNECTIONS: Final = 4096
_KEPT_DESCRIPTORS: Final = 64
"""For the queue, the log, folders, and connections that are being closed."""

_WORKER_DESCRIPTORS: Final = 8
"""Of a worker process: its pipes, its input and its output, while it is started anew."""

_CLOSED_WITHIN_S: Final = 0.25
"""After this the next one is closed as well."""

_NEVER_S: Final = 10 * 365 * 86_400.0
"""aiohttp's own limit for connections without a request, which ours stands in for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How many connections there may be, and how patient the service is with them.

    Attributes:
        most: Of all clients.
        most_per_address: Of one client.
        exempt: Whether an address is a proxy's, whose connections are many clients'.
        patience: With each of them.
    """

    most: int
    most_per_address: int
    patience: Patience
    exempt: Callable[[str], bool] = lambda _address: False


def patience_of(settings: ServeSettings) -> Patience:
    """Return how patient the service is to be."""
    return Patience(
        header_s=settings.header_timeout_s,
        keep_alive_s=settings.keep_alive_s,
        least_bytes_per_s=settings.min_body_bytes_per_s,
        write_s=settings.write_timeout_s,
    )


def affordable_connections(wanted: int, *, workers: int) -> int:
    """Return how many connections there may be at once; blocks.

    Each may need a file beside its socket, and what workers and the queue need is kept.

    Args:
        wanted: As configured; 0 is as many as possible.
        workers: Processes that convert.
    """
    wanted = min(wanted, _MOST_CONNECTIONS) if wanted else _MOST_CONNECTIONS
    spare = spare_descriptors()
    if spare is None:
        return wanted
    kept = _KEPT_DESCRIPTORS + _WORKER_DESCRIPTORS * workers
    return max(1, min(wanted, (spare - kept) // 2))


class Connections:
    """All open connections; those that wait for a request stand apart, oldest first.

    Args:
        limits: How many there may be.
        now_s: Monotonic seconds.
    """

    def __init__(self, limits: ConnectionLimits, now_s: Callable[[], float]) -> None:
        self.limits = limits
        self.now_s = now_s
        self._open: dict[Connection, None] = {}
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._of_client: Counter[str] = Counter()
        self._waiting_of: dict[str, OrderedDict[Connection, None]] = {}
        self._room = anyio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """A connection was made."""
        self._open[connection] = None
        self._of_client[connection.client] += 1
        self.wait(connection)

    def remove(self, connection: Connection) -> None:
        """A connection is closed, and its descriptor with it."""
        if connection not in self._open:
            return
        del self._open[connection]
        self.work(connection)
        self._of_client[connection.client] -= 1
        if not self._of_client[connection.client]:
            del self._of_client[connection.client]
        self._room.set()

    def wait(self, connection: Connection) -> None:
        """It waits for a request, and may be closed for another's sake."""
        if connection in self._open:
            self._waiting[connection] = None
            self._waiting_of.setdefault(connection.client, OrderedDict())[connection] = None
            self._room.set()

    def work(self, connection: Connection) -> None:
        """It has a request, and may not."""
        self._waiting.pop(connection, None)
        waiting = self._waiting_of.get(connection.client)
        if waiting is not None:
            waiting.pop(connection, None)
            if not waiting:
                del self._waiting_of[connection.client]

    async def settle(self, within_s: float) -> None:
        """Return once no connection has a request, or when the time is over."""
        with anyio.move_on_after(within_s):
            while len(self._open) > len(self._waiting):
                self._room = anyio.Event()  # set whenever one has ended
                await self._room.wait()

    async def room(self) -> None:
        """Return once one more may be served; the one that waited longest is closed for it."""
        while len(self._open) >= self.limits.most:
            self._room = anyio.Event()
            self.close_one()
            with anyio.move_on_after(_CLOSED_WITHIN_S):  # it may have to be read to the end first
                await self._room.wait()

    def close_one(self) -> None:
        """Close the connection that has waited longest for a request, if any does."""
        if self._waiting:
            next(iter(self._waiting)).give_way()

    def admits(self, address: str) -> bool:
        """Whether one more of this address may be served.

        At its limit the one of its own that waited longest is closed; where all of them
        are at work, there is no room.
        """
        client = neighbourhood(address)
        if self.limits.exempt(address) or self._of_client[client] < self.limits.most_per_address:
            return True
        waiting = self._waiting_of.get(client)
        if waiting:
            next(iter(waiting)).give_way()
        return waiting is not None

    def sweep(self) -> None:
        """Give up whoever is overdue."""
        now_s = self.now_s()
        for connection in tuple(self._open):
            connection.check(now_s)

    async def sweep_forever(self) -> None:
        """Look at all connections, again and again."""
        while True:
            await anyio.sleep(self.limits.patience.sweep_s)
            self.sweep()


class Connection(web.RequestHandler):
    """aiohttp's protocol of one connection, with deadlines that its client has to keep.

    Args:
        server: What handles the requests.
        book: Where it is counted.
        address: The other side's.
    """

    __slots__ = ("_book", "_deadlines", "_given_up", "_request", "_wire", "address", "client")

    def __init__(
        self, server: web.Server, book: Connections, address: str, loop: asyncio.AbstractEventLoop
    ) -> None:
        # Bodies in another encoding are refused (415), so nothing is ever unpacked.
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to have none
            keepalive_timeout=_NEVER_S,
            auto_decompress=False,
        )
        self.address = address
        self.client = neighbourhood(address)
        self._book = book
        self._deadlines = ConnectionDeadlines(book.limits.patience, book.now_s())
        self._request: web.BaseRequest | None = None
        self._wire: asyncio.Transport | None = None
        self._given_up = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        super().connection_made(transport)
        self._wire = self.transport
        self._book.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count it no more."""
        super().connection_lost(exc)
        self._book.remove(self)
        self._wire = self._request = None

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if data:
            self._deadlines.received(len(data), self._book.now_s())
        super().data_received(data)

    def request_began(self, request: web.BaseRequest) -> None:
        """The headers of a request are whole."""
        self._request = request
        self._deadlines.request_began()
        self._book.work(self)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write the rest of the answer; then the next request is waited for."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._request = None
            self._deadlines.request_ended(self._book.now_s())
            self._book.wait(self)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no request with ProblemDetails; a client that went away, with nothing."""
        if isinstance(exc, ConnectionError):
            raise exc
        if status != web.HTTPBadRequest.status_code:
            return super().handle_error(request, status, exc, message)
        _log.debug("server.request_malformed", client=self.address)
        response = problem_response(status, "this is not a request of HTTP/1.1")
        response.force_close()
        return response

    def give_way(self) -> None:
        """Close, though nothing is wrong: another needs the place."""
        self._book.work(self)
        self.force_close()

    def check(self, now_s: float) -> None:
        """Give up if overdue."""
        wire = self._wire
        if wire is None:
            return
        # What is said at the end must be read as well, or the connection would stay for ever.
        unsent_bytes = wire.get_write_buffer_size()
        overdue = self._deadlines.overdue(
            now_s, awaits_body=self._awaits_body(wire), unsent_bytes=unsent_bytes
        )
        if overdue is Overdue.ANSWER:
            _log.info("server.answer_not_read", client=self.address)
            wire.abort()
        elif overdue is not None and not self._given_up:
            self._give_up(overdue, wire)

    def _awaits_body(self, wire: asyncio.Transport) -> bool:
        request = self._request
        return request is not None and not request.content.is_eof() and wire.is_reading()

    def _give_up(self, overdue: Overdue, wire: asyncio.Transport) -> None:
        """Say why, where a request has begun, and close."""
        self._given_up = True
        is_answered = self._request is not None and self._request.writer.output_size > 0
        if overdue is not Overdue.SILENT and not is_answered and not wire.is_closing():
            _log.info("server.request_too_slow", client=self.address, part=overdue.name.lower())
            wire.write(
                raw_problem(408, f"the {overdue.name.lower()} of the request came too slowly")
            )
        self.force_close()
