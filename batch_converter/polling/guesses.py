"""New guesses about the service, as what was seen of it has them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from batch_converter.polling.base import Answer
from batch_converter.polling.forecast import Guess

if TYPE_CHECKING:
    from random import Random

    from batch_converter.polling.forecast import Forecast, Place

_UNQUEUED_SHARE: Final = 0.5
_QUEUE_FORGOTTEN: Final = 200
_QUEUE_UNSEEN: Final = 100
_UNSEEN_QUEUE_SHARE: Final = 0.1


class Guesses:
    """Remembers where the front was last seen, and makes guesses that agree with it."""

    def __init__(self, forecast: Forecast, random: Random) -> None:
        self._forecast = forecast
        self._random = random
        self._since_pending = 0
        self._waited = False
        self._seen: tuple[int, float] | None = None

    def note(self, place: Place, answer: Answer, at_s: float) -> None:
        """Take in what an answer shows of a queue."""
        if answer is Answer.PENDING:
            self._since_pending, self._waited = 0, True
            return
        self._since_pending += 1
        if self._seen is None or place.sequence >= self._seen[0]:
            self._seen = (place.sequence, at_s)

    def first(self, k: int, level: float, *, spread: float, servers: float | None) -> Guess:
        """Make the guess number `k` of a belief that has seen nothing yet."""
        level += self._random.gauss(0.0, spread)
        if servers is None or k % 5 == 0:
            return self._guess(level, self._any_index())
        counts = self._forecast.schedules.servers
        if not counts or servers >= self._forecast.max_in_flight:
            return self._guess(level, None)
        wanted = servers * math.exp(self._random.gauss(0.0, 0.2))
        return self._guess(level, min(range(len(counts)), key=lambda i: abs(counts[i] - wanted)))

    def anew(self, level: float) -> Guess:
        """Make a guess of any kind, its clock put where the front was last seen."""
        guess = self._guess(level, self._any_index())
        if guess.index is not None:
            at_s = self._forecast.at_s
            sequence, seen_s = self._seen or (0, at_s)
            start = self._forecast.start(guess.index, sequence)
            guess.clock = start + guess.rate * max(0.0, at_s - seen_s)
        return guess

    def beside(self, guess: Guess, level: float, rate: float, index: int) -> Guess:
        """Move a guess to one server more or less; front and throughput stay."""
        counts = self._forecast.schedules.servers
        beside = min(max(index + self._random.choice((-1, 1)), 0), len(counts) - 1)
        clock = guess.clock
        if beside != index:
            clock = self._forecast.start(beside, self._forecast.front(guess))
            rate *= counts[index] / counts[beside]
        return Guess(level=level, index=beside, rate=rate, clock=clock)

    def _guess(self, level: float, index: int | None) -> Guess:
        rate = math.exp(-level + self._random.gauss(0.0, 0.1))
        rate /= self._forecast.times.residuals.mean_factor
        return Guess(level=level, index=index, rate=rate, clock=0.0)

    def _any_index(self) -> int | None:
        """Draw a number of servers, as what was seen of a queue has it."""
        count = len(self._forecast.schedules.servers)
        unqueued = _UNQUEUED_SHARE
        if self._waited and self._since_pending < _QUEUE_FORGOTTEN:
            unqueued = 0.0
        elif not self._waited and self._since_pending > _QUEUE_UNSEEN:
            unqueued = 1.0 - _UNSEEN_QUEUE_SHARE
        if not count or self._random.random() < unqueued:
            return None
        return self._random.randrange(count)
