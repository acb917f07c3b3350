"""Time as an argument: time of day, a monotonic clock, and waiting."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    from anyio import Event


class Clock(Protocol):
    """The time of day, a monotonic clock, and waiting on it."""

    def now(self) -> datetime:
        """Return the time of day in UTC; it may step."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    async def wait_until(self, at_s: float, wake: Event) -> None:
        """Wait for the monotonic moment `at_s`, or for `wake` if that is set first."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)  # noqa: TID251  # the one door

    def monotonic_s(self) -> float:
        """Return seconds on the system's monotonic clock."""
        return time.monotonic()

    async def wait_until(self, at_s: float, wake: Event) -> None:
        """Wait for the moment, or for the event."""
        with anyio.move_on_after(max(0.0, at_s - self.monotonic_s())):
            await wake.wait()
