"""What the service takes in: never more than its limits, however many come at once."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from aiohttp import web

from batch_converter.config import ServeSettings
from batch_converter.output import GROWTH, MARGIN_BYTES
from batch_converter.server.admission import Admission
from batch_converter.server.health import Health
from batch_converter.server.queue import Totals
from batch_converter.server.storage import DataFolder, open_data_folder
from tests.support.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SIZE_BYTES = 1 << 20
TAKEN_BYTES = (1 + GROWTH) * SIZE_BYTES
"""Of the disk, by a document with its PDF."""


class Disk:
    """Says how much is free once it is let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free_bytes: int = 1 << 40) -> None:
        self.free_bytes = free_bytes
        self.answers = threading.Event()
        monkeypatch.setattr(DataFolder, "free_bytes", lambda _folder: self._told_bytes())

    def _told_bytes(self) -> int:
        assert self.answers.wait(timeout=60)
        return self.free_bytes


@asynccontextmanager
async def admitting(folder: Path, **limits: int) -> AsyncIterator[Admission]:
    settings = ServeSettings(**limits)  # type: ignore[arg-type]  # one type a field
    async with open_data_folder(folder) as data:
        yield Admission(settings, Totals(), data, Health(), clock=ManualClock())


async def outcomes(admission: Admission, disk: Disk, *coming: tuple[str, int]) -> list[int]:
    """Have documents come at once, and stay; return the statuses in their order, 200 of one in."""
    statuses: dict[int, int] = {}
    leave = anyio.Event()

    async def come(number: int, owner: str, size_bytes: int) -> None:
        try:
            async with admission.admitted(owner, size_bytes):
                statuses[number] = 200
                await leave.wait()
        except web.HTTPException as refusal:
            statuses[number] = refusal.status

    async with anyio.create_task_group() as tasks:
        for number, (owner, size_bytes) in enumerate(coming):
            tasks.start_soon(come, number, owner, size_bytes)
        await anyio.wait_all_tasks_blocked()
        disk.answers.set()
        while len(statuses) < len(coming):
            await anyio.lowlevel.checkpoint()
        leave.set()
    return [statuses[number] for number in range(len(coming))]


@pytest.mark.parametrize(
    ("limits", "free_bytes", "admitted", "status"),
    [
        ({"max_queued": 5}, 1 << 40, 5, 429),
        ({"max_queued_per_client": 3}, 1 << 40, 3, 429),
        ({"max_disk_bytes": 4 * SIZE_BYTES}, 1 << 40, 4, 507),
        ({}, MARGIN_BYTES + 6 * TAKEN_BYTES, 6, 507),
        ({}, MARGIN_BYTES + 6 * TAKEN_BYTES - 1, 5, 507),
    ],
)
async def test_of_many_at_once_as_many_are_let_in_as_there_are_places(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    limits: dict[str, int],
    free_bytes: int,
    admitted: int,
    status: int,
) -> None:
    disk = Disk(monkeypatch, free_bytes)
    async with admitting(tmp_path, **limits) as admission:
        came = await outcomes(admission, disk, *[("me", SIZE_BYTES)] * 100)
        assert came == [200] * admitted + [status] * (100 - admitted)
        again = await outcomes(admission, disk, *[("me", SIZE_BYTES)] * 100)
        assert Counter(again) == Counter(came), "who has left takes no place"


async def test_a_full_part_of_the_queue_is_one_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    async with admitting(tmp_path, max_queued=5, max_queued_per_client=3) as admission:
        coming = [("me", 1)] * 50 + [("you", 1)] * 50
        came = await outcomes(admission, disk, *coming)
    assert came[:50] == [200] * 3 + [429] * 47
    assert came[50:] == [200] * 2 + [429] * 48


async def test_what_is_refused_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, MARGIN_BYTES + TAKEN_BYTES)
    async with admitting(tmp_path) as admission:
        came = await outcomes(admission, disk, ("me", 2 * SIZE_BYTES), ("you", SIZE_BYTES))
    assert came == [507, 200]
