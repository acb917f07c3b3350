"""Starting the service, listening, stopping."""

from __future__ import annotations

import re
import socket
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from aiohttp import ClientConnectorError, ClientSession

from batch_converter.errors import ConfigError, StateLockedError, UsageError
from batch_converter.server import serve
from batch_converter.server.retention import Retention
from batch_converter.server.sessions import KEY_NAME
from tests.support.clocks import ManualClock
from tests.support.service import (
    Client,
    HandConverter,
    running,
    serve_settings,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from batch_converter.config import ServeSettings


EVERY_ADDRESS = ".".join("0000")


@asynccontextmanager
async def served(settings: ServeSettings, engine: HandConverter) -> AsyncIterator[str]:
    ready = anyio.Event()
    addresses: list[str] = []

    def on_ready(address: str) -> None:
        addresses.append(address)
        ready.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(serve, settings, engine, workers=1, on_ready=on_ready))
        with anyio.fail_after(20):
            await ready.wait()
        yield addresses[0]
        tasks.cancel_scope.cancel()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


LOOPBACKS = ("127.0.0.1", "localhost", *(["::1"] if has_ipv6() else []))
"""What this machine has of them: containers often come without IPv6."""


@pytest.mark.parametrize("host", LOOPBACKS)
async def test_serve_says_where_it_listens_and_answers_there(
    tmp_path: Path, engine: HandConverter, host: str
) -> None:
    settings = serve_settings(tmp_path, host=host, client_id=None, client_secret=None)
    async with served(settings, engine) as address, ClientSession() as session:
        shown = f"[{host}]" if ":" in host else host
        assert re.fullmatch(rf"http://{re.escape(shown)}:[1-9]\d*", address)
        async with session.get(f"{address}/health") as response:
            assert response.status == 200


async def test_stopping_ends_conversions_and_keeps_what_was_accepted(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with served(serve_settings(tmp_path), engine) as address:
        async with ClientSession(address) as session:
            client = Client(session=session, engine=engine, clock=ManualClock(), data=tmp_path)
            await client.log_in()
            await client.ask_until(await client.submit(), "Processing")
        assert client.files() == [".djvu"]
    assert client.files() == [".djvu"]
    assert not engine.opened
    async with ClientSession() as session:
        with pytest.raises(ClientConnectorError):
            await session.get(address)


async def test_every_address_needs_credentials_but_loopback(
    tmp_path: Path, engine: HandConverter
) -> None:
    open_to_all = serve_settings(tmp_path, host=EVERY_ADDRESS, client_id=None, client_secret=None)
    with pytest.raises(UsageError, match="--client-id and --client-secret"):
        await serve(open_to_all, engine, workers=1, on_ready=pytest.fail)
    async with served(serve_settings(tmp_path, host=EVERY_ADDRESS), engine) as address:
        assert address.startswith(f"http://{EVERY_ADDRESS}:")


@pytest.mark.parametrize("half", ["client_id", "client_secret"])
async def test_half_of_the_credentials_is_refused(
    tmp_path: Path, engine: HandConverter, half: str
) -> None:
    settings = serve_settings(tmp_path, **{half: None})
    with pytest.raises(UsageError, match="or neither"):
        await serve(settings, engine, workers=1, on_ready=pytest.fail)


async def test_an_address_that_cannot_be_had_is_a_usage_error(
    tmp_path: Path, engine: HandConverter
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = serve_settings(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(UsageError, match="cannot listen on"):
            await serve(settings, engine, workers=1, on_ready=pytest.fail)
    for host in ("192.0.2.1", "no such host"):
        with pytest.raises(UsageError, match="cannot listen on"):
            await serve(
                serve_settings(tmp_path, host=host), engine, workers=1, on_ready=pytest.fail
            )


async def test_two_services_do_not_share_a_folder(tmp_path: Path, engine: HandConverter) -> None:
    async with running(tmp_path, engine):
        with pytest.raises(StateLockedError):
            await serve(serve_settings(tmp_path), engine, workers=1, on_ready=pytest.fail)


async def test_a_damaged_key_of_the_sessions_is_an_error_of_its_own(
    tmp_path: Path, engine: HandConverter
) -> None:
    """No group of errors, which the command line does not know: it ends with 2."""
    await anyio.Path(tmp_path / KEY_NAME).write_bytes(b"short")
    with pytest.raises(ConfigError, match="is damaged; delete it"):
        await serve(serve_settings(tmp_path), engine, workers=1, on_ready=pytest.fail)


async def test_what_ends_a_service_is_no_group(
    tmp_path: Path, engine: HandConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_retention: Retention) -> None:
        raise MemoryError

    monkeypatch.setattr(Retention, "run", fail)
    with pytest.raises(MemoryError):
        await serve(serve_settings(tmp_path), engine, workers=1, on_ready=lambda _address: None)
