"""The clocks of the tests: time passes where a test says so, and nothing sleeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio

from batch_converter.counters import RunCounters

if TYPE_CHECKING:
    from anyio import Event


class ManualClock:
    """Stands still until the test moves it; waiters' moments come in `run_down` alone.

    Attributes:
        at_s: What the monotonic clock shows.
    """

    def __init__(self, at_s: float = 1_000.0) -> None:
        self.at_s = at_s
        self._began = datetime(2026, 1, 1, tzinfo=UTC)
        self._waiting: list[tuple[float, Event]] = []

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.at_s)

    def monotonic_s(self) -> float:
        return self.at_s

    def step(self, *, hours: float) -> None:
        """Set the time of day forth or back; what is measured goes on as before."""
        self._began += timedelta(hours=hours)

    def advance(self, seconds: float) -> None:
        """Let time pass: whose moment has come is woken."""
        self.at_s += seconds
        for at_s, wake in self._waiting:
            if at_s <= self.at_s:
                wake.set()
        self._waiting = [entry for entry in self._waiting if entry[0] > self.at_s]

    async def wait_until(self, at_s: float, wake: Event) -> None:
        self._waiting.append((at_s, wake))
        await wake.wait()

    async def run_down(self) -> None:
        """Let everybody's moment come, one after the other, until nobody waits."""
        await anyio.wait_all_tasks_blocked()
        while self._waiting:
            self._waiting.sort(key=lambda entry: entry[0])
            at_s, wake = self._waiting.pop(0)
            self.at_s = max(self.at_s, at_s)
            wake.set()
            await anyio.wait_all_tasks_blocked()


class LeapingClock(ManualClock):
    """Leaps to the next moment that is waited for, once all documents wait.

    Attributes:
        counters: Of the run whose documents wait; a document that is in flight and
            does not wait is still at work, and its time has not come. Without a run
            nobody is waited for.
        waits_s: How long each would have waited from the moment that it began to.
    """

    def __init__(self, at_s: float = 1_000.0) -> None:
        super().__init__(at_s)
        self._moments_s: list[float] = []
        self.counters = RunCounters()
        self.waits_s: list[float] = []

    async def wait_until(self, at_s: float, wake: Event) -> None:
        """Let others run until everybody waits; then the earliest waiter's time comes."""
        self.waits_s.append(max(0.0, at_s - self.at_s))
        self._moments_s.append(at_s)
        try:
            while self.at_s < at_s and not wake.is_set():
                await anyio.sleep(0.001)
                if at_s == min(self._moments_s) and self._all_wait():
                    self.at_s = max(self.at_s, at_s)
        finally:
            self._moments_s.remove(at_s)

    def _all_wait(self) -> bool:
        return len(self._moments_s) >= self.counters.in_flight
