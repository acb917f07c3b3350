"""A run over real files and a real ledger, with the fake engine and a fake clock."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio.to_thread

from batch_converter.config import STATE_DIR_NAME
from batch_converter.counters import RunCounters
from batch_converter.ledger import LedgerReader
from batch_converter.opening import open_run
from batch_converter.polling import FixedInterval
from batch_converter.sources import Sources
from batch_converter.testing import FakeConverter, FakeTaskService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from batch_converter.config import Settings
    from batch_converter.models import FileReport, RunSummary
    from batch_converter.orchestrator import Run
    from batch_converter.sources import OpenSources
    from tests.support.clocks import LeapingClock


@dataclass(slots=True)
class Stage:
    """Folders, settings and engines of one test; `convert` makes a run.

    Attributes:
        asked_by_name: Whether the engine was asked for by name, or chosen by `auto`.
        options: The engine's options digest.
        tasks: What the service knows, from run to run.
    """

    source: Path
    output: Path
    settings: Settings
    clock: LeapingClock
    asked_by_name: bool = True
    options: str = "0"
    found: OpenSources | None = None
    tasks: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[tuple[Run, FakeTaskService]]:
        """Make a run over a service ready, as the command does."""
        service = FakeTaskService(
            options=self.options, result_lifetime=timedelta(hours=24), tasks=self.tasks
        )
        async with self._opened(service) as run:
            yield run, service

    @asynccontextmanager
    async def direct_run(self) -> AsyncIterator[tuple[Run, FakeConverter]]:
        """Make a run over a converter ready."""
        converter = FakeConverter("fake-converter", options=self.options)
        async with self._opened(converter) as run:
            yield run, converter

    @asynccontextmanager
    async def _opened(self, engine: FakeTaskService | FakeConverter) -> AsyncIterator[Run]:
        self.clock.at_s += 1
        self.clock.counters = RunCounters()
        settings = self.settings.model_copy(
            update={
                "engine": engine.name if self.asked_by_name else "auto",
                "output": self.settings.output.model_copy(update={"dir": self.output}),
            }
        )
        async with open_run(
            settings,
            Sources(paths=(str(self.source),)),
            run_id=f"run-{self.clock.monotonic_s()}",
            on_event=self.clock.counters.observe,
            engines=[engine.spec],
            clock=self.clock,
            policy=FixedInterval(self.settings.polling.interval or 5),
        ) as (run, self.found):
            yield run

    async def execute(self, run: Run) -> RunSummary:
        """Drive the run over the source folder."""
        assert self.found is not None
        return await run.execute(self.found.found, self.found.roots)

    async def convert(self) -> RunSummary:
        """Make a run in which nothing is scripted."""
        async with self.run() as (run, _):
            return await self.execute(run)

    async def convert_directly(self) -> RunSummary:
        """Make a run over a converter in which nothing is scripted."""
        async with self.direct_run() as (run, _):
            return await self.execute(run)

    async def files(self) -> dict[str, FileReport]:
        """Return what the last run did, by source."""
        return await anyio.to_thread.run_sync(self._files)

    def _files(self) -> dict[str, FileReport]:
        with LedgerReader(self.output / STATE_DIR_NAME / "ledger.sqlite3") as reader:
            return {file.source: file for file in reader.files()}
