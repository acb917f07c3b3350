"""Several clients over real HTTP: who is let in, and how guesses are slowed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from aiohttp import ClientSession, TCPConnector
from anyio.to_thread import run_sync as off_loop

from batch_converter.errors import ConfigError
from batch_converter.server import application, serve
from batch_converter.server.clients import ClientsFile
from tests.support.service import (
    CONVERT,
    PDF,
    STATUS,
    TOKEN,
    HandConverter,
    pdf_of,
    running,
    serve_settings,
    token_form,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from structlog.typing import EventDict

    from tests.support.service import Client

EVERY_ADDRESS = ".".join("0000")
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@asynccontextmanager
async def calling_from(client: Client, address: str) -> AsyncIterator[ClientSession]:
    """Call from another address of this machine."""
    connector = TCPConnector(local_addr=(address, 0))
    async with ClientSession(client.session._base_url, connector=connector) as session:
        yield session


async def ask_for_token(session: ClientSession, client: str, secret: str) -> tuple[int, str | None]:
    form = token_form(client_id=client, client_secret=secret)
    async with session.post(TOKEN, data=form) as response:
        await response.read()
        return response.status, response.headers.get("Retry-After")


async def token_of(session: ClientSession, client: str, secret: str) -> dict[str, str]:
    form = token_form(client_id=client, client_secret=secret)
    async with session.post(TOKEN, data=form) as response:
        return {"Authorization": f"Bearer {(await response.json())['access_token']}"}


async def status_with(session: ClientSession, headers: dict[str, str]) -> int:
    async with session.get(f"{STATUS}?id=x", headers=headers) as response:
        return response.status


@pytest.fixture
def file(tmp_path: Path) -> ClientsFile:
    return ClientsFile(tmp_path / "clients.json")


async def test_clients_of_the_file_and_the_pair_of_the_configuration_get_tokens(
    tmp_path: Path, engine: HandConverter, file: ClientsFile
) -> None:
    alice = await off_loop(file.add, "alice")
    async with running(tmp_path, engine) as client:
        assert await ask_for_token(client.session, "alice", alice) == (200, None)
        assert await ask_for_token(client.session, "alice", "the right secret") == (400, None)
        assert await ask_for_token(client.session, "bob", alice) == (400, None)


async def test_clients_come_and_go_beside_a_running_service(
    tmp_path: Path,
    engine: HandConverter,
    file: ClientsFile,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(application, "_WATCH_INTERVAL_S", 0.01)
    async with running(tmp_path, engine) as client:
        session = client.session
        alice = await off_loop(file.add, "alice")
        headers = await token_of(session, "alice", alice)
        assert await status_with(session, headers) == 200
        await off_loop(file.remove, "alice")
        with anyio.fail_after(20):
            while await status_with(session, headers) == 200:
                await client.breathe()
        assert await status_with(session, headers) == 401
        assert await ask_for_token(session, "alice", alice) == (400, None)
        assert await status_with(session, client.headers) == 200


async def test_the_first_client_closes_a_service_that_let_everybody_in(
    tmp_path: Path, engine: HandConverter, file: ClientsFile
) -> None:
    async with running(tmp_path, engine, client_id=None, client_secret=None) as client:
        alice = await off_loop(file.add, "alice")
        assert await ask_for_token(client.session, "any", "any") == (400, None)
        assert await status_with(client.session, client.headers) == 401
        assert await ask_for_token(client.session, "alice", alice) == (200, None)


async def test_thousands_of_guesses_on_one_connection_are_not_looked_at(
    tmp_path: Path, engine: HandConverter, file: ClientsFile, logs: list[EventDict]
) -> None:
    alice = await off_loop(file.add, "alice")
    seen = []
    async with running(tmp_path, engine) as client:
        for number in range(300):
            seen.append(await ask_for_token(client.session, "alice", f"my try {number}"))
            client.clock.at_s += 4 / 4875
        assert await ask_for_token(client.session, "alice", alice) == (429, "10")
        async with calling_from(client, "127.0.0.2") as elsewhere:
            assert await ask_for_token(elsewhere, "alice", alice) == (200, None)
        client.clock.at_s += 10
        assert await ask_for_token(client.session, "alice", "one more") == (400, None)
        assert await ask_for_token(client.session, "alice", "another") == (429, "20")
    assert seen == [(400, None)] * 5 + [(429, "10")] * 295
    refused = [one for one in logs if one["event"] == "server.token_refused"]
    assert len(refused) == 8
    assert {(one["client"], one["address"]) for one in refused} == {("alice", "127.0.0.1")}
    assert "my try" not in repr(logs)


async def test_guesses_at_once_on_many_connections_are_slowed_too(
    tmp_path: Path, engine: HandConverter, file: ClientsFile
) -> None:
    await off_loop(file.add, "alice")
    seen: list[int] = []
    async with running(tmp_path, engine) as client:

        async def guess(number: int) -> None:
            status, _ = await ask_for_token(client.session, "alice", str(number))
            seen.append(status)

        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(guess, number)
    assert set(seen) == {400, 429}
    assert seen.count(400) <= 6


async def test_who_was_let_in_stands_in_the_log_with_his_address(
    tmp_path: Path, engine: HandConverter, logs: list[EventDict]
) -> None:
    async with running(tmp_path, engine):
        pass
    granted = [one for one in logs if one["event"] == "server.token_granted"]
    assert [(one["client"], one["address"]) for one in granted] == [("me", "127.0.0.1")]


async def test_a_service_with_a_damaged_file_does_not_begin(
    tmp_path: Path, engine: HandConverter, file: ClientsFile
) -> None:
    await anyio.Path(file.path).write_text("{")
    with pytest.raises(ConfigError, match="is damaged"):
        await serve(serve_settings(tmp_path), engine, workers=1, on_ready=pytest.fail)


async def test_a_short_secret_is_for_loopback_alone(
    tmp_path: Path, engine: HandConverter, logs: list[EventDict]
) -> None:
    beyond = serve_settings(tmp_path, host=EVERY_ADDRESS, client_secret="fifteen letters")
    with pytest.raises(ConfigError, match="fewer than 16 characters"):
        await serve(beyond, engine, workers=1, on_ready=pytest.fail)
    near = serve_settings(tmp_path, client_secret="fifteen letters")
    async with anyio.create_task_group() as tasks:

        def ready(_address: str) -> None:
            tasks.cancel_scope.cancel()

        await serve(near, engine, workers=1, on_ready=ready)
    warned = [one["message"] for one in logs if one["event"] == "config.warning"]
    assert ["fewer than 16 characters" in one for one in warned] == [True]


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_client_sees_and_cancels_its_own_tasks_only(
    tmp_path: Path, engine: HandConverter, file: ClientsFile, *, is_open: bool
) -> None:
    alice = "any" if is_open else await off_loop(file.add, "alice")
    pair = (None, None) if is_open else ("me", "the right secret")
    async with running(tmp_path, engine, client_id=pair[0], client_secret=pair[1]) as client:
        mine = await client.submit()
        own, foreign = client.headers, await token_of(client.session, "alice", alice)
        client.headers = foreign
        for path in (CONVERT, STATUS):
            answer = await client.ask(mine, path)
            assert (answer["taskStatus"], answer["id"]) == ("NotExist", mine)
        assert await client.ask(mine) == {**await client.ask(UNKNOWN), "id": mine}
        await client.cancel(mine)
        theirs = await client.submit()
        client.headers = own
        assert (await client.ask(theirs))["taskStatus"] == "NotExist"
        assert pdf_of(await client.end(mine)) == PDF
        client.headers = foreign
        assert pdf_of(await client.end(theirs)) == PDF
        assert (await client.ask(mine))["results"] is None


async def test_tasks_stay_their_clients_after_a_restart(
    tmp_path: Path, engine: HandConverter, file: ClientsFile
) -> None:
    alice = await off_loop(file.add, "alice")
    async with running(tmp_path, engine) as client:
        client.headers = await token_of(client.session, "alice", alice)
        theirs = await client.submit()
    async with running(tmp_path, HandConverter()) as client:
        assert (await client.ask(theirs))["taskStatus"] == "NotExist"
        client.headers = await token_of(client.session, "alice", alice)
        assert pdf_of(await client.end(theirs)) == PDF
