"""Listening on an address, from ready to stopped."""

from __future__ import annotations

import errno
import ipaddress
import socket
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import structlog
from aiohttp import web
from anyio import CancelScope, to_thread

from batch_converter.errors import UsageError
from batch_converter.server.accepting import accepting
from batch_converter.server.accounts import check_secret_length, open_accounts
from batch_converter.server.application import open_application
from batch_converter.server.callers import Proxies
from batch_converter.server.connections import (
    ConnectionLimits,
    Connections,
    affordable_connections,
    patience_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from batch_converter.config import ServeSettings
    from batch_converter.engines.base import Converter

_log = structlog.get_logger()

_GRACE_S: Final = 5.0
"""For requests under way when the service ends."""

_LAST_S: Final = 0.1
"""For those that did not end by then, before they are cut."""

_FAMILY_ABSENT: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


async def serve(
    settings: ServeSettings,
    converter: Converter,
    *,
    workers: int,
    on_ready: Callable[[str], None],
) -> None:
    """Serve until cancelled; then requests under way have a few seconds to end.

    Args:
        settings: Where to listen, who may use it, where files stand.
        converter: Where documents are converted; opened and closed here.
        workers: Conversions at once.
        on_ready: Called once with the address, such as `http://127.0.0.1:8080`.

    Raises:
        UsageError: The address cannot be listened on, or must not be without
            credentials; the settings contradict each other.
        ConfigError: The file of clients or the key of the sessions is damaged, or a configured
            secret can be guessed from other machines.
        QueueWriteError: What an earlier service left cannot be recorded.
        OutputError: The disk does not do its part.
        StateLockedError: Another service works in the data folder.
    """
    accounts = await to_thread.run_sync(open_accounts, settings)
    sockets = await to_thread.run_sync(
        partial(_listen_as_allowed, settings, loopback_only=accounts.is_open)
    )
    limits = await to_thread.run_sync(partial(connection_limits, settings, workers=workers))
    async with (
        _closing(sockets),
        open_application(settings, converter, workers=workers, accounts=accounts) as app,
        _telling_the_end(),
        answering(app, sockets, limits),
    ):
        address = _address(settings.host, sockets[0])
        _log.info("server.started", address=address, workers=workers, engine=converter.name)
        on_ready(address)
        await anyio.sleep_forever()


@asynccontextmanager
async def _closing(sockets: list[socket.socket]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        _close_all(sockets)


@asynccontextmanager
async def answering(
    app: web.Application, sockets: list[socket.socket], limits: ConnectionLimits
) -> AsyncIterator[None]:
    """Answer requests that come in by these sockets, which are bound, and closed at the end.

    Then streams are ended (`on_shutdown`), and other requests under way get a few seconds.
    They get them here: once aiohttp's own shutdown has begun, it drops what bodies still
    bring, so that an upload could never end.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_LAST_S)
    connections = Connections(limits, time.monotonic)
    try:
        await runner.setup()
        assert runner.server is not None  # noqa: S101  # `setup` has made it
        async with accepting(runner.server, sockets, connections):
            yield
    finally:
        _close_all(sockets)
        with CancelScope(shield=True):
            await runner.shutdown()
            await connections.settle(_GRACE_S)
            await runner.cleanup()


@asynccontextmanager
async def _telling_the_end() -> AsyncIterator[None]:
    try:
        yield
    finally:
        _log.info("server.stopped")


def connection_limits(settings: ServeSettings, *, workers: int) -> ConnectionLimits:
    """Return how many connections there may be, as configured and as open files allow; blocks."""
    return ConnectionLimits(
        most=affordable_connections(settings.max_connections, workers=workers),
        most_per_address=settings.max_connections_per_address,
        patience=patience_of(settings),
        exempt=Proxies(settings.trusted_proxies).trusts,
    )


def _listen_as_allowed(settings: ServeSettings, *, loopback_only: bool) -> list[socket.socket]:
    """Bind, unless the configured secret is too weak for whom that lets try; blocks."""
    sockets = listen(settings.host, settings.port, loopback_only=loopback_only)
    try:
        check_secret_length(settings, is_loopback=all(map(_is_loopback, sockets)))
    except BaseException:
        _close_all(sockets)
        raise
    return sockets


def _is_loopback(one: socket.socket) -> bool:
    return ipaddress.ip_address(one.getsockname()[0].partition("%")[0]).is_loopback


def listen(host: str, port: int, *, loopback_only: bool) -> list[socket.socket]:
    """Bind every address of the host, all to one port; blocks.

    Args:
        host: A name or an address.
        port: 0 takes a free one.
        loopback_only: Refuse addresses that other machines can reach.

    Raises:
        UsageError: An address is refused, in use, or not this machine's.
    """
    try:
        addresses = _addresses(host)
        if loopback_only:
            _check_loopback(host, [address for _, address in addresses])
        return _bind(addresses, port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"cannot listen on {host} port {port}: {reason}"
        raise UsageError(msg) from error


def _addresses(host: str) -> list[tuple[int, str]]:
    """Return the families and addresses that the name stands for."""
    found = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((int(family), str(address[0])) for family, *_, address in found))


def _check_loopback(host: str, addresses: list[str]) -> None:
    if all(ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in addresses):
        return
    msg = (
        f"without any client (--add-client NAME, or --client-id and --client-secret-file)"
        f" everybody is let in, so only loopback addresses can be listened on;"
        f" {host or 'every address'} is none"
    )
    raise UsageError(msg)


def _bind(addresses: list[tuple[int, str]], port: int) -> list[socket.socket]:
    """Bind them all; a name may stand for a family that this machine has switched off."""
    bound: list[socket.socket] = []
    absent: OSError | None = None
    for family, address in addresses:
        try:
            bound.append(_bound(family, address, port))
        except OSError as error:
            if error.errno not in _FAMILY_ABSENT:
                _close_all(bound)
                raise
            absent = error
            continue
        port = bound[0].getsockname()[1]
    if absent and not bound:
        raise absent
    return bound


def _bound(family: int, address: str, port: int) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((address, port))
    except OSError:
        one.close()
        raise
    return one


def _close_all(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def _address(host: str, bound: socket.socket) -> str:
    """Return the URL of the service; an IPv6 address stands in brackets."""
    name = host or bound.getsockname()[0]
    shown = f"[{name}]" if ":" in name else name
    return f"http://{shown}:{bound.getsockname()[1]}"
