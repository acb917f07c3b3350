"""How many at once and how fast; the clock is injected.

What may be spent is `budget`'s business.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from batch_converter.errors import ServiceUnavailableError

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
        outage: Says when a pause has lasted too long.
    """

    def __init__(self, *, requests_per_second: float | None, clock: Clock, outage: Outage) -> None:
        self._clock = clock
        self._outage = outage
        self._interval_s = 1 / requests_per_second if requests_per_second else 0.0
        self._pace_s = 0.0
        self._next_at_s = clock.monotonic_s()
        self._paused_until_s = clock.monotonic_s()
        self._complaints = 0
        self._was_good = False

    async def turn(self) -> int:
        """Wait until a request may leave; turns are given in the order of asking.

        Returns:
            What `pause` wants to know of a request that left now.

        Raises:
            ServiceUnavailableError: A pause keeps all requests back for too long.
        """
        while True:
            at_s = self._reserve()
            await self._outage.endure(self._paused_until_s)
            if at_s > self._clock.monotonic_s():
                await self._clock.wait_until(at_s, anyio.Event())
            # A pause may have begun in the meantime: queue up again behind it.
            if self._paused_until_s <= at_s:
                return self._complaints

    def _reserve(self) -> float:
        at_s = max(self._clock.monotonic_s(), self._next_at_s, self._paused_until_s)
        self._next_at_s = at_s + max(self._interval_s, self._pace_s)
        return at_s

    def pause(self, seconds: float, *, asked_s: float, turn: int) -> bool:
        """The service complained: nobody sends anything for so long, then more slowly.

        Requests that were under way together are answered together: their complaints
        are one, whose pause the later ones lengthen by no more than was asked for.

        Args:
            seconds: The pause that the first complaint makes.
            asked_s: The part of it that the service asked for.
            turn: What `turn` returned to the request.

        Returns:
            Whether it is the first.
        """
        is_first = turn == self._complaints
        until_s = self._clock.monotonic_s() + (seconds if is_first else asked_s)
        self._paused_until_s = max(self._paused_until_s, until_s)
        if is_first:
            self._complaints += 1
            self._slow_down()
            self._next_at_s = self._paused_until_s
        return is_first

    def _slow_down(self) -> None:
        """Halve the pace, unless nothing has succeeded at it: it was not the pace then."""
        if self._was_good or not self._pace_s:
            self._pace_s = min(_SLOWEST_PACE_S, max(_FIRST_PACE_S, self._pace_s * 2))
        self._was_good = False

    def succeeded(self) -> None:
        """A request was answered: pick up speed."""
        self._was_good = True
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
    """Since when no request has succeeded, and how long that is borne.

    Args:
        unavailable_after_s: How long.
        clock: The time.
    """

    def __init__(self, *, unavailable_after_s: float, clock: Clock) -> None:
        self._unavailable_after_s = unavailable_after_s
        self._clock = clock
        self._since_s: float | None = None
        self._succeeded_at_s = clock.monotonic_s()
        self._ever_over = False
        self._last: Exception | None = None

    @property
    def never_reached(self) -> bool:
        """Whether no request has succeeded at all."""
        return not self._ever_over

    def failed(self, error: Exception) -> None:
        """A request failed."""
        self._last = error
        if self._since_s is None:
            self._since_s = self._clock.monotonic_s()

    def check(self) -> None:
        """Find out, after a failure, whether trying again makes sense.

        Raises:
            ServiceUnavailableError: All requests have failed for too long.
        """
        self._give_up_from(self._silent_since_s)

    def succeeded(self) -> None:
        """The service answered."""
        self._since_s = None
        self._succeeded_at_s = self._clock.monotonic_s()
        self._ever_over = True

    async def endure(self, until_s: float) -> None:
        """Wait for a moment that trouble has put off, but not beyond all patience.

        The service may ask for more time than it is given; a request that succeeds
        meanwhile begins the time anew.

        Raises:
            ServiceUnavailableError: No request has succeeded for too long.
        """
        while self._clock.monotonic_s() < until_s:
            silent_since_s = self._silent_since_s
            self._give_up_from(silent_since_s)
            moment_s = min(until_s, silent_since_s + self._unavailable_after_s)
            await self._clock.wait_until(moment_s, anyio.Event())

    @property
    def _silent_since_s(self) -> float:
        return self._succeeded_at_s if self._since_s is None else self._since_s

    def _give_up_from(self, since_s: float) -> None:
        now_s = self._clock.monotonic_s()
        if now_s >= since_s + self._unavailable_after_s:
            msg = f"no request has succeeded for {now_s - since_s:.0f} s; last: {self._last}"
            raise ServiceUnavailableError(msg) from self._last
