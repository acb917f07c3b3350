from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import structlog
from structlog.testing import capture_logs

from batch_converter.cli.progress_log import ProgressLog
from batch_converter.counters import RunCounters
from batch_converter.events import RunFinished, RunStarted
from tests.support.clocks import LeapingClock

STARTED = RunStarted(
    engine="local",
    chosen_by="the user",
    output="/pdfs",
    runs=0,
    submit_unknown=0,
    out_at_service=0,
)
FINISHED = RunFinished(
    exit_code=0,
    found=0,
    converted=0,
    skipped=0,
    failed=0,
    remaining=0,
    with_warnings=0,
    billed=0,
)


async def told(counters: RunCounters, *, minutes: int) -> list[Any]:
    """Return what is logged of a run that takes so long and converts 30 files a minute."""
    clock = LeapingClock()
    log = ProgressLog(counters, 60, clock=clock)
    structlog.reset_defaults()
    with capture_logs() as lines:
        async with anyio.create_task_group() as telling:
            telling.start_soon(log.tell)
            await anyio.wait_all_tasks_blocked()
            assert not clock.waits_s, "before the run has started, there is nothing to tell"
            log.observe(STARTED)
            for minute in range(1, minutes + 1):
                with anyio.fail_after(10):
                    while len(lines) < minute:
                        counters.converted = 30 * minute
                        await anyio.lowlevel.checkpoint()
            log.observe(FINISHED)
    return lines


async def test_it_tells_after_each_interval_how_far_the_run_is() -> None:
    lines = await told(RunCounters(found=600, discovering=False), minutes=4)
    assert [line["event"] for line in lines] == ["run.progress"] * 4
    assert [line["converted"] for line in lines] == [30, 60, 90, 120]
    assert {line["files_per_minute"] for line in lines} == {30.0}
    assert [line["left_s"] for line in lines] == [1140.0, 1080.0, 1020.0, 960.0]


async def test_nobody_knows_the_end_while_files_are_found() -> None:
    (line,) = await told(RunCounters(found=600), minutes=1)
    assert line["discovering"]
    assert line["left_s"] is None


async def test_a_run_that_is_over_at_once_tells_nothing() -> None:
    assert await told(RunCounters(), minutes=0) == []
