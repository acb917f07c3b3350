"""The durable queue: turns, moves, totals, changes, and what a restart finds."""

from __future__ import annotations

import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from batch_converter.errors import UsageError
from batch_converter.server.queue import (
    DocumentQueue,
    DocumentState,
    Missed,
    NewDocument,
    QueuedDocument,
)

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2030, 1, 1, tzinfo=UTC)
S = DocumentState


def new(owner: str = "a", **given: object) -> NewDocument:
    values: dict[str, object] = {
        "id": str(uuid.uuid4()),
        "owner": owner,
        "submitted_at": NOW,
        "size_bytes": 10,
    }
    return NewDocument(**(values | given))  # type: ignore[arg-type]  # one type a field


async def opened(path: Path) -> DocumentQueue:
    return await DocumentQueue.open(path / "queue.sqlite3")


async def claimed(queue: DocumentQueue) -> QueuedDocument:
    document = await queue.claim(NOW)
    assert document is not None
    return document


async def test_owners_take_turns(tmp_path: Path) -> None:
    async with await opened(tmp_path) as queue:
        for owner in ("many", "many", "many", "many", "few", "one"):
            await queue.add(new(owner))
        order = [(await claimed(queue)).owner for _ in range(6)]
        assert await queue.claim(NOW) is None
    assert sorted(order[:3]) == ["few", "many", "one"]
    assert order[3:] == ["many"] * 3


async def test_places_follow_the_turns(tmp_path: Path) -> None:
    async with await opened(tmp_path) as queue:
        mine = [await queue.add(new("many")) for _ in range(4)]
        other = await queue.add(new("few"))
        assert list((await queue.places(mine)).values()) == [2, 3, 4, 5]
        assert await queue.places([mine[2]]) == {mine[2].number: 4}
        assert await queue.places([other]) == {other.number: 2}
        assert await queue.places([await claimed(queue)]) == {}
        assert await queue.places([]) == {}


async def test_what_crashed_waits_behind_the_others(tmp_path: Path) -> None:
    async with await opened(tmp_path) as queue:
        first, second = await queue.add(new()), await queue.add(new())
        await queue.put_back(await claimed(queue), crashed=True)
        waiting = await queue.in_state(S.WAITING)
        assert await queue.places(waiting) == {second.number: 1, first.number: 2}
        assert (await claimed(queue)).id == second.id
        again = await claimed(queue)
    assert (again.id, again.attempts, again.crashes) == (first.id, 2, 1)


async def test_only_the_owner_finds_a_document(tmp_path: Path) -> None:
    async with await opened(tmp_path) as queue:
        document = await queue.add(new("a"))
        assert await queue.find(document.id, "a") == document
        assert await queue.find(document.id, "b") is None
        assert await queue.find(str(uuid.uuid4()), "a") is None


@pytest.mark.parametrize(
    ("path", "to", "allowed"),
    [
        ([S.CONVERTING], S.READY, True),
        ([], S.READY, False),
        ([S.CONVERTING, S.READY], S.CANCELLED, False),
        ([S.CANCELLED], S.CONVERTING, False),
        ([S.CANCELLED], S.WAITING, True),
        ([S.CONVERTING, S.FAILED], S.WAITING, True),
        ([S.CONVERTING, S.READY], S.WAITING, False),
    ],
)
async def test_moves_go_by_the_table(
    tmp_path: Path, path: list[DocumentState], to: DocumentState, *, allowed: bool
) -> None:
    async with await opened(tmp_path) as queue:
        document = await queue.add(new())
        for state in path:
            assert await queue.change(document.id, state)
        before = await queue.find(document.id, "a")
        after = await queue.change(document.id, to)
        assert (after is not None) == allowed
        assert await queue.find(document.id, "a") == (after or before)


async def test_totals_follow_every_change(tmp_path: Path) -> None:
    async with await opened(tmp_path) as queue:
        first, second = await queue.add(new("a")), await queue.add(new("b", size_bytes=5))
        await queue.change((await claimed(queue)).id, S.READY, pdf_bytes=100)
        assert queue.totals.of("a").states == {S.READY: 1}
        assert queue.totals.of("a").stored_bytes == 110
        assert queue.totals.all.open == 1
        assert (queue.totals.unfetched, queue.totals.unfetched_peak) == (2, 2)
        ready = await queue.find(first.id, "a")
        assert ready
        await queue.mark_fetched(ready)
        await queue.mark_fetched(ready)
        assert queue.totals.unfetched == 1
        await queue.remove_one(second.id)
        assert await queue.remove_one(second.id) is None
        for end in (S.UPLOADING, S.CANCELLED):
            upload = new("c", state=S.UPLOADING, size_bytes=50, received_bytes=20)
            document = await queue.add(upload)
            await queue.change(document.id, end)
        assert queue.totals.of("c").stored_bytes == 50 + 20
        kept = [queue.totals.all, *map(queue.totals.of, "abc")]
    async with await opened(tmp_path) as queue:
        assert [queue.totals.all, *map(queue.totals.of, "abc")] == kept
        assert queue.totals.of("b").documents == 0
        assert (queue.totals.unfetched, queue.totals.unfetched_peak) == (2, 2)


async def test_changes_are_numbered_and_told_to_the_owner_alone(tmp_path: Path) -> None:
    async with await opened(tmp_path) as queue:
        document = await queue.add(new("a"))
        seen = queue.sequence
        with queue.changes.following("a") as mine, queue.changes.following("b") as foreign:
            await claimed(queue)
            assert mine.is_set()
            assert not foreign.is_set()
        [changed] = await queue.changed("a", after=seen, limit=10)
        assert (changed.id, changed.state) == (document.id, S.CONVERTING)
        assert await queue.changed("b", after=seen, limit=10) == []
        seen = queue.sequence
        await queue.remove_one(document.id)
        assert queue.changes.removed_after("a", seen) == [document.id]
        assert queue.changes.removed_after("b", seen) == []
        assert queue.changes.removed_after("a", queue.sequence) == []
    async with await opened(tmp_path) as queue:
        with pytest.raises(Missed):
            queue.changes.removed_after("a", -1)


async def test_pages_filters_and_same_bytes(tmp_path: Path) -> None:
    async with await opened(tmp_path) as queue:
        for number in range(5):
            await queue.add(new("a", name=f"Box/{number}.djvu", sha256=str(number)))
        await queue.add(new("b", name="Box/9.djvu", sha256="9"))
        documents, total = await queue.page("a", offset=1, limit=2, text="BOX")
        assert [one.name for one in documents] == ["Box/1.djvu", "Box/2.djvu"]
        assert total == 5
        assert (await queue.page("a", offset=0, limit=9, state="ready"))[1] == 0
        assert (await queue.page("a", offset=0, limit=9, text="4.d"))[1] == 1
        await queue.add(new("a", name="3 again.djvu", sha256="3"))
        for name in ("Box/3.djvu", "3 again.djvu"):
            found = await queue.same_bytes("a", "3", 10, name=name)
            assert found is not None
            assert found.name == name
        assert await queue.same_bytes("a", "3", 10, name="elsewhere")
        assert await queue.same_bytes("a", "3", 11, name="3 again.djvu") is None
        assert await queue.same_bytes("b", "3", 10, name="3 again.djvu") is None


@pytest.mark.parametrize("seconds", [0, 1])
async def test_the_oldest_are_removed_at_their_time(tmp_path: Path, seconds: int) -> None:
    async with await opened(tmp_path) as queue:
        await queue.add(new(submitted_at=NOW))
        await queue.add(new(submitted_at=NOW + timedelta(seconds=2)))
        removed = await queue.remove_submitted_before(NOW + timedelta(seconds=seconds - 1))
        assert len(removed) == seconds


async def test_what_is_no_queue_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    with pytest.raises(UsageError, match="no queue"):
        await opened(tmp_path)
    path.write_bytes(b"this is not SQLite at all, but a text" * 30)
    with pytest.raises(UsageError, match="nothing was touched"):
        await opened(tmp_path)
    path.unlink()
    async with await opened(tmp_path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(UsageError, match="newer version"):
        await opened(tmp_path)


async def test_what_is_recorded_counts_also_where_nobody_waits_any_more(tmp_path: Path) -> None:
    async with await opened(tmp_path) as queue:
        document = await queue.add(new())
        for record in (
            lambda: queue.add(new(size_bytes=3)),
            lambda: queue.claim(NOW),
            lambda: queue.change(document.id, S.READY, pdf_bytes=7),
            lambda: queue.remove_one(document.id),
        ):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(record)
                await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        kept = queue.totals.all
        assert +kept.states == {S.WAITING: 1}
    async with await opened(tmp_path) as queue:
        assert queue.totals.all == kept
