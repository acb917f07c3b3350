"""A run over real files and a real ledger, with the fake engine and a fake clock."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from batch_converter.budget import Budget
from batch_converter.config import STATE_DIR_NAME, Settings
from batch_converter.ledger import Ledger, LedgerReader
from batch_converter.orchestrator import Run
from batch_converter.orchestrator.context import RunContext
from batch_converter.orchestrator.meter import LedgerMeter
from batch_converter.orchestrator.planning import Planner
from batch_converter.output import PartFolder
from batch_converter.polling import FixedInterval
from batch_converter.progress import Tally
from batch_converter.sources import Sources
from tests.support.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio import Event

    from batch_converter.models import FileReport, RunSummary


class FakeClock:
    """A clock that leaps to the next moment that is waited for, once all documents wait.

    Attributes:
        tally: Of the run whose documents wait; a document that is in flight and
            does not wait is still at work, and its time has not come.
    """

    def __init__(self) -> None:
        self._at_s = 1_000.0
        self._start = datetime(2026, 1, 1, tzinfo=UTC)
        self._waiting: list[float] = []
        self.tally = Tally()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._at_s)

    def monotonic_s(self) -> float:
        return self._at_s

    def advance(self, seconds: float) -> None:
        self._at_s += seconds

    async def wait_until(self, at_s: float, wake: Event) -> None:
        """Let others run until everybody waits; then the earliest waiter's time comes."""
        self._waiting.append(at_s)
        try:
            while self._at_s < at_s and not wake.is_set():
                await anyio.sleep(0.001)
                if at_s == min(self._waiting) and self._all_wait():
                    self._at_s = max(self._at_s, at_s)
        finally:
            self._waiting.remove(at_s)

    def _all_wait(self) -> bool:
        return len(self._waiting) >= self.tally.in_flight


@dataclass(slots=True)
class Stage:
    """Folders, settings and the engine of one test; `convert` makes a run."""

    source: Path
    output: Path
    settings: Settings
    clock: FakeClock
    billed: bool = True
    any_engine: bool = False
    options: str = "0"

    @asynccontextmanager
    async def run(self) -> AsyncIterator[tuple[Run, FakeEngine]]:
        """Wire a run as `api.open_run` does."""
        state = self.output / STATE_DIR_NAME
        state.mkdir(parents=True, exist_ok=True)
        tally = self.clock.tally = Tally()
        async with await Ledger.open(state / "ledger.sqlite3") as ledger:
            parts = PartFolder(
                output_dir=self.output,
                state_dir=state,
                run_id="test",
                verify=self.settings.output.verify,
            )
            await parts.prepare()
            meter = LedgerMeter(
                ledger=ledger,
                budget=Budget(self.settings.budget.max_api_calls),
                clock=self.clock,
                tally=tally,
            )
            engine = FakeEngine(meter, billed=self.billed, options=self.options)
            self.clock.advance(1)
            recovered = await ledger.begin_run(
                f"run-{self.clock.monotonic_s()}", engine.name, at=self.clock.now()
            )
            context = RunContext(
                settings=self.settings,
                engine=engine,
                ledger=ledger,
                meter=meter,
                policy=FixedInterval(self.settings.polling.interval or 5),
                parts=parts,
                clock=self.clock,
                tally=tally,
                service="test",
                output_dir=self.output,
                parts_dir=state / "parts",
                pollers=anyio.CapacityLimiter(self.settings.concurrency.max_pollers),
            )
            planner = Planner(context, any_engine=self.any_engine)
            yield Run(context, planner, recovered), engine

    async def execute(self, run: Run) -> RunSummary:
        """Drive the run over the source folder."""
        sources = Sources(paths=(str(self.source),))
        excluded = [str(self.output / STATE_DIR_NAME)]
        opened = await anyio.to_thread.run_sync(
            lambda: sources.open(self.settings.input, excluded_dirs=excluded)
        )
        return await run.execute(opened.found, opened.roots)

    async def convert(self) -> RunSummary:
        """Make a run in which nothing is scripted."""
        async with self.run() as (run, _):
            return await self.execute(run)

    async def files(self) -> dict[str, FileReport]:
        """Return what the last run did, by source."""
        return await anyio.to_thread.run_sync(self._files)

    def _files(self) -> dict[str, FileReport]:
        with LedgerReader(self.output / STATE_DIR_NAME / "ledger.sqlite3") as reader:
            return {file.source: file for file in reader.files()}
