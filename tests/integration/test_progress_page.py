"""The live page of a run over real HTTP."""

from __future__ import annotations

import json
import socket

import anyio
import pytest
from aiohttp import ClientSession

from batch_converter import events
from batch_converter.counters import RunCounters
from batch_converter.errors import UsageError
from batch_converter.progress_page import RunRows, progress_page


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
            lines = [await response.content.readline() for _ in range(3)]
            assert lines[0] == b"event: change\n"
            [document] = json.loads(lines[2].removeprefix(b"data: "))["documents"]
            assert document["name"] == "a.djvu"
        with anyio.fail_after(20):
            assert (await response.content.read()).strip() == b""


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
