"""Room that is spoken for: when the disk is asked, and when the last look still counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from batch_converter.models import Document, DocumentState
from batch_converter.orchestrator import DiskRoom
from batch_converter.orchestrator.disk_room import LOOK_LIFETIME_S
from batch_converter.output import wanted_bytes
from batch_converter.threads import DiskThreads
from tests.support.clocks import ManualClock

if TYPE_CHECKING:
    from batch_converter.output import OutputStore, PdfWriter

SIZE = 1_000
pytestmark = pytest.mark.anyio


class Disk:
    """Has so many bytes to spare, and counts how often it is asked for them."""

    def __init__(self, spare_bytes: float) -> None:
        self.spare_bytes = spare_bytes
        self.looks = 0

    def check_writable(self, _output: str, *, source_bytes: int) -> float:
        assert source_bytes == SIZE
        self.looks += 1
        return self.spare_bytes


class Part:
    """Remembers whether room was tried for it."""

    def __init__(self) -> None:
        self.probes: list[int | None] = []

    async def create(self, *, source_bytes: int | None = None) -> None:
        self.probes.append(source_bytes)


class Bench:
    def __init__(self, spare_bytes: float) -> None:
        self.disk, self.part, self.clock = Disk(spare_bytes), Part(), ManualClock()
        self.room = DiskRoom(cast("OutputStore", self.disk), DiskThreads(), self.clock)

    async def take(self, number: int, folder: str = "") -> None:
        await self.room.take(document(number, folder), cast("PdfWriter", self.part))


def document(number: int, folder: str = "") -> Document:
    return Document(
        id=number,
        path=f"/scans/{number}.djvu",
        source=f"{number}.djvu",
        source_root="/scans",
        output=f"{folder}{number}.pdf",
        size_bytes=SIZE,
        mtime_ns=0,
        state=DocumentState.PENDING,
    )


async def test_a_look_serves_all_in_the_same_folder_for_a_while() -> None:
    bench = Bench(1e9)
    for number in range(10):
        await bench.take(number)
        await bench.room.look(document(number))
    assert bench.disk.looks == 1
    assert bench.part.probes == [SIZE] + [None] * 9
    await bench.take(10, "elsewhere/")
    assert bench.disk.looks == 2


@pytest.mark.parametrize(("after_s", "looks"), [(LOOK_LIFETIME_S - 0.01, 1), (LOOK_LIFETIME_S, 2)])
async def test_a_look_grows_old(after_s: float, looks: int) -> None:
    bench = Bench(1e9)
    await bench.take(1)
    bench.clock.at_s += after_s
    await bench.take(2)
    assert bench.disk.looks == looks


@pytest.mark.parametrize(("others", "looks"), [(2, 1), (3, 2)])
async def test_what_others_were_given_counts_until_a_new_look(others: int, looks: int) -> None:
    bench = Bench(3 * wanted_bytes(SIZE))
    for number in range(others):
        await bench.take(number)
        bench.room.release(number)  # stored or not: the last look does not tell
    await bench.take(99)
    assert bench.disk.looks == looks
