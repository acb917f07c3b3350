"""Changes as the page hears of them: as a stream, and asked for once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from batch_converter.server.page import event_stream
from batch_converter.server.page.event_stream import HEARTBEAT_S, STREAMS
from tests.support.clocks import ManualClock
from tests.support.page_client import OPEN, another, browsing, listening
from tests.support.service import ACCOUNT, DJVU, HandConverter, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.page_client import Browser, Events
    from tests.support.service import Client


async def sequence_of(browser: Browser) -> int:
    return int((await browser.get("api/documents"))["sequence"])


async def next_change(clock: ManualClock, events: Events) -> dict[str, Any]:
    """Return the next change; time passes meanwhile, as batches keep a distance."""
    change: dict[str, Any] = {}

    async def wait() -> None:
        while not change:
            name, data = await events.next()
            change.update(data if name == "change" else {})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        while not change:
            clock.advance(0.25)
            await anyio.wait_all_tasks_blocked()
    return change


async def test_a_stream_tells_of_every_change(tmp_path: Path, engine: HandConverter) -> None:
    clock = ManualClock()
    async with (
        browsing(tmp_path, engine, clock=clock) as browser,
        listening(browser, await sequence_of(browser)) as events,
    ):
        headers = events.response.headers
        assert headers["Content-Type"] == "text/event-stream"
        assert headers["X-Accel-Buffering"] == "no"
        assert headers["Cache-Control"] == "no-store"
        document_id = await browser.upload("a.djvu")
        states: list[str] = []
        sequence = 0
        while "converting" not in states:
            change = await next_change(clock, events)
            assert change["sequence"] > sequence
            sequence = change["sequence"]
            states += [row["state"] for row in change["documents"]]
            assert {row["id"] for row in change["documents"]} <= {document_id}
        assert change["totals"]["converting"] == 1
        assert await browser.status("DELETE", f"api/documents/{document_id}") == 204
        while not change["removed"]:
            change = await next_change(clock, events)
        assert change["removed"] == [document_id]
        assert change["totals"]["documents"] == 0


async def test_a_stream_beats_where_nothing_happens(tmp_path: Path, engine: HandConverter) -> None:
    clock = ManualClock()
    async with (
        browsing(tmp_path, engine, clock=clock) as browser,
        listening(browser, await sequence_of(browser)) as events,
    ):
        for _ in range(2):
            await until_idle(browser)
            clock.advance(HEARTBEAT_S)
            assert await events.next() == ("", None)


async def until_idle(browser: Browser) -> None:
    """Return when the stream waits for its clock."""
    for _ in range(3):
        await browser.service.breathe()


async def test_batches_are_bounded_and_none_is_lost(
    tmp_path: Path, engine: HandConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "_ROWS", 3)
    clock = ManualClock()
    async with browsing(tmp_path, engine, clock=clock) as browser:
        start = await sequence_of(browser)
        ids = [(await browser.start(f"{one}.djvu", DJVU + bytes([one])))["id"] for one in range(8)]
        after, told = start, []
        while change := await browser.get(f"api/changes?after={after}"):
            assert len(change["documents"]) <= 3
            if not change["documents"]:
                break
            told += [row["id"] for row in change["documents"]]
            after = change["sequence"]
        assert told == ids
        assert change["sequence"] == after
        async with listening(browser, start) as events:
            batches = [await next_change(clock, events) for _ in range(3)]
        assert [len(one["documents"]) for one in batches] == [3, 3, 2]


async def test_batches_keep_a_distance(tmp_path: Path, engine: HandConverter) -> None:
    clock = ManualClock()
    async with (
        browsing(tmp_path, engine, clock=clock) as browser,
        listening(browser, await sequence_of(browser)) as events,
    ):
        first = (await browser.start("1.djvu", DJVU))["id"]
        name, change = await events.next()
        assert (name, [row["id"] for row in change["documents"]]) == ("change", [first])
        more = [(await browser.start(f"{one}.djvu", DJVU))["id"] for one in range(2, 5)]
        await until_idle(browser)
        clock.advance(0.24)
        await until_idle(browser)
        assert events.response.content.read_nowait() == b""
        clock.advance(0.02)
        _, change = await events.next()
        assert [row["id"] for row in change["documents"]] == more


@pytest.mark.parametrize("after", ["ahead", "behind"])
async def test_who_is_too_far_off_is_told_to_load_the_list_again(
    tmp_path: Path, engine: HandConverter, after: str
) -> None:
    async with browsing(tmp_path, engine) as browser:
        now = await sequence_of(browser)
        asked = now + 10 if after == "ahead" else now - 10
        change = await browser.get(f"api/changes?after={asked}")
        assert change["reload"] is True
        assert change["sequence"] == now
        async with listening(browser, asked) as events:
            name, data = await events.next()
            assert (name, data["sequence"]) == ("reload", now)


async def test_numbers_of_an_earlier_life_are_never_given_again(
    tmp_path: Path, engine: HandConverter
) -> None:
    clock = ManualClock()
    async with browsing(tmp_path, engine, clock=clock) as browser:
        for _ in range(3):
            one = (await browser.start("a.djvu", DJVU))["id"]
            assert await browser.status("DELETE", f"api/documents/{one}") == 204
        seen = await sequence_of(browser)
    clock.advance(1)
    async with browsing(tmp_path, engine, clock=clock) as browser:
        await browser.start("b.djvu", DJVU)
        assert (await browser.get(f"api/changes?after={seen}"))["reload"] is True


async def test_a_stream_hears_nothing_of_others(tmp_path: Path, engine: HandConverter) -> None:
    clock = ManualClock()
    async with (
        browsing(tmp_path, engine, clock=clock) as browser,
        another(browser.service) as other,
        listening(browser, await sequence_of(browser)) as events,
    ):
        await other.start("theirs.djvu", DJVU)
        mine = (await browser.start("mine.djvu", DJVU))["id"]
        change = await next_change(clock, events)
        assert [row["id"] for row in change["documents"]] == [mine]
        assert change["totals"]["documents"] == 1


async def test_the_oldest_stream_of_a_session_gives_way(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as browser:
        after = await sequence_of(browser)
        async with listening(browser, after) as oldest, anyio.create_task_group() as tasks:
            open_ = anyio.Event()

            async def listen() -> None:
                async with listening(browser, after):
                    await open_.wait()

            for _ in range(STREAMS):
                tasks.start_soon(listen)
            with pytest.raises(EOFError):
                await oldest.next()
            open_.set()


async def test_a_stop_of_the_service_ends_streams_in_good_order(
    tmp_path: Path, engine: HandConverter
) -> None:
    services: list[Client] = []
    started, stop, stopped = anyio.Event(), anyio.Event(), anyio.Event()

    async def serve() -> None:
        async with running(tmp_path, engine, log_in=False, **OPEN) as service:
            services.append(service)
            started.set()
            await stop.wait()
        stopped.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        await started.wait()
        async with (
            another(services[0]) as browser,
            listening(browser, await sequence_of(browser)) as events,
        ):
            stop.set()
            with pytest.raises(EOFError):  # where the connection is cut, it is another error
                await events.next()
            with anyio.fail_after(4):  # the grace of a stop is five seconds
                await stopped.wait()


async def test_a_stream_ends_with_its_session(tmp_path: Path, engine: HandConverter) -> None:
    account = {"client_id": "me", "client_secret": "the right secret"}
    async with browsing(tmp_path, engine, **account) as browser:
        assert await browser.status("POST", "api/session", json=ACCOUNT) == 204
        await browser.open()
        async with listening(browser, await sequence_of(browser)) as events:
            assert await browser.status("DELETE", "api/session") == 204
            with pytest.raises(EOFError):
                await events.next()


async def test_events_are_json_on_one_line(tmp_path: Path, engine: HandConverter) -> None:
    async with (
        browsing(tmp_path, engine) as browser,
        listening(browser, await sequence_of(browser)) as events,
    ):
        name = 'a\nb\r"c"\u2028.djvu\n\nevent: reload\n'
        await browser.start(name, DJVU)
        _, change = await events.next()
        assert [row["name"] for row in change["documents"]] == [name]
        assert json.dumps(change)


@pytest.mark.parametrize("path", ["api/changes", "api/events"])
@pytest.mark.parametrize("after", ["", "?after=", "?after=x", "?after=-1"])
async def test_a_stream_begins_somewhere(
    tmp_path: Path, engine: HandConverter, path: str, after: str
) -> None:
    async with browsing(tmp_path, engine) as browser:
        assert await browser.status("GET", path + after) == 400
