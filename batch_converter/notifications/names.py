"""Looks up hosts without waiting for the system's resolver longer than the caller does.

The event loop's own way is a thread that is waited for when the loop ends: for as long as the
resolver tries name servers that do not answer.
"""

from __future__ import annotations

import socket
from functools import partial

import anyio.to_thread
from aiohttp.abc import AbstractResolver, ResolveResult


class LeavingResolver(AbstractResolver):
    """The system's resolver, in a thread that is left behind where the caller gives up."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: It has none.
        """
        look_up = partial(
            socket.getaddrinfo,
            host,
            port,
            family=family,
            type=socket.SOCK_STREAM,
            flags=socket.AI_ADDRCONFIG,
        )
        found = await anyio.to_thread.run_sync(look_up, abandon_on_cancel=True)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Do nothing: it holds nothing."""
