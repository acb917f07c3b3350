"""A trip to the disk's threads: what is given, what is raised, what cancelling waits for."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import aiofiles
import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from pathlib import Path


def fail() -> None:
    raise OSError("so it is")


async def test_what_the_function_returns_or_raises_arrives() -> None:
    threads = DiskThreads(1)
    assert await threads.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(OSError, match="so it is"):
        await threads.run(fail)


async def test_cancelling_waits_for_what_has_begun_and_keeps_its_result() -> None:
    threads, gate, begun = DiskThreads(1), threading.Event(), threading.Event()
    results: list[bool] = []

    def work() -> bool:
        begun.set()
        return gate.wait(20)

    async def ask() -> None:
        results.append(await threads.run(work))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await anyio.to_thread.run_sync(begun.wait, 20)
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.wait_all_tasks_blocked()
            assert results == []
            gate.set()
    assert results == [True]


async def test_who_is_cancelled_already_begins_nothing() -> None:
    begun: list[int] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        await DiskThreads(1).run(begun.append, 1)
    assert scope.cancelled_caught
    assert begun == []


async def test_no_more_threads_than_were_asked_for() -> None:
    threads, names = DiskThreads(2), set[str]()
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(threads.run, lambda: names.add(threading.current_thread().name))
    assert 1 <= len(names) <= 2


async def test_the_threads_end_with_the_object() -> None:
    threads = DiskThreads(2)
    serving = [await threads.run(threading.current_thread)]
    del threads
    gc.collect()
    for thread in serving:
        await anyio.to_thread.run_sync(thread.join, 20)
        assert not thread.is_alive()


async def test_trips_set_out_when_the_loop_has_done_its_turn() -> None:
    threads, done = DiskThreads(1), threading.Event()
    threads.start(done.set)
    assert threads._calls.sent.empty()
    await anyio.lowlevel.checkpoint()
    assert await anyio.to_thread.run_sync(done.wait, 20)


@pytest.mark.filterwarnings("error")
def test_a_loop_that_is_closed_by_then_is_no_fault() -> None:
    gate, threads = threading.Event(), [DiskThreads(1)]

    async def leave() -> threading.Thread:
        thread = await threads[0].run(threading.current_thread)
        threads[0].start(gate.wait, 20)
        await anyio.lowlevel.checkpoint()
        return thread

    thread = anyio.run(leave)
    gate.set()
    threads.clear()
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()


async def test_every_trip_comes_home_however_many_return_together() -> None:
    threads = DiskThreads(4)
    results: list[int] = []

    async def ask(number: int) -> None:
        results.append(await threads.run(abs, -number))

    async with anyio.create_task_group() as group:
        for number in range(2_000):
            group.start_soon(ask, number)
    assert sorted(results) == list(range(2_000))


async def test_who_has_given_up_its_future_holds_up_nobody() -> None:
    threads, gate, all_done = DiskThreads(1), threading.Event(), threading.Event()
    given_up = threads.start(gate.wait, 20)
    waiting = threads.start(divmod, 7, 2)
    threads.start(all_done.set)
    given_up.cancel()
    await anyio.lowlevel.checkpoint()  # they set out
    gate.set()
    assert all_done.wait(20)  # the loop stands still: all three come home together
    with anyio.fail_after(20):
        assert await waiting == (3, 1)


async def test_files_of_aiofiles_are_read_and_written_in_these_threads(tmp_path: Path) -> None:
    threads = DiskThreads(2)
    seen: list[str] = []

    def opener(path: str, flags: int) -> int:
        seen.append(threading.current_thread().name)
        return os.open(path, flags, 0o600)

    async def copy(number: int) -> None:
        path, data = tmp_path / str(number), bytes([number]) * 100_000
        async with aiofiles.open(path, "wb", opener=opener, executor=threads.executor) as file:
            await file.write(data)
        async with aiofiles.open(path, "rb", executor=threads.executor) as file:
            assert await file.read() == data

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(copy, number)
    assert set(seen) <= {"disk-0", "disk-1"}
    assert len(seen) == 50


async def test_what_fails_for_the_executor_is_raised_where_it_is_awaited(tmp_path: Path) -> None:
    threads = DiskThreads(1)
    with pytest.raises(FileNotFoundError):
        await aiofiles.open(tmp_path / "none", executor=threads.executor)
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(threads.executor, divmod, 7, 2) == (3, 1)


async def test_what_was_given_up_before_its_turn_is_not_begun() -> None:
    threads, gate = DiskThreads(1), threading.Event()
    begun: list[str] = []
    loop = asyncio.get_running_loop()
    first = loop.run_in_executor(threads.executor, gate.wait, 20)
    given_up = loop.run_in_executor(threads.executor, begun.append, "given up")
    last = loop.run_in_executor(threads.executor, begun.append, "last")
    given_up.cancel()
    gate.set()
    with anyio.fail_after(20):
        assert await first
        await last
    assert begun == ["last"]


PROGRAM = """
import anyio
from batch_converter import threads

async def main():
    await pool.run(int)

threads._end = lambda *_: print("woken")
pool = threads.DiskThreads()
anyio.run(main)
"""


@pytest.mark.parametrize(("then", "said"), [("", ""), ("del pool", "woken\n")])
def test_threads_end_with_their_object_and_none_is_woken_by_the_end_of_python(
    then: str, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + then], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == (said, "")
