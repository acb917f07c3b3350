"""The ledger's file: durable in groups, one owner, and never touched where it is not ours."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import TYPE_CHECKING, NoReturn, cast

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from batch_converter.errors import LedgerError, LedgerWriteError
from batch_converter.ledger import Ledger, LedgerReader
from batch_converter.ledger.connection import APPLICATION_ID, _forget_predecessor, connect
from batch_converter.ledger.store import Store
from batch_converter.storage import reserve
from batch_converter.storage.reserve import RESERVE_BYTES, RETRY_AFTER, Reserve
from batch_converter.storage.sqlite_scripts import migrate
from tests.support.ledgers import ENGINE, NOON, admitted, opened, source_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from batch_converter.models import FileReport


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@asynccontextmanager
async def stored(path: Path) -> AsyncIterator[tuple[Store, list[str]]]:
    """Open a store over a table of numbers; the list is what SQLite was told, in order."""
    connection = await anyio.to_thread.run_sync(lambda: connect(path, read_only=False))
    connection.execute("CREATE TABLE IF NOT EXISTS number (n INTEGER PRIMARY KEY) STRICT")
    told: list[str] = []
    connection.set_trace_callback(told.append)
    store = Store(connection, Reserve(path))
    try:
        yield store, told
    finally:
        await store.close()


async def insert(store: Store, number: object) -> None:
    """Add a number, durably."""
    await store.execute(lambda connection: add(connection, number))


def add(connection: sqlite3.Connection, number: object) -> None:
    """Add a number within a transaction."""
    connection.execute("INSERT INTO number VALUES (?)", (number,))


def total(connection: sqlite3.Connection) -> int | None:
    """Sum the numbers up; None where there is none."""
    (found,) = connection.execute("SELECT sum(n) FROM number").fetchone()
    return cast("int | None", found)


def numbers(path: Path) -> list[int]:
    """Return what is there for anybody else."""
    with closing(sqlite3.connect(path)) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM number ORDER BY n")]


def raising(error: Exception) -> Callable[..., NoReturn]:
    """Return what raises this whenever it is called."""

    def fail(*_: object) -> NoReturn:
        raise error

    return fail


async def block(store: Store) -> threading.Event:
    """Keep the owner thread busy until the event is set, so that a group gathers behind it."""
    busy, go = threading.Event(), threading.Event()

    def operation(_: sqlite3.Connection) -> None:
        busy.set()
        go.wait(10)

    store.post(operation)
    await anyio.to_thread.run_sync(busy.wait, 10)
    return go


async def test_a_commit_waits_for_the_disk(path: Path) -> None:
    async with opened(path) as ledger:
        asked = await ledger._store.execute(
            lambda connection: [
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "main.synchronous")
            ]
        )
    assert asked == ["wal", 2, 2]  # 2 is FULL: every commit is flushed before it returns


async def test_an_awaited_operation_is_there_for_others_when_it_returns(path: Path) -> None:
    async with stored(path) as (store, told):
        await insert(store, 1)
        assert told[-1] == "COMMIT"
        assert numbers(path) == [1]


async def test_what_queues_up_meanwhile_shares_one_commit(path: Path) -> None:
    async with stored(path) as (store, told):
        async with anyio.create_task_group() as group:
            go = await block(store)
            for number in range(100):
                group.start_soon(insert, store, number)
            await until_queued(store, 100)
            go.set()
        assert numbers(path) == list(range(100))
        assert told.count("COMMIT") == 2  # the busy one's, and one for a hundred


async def test_a_failing_operation_takes_only_itself_out_of_its_group(path: Path) -> None:
    results: list[str] = []

    async def try_to_insert(number: int) -> None:
        try:
            await insert(store, number)
            results.append("done")
        except LedgerWriteError:
            results.append("refused")

    async def try_to_fail() -> None:
        def operation(connection: sqlite3.Connection) -> None:
            add(connection, 99)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await store.execute(operation)

    async with stored(path) as (store, _):
        await insert(store, 1)
        async with anyio.create_task_group() as group:
            go = await block(store)
            for number in (2, 1, 3):  # 1 is there already
                group.start_soon(try_to_insert, number)
            group.start_soon(try_to_fail)
            group.start_soon(try_to_insert, 4)
            await until_queued(store, 5)
            go.set()
        assert numbers(path) == [1, 2, 3, 4]
        assert sorted(results) == ["done", "done", "done", "refused"]


async def test_operations_run_in_the_order_in_which_they_came(path: Path) -> None:
    async with stored(path) as (store, _):
        store.post(lambda connection: add(connection, 1))
        store.post(lambda connection: connection.execute("UPDATE number SET n = n + 10"))
        await insert(store, 1)
        assert numbers(path) == [1, 11]


async def test_a_cancelled_await_still_executes(path: Path) -> None:
    async with stored(path) as (store, _):
        go = await block(store)
        async with anyio.create_task_group() as group:
            group.start_soon(insert, store, 7)
            await until_queued(store, 1)
            group.cancel_scope.cancel()
        go.set()
        await store.execute(lambda _: None)
        assert numbers(path) == [7]


async def test_what_fails_unawaited_is_raised_by_the_next_operation_once(path: Path) -> None:
    async with stored(path) as (store, _):
        await insert(store, 1)
        store.post(lambda connection: add(connection, 1))
        await store.execute(lambda _: None)
        await anyio.lowlevel.checkpoint()
        with pytest.raises(LedgerWriteError):
            await insert(store, 2)
        await insert(store, 3)
        assert numbers(path) == [1, 3]


async def test_what_one_turn_of_the_loop_records_sets_out_together(path: Path) -> None:
    async with stored(path) as (store, told):
        go = await block(store)
        for number in (1, 2, 3):
            store.post(lambda connection, n=number: add(connection, n))  # type: ignore[misc]  # a default binds it
        assert store._jobs.sent.empty()
        await until_queued(store, 3)
        go.set()
        await insert(store, 4)
        assert told.count("COMMIT") <= 3  # the one that was held up, these, and the last
    assert numbers(path) == [1, 2, 3, 4]


async def test_closing_finishes_what_is_queued(path: Path) -> None:
    async with stored(path) as (store, _):
        for number in range(50):
            store.post(lambda connection, n=number: add(connection, n))  # type: ignore[misc]  # a default binds it
    assert len(numbers(path)) == 50


async def test_a_full_disk_takes_the_whole_group_and_nothing_but_it(path: Path) -> None:
    """SQLite's own limit on pages stands for the disk; there is no reserve to give up."""
    async with stored(path) as (store, _):
        await insert(store, 1)
        await store.execute(lambda connection: connection.execute("PRAGMA max_page_count = 1"))
        await anyio.to_thread.run_sync(Reserve(path).release)

        def too_much(connection: sqlite3.Connection) -> None:
            connection.execute("CREATE TABLE more (x)")
            connection.execute("INSERT INTO more SELECT randomblob(1000000)")

        with pytest.raises(LedgerWriteError, match="could not be written"):
            await store.execute(too_much)
        await store.execute(
            lambda connection: connection.execute("PRAGMA max_page_count = 1000000")
        )
        await insert(store, 2)
        assert numbers(path) == [1, 2]


@pytest.mark.parametrize(
    "order", [("read", "write"), ("write", "read"), ("write", "fault", "read", "write"), ("read",)]
)
async def test_who_reads_is_answered_although_its_group_finds_the_disk_full(
    path: Path, order: tuple[str, ...]
) -> None:
    """With what is there, and not with what others of the group would have written."""
    told: list[tuple[str, object]] = []

    def operation(connection: sqlite3.Connection, name: str) -> object:
        match name:
            case "write":
                add(connection, 9)
                connection.execute("CREATE TABLE more AS SELECT randomblob(1000000)")
            case "fault":
                raise ZeroDivisionError
        return total(connection)

    async def attempt(name: str) -> None:
        try:
            told.append((name, await store.execute(partial(operation, name=name))))
        except (LedgerWriteError, ZeroDivisionError) as error:
            told.append((name, type(error)))

    outcomes = {"read": 1, "write": LedgerWriteError, "fault": ZeroDivisionError}
    async with stored(path) as (store, _):
        await insert(store, 1)
        await store.execute(lambda connection: connection.execute("PRAGMA max_page_count = 1"))
        await anyio.to_thread.run_sync(Reserve(path).release)
        go = await block(store)
        async with anyio.create_task_group() as group:
            for name in order:
                group.start_soon(attempt, name)
            await until_queued(store, len(order))
            go.set()
    assert sorted(told, key=str) == sorted(((name, outcomes[name]) for name in order), key=str)


async def test_who_reads_is_answered_while_another_program_writes_and_writes_after_it(
    path: Path,
) -> None:
    async with stored(path) as (store, _):
        await insert(store, 1)
        await store.execute(lambda connection: connection.execute("PRAGMA busy_timeout = 0"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await store.execute(total) == 1
            with pytest.raises(LedgerWriteError, match="locked"):
                await insert(store, 2)
        await insert(store, 3)
        assert await store.execute(total) == 4


async def test_who_reads_behind_a_posted_write_that_was_lost_fails_with_it(path: Path) -> None:
    async def read() -> None:
        with pytest.raises(LedgerWriteError, match="already exists"):
            await store.execute(total)

    async with stored(path) as (store, _):
        go = await block(store)
        store.post(lambda connection: connection.execute("CREATE TABLE number (n)"))
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await until_queued(store, 2)
            go.set()


async def test_the_reserve_is_given_up_and_the_group_tried_again(path: Path) -> None:
    tries = []

    def operation(connection: sqlite3.Connection) -> None:
        tries.append(connection.in_transaction)
        limit = 1 if len(tries) == 1 else 1_000_000
        connection.execute(f"PRAGMA max_page_count = {limit}")
        connection.execute("INSERT INTO blobs SELECT randomblob(100000)")

    async with stored(path) as (store, _):
        await store.execute(lambda connection: connection.execute("CREATE TABLE blobs (x)"))
        room = path.with_suffix(".reserve")
        assert room.stat().st_size == RESERVE_BYTES
        assert room.stat().st_blocks * 512 >= RESERVE_BYTES  # the room is really taken
        await store.execute(operation)
        assert tries == [True, True]
        assert not room.exists()


async def test_a_store_asks_for_its_room_as_it_commits(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "RETRY_AFTER", 3)
    room = path.with_suffix(".reserve")
    kept = Reserve(path)
    connection = await anyio.to_thread.run_sync(lambda: connect(path, read_only=False))
    store = Store(connection, kept)
    try:
        await store.execute(lambda connection: connection.execute("SELECT 1"))
        assert room.exists()
        assert await anyio.to_thread.run_sync(kept.release)
        for _ in range(5):
            await store.execute(lambda connection: connection.execute("SELECT 1"))
        assert room.stat().st_size == RESERVE_BYTES
    finally:
        await store.close()


async def test_room_that_there_is_no_memory_to_fill_costs_the_store_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "urandom", raising(MemoryError()))
    with anyio.fail_after(20):
        async with stored(path) as (store, _):
            await insert(store, 1)
            await insert(store, 2)
    assert numbers(path) == [1, 2]
    assert path.with_suffix(".reserve").stat().st_size == 0


async def test_what_ends_the_owner_thread_is_told_to_all_who_wait_and_all_who_come(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reserve, "keep", raising(MemoryError()))
    refusal = pytest.raises(LedgerWriteError, match=r"MemoryError; it is given up.*memory left")
    with anyio.fail_after(20):
        async with stored(path) as (store, _):
            store.post(lambda connection: add(connection, 1))
            for _ in range(3):
                with refusal as raised:
                    await insert(store, 2)
                assert isinstance(raised.value.__cause__, MemoryError)
    assert numbers(path) == []


async def test_a_store_whose_rollback_fails_refuses_its_group_and_is_not_used_again(
    path: Path,
) -> None:
    """It would run the next operations within the transaction that is still open."""

    def refuse_rollback(action: int, name: str | None, *_: str | None) -> int:
        denied = action == sqlite3.SQLITE_TRANSACTION and name == "ROLLBACK"
        return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK

    def fail(connection: sqlite3.Connection) -> None:
        connection.set_authorizer(refuse_rollback)
        add(connection, 2)
        raise ZeroDivisionError

    refused: list[object] = []

    async def attempt(operation: Callable[[sqlite3.Connection], object]) -> None:
        with pytest.raises(LedgerWriteError, match="not authorized; it is given up"):
            await store.execute(operation)
        refused.append(operation)

    operations = [total, fail, total]
    with anyio.fail_after(20):
        async with stored(path) as (store, told):
            await insert(store, 1)
            go = await block(store)
            async with anyio.create_task_group() as group:
                for operation in operations:
                    group.start_soon(attempt, operation)
                await until_queued(store, len(operations))
                go.set()
            before = len(told)
            await attempt(total)
            assert told[before:] == []
    assert len(refused) == len(operations) + 1
    assert numbers(path) == [1]


@pytest.mark.parametrize("given_up", [True, False])
def test_room_that_is_not_held_is_asked_for_again_much_later(path: Path, *, given_up: bool) -> None:
    """Given up where the disk was full, or not to be had at the start."""
    room = path.with_suffix(".reserve")
    kept = Reserve(path)
    if given_up:
        kept.keep()
        assert kept.release()
    else:
        room.mkdir()  # where no file can be
        kept.keep()
        room.rmdir()
    for _ in range(RETRY_AFTER):
        kept.keep()
        assert not room.exists()
    kept.keep()
    assert room.stat().st_size == RESERVE_BYTES
    kept.keep()
    assert room.stat().st_size == RESERVE_BYTES


@pytest.mark.parametrize("statement", ["SELECT 1", "PRAGMA journal_mode = WAL"])
async def test_a_ledger_whose_run_died_before_it_had_tables_is_begun_anew(
    path: Path, statement: str
) -> None:
    await anyio.Path(path).touch()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    with pytest.raises(LedgerError, match="there is no ledger"):
        await reading(path)
    async with opened(path) as ledger:
        assert (await ledger.finish_run(at=NOON)).run_id == "run-1"


def test_a_ledger_is_migrated_step_by_step_and_keeps_what_it_has(path: Path) -> None:
    steps = ["CREATE TABLE a (x);", "ALTER TABLE a ADD COLUMN y;", "CREATE TABLE b (x);"]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, steps[:1], application_id=APPLICATION_ID)
        connection.execute("INSERT INTO a VALUES (7)")
        migrate(connection, steps, application_id=APPLICATION_ID)
        assert connection.execute("SELECT * FROM a").fetchall() == [(7, None)]
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        migrate(connection, steps, application_id=APPLICATION_ID)


def test_a_migration_that_fails_leaves_the_version_before_it(path: Path) -> None:
    good, bad = "CREATE TABLE a (x);", "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);"
    connection = sqlite3.connect(path, isolation_level=None)
    with closing(connection), pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(connection, [good, bad], application_id=APPLICATION_ID)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("a",)]


def damaged(path: Path, how: str) -> None:
    """Spoil a good ledger."""
    content = bytearray(path.read_bytes())
    match how:
        case "overwritten":
            content[0:4096] = b"?" * 4096
        case "emptied":
            content.clear()
        case "no database":
            content[:] = b"%PDF-1.7 this is something else entirely" * 100
        case "rotten":
            for start in range(4096, len(content), 4096):
                content[start : start + 200] = b"\xff" * 200
        case _:
            del content[len(content) // 2 :]
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["overwritten", "emptied", "no database", "rotten", "cut off"])
async def test_a_damaged_ledger_stops_and_is_not_touched(path: Path, how: str) -> None:
    async with opened(path):
        pass
    damaged(path, how)
    before = await anyio.Path(path).read_bytes()
    beside = sorted(path.parent.iterdir())
    with pytest.raises(LedgerError, match="nothing was touched"):
        await Ledger.open(path)
    assert sorted(path.parent.iterdir()) == beside
    with pytest.raises(LedgerError, match="nothing was touched"):
        await anyio.to_thread.run_sync(LedgerReader, path)
    assert await anyio.Path(path).read_bytes() == before


@pytest.mark.parametrize("how", ["overwritten", "emptied", "no database", "rotten", "cut off"])
async def test_damage_is_told_as_clearly_by_who_need_not_look_for_it(path: Path, how: str) -> None:
    """A run reads what it has just written without a check of all of it."""
    async with opened(path) as ledger:
        await admitted(ledger, source_file("a.djvu"))
        await ledger.finish_run(at=NOON)

    def read() -> list[FileReport]:
        with LedgerReader(path, is_checked=True) as reader:
            return list(reader.files("run-1"))

    assert [file.source for file in await anyio.to_thread.run_sync(read)] == ["a.djvu"]
    await anyio.to_thread.run_sync(damaged, path, how)
    before = await anyio.Path(path).read_bytes()
    with pytest.raises(LedgerError, match=r"ledger\.sqlite3 cannot be .* Restore it from a backup"):
        await anyio.to_thread.run_sync(read)
    assert await anyio.Path(path).read_bytes() == before


@pytest.mark.parametrize("left", ["begun", "reserve"])
async def test_an_emptied_ledger_is_told_from_one_that_was_never_begun(
    path: Path, left: str
) -> None:
    """By its marker, whether the room was given up or not; the first versions left but the room."""
    async with opened(path):
        pass
    await anyio.Path(path).write_bytes(b"")
    for suffix in {"begun", "reserve"} - {left}:
        await anyio.Path(path.with_suffix(f".{suffix}")).unlink()
    with pytest.raises(LedgerError, match="it has been emptied"):
        await Ledger.open(path)


async def test_what_a_ledger_that_was_moved_away_left_does_not_spoil_the_next_one(
    path: Path,
) -> None:
    """Not even where a run dies before that one has its tables."""
    async with opened(path):
        pass
    await anyio.Path(path).unlink()
    await anyio.to_thread.run_sync(_forget_predecessor, path)
    await anyio.Path(path).touch()
    async with opened(path) as ledger:
        assert (await ledger.finish_run(at=NOON)).run_id == "run-1"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA user_version = 99", "newer version"),
        ("PRAGMA application_id = 7", "not a ledger of batch-converter"),
    ],
)
async def test_a_newer_or_foreign_database_stops_and_is_not_touched(
    path: Path, statement: str, message: str
) -> None:
    async with opened(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    before = await anyio.Path(path).read_bytes()
    for attempt in (Ledger.open, reading):
        with pytest.raises(LedgerError, match=message):
            await attempt(path)
    assert await anyio.Path(path).read_bytes() == before


async def reading(path: Path) -> None:
    """Open a ledger as another process would."""
    await anyio.to_thread.run_sync(LedgerReader, path)


async def test_a_missing_ledger_is_not_made_by_looking_for_it(path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"):
        await reading(path)
    assert list(path.parent.iterdir()) == []


async def test_the_ledger_of_a_dead_process_comes_back_with_all_that_was_committed(
    path: Path, tmp_path: Path
) -> None:
    """Its files are copied as they lie there, without the memory that SQLite shares."""
    copy = tmp_path / "copy"
    copy.mkdir()
    async with opened(path) as ledger:
        for name in (path.name, f"{path.name}-wal"):
            (copy / name).write_bytes((path.parent / name).read_bytes())
        await ledger.end_run(1)  # type: ignore[arg-type]  # after the copy
    async with opened(copy / path.name, None) as ledger:
        recovered = await ledger.begin_run("run-2", ENGINE, at=NOON)
    assert recovered.runs == 1


def traces(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return what each file in a folder holds and when it was written last."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())
    }


async def test_a_copy_is_what_the_ledger_is_at_this_moment(path: Path) -> None:
    """While a run goes on, and after it."""
    async with opened(path) as ledger:
        await admitted(ledger, source_file("a.djvu"))
        async with await Ledger.open_copy(path) as copy:
            assert (await copy.begin_run("run-2", ENGINE, at=NOON)).runs == 1
            assert list(await admitted(copy, source_file("a.djvu"))) == ["a.djvu"]
        assert (await ledger.finish_run(at=NOON)).run_id == "run-1"
    async with await Ledger.open_copy(path) as copy:
        assert (await copy.begin_run("run-2", ENGINE, at=NOON)).runs == 0


async def test_what_is_done_to_a_copy_is_forgotten_and_nothing_beside_it_is_touched(
    path: Path,
) -> None:
    async with await Ledger.open_copy(path) as copy:
        await copy.begin_run("run-1", ENGINE, at=NOON)
        await admitted(copy, source_file("a.djvu"))
    assert traces(path.parent) == {}
    async with opened(path):
        pass
    for looks in (False, True):  # a reader that comes last leaves files that are empty
        if looks:
            await reading(path)
        before = await anyio.to_thread.run_sync(traces, path.parent)
        async with await Ledger.open_copy(path) as copy:
            await copy.begin_run("run-2", ENGINE, at=NOON)
            await admitted(copy, source_file("a.djvu"))
        assert await anyio.to_thread.run_sync(traces, path.parent) == before


async def test_a_copy_holds_what_a_dead_run_had_not_brought_into_the_database(
    path: Path, tmp_path: Path
) -> None:
    dead = tmp_path / "dead"
    dead.mkdir()
    async with opened(path) as ledger:
        await admitted(ledger, source_file("a.djvu"))
        for name in (path.name, f"{path.name}-wal"):
            (dead / name).write_bytes((path.parent / name).read_bytes())
    async with await Ledger.open_copy(dead / path.name) as copy:
        assert (await copy.begin_run("run-2", ENGINE, at=NOON)).runs == 1
        await copy.record_found([source_file("a.djvu")])
        assert await copy.assign_outputs() == 1
        [planned] = await copy.page(b"", 9)
        assert planned.document.id == 1


async def until_queued(store: Store, count: int) -> None:
    """Return when so many operations wait for the owner thread."""
    while store._jobs.sent.qsize() < count:
        await anyio.lowlevel.checkpoint()
