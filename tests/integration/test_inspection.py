"""DjVu files that are read in processes of their own, asked by threads that wait."""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread
import psutil
import pytest

from batch_converter.djvu.read import bundle, identity, inspect
from batch_converter.djvu.work import child, inspector_pool
from batch_converter.djvu.work import inspector as inspector_process
from batch_converter.djvu.work.inspection import HEADERS_S, MAX_MEMORY_BYTES, DjvuInspector
from batch_converter.djvu.work.inspector_pool import InspectorPool
from batch_converter.djvu.work.inspector_process import InspectorProcess, InspectorStartError
from batch_converter.errors import (
    EngineError,
    MachineExhaustedError,
    NotDjvuError,
    OutputError,
    UnreadableError,
)
from tests.support.bundles import bundle_of, bzz, form, index_of, pages
from tests.support.djvu_files import SAMPLES, chunk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path


def inspectors() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "batch_converter.djvu.work.inspector" in child.cmdline()]


def file_of_names(path: Path, name_bytes: int) -> str:
    """Write a bundle of 4,096 offsets that lead nowhere and names that mean nothing."""
    names = bzz(random.Random(5).randbytes(name_bytes))
    offsets = struct.pack(">BH4096I", 0x81, 4096, *[7] * 4096)
    path.write_bytes(b"AT&T" + form("DJVM", chunk("DIRM", offsets + names)))
    return os.fspath(path)


@pytest.fixture
async def inspector() -> AsyncIterator[DjvuInspector]:
    opened = DjvuInspector()
    yield opened
    await opened.aclose()
    assert not inspectors()


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.djvu")))
async def test_a_document_is_known_as_if_it_were_read_here(
    inspector: DjvuInspector, name: str
) -> None:
    path = os.fspath(SAMPLES / name)
    expected = identity.identify(path)
    info = inspect.inspect(path)

    found = await anyio.to_thread.run_sync(inspector.identify, path)
    assert (found.sha256, found.mtime_ns) == (expected.sha256, expected.mtime_ns)
    assert (found.size_bytes, found.pages) == (info.size_bytes, info.page_count)
    assert (found.warnings, found.bundle, found.parts_fingerprint) == (info.warnings, None, None)

    assert await anyio.to_thread.run_sync(inspector.count_pages, path) == info.page_count
    outlook = await anyio.to_thread.run_sync(inspector.outlook, path)
    assert (outlook.pages, outlook.has_text) == (info.page_count, info.has_text)
    assert outlook.page_sizes == tuple(page.shown_size for page in info.pages)
    assert found.outlook == outlook
    assert len(inspectors()) == 1


@pytest.mark.parametrize("count", [64, 65])
async def test_what_a_pdf_should_be_like_is_told_at_once_of_a_document_of_few_pages(
    inspector: DjvuInspector, tmp_path: Path, count: int
) -> None:
    book = tmp_path / "book.djvu"
    book.write_bytes(bundle_of(pages(count)))
    found = await anyio.to_thread.run_sync(inspector.identify, os.fspath(book))
    assert found.pages == count
    outlook = await anyio.to_thread.run_sync(inspector.outlook, os.fspath(book))
    assert found.outlook == (outlook if count == 64 else None)


def make_index(folder: Path) -> str:
    """Write an index with its parts, and its bundled form as it is expected."""
    index = index_of(pages(), folder)
    bundle.bundle(index, folder / "expected")
    return os.fspath(index)


async def test_an_index_is_bundled_in_there(inspector: DjvuInspector, tmp_path: Path) -> None:
    index = await anyio.to_thread.run_sync(make_index, tmp_path)
    found = await anyio.to_thread.run_sync(inspector.identify, index)
    assert (found.bundle, found.outlook) == (None, None)
    assert found.parts_fingerprint is not None
    fingerprint = await anyio.to_thread.run_sync(inspector.parts_fingerprint, index)
    assert fingerprint == found.parts_fingerprint

    identify = partial(inspector.identify, index)
    await anyio.to_thread.run_sync(partial(identify, bundle_path=tmp_path / "bundled"))
    assert (tmp_path / "bundled").read_bytes() == (tmp_path / "expected").read_bytes()
    with pytest.raises(OutputError, match="cannot be written"):
        await anyio.to_thread.run_sync(partial(identify, bundle_path=tmp_path / "no" / "x"))


async def test_what_is_wrong_with_a_file_is_told_with_its_code(
    inspector: DjvuInspector, tmp_path: Path
) -> None:
    (tmp_path / "text.djvu").write_bytes(b"no DjVu")
    for name, error in (("text.djvu", NotDjvuError), ("missing.djvu", UnreadableError)):
        with pytest.raises(error, match=name):
            await anyio.to_thread.run_sync(inspector.identify, os.fspath(tmp_path / name))
    strange = shutil.copy(SAMPLES / "book.djvu", os.fspath(tmp_path) + "/caf\udce9.djvu")
    assert (await anyio.to_thread.run_sync(inspector.identify, strange)).pages
    assert len(inspectors()) == 1


async def test_a_file_that_takes_for_ever_costs_itself_alone(tmp_path: Path) -> None:
    inspector = DjvuInspector(headers_s=0)
    hostile = file_of_names(tmp_path / "names.djvu", 390_000)
    with pytest.raises(EngineError, match=r"names\.djvu.* used up its processor time"):
        await anyio.to_thread.run_sync(inspector.identify, hostile)
    assert not inspectors()
    book = os.fspath(SAMPLES / "book.djvu")
    assert (await anyio.to_thread.run_sync(inspector.identify, book)).pages
    await inspector.aclose()


def test_time_is_granted_by_the_bytes_that_are_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    granted: list[float] = []
    monkeypatch.setattr(child, "limit_processor_time", granted.append)
    book = SAMPLES / "book.djvu"
    job = {"path": os.fspath(book), "headers_s": 3, "bundle_path": None, "bundled_only": False}
    inspector_process._identify(os.fspath(book), job)
    assert granted == [3 + book.stat().st_size / 10_000_000]


@pytest.mark.parametrize("headers_s", [2**64 / 1e9, 1e13, 1e300])
async def test_no_grant_of_time_is_too_long(headers_s: float) -> None:
    """Also not of more nanoseconds than the system counts: that would end the process at once."""
    inspector = DjvuInspector(headers_s=headers_s)
    book = os.fspath(SAMPLES / "book.djvu")
    assert await anyio.to_thread.run_sync(inspector.count_pages, book) == 6
    await inspector.aclose()


async def test_a_process_that_was_killed_while_idle_harms_nobody(inspector: DjvuInspector) -> None:
    book = os.fspath(SAMPLES / "book.djvu")
    first = await anyio.to_thread.run_sync(inspector.identify, book)
    for process in inspectors():
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert await anyio.to_thread.run_sync(inspector.identify, book) == first


async def test_three_that_are_killed_at_a_file_are_enough(
    inspector: DjvuInspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mapping[str, object]] = []
    ask = InspectorProcess.ask

    def ask_a_dead_one(self: InspectorProcess, job: Mapping[str, object]) -> dict[str, object]:
        asked.append(job)
        os.kill(self._process.pid, signal.SIGKILL)
        return ask(self, job)

    monkeypatch.setattr(InspectorProcess, "ask", ask_a_dead_one)
    with pytest.raises(EngineError, match="each of 3 processes that read it was killed"):
        await anyio.to_thread.run_sync(inspector.identify, os.fspath(SAMPLES / "book.djvu"))
    assert len(asked) == 3


async def test_a_process_that_cannot_begin_is_the_machine_s_fault() -> None:
    inspector = DjvuInspector(max_memory_bytes=1 << 20)
    with pytest.raises(MachineExhaustedError, match="does not let the run go on"):
        await anyio.to_thread.run_sync(inspector.identify, os.fspath(SAMPLES / "book.djvu"))
    await inspector.aclose()
    assert not inspectors()


async def test_more_who_ask_share_two_processes(inspector: DjvuInspector) -> None:
    found = []

    async def ask(path: Path) -> None:
        found.append(await anyio.to_thread.run_sync(inspector.identify, os.fspath(path)))

    async with anyio.create_task_group() as group:
        for path in [*SAMPLES.glob("*.djvu")] * 4:
            group.start_soon(ask, path)
    assert len(found) == 4 * len({one.sha256 for one in found})
    assert 1 <= len(inspectors()) <= 2


@pytest.mark.parametrize(("grow_after_s", "places"), [(0.0, 2), (math.inf, 1)])
async def test_a_start_that_failed_beside_another_costs_a_place_for_a_while(
    monkeypatch: pytest.MonkeyPatch, grow_after_s: float, places: int
) -> None:
    monkeypatch.setattr(inspector_pool, "_GROW_AFTER_S", grow_after_s)
    pool = InspectorPool(size=2, max_memory_bytes=MAX_MEMORY_BYTES)
    job: dict[str, object] = {"job": "count_pages", "path": os.fspath(SAMPLES / "book.djvu")}
    job |= {"headers_s": HEADERS_S, "bundled_only": False}
    is_withheld = threading.Event()
    withhold = pool._withhold

    def note_withheld() -> bool:
        was_withheld = withhold()
        is_withheld.set()
        return was_withheld

    def refuse(_max_memory_bytes: int) -> InspectorProcess:
        raise InspectorStartError("no process can be had")

    def ask() -> None:
        with ThreadPoolExecutor(1) as threads:
            with pool._process(), monkeypatch.context() as patch:
                patch.setattr(InspectorProcess, "start", refuse)
                patch.setattr(pool, "_withhold", note_withheld)
                answer = threads.submit(pool.ask, job)
                is_withheld.wait()
            assert answer.result() == {"pages": 6}

    await anyio.to_thread.run_sync(ask)
    free = 0
    while pool._places.acquire(blocking=False):
        free += 1
    assert free == places
    await anyio.to_thread.run_sync(pool.close)
