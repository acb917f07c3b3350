"""Connections over real sockets, with time in the test's hand."""

from __future__ import annotations

import errno
import json
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aiohttp import web
from anyio import BrokenResourceError, EndOfStream
from anyio.lowlevel import checkpoint

from batch_converter.server import accepting as accepting_module
from batch_converter.server.accepting import accepting
from batch_converter.server.answers import HARDENING, harden
from batch_converter.server.connections import (
    ConnectionLimits,
    Connections,
    affordable_connections,
)
from batch_converter.server.deadlines import Patience
from tests.support.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream
    from structlog.typing import EventDict

PATIENCE = Patience(header_s=10, keep_alive_s=30, least_bytes_per_s=100, write_s=60, body_s=20)
LIMITS = ConnectionLimits(most=100, most_per_address=50, patience=PATIENCE)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = bytes(50_000_000)


@dataclass(kw_only=True)
class Door:
    """A server, its connections and its clock."""

    port: int
    connections: Connections
    clock: ManualClock
    gate: anyio.Event = field(default_factory=anyio.Event)

    def after(self, seconds: float) -> None:
        self.clock.at_s += seconds
        self.connections.sweep()

    async def connect(self) -> SocketStream:
        with anyio.fail_after(20):
            return await anyio.connect_tcp("127.0.0.1", self.port)

    async def open_are(self, number: int) -> None:
        with anyio.fail_after(20):
            while len(self.connections) != number:
                await checkpoint()


async def say(stream: SocketStream, data: bytes) -> None:
    """Send, and let the server take it."""
    await stream.send(data)
    for _ in range(20):
        await checkpoint()


async def answer(stream: SocketStream) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers in small letters, and body of the next answer."""
    with anyio.fail_after(20):
        data = await stream.receive()
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += await stream.receive()
    return int(first.split()[1]), headers, body


async def is_closed(stream: SocketStream) -> bool:
    """Whether the other side has closed, with nothing more to say."""
    try:
        with anyio.fail_after(20):
            assert not await stream.receive()
    except (EndOfStream, BrokenResourceError):
        return True
    return False


async def is_open(stream: SocketStream) -> bool:
    """Whether a request is answered on it."""
    await stream.send(GET)
    return (await answer(stream))[0] == 200


@asynccontextmanager
async def opened(limits: ConnectionLimits = LIMITS) -> AsyncIterator[Door]:
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def wait(_request: web.Request) -> web.Response:
        await door.gate.wait()
        return web.Response(text="waited")

    async def take(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def give(_request: web.Request) -> web.Response:
        return web.Response(body=LARGE)

    async def skip(_request: web.Request) -> web.Response:
        return web.Response(status=401)

    app = web.Application(client_max_size=10_000_000)
    app.add_routes([web.get("/", hello), web.get("/wait", wait), web.post("/", take)])
    app.add_routes([web.get("/large", give), web.post("/skip", skip)])
    app.on_response_prepare.append(harden)
    runner, clock = web.AppRunner(app, access_log=None, shutdown_timeout=0.1), ManualClock()
    await runner.setup()
    assert runner.server
    try:
        with socket.create_server(("127.0.0.1", 0)) as bound:
            connections = Connections(limits, clock.monotonic_s)
            async with accepting(runner.server, [bound], connections):
                door = Door(port=bound.getsockname()[1], connections=connections, clock=clock)
                yield door
    finally:
        await runner.cleanup()


async def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async with opened() as door, await door.connect() as stream:
        await door.open_are(1)
        door.after(9.9)
        assert len(door.connections) == 1
        door.after(0.2)
        assert await is_closed(stream)
        await door.open_are(0)


async def test_headers_that_trickle_are_given_up_and_told_why() -> None:
    async with opened() as door, await door.connect() as stream:
        await say(stream, GET[:1])
        for at in range(1, 10):
            door.after(1)
            await say(stream, GET[at : at + 1])
        assert len(door.connections) == 1
        door.after(1.1)
        status, headers, body = await answer(stream)
        assert (status, headers["content-type"]) == (408, "application/problem+json")
        assert headers["connection"] == "close"
        assert json.loads(body)["status"] == 408
        assert await is_closed(stream)


async def test_a_kept_connection_is_kept_for_a_while_and_its_headers_may_not_trickle() -> None:
    async with opened() as door, await door.connect() as idle, await door.connect() as slow:
        for stream in (idle, slow):
            assert await is_open(stream)
        door.after(29)
        assert await is_open(idle)
        await say(slow, GET[:9])
        door.after(9.9)
        await say(slow, GET[9:12])
        door.after(0.2)
        assert (await answer(slow))[0] == 408
        door.after(19.8)
        assert await is_open(idle)
        door.after(30.1)
        assert await is_closed(idle)


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"


async def test_a_body_that_trickles_is_given_up_and_one_that_comes_fast_enough_is_not() -> None:
    async with opened() as door, await door.connect() as slow, await door.connect() as steady:
        for stream in (slow, steady):
            await say(stream, HEAD)
        for _ in range(3):
            await say(slow, b"x")
            await say(steady, b"x" * 1000)
            door.after(9)
        assert (await answer(slow))[0] == 408
        assert await is_closed(slow)
        await say(steady, b"x" * 2000)
        assert (await answer(steady))[::2] == (200, b"5000")


async def test_an_answer_that_is_not_read_is_given_up(logs: list[EventDict]) -> None:
    async with opened() as door, await door.connect() as stream:
        await say(stream, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await door.open_are(1)
        door.after(1)
        door.after(59)
        assert len(door.connections) == 1
        door.after(2)
        await door.open_are(0)
    assert [one["event"] for one in logs] == ["server.answer_not_read"]


async def test_an_answer_that_is_read_is_given_whole() -> None:
    async with opened() as door, await door.connect() as stream:
        await say(stream, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        received = 0
        while received < len(LARGE):
            received += len(await stream.receive(1_000_000))
            if received < len(LARGE) // 2:  # later all may be in the system's buffers: no time runs
                door.after(1)
        assert await is_open(stream)


async def test_a_body_that_nobody_wants_is_not_awaited_for_ever() -> None:
    async with opened() as door, await door.connect() as stream:
        await say(stream, HEAD.replace(b"POST /", b"POST /skip"))
        assert (await answer(stream))[0] == 401
        await say(stream, b"x")
        door.after(10.1)
        await door.open_are(0)


async def test_those_that_wait_give_way_to_new_ones_the_oldest_first() -> None:
    async with opened(replace(LIMITS, most=3)) as door, AsyncExitStack() as stack:
        silent = []
        for number in range(1, 4):
            silent.append(await stack.enter_async_context(await door.connect()))
            await door.open_are(number)
        for one in silent[:2]:
            assert await is_open(await stack.enter_async_context(await door.connect()))
            assert await is_closed(one)
        assert await is_open(silent[2])
        await door.open_are(3)


async def test_those_at_work_do_not_give_way_and_others_wait_for_them() -> None:
    async with opened(replace(LIMITS, most=2)) as door, AsyncExitStack() as stack:
        busy = [await stack.enter_async_context(await door.connect()) for _ in range(2)]
        for stream in busy:
            await say(stream, b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        await door.open_are(2)
        late = await stack.enter_async_context(await door.connect())
        await say(late, GET)
        assert len(door.connections) == 2
        door.gate.set()
        assert (await answer(late))[0] == 200
        assert any([(await answer(stream))[0] == 200 for stream in busy])


async def test_one_address_does_not_have_all_of_them() -> None:
    async with opened(replace(LIMITS, most_per_address=2)) as door, AsyncExitStack() as stack:
        busy, silent = [await stack.enter_async_context(await door.connect()) for _ in range(2)]
        await say(busy, b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        second = await stack.enter_async_context(await door.connect())
        assert await is_closed(silent)
        await say(second, b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        status, headers, body = await answer(await stack.enter_async_context(await door.connect()))
        assert (status, headers["retry-after"]) == (503, "1")
        detail = "too many connections of one address (serve.max_connections_per_address)"
        assert json.loads(body)["detail"] == detail
        door.gate.set()
        assert (await answer(busy))[0] == (await answer(second))[0] == 200


async def test_a_trusted_proxy_may_have_all_of_them() -> None:
    limits = replace(LIMITS, most_per_address=1, exempt=lambda address: address == "127.0.0.1")
    async with opened(limits) as door, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(await door.connect()) for _ in range(5)]
        for stream in streams:
            assert await is_open(stream)


async def test_failing_to_accept_is_logged_once_a_minute_and_makes_room(
    monkeypatch: pytest.MonkeyPatch, logs: list[EventDict]
) -> None:
    accept, failures = socket.socket.accept, 0

    def fail(sock: socket.socket) -> tuple[socket.socket, Any]:
        nonlocal failures
        if failures < 100:
            failures += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(sock)

    monkeypatch.setattr(accepting_module, "_PAUSE_S", 0)
    monkeypatch.setattr(socket.socket, "accept", fail)
    async with opened() as door:
        async with await door.connect() as stream:
            assert await is_open(stream)
            failures = 0
            # The one that is being waited for comes; then it fails, and the first gives way.
            async with await door.connect():
                assert await is_closed(stream)
        door.clock.at_s += 60
        failures = 0
        async with await door.connect(), await door.connect() as stream:
            assert await is_open(stream)
    failed = [one for one in logs if one["event"] == "server.accept_failed"]
    assert len(failed) == 2
    assert (failed[0]["times"], failed[0]["reason"]) == (1, "Too many open files")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01 TLS\r\n\r\n",
        b"GET\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 1000 + b"\r\n",
    ],
)
async def test_what_is_no_request_gets_problem_details_and_no_traceback_in_the_log(
    request_bytes: bytes, logs: list[EventDict], caplog: pytest.LogCaptureFixture
) -> None:
    async with opened() as door, await door.connect() as stream:
        await stream.send(request_bytes)
        status, headers, body = await answer(stream)
        assert (status, headers["content-type"]) == (400, "application/problem+json")
        assert HARDENING.items() <= {name.title(): "" for name in headers}.items() | {
            (name, headers[name.lower()]) for name in HARDENING
        }
        assert headers["server"] == "batch-converter"
        assert json.loads(body)["title"] == "Bad Request"
        assert await is_closed(stream)
    assert not [one for one in logs if one["log_level"] != "debug"]
    assert not caplog.records


def test_connections_leave_descriptors_for_files_and_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spare(number: int | None) -> None:
        monkeypatch.setattr("batch_converter.server.connections.spare_descriptors", lambda: number)

    spare(1000)
    assert affordable_connections(0, workers=2) == (1000 - 64 - 16) // 2
    assert affordable_connections(100, workers=2) == 100
    spare(10)
    assert affordable_connections(0, workers=2) == 1
    spare(None)
    assert affordable_connections(0, workers=2) == 4096
    assert affordable_connections(10_000, workers=2) == 4096
