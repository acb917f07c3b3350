"""What a run has its engine start before the first document: what will be needed, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from batch_converter import Settings
from batch_converter.api import dry_run
from batch_converter.config import LocalSettings
from batch_converter.djvu.work.worker_process import WorkerStartError
from batch_converter.djvu.work.worker_starter import WorkerStarter
from batch_converter.engines.local import LocalEngine
from batch_converter.opening import open_run
from batch_converter.sources import Sources
from batch_converter.testing import FakeConverter
from tests.integration.test_local_engine import convert
from tests.support.djvu_files import SAMPLES
from tests.support.pdfs import make_archive
from tests.support.worker_processes import workers

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.djvu.work.worker_process import WorkerProcess

pytestmark = pytest.mark.anyio


class SlowStarter(FakeConverter):
    """Never has all started; remembers for how many documents it was to."""

    def __init__(self) -> None:
        super().__init__("fake")
        self.started_for: list[int] = []
        self.called_off = 0

    async def start_for(self, documents: int) -> None:
        self.started_for.append(documents)
        try:
            await anyio.sleep_forever()
        finally:
            self.called_off += 1


async def run(folder: Path, converter: SlowStarter) -> int:
    """Run over an archive; returns how many were converted."""
    settings, sources = of(folder)
    async with open_run(settings, sources, engines=[converter.spec]) as (opened, found):
        summary = await opened.execute(found.found, found.roots)
    return summary.totals.converted


def of(folder: Path) -> tuple[Settings, Sources]:
    settings = Settings.model_validate({"engine": "fake", "output": {"dir": folder / "pdfs"}})
    return settings, Sources(paths=(str(folder / "scans"),))


async def test_a_run_starts_for_what_it_converts_and_calls_off_what_is_not_needed_any_more(
    tmp_path: Path,
) -> None:
    await anyio.to_thread.run_sync(make_archive, tmp_path / "scans", 3)
    converter = SlowStarter()
    settings, sources = of(tmp_path)
    await dry_run(sources, settings, engines=[converter.spec])
    assert converter.started_for == []
    assert await run(tmp_path, converter) == 3
    assert converter.started_for == [3]
    assert converter.called_off == 1
    assert await run(tmp_path, converter) == 0
    assert converter.started_for == [3]


@pytest.mark.parametrize(("documents", "started"), [(1, 1), (2, 2), (9, 2)])
async def test_workers_start_for_documents_as_far_as_there_may_be_some(
    tmp_path: Path, documents: int, started: int
) -> None:
    async with LocalEngine(LocalSettings(), workers=2) as engine:
        await engine.start_for(documents)
        there = workers()
        assert len(there) == started
        await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "out.pdf")
        assert workers() == there
    assert not workers()


async def test_a_document_waits_for_the_worker_that_is_being_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = 0
    is_starting = anyio.Event()
    start = WorkerStarter.start

    async def counted(self: WorkerStarter) -> WorkerProcess:
        nonlocal started
        started += 1
        is_starting.set()
        return await start(self)

    monkeypatch.setattr(WorkerStarter, "start", counted)
    async with (
        LocalEngine(LocalSettings(), workers=1) as engine,
        anyio.create_task_group() as group,
    ):
        group.start_soon(engine.start_for, 1)
        await is_starting.wait()
        await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "out.pdf")
        await engine.start_for(1)
        assert started == 1


@pytest.mark.parametrize(
    "lack", [WorkerStartError("no process"), RuntimeError("can't start new thread")]
)
async def test_what_cannot_be_started_ahead_is_started_when_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: Exception
) -> None:
    async def lacking(_: WorkerStarter) -> WorkerProcess:
        raise lack

    async with LocalEngine(LocalSettings(), workers=1) as engine:
        with monkeypatch.context() as short:
            short.setattr(WorkerStarter, "start", lacking)
            await engine.start_for(1)
        assert not workers()
        await convert(engine, SAMPLES / "bitonal.djvu", tmp_path / "out.pdf")
