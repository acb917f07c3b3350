"""How far a run is, told in the log now and then: for those who look at no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from batch_converter.clock import SystemClock
from batch_converter.events import RunFinished, RunProgress, RunStarted
from batch_converter.logs import log_event
from batch_converter.pace import Pace
from batch_converter.task_groups import unwrapped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batch_converter.api import RunReport
    from batch_converter.clock import Clock
    from batch_converter.config import Settings
    from batch_converter.counters import RunCounters
    from batch_converter.events import Observer, RunEvent
    from batch_converter.sources import Sources


async def run_with_progress_log(
    run: Callable[..., Awaitable[RunReport]],
    counters: RunCounters,
    interval_s: float,
    sources: Sources,
    settings: Settings,
    *,
    on_event: Observer,
) -> RunReport:
    """Run, and tell `run.progress` each time that many seconds have passed, until it has ended."""
    log = ProgressLog(counters, interval_s)

    def observe(event: RunEvent) -> None:
        on_event(event)
        log.observe(event)

    with unwrapped():
        async with anyio.create_task_group() as telling:
            telling.start_soon(log.tell)
            report = await run(sources, settings, on_event=observe)
            telling.cancel_scope.cancel()
    return report


class ProgressLog:
    """Tells `run.progress` from the counters until it has seen the run's end."""

    def __init__(
        self, counters: RunCounters, interval_s: float, *, clock: Clock | None = None
    ) -> None:
        self._counters = counters
        self._interval_s = interval_s
        self._clock = clock or SystemClock()
        self._pace = Pace()
        self._begun = anyio.Event()
        self._over = anyio.Event()

    def observe(self, event: RunEvent) -> None:
        """Speak after the run's first event, and fall silent after its last."""
        if isinstance(event, RunStarted):
            self._begun.set()
        elif isinstance(event, RunFinished):
            self._over.set()

    async def tell(self) -> None:
        """Log the event each time the interval has passed; returns with the run's end."""
        await self._begun.wait()
        self._pace.observe(0, at_s=self._clock.monotonic_s())
        while not self._over.is_set():
            next_s = self._clock.monotonic_s() + self._interval_s
            await self._clock.wait_until(next_s, self._over)
            if not self._over.is_set():
                log_event(self._progress())

    def _progress(self) -> RunProgress:
        counters = self._counters
        self._pace.observe(counters.worked_off, at_s=self._clock.monotonic_s())
        left_s = None
        if not counters.discovering:
            left_s = self._pace.seconds_for(counters.found - counters.done)
        rate = self._pace.files_per_minute
        return RunProgress(
            found=counters.found,
            discovering=counters.discovering,
            converted=counters.converted,
            skipped=counters.skipped,
            failed=counters.failed,
            with_warnings=counters.with_warnings,
            in_flight=counters.in_flight,
            pages=counters.pages,
            bytes_in=counters.bytes_in,
            bytes_out=counters.bytes_out,
            billed=counters.api_calls_billed,
            max_billed=counters.max_api_calls,
            files_per_minute=None if rate is None else round(rate, 2),
            left_s=None if left_s is None else round(left_s, 1),
        )
