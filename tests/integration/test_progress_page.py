"""The live page of a run over real HTTP."""

from __future__ import annotations

import json
import socket
from datetime import timedelta
from typing import Any

import anyio
import pytest
from aiohttp import ClientResponse, ClientSession

from batch_converter import events
from batch_converter.counters import RunCounters
from batch_converter.errors import UsageError
from batch_converter.progress_page import RunRows, progress_page
from batch_converter.progress_page import rows as rows_module
from batch_converter.server.answers import HARDENING, SERVER
from batch_converter.server.page import BEAT, HEARTBEAT_S
from tests.support.clocks import ManualClock


async def next_event(response: ClientResponse) -> tuple[str, int, dict[str, Any]]:
    """Return the name, number and data of a stream's next event; beats are passed over."""
    lines = list[str]()
    with anyio.fail_after(20):
        while len(lines) < 3:
            line = (await response.content.readline()).decode().strip()
            lines += [line.partition(": ")[2]] if line.strip(":") else []
    return lines[0], int(lines[1]), json.loads(lines[2])


async def test_it_shows_documents_and_the_run() -> None:
    rows, counters = RunRows(), RunCounters()
    async with (
        progress_page(0, rows, counters, max_api_calls=7) as address,
        ClientSession(address) as session,
    ):
        for event in (
            events.FileDiscovered(source="a.djvu", bytes=10),
            events.DocumentAdmitted(source="a.djvu"),
            events.CallsCounted(kind="submit", calls=2),
        ):
            rows.observe(event)
            counters.observe(event)
        async with session.get("/") as response:
            assert response.content_type == "text/html"
            policy = response.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'")
            assert "assets/progress.js" in await response.text()
        async with session.get("/assets/progress.js") as response:
            assert response.content_type == "text/javascript"
        async with session.get("/api/documents") as response:
            answer = await response.json()
    assert [one["name"] for one in answer["documents"]] == ["a.djvu"]
    assert answer["total"] == 1
    assert answer["totals"]["waiting"] == 1
    assert (answer["run"]["calls"], answer["run"]["max_calls"]) == (2, 7)
    assert answer["run"]["found"] == 1


async def test_changes_are_streamed_and_the_stream_ends_with_the_run() -> None:
    rows = RunRows()
    async with ClientSession() as session:
        async with progress_page(0, rows, RunCounters(), max_api_calls=None) as address:
            response = await session.get(f"{address}api/events?after=0")
            assert response.headers["X-Accel-Buffering"] == "no"
            rows.observe(events.DocumentAdmitted(source="a.djvu"))
            name, _, change = await next_event(response)
            assert name == "change"
            [document] = change["documents"]
            assert document["name"] == "a.djvu"
        with anyio.fail_after(20):
            assert (await response.content.read()).strip() == b""


async def test_a_browser_that_was_away_for_too_long_loads_the_list_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows_module, "MAX_ENDED", 1)
    monkeypatch.setattr(rows_module, "_MAX_REMOVED", 1)
    rows = RunRows()
    async with (
        progress_page(0, rows, RunCounters(), max_api_calls=None) as address,
        ClientSession(address) as session,
    ):
        for name in "abcd":
            rows.observe(events.KnownFailure(source=name, code="not_djvu", message="it is none"))
        for after in (1, rows.sequence + 1):
            async with session.get(f"/api/changes?after={after}") as response:
                change = await response.json()
            assert (change["reload"], change["sequence"]) == (True, rows.sequence)
            assert (change["totals"]["failed"], change["listed"]) == (4, 1)
            async with session.get(f"/api/events?after={after}") as response:
                name, number, _ = await next_event(response)
                assert (name, number) == ("reload", rows.sequence)
        async with session.get(f"/api/changes?after={rows.sequence - 1}") as response:
            assert "reload" not in await response.json()


async def test_a_stream_beats_by_the_clock_where_nothing_happens() -> None:
    clock = ManualClock()
    page = progress_page(0, RunRows(clock), RunCounters(), max_api_calls=None, clock=clock)
    with anyio.fail_after(20):
        async with (
            page as address,
            ClientSession(address) as session,
            session.get("/api/events") as response,
        ):
            for _ in range(3):  # at once, so that a browser knows it open, and then by the clock
                assert await response.content.readexactly(len(BEAT)) == BEAT
                for _ in range(3):  # until the stream waits for its clock
                    async with session.get("/api/session") as other:
                        await other.read()
                clock.advance(HEARTBEAT_S)


async def test_the_end_is_expected_by_the_clock() -> None:
    clock, counters = ManualClock(), RunCounters()
    page = progress_page(0, RunRows(clock), counters, max_api_calls=None, clock=clock)
    for name in "abcd":
        counters.observe(events.FileDiscovered(source=name, bytes=1))
    counters.observe(events.DiscoveryEnded(to_convert=4))
    ends = []
    async with page as address, ClientSession(address) as session:
        for _ in range(2):
            async with session.get("/api/changes") as response:
                ends.append((await response.json())["run"]["expected_end"])
            for name in "ab":
                counters.observe(events.FileFailed(source=name, code="not_djvu", message="none"))
            clock.advance(60)
        clock.advance(-60)
    assert ends == [None, (clock.now() + timedelta(seconds=60)).isoformat()]


async def test_a_name_that_is_no_text_is_told_all_the_same() -> None:
    rows = RunRows()
    rows.observe(events.DocumentAdmitted(source="\udcff.djvu"))
    async with (
        progress_page(0, rows, RunCounters(), max_api_calls=None) as address,
        ClientSession(address) as session,
        session.get("/api/events") as response,
    ):
        _, _, change = await next_event(response)
    [document] = change["documents"]
    assert document["name"] == "\udcff.djvu"


@pytest.mark.parametrize("path", ["", "assets/progress.js", "assets/missing", "api/changes", "x"])
async def test_every_answer_is_as_hardened_as_the_services(path: str) -> None:
    async with (
        progress_page(0, RunRows(), RunCounters(), max_api_calls=None) as address,
        ClientSession() as session,
    ):
        for host in ("localhost", "evil.example"):
            async with session.get(f"{address}{path}", headers={"Host": host}) as response:
                assert set(HARDENING) <= set(response.headers)
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.headers["Server"] == SERVER


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
async def test_other_names_are_not_answered(host: str) -> None:
    async with (
        progress_page(0, RunRows(), RunCounters(), max_api_calls=None) as address,
        ClientSession(address) as session,
    ):
        async with session.get("/api/documents", headers={"Host": host}) as response:
            assert response.status == 421
        async with session.post("/api/documents") as response:
            assert response.status == 405
        for name in ("__init__.py", "..%2F__init__.py", "missing.js"):
            async with session.get(f"/assets/{name}") as response:
                assert response.status == 404


async def test_a_port_that_is_taken_is_a_usage_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        page = progress_page(taken.getsockname()[1], RunRows(), RunCounters(), max_api_calls=None)
        with pytest.raises(UsageError, match="--progress-page"):
            await page.__aenter__()
