"""A backlog keeps the order, its bound, and the first failure."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from batch_converter.errors import OutputError
from batch_converter.output.backlog import TURN_BYTES, Backlog
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PIECE = TURN_BYTES


class Disk:
    """Takes pieces, slowly where a gate is closed, and may be full."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.gate = threading.Event()
        self.reached = threading.Event()
        self.gate.set()
        self.room_bytes = 1 << 40

    def write(self, pieces: Sequence[bytes | bytearray]) -> None:
        self.reached.set()
        assert self.gate.wait(20)
        for piece in pieces:
            self.room_bytes -= len(piece)
            if self.room_bytes < 0:
                raise OutputError("the disk is full")
            self.taken.append(bytes(piece))


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.gate.set()


@pytest.fixture
def backlog(disk: Disk) -> Backlog:
    return Backlog(disk.write, DiskThreads(1))


async def open_when_idle(disk: Disk) -> None:
    with anyio.CancelScope(shield=True):
        await anyio.wait_all_tasks_blocked()
    disk.gate.set()


async def until(event: threading.Event) -> None:
    assert await anyio.to_thread.run_sync(event.wait, 20)


async def finish(backlog: Backlog, disk: Disk) -> None:
    """Write what waits at the end, as the owner of a file does."""
    if rest := await backlog.rest():
        disk.write([rest])


async def test_pieces_are_written_in_order(disk: Disk, backlog: Backlog) -> None:
    pieces = [bytes([number]) * (PIECE // (1 + number % 3)) for number in range(20)]
    for piece in pieces:
        await backlog.put(piece)
    await finish(backlog, disk)
    assert b"".join(disk.taken) == b"".join(pieces)


async def test_little_waits_for_more_and_small_pieces_become_few(
    disk: Disk, backlog: Backlog
) -> None:
    small = [bytes([number % 256]) * (number % 7) for number in range(10_000)]
    for piece in small:
        await backlog.put(piece)
    assert not disk.reached.is_set()
    await finish(backlog, disk)
    assert b"".join(disk.taken) == b"".join(small)
    assert len(disk.taken) < 5


async def test_the_rest_is_what_no_thread_was_given(disk: Disk, backlog: Backlog) -> None:
    assert await backlog.rest() == b""
    await backlog.put(bytes(PIECE))
    large = b"x" * (PIECE // 2)
    for piece in (b"small", large, b"", b"end"):
        await backlog.put(piece)
    assert await backlog.rest() == b"small" + large + b"end"
    assert await backlog.rest() == b""
    assert disk.taken == [bytes(PIECE)]
    await backlog.put(large)
    assert await backlog.rest() is large


async def test_without_a_rest_a_failure_is_told(disk: Disk, backlog: Backlog) -> None:
    disk.room_bytes = 0
    await backlog.put(bytes(PIECE))
    await backlog.put(b"rest")
    with pytest.raises(OutputError, match="full"):
        await backlog.rest()


async def test_who_brings_too_much_waits(disk: Disk, backlog: Backlog) -> None:
    disk.gate.clear()
    taken = 0

    async def bring() -> None:
        nonlocal taken
        for _ in range(10):
            await backlog.put(bytes(PIECE))
            taken += 1

    async with anyio.create_task_group() as group:
        group.start_soon(bring)
        await until(disk.reached)
        await anyio.wait_all_tasks_blocked()
        assert taken == 2
        disk.gate.set()
    await finish(backlog, disk)
    assert len(disk.taken) == 10


async def test_a_failure_is_told_to_all_that_come_after(disk: Disk, backlog: Backlog) -> None:
    disk.room_bytes = PIECE
    await backlog.put(bytes(PIECE))
    await backlog.put(bytes(PIECE))
    for _ in range(2):
        with pytest.raises(OutputError, match="full"):
            await backlog.rest()
    with pytest.raises(OutputError, match="full"):
        await backlog.put(b"more")
    assert len(disk.taken) == 1


async def test_a_failure_reaches_one_who_waits_for_room(disk: Disk, backlog: Backlog) -> None:
    disk.room_bytes = 0

    async def bring() -> None:
        for _ in range(100):
            await backlog.put(bytes(PIECE))

    with pytest.raises(OutputError, match="full"):
        await bring()
    assert disk.taken == []


async def test_what_is_dropped_is_not_written_and_failures_are_forgotten(
    disk: Disk, backlog: Backlog
) -> None:
    disk.gate.clear()
    await backlog.put(bytes(PIECE))
    await until(disk.reached)
    await backlog.put(b"never")
    disk.room_bytes = 0

    async with anyio.create_task_group() as group:
        group.start_soon(backlog.drop)
        await anyio.wait_all_tasks_blocked()
        disk.gate.set()
    disk.room_bytes = 100
    await backlog.put(b"anew")
    await finish(backlog, disk)
    assert disk.taken == [b"anew"]


async def test_leaving_waits_for_the_thread_that_is_at_the_file(
    disk: Disk, backlog: Backlog
) -> None:
    disk.gate.clear()
    with anyio.CancelScope() as scope:
        await backlog.put(bytes(PIECE))
        await until(disk.reached)
        scope.cancel()
        async with anyio.create_task_group() as group:
            group.start_soon(open_when_idle, disk)
            await backlog.drop()
        assert len(disk.taken) == 1
        await backlog.put(bytes(PIECE))
    assert scope.cancelled_caught
    assert len(disk.taken) == 1


async def test_one_file_does_not_keep_the_threads_to_itself(disk: Disk) -> None:
    threads = DiskThreads(1)
    busy, other = Backlog(disk.write, threads), Backlog(disk.write, threads)
    disk.gate.clear()
    for _ in range(2):
        await busy.put(b"b" * PIECE)
    await other.put(b"o" * PIECE)
    disk.gate.set()
    await finish(other, disk)
    await finish(busy, disk)
    assert disk.taken.index(b"o" * PIECE) < 2
