"""Taking connections in: one at a time, and no more than there is room for."""

from __future__ import annotations

import asyncio
import errno
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from batch_converter.server.answers import raw_problem
from batch_converter.server.connections import Connection
from batch_converter.server.expectations import unexpecting

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from aiohttp import web

    from batch_converter.server.connections import Connections

_log = structlog.get_logger()

_BACKLOG: Final = 1024
_PAUSE_S: Final = 0.25
_LOG_INTERVAL_S: Final = 60.0
_CLIENT_GONE: Final = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EPERM})
"""Errors of `accept` that concern the one connection alone."""


class Door:
    """Accepts connections for a server, as many as its limits allow.

    Args:
        server: What handles the requests.
        connections: Those that there are, and how many there may be.
    """

    def __init__(self, server: web.Server, connections: Connections) -> None:
        self.connections = connections
        self._server = server
        self._now_s = connections.now_s
        self._quiet_until_s = self._now_s()
        self._unlogged = 0
        # Each connection takes it from the server when it is made.
        server.request_factory = unexpecting(server.request_factory)

    async def accept_forever(self, listening: socket.socket) -> None:
        """Take connections from a socket that listens; whatever goes wrong, go on."""
        loop = asyncio.get_running_loop()
        while True:
            # Not `loop.sock_accept`: cancelled at the wrong moment, it loses a connection.
            await anyio.wait_readable(listening)
            try:
                accepted, peer = listening.accept()
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as error:
                await self._failed(error)
                continue
            accepted.settimeout(0)
            await self._take(accepted, str(peer[0]), loop)

    async def _failed(self, error: OSError) -> None:
        """Say it once a minute, and make room: what is short may be descriptors."""
        if error.errno in _CLIENT_GONE:
            return
        now_s = self._now_s()
        self._unlogged += 1
        if now_s >= self._quiet_until_s:
            _log.warning(
                "server.accept_failed",
                reason=error.strerror,
                times=self._unlogged,
                connections=len(self.connections),
            )
            self._quiet_until_s, self._unlogged = now_s + _LOG_INTERVAL_S, 0
        self.connections.close_one()
        await anyio.sleep(_PAUSE_S)

    async def _take(
        self, accepted: socket.socket, address: str, loop: asyncio.AbstractEventLoop
    ) -> None:
        make = partial(Connection, self._server, self.connections, address, loop)
        try:
            await self.connections.room()  # whoever comes next waits in the backlog
            if not self.connections.admits(address):
                _refuse(accepted)
                return
            await loop.connect_accepted_socket(make, accepted)
        except OSError as error:
            accepted.close()
            await self._failed(error)
        except BaseException:
            accepted.close()
            raise


def _refuse(accepted: socket.socket) -> None:
    """Say that the client has too many connections, if it can be said at once."""
    with accepted, suppress(OSError):
        text = "too many connections of one address (serve.max_connections_per_address)"
        accepted.send(raw_problem(503, text, retry_after_s=1))


@asynccontextmanager
async def accepting(
    server: web.Server, sockets: list[socket.socket], connections: Connections
) -> AsyncIterator[None]:
    """Accept connections from all sockets for as long as the body runs.

    Connections that are open at the end stay so, and are watched no more.
    """
    door = Door(server, connections)
    async with anyio.create_task_group() as tasks:
        for one in sockets:
            one.settimeout(0)
            one.listen(_BACKLOG)
            tasks.start_soon(door.accept_forever, one)
        tasks.start_soon(connections.sweep_forever)
        yield
        tasks.cancel_scope.cancel()
