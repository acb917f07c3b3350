"""How many at once and how fast; the clock is injected.

What may be spent is `budget`'s business.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from batch_converter.clock import Clock

_FIRST_PACE_S: Final = 0.05
_SLOWEST_PACE_S: Final = 5.0
_RELAXATION: Final = 0.9
_NEGLIGIBLE_PACE_S: Final = 0.01


class Throttle:
    """Lets requests leave one after the other, for all coroutines together.

    Three things keep a request back: the rate that the user set, a pause that the
    service asked for, and a pace. The pace slows down when the service complains
    and recovers as requests succeed, so that a pause does not end in a stampede.

    Args:
        requests_per_second: The user's limit; None is none.
    """

    def __init__(self, *, requests_per_second: float | None, clock: Clock) -> None:
        self._clock = clock
        self._interval_s = 1 / requests_per_second if requests_per_second else 0.0
        self._pace_s = 0.0
        self._next_at_s = clock.monotonic_s()
        self._paused_until_s = clock.monotonic_s()

    async def turn(self) -> None:
        """Wait until a request may leave; turns are given in the order of asking."""
        while True:
            at_s = self._reserve()
            if at_s > self._clock.monotonic_s():
                await self._clock.wait_until(at_s, anyio.Event())
            # A pause may have begun in the meantime: queue up again behind it.
            if self._paused_until_s <= at_s:
                return

    def _reserve(self) -> float:
        at_s = max(self._clock.monotonic_s(), self._next_at_s, self._paused_until_s)
        self._next_at_s = at_s + max(self._interval_s, self._pace_s)
        return at_s

    def pause(self, seconds: float) -> bool:
        """The service complained: nobody sends anything for so long, then more slowly.

        Returns:
            Whether that is news; complaints of requests that had left before an
            earlier pause only lengthen it.
        """
        now_s = self._clock.monotonic_s()
        is_news = now_s >= self._paused_until_s
        self._paused_until_s = max(self._paused_until_s, now_s + seconds)
        if is_news:
            self._pace_s = min(_SLOWEST_PACE_S, max(_FIRST_PACE_S, self._pace_s * 2))
            self._next_at_s = self._paused_until_s
        return is_news

    def succeeded(self) -> None:
        """A request was answered: pick up speed."""
        self._pace_s *= _RELAXATION
        if self._pace_s < _NEGLIGIBLE_PACE_S:
            self._pace_s = 0.0


class AdaptiveWindow:
    """How many uploads run at once: up to a limit, fewer while the service complains.

    Each success adds `1 / size`, so that a full window of successes adds one; a
    complaint halves the size, once for all uploads that were under way.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = float(limit)
        self._complaints = 0
        self._slots = anyio.CapacityLimiter(limit)

    @property
    def size(self) -> int:
        """Uploads that may run at once now."""
        return int(self._size)

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[UploadSlot]:
        """Hold a place in the window; waiters are served in order."""
        async with self._slots:
            yield UploadSlot(window=self, complaints_before=self._complaints)

    def resize(self, size: float) -> None:
        """Set the size, within 1 and the limit."""
        self._size = min(float(self._limit), max(1.0, size))
        self._slots.total_tokens = self.size

    def grow(self) -> None:
        """An upload succeeded."""
        self.resize(self._size + 1 / self._size)

    def shrink(self, *, complaints_before: int) -> None:
        """The service complained about an upload that began after so many complaints."""
        if complaints_before == self._complaints:
            self._complaints += 1
            self.resize(self._size / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSlot:
    """A place in the window, for the time of one upload."""

    window: AdaptiveWindow
    complaints_before: int

    def succeeded(self) -> None:
        """The upload was answered well."""
        self.window.grow()

    def complained(self) -> None:
        """The service has too much to do, or lost the connection."""
        self.window.shrink(complaints_before=self.complaints_before)


class Outage:
    """Since when no request has succeeded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since_s: float | None = None
        self._ever_over = False

    @property
    def never_reached(self) -> bool:
        """Whether no request has succeeded at all."""
        return not self._ever_over

    def failed(self) -> float:
        """A request failed; return for how long all have, in seconds."""
        now_s = self._clock.monotonic_s()
        if self._since_s is None:
            self._since_s = now_s
        return now_s - self._since_s

    def succeeded(self) -> None:
        """The service answered."""
        self._since_s = None
        self._ever_over = True
