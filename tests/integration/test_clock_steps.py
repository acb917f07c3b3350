"""The time of day steps; nothing but the service's 24 hours is measured by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batch_converter.config import Settings
from batch_converter.engines.base import NotReady
from batch_converter.errors import ExitCode, NetworkError
from batch_converter.ledger import Ledger
from tests.support.clocks import LeapingClock
from tests.support.pdfs import make_archive
from tests.support.runs import Stage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clock() -> LeapingClock:
    return LeapingClock()


@pytest.fixture
def stage(tmp_path: Path, clock: LeapingClock) -> Stage:
    source = tmp_path / "scans"
    source.mkdir()
    return Stage(source, tmp_path / "out", Settings(), clock)


@pytest.mark.parametrize("hours", [-30, -1, 1, 30])
async def test_a_step_in_mid_run_changes_nothing(
    stage: Stage, clock: LeapingClock, hours: float
) -> None:
    paths = make_archive(stage.source, 3)
    async with stage.run() as (run, engine):
        for path in paths:
            engine.fetches[path.name].extend([NotReady(status="Pending")] * 2)
        fetch = engine.fetch

        async def step_and_fetch(*arguments: Any) -> Any:  # noqa: ANN401  # the engine's own
            if sum(engine.fetched.values()) == 4:
                clock.step(hours=hours)
            return await fetch(*arguments)

        engine.fetch = step_and_fetch  # type: ignore[method-assign,assignment]  # the same door
        summary = await stage.execute(run)
    assert summary.exit_code is ExitCode.OK
    assert (summary.totals.converted, summary.api_calls.submit) == (3, 3)
    assert summary.api_calls.poll == 9


@pytest.mark.parametrize("hours", [-30, 23, 25, 300])
async def test_a_step_while_an_id_is_put_on_record_changes_nothing(
    stage: Stage, clock: LeapingClock, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    make_archive(stage.source, 2)
    record = Ledger.submitted

    async def record_and_step(*arguments: Any) -> None:  # noqa: ANN401  # the ledger's own
        await record(*arguments)
        clock.step(hours=hours)

    monkeypatch.setattr(Ledger, "submitted", record_and_step)
    summary = await stage.convert()
    assert (summary.totals.converted, summary.api_calls.submit) == (2, 2)
    assert summary.api_calls.poll == 2


@pytest.mark.parametrize(("hours", "submits"), [(-48, 0), (23, 0), (25, 1)])
async def test_a_step_between_runs_matters_only_for_the_24_hours(
    stage: Stage, clock: LeapingClock, hours: float, submits: int
) -> None:
    [path] = make_archive(stage.source, 1)
    async with stage.run() as (run, engine):
        engine.fetches[path.name].append(NetworkError("weather"))
        await stage.execute(run)
    clock.step(hours=hours)
    summary = await stage.convert()
    assert (summary.totals.converted, summary.api_calls.submit) == (1, submits)
