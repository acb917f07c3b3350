"""What the service is believed to be: a cloud of guesses, sharpened by each answer.

A guess is a service that works on documents in the order of their submission, some at
once: `level` is the logarithm of a typical document's time, `rate` the weight it works
off in a second, `done` how far it is. A service without a queue is one that works on very
many at once. An answer makes the guesses likelier that foresaw it; what no guess foresaw
scatters them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.polling.base import Answer

if TYPE_CHECKING:
    from random import Random

    from batch_converter.polling.service_time import ServiceTimes

_GUESSES: Final = 100
_UNQUEUED: Final = 1e5
_UNQUEUED_SHARE: Final = 0.5
_MOST_SERVERS: Final = 256.0
_DOUBT: Final = 0.02
_SURPRISE: Final = 0.06


@dataclass(slots=True, kw_only=True)
class Place:
    """A document out at the service.

    Attributes:
        weight: Its time relative to a typical document's.
        ahead: Weight submitted before it.
        rank: Documents out when it was submitted, itself included.
        asked_at_s: When it was last seen unfinished.
    """

    document_id: int
    sequence: int
    submitted_at_s: float
    pages: float
    weight: float
    ahead: float
    rank: int
    asked_at_s: float | None = None
    probe: bool = False
    stray: bool = False
    planned_s: float = math.inf


@dataclass(slots=True)
class _Guess:
    level: float
    servers: float
    done: float
    likelihood: float = 1.0


class Belief:
    """A hundred guesses about the service, at one moment."""

    def __init__(
        self,
        times: ServiceTimes,
        random: Random,
        *,
        typical_s: float,
        spread: float,
        servers: float | None = None,
    ) -> None:
        self._times = times
        self._random = random
        self._at_s = -math.inf
        self.submitted = 0.0
        self._count = 0
        self.mean_weight = 1.0
        self._guesses = [
            self._first_guess(k, math.log(typical_s), spread, servers) for k in range(_GUESSES)
        ]

    def _first_guess(self, k: int, level: float, spread: float, servers: float | None) -> _Guess:
        random = self._random
        if servers is not None and k % 5:
            count = servers * math.exp(random.gauss(0.0, 0.2)) if servers < 1e4 else servers
        else:
            count = self._any_servers()
        return _Guess(level=level + random.gauss(0.0, spread), servers=count, done=0.0)

    def _any_servers(self) -> float:
        if self._random.random() < _UNQUEUED_SHARE:
            return _UNQUEUED
        return math.exp(self._random.uniform(0.0, math.log(_MOST_SERVERS)))

    @property
    def level(self) -> float:
        """The mean logarithm of a typical document's time."""
        return sum(guess.level for guess in self._guesses) / _GUESSES

    @property
    def typical_s(self) -> float:
        """Seconds that a document is worked on, in the mean."""
        return math.exp(self.level) * self._times.residuals.mean_factor * self.mean_weight

    @property
    def servers(self) -> float:
        """The median of the documents worked on at once."""
        return sorted(guess.servers for guess in self._guesses)[_GUESSES // 2]

    def submit(self, weight: float) -> float:
        """Take in a document's weight; returns the weight ahead of it."""
        ahead = self.submitted
        self.submitted += weight
        self._count += 1
        self.mean_weight += (weight - self.mean_weight) / min(self._count, 200)
        return ahead

    def rescale(self, factor: float) -> None:
        """The weights were learned anew: keep the front where it was."""
        self.submitted *= factor
        self.mean_weight *= factor
        for guess in self._guesses:
            guess.done *= factor

    def _rate(self, guess: _Guess) -> float:
        return guess.servers / (math.exp(guess.level) * self._times.residuals.mean_factor)

    def advance(self, at_s: float) -> None:
        """Let the guesses work until `at_s`."""
        if self._at_s == -math.inf:
            self._at_s = at_s
        step_s = at_s - self._at_s
        if step_s <= 0.0:
            return
        self._at_s = at_s
        for guess in self._guesses:
            gap = self.submitted - guess.done
            lead = guess.servers * self.mean_weight
            rate = self._rate(guess)
            if gap > lead:
                worked = min(rate * step_s, gap - lead)
                worked += self._random.gauss(0.0, 0.15) * math.sqrt(worked * self.mean_weight)
                guess.done += max(0.0, worked)
                rest_s = step_s - worked / rate
                gap = self.submitted - guess.done
            else:
                rest_s = step_s
            if rest_s > 0.0:
                guess.done += gap * (1.0 - math.exp(-rest_s * rate / lead))

    def start_s(self, guess: _Guess, place: Place) -> float:
        """When the guess starts (or started) the document."""
        if guess.servers >= place.rank:
            return place.submitted_at_s
        front = guess.done + guess.servers * self.mean_weight
        start = self._at_s + (place.ahead - front) / self._rate(guess)
        return max(start, place.submitted_at_s)

    def front_reaches_s(self, ahead: float) -> float:
        """When about the document behind `ahead` is started; for the median guess."""
        times = []
        for guess in self._guesses[::5]:
            front = guess.done + guess.servers * self.mean_weight
            times.append(self._at_s + (ahead - front) / self._rate(guess))
        times.sort()
        return times[len(times) // 3]

    def ends_s(self, place: Place, *, guesses: int = 10, each: int = 4) -> list[float]:
        """Draw moments, sorted, when the document may be done, given what was seen of it."""
        residuals = self._times.residuals
        seen = place.asked_at_s
        ends = []
        stride = _GUESSES // guesses
        for k in range(guesses):
            guess = self._guesses[k * stride]
            start = self.start_s(guess, place)
            scale = place.weight * math.exp(guess.level)
            known = 0.0
            if seen is not None and seen > start:
                known = residuals.below(math.log((seen - start) / scale))
            offset = (k * 0.618 + 0.5) % 1.0
            for q in range(each):
                share = known + (1.0 - known) * (q + offset) / each
                end = start + scale * math.exp(residuals.quantile(share))
                ends.append(end if seen is None or end > seen else seen + 0.05 * scale)
        ends.sort()
        return ends

    def service_interval_s(self, place: Place, at_s: float) -> tuple[float, float] | None:
        """Bounds of the time that the document was worked on; None where they are vague."""
        starts = sorted(self.start_s(guess, place) for guess in self._guesses[::5])
        vague = starts[-4] - starts[3]
        if vague > 0.2 * place.weight * math.exp(self.level):
            return None
        start = starts[len(starts) // 2]
        low = place.asked_at_s - start if place.asked_at_s is not None else 0.0
        high = at_s - start
        return (max(low, 0.0), high) if high > max(low, 0.0) else None

    def learn(self, place: Place, answer: Answer, at_s: float) -> float:
        """Weigh the guesses by an answer; returns how much it was foreseen."""
        self.advance(at_s)
        foreseen = self._weigh(place, answer, at_s)
        if foreseen < _SURPRISE:
            self._scatter()
            self._weigh(place, answer, at_s)
        self._choose()
        return foreseen

    def _weigh(self, place: Place, answer: Answer, at_s: float) -> float:
        total = 0.0
        for guess in self._guesses:
            guess.likelihood = _DOUBT + (1 - _DOUBT) * self._likelihood(guess, place, answer, at_s)
            total += guess.likelihood
        return total / _GUESSES

    def _likelihood(self, guess: _Guess, place: Place, answer: Answer, at_s: float) -> float:
        start = self.start_s(guess, place)
        typical_s = math.exp(guess.level) * self.mean_weight
        softness = typical_s * (1.0 / guess.servers + 0.05)
        ratio = (start - at_s) / softness
        pending = 1.0 / (1.0 + math.exp(-ratio)) if -50 < ratio < 50 else float(ratio > 0)
        if answer is Answer.PENDING:
            return pending
        scale = place.weight * math.exp(guess.level)
        done = self._share_done(at_s - start, scale)
        known = (
            self._share_done(place.asked_at_s - start, scale)
            if place.asked_at_s is not None
            else 0.0
        )
        left = max(1.0 - known, 1e-3)
        share = (done - known) / left if answer is Answer.ENDED else (1.0 - done) / left
        return (1.0 - pending) * min(share, 1.0)

    def _share_done(self, worked_s: float, scale: float) -> float:
        if worked_s <= 0.0:
            return 0.0
        return self._times.residuals.below(math.log(worked_s / scale))

    def _scatter(self) -> None:
        """Nobody foresaw the answer: spread the guesses out."""
        for guess in self._guesses[1::2]:
            guess.level += self._random.gauss(0.0, 0.5)
            if self._random.random() < 0.3:
                guess.servers = self._any_servers()

    def _choose(self) -> None:
        """Draw the guesses again by their likelihood where it has become uneven."""
        total = sum(guess.likelihood for guess in self._guesses)
        squares = sum(guess.likelihood**2 for guess in self._guesses)
        level = self.level
        spread = math.sqrt(sum((g.level - level) ** 2 for g in self._guesses) / _GUESSES)
        random = self._random
        jitter = min(max(0.02, 0.2 * spread), 0.3)
        step = total / _GUESSES
        point = random.random() * step
        chosen: list[_Guess] = []
        running = 0.0
        for guess in self._guesses:
            running += guess.likelihood
            while point < running and len(chosen) < _GUESSES:
                chosen.append(self._child(guess, jitter))
                point += step
        while len(chosen) < _GUESSES:
            chosen.append(self._child(self._guesses[-1], jitter))
        del squares
        random.shuffle(chosen)
        self._guesses = chosen

    def _child(self, guess: _Guess, jitter: float) -> _Guess:
        random = self._random
        servers = guess.servers
        if random.random() < 0.01:
            servers = self._any_servers()
        elif servers < _UNQUEUED:
            servers = max(1.0, servers * math.exp(random.gauss(0.0, 0.06)))
        return _Guess(
            level=guess.level + random.gauss(0.0, jitter), servers=servers, done=guess.done
        )
