"""What the service is believed to be: a cloud of guesses, sharpened by each answer.

A guess is a service that takes documents in the order of their submission: `level` is
the logarithm of a typical document's time, `servers` how many are worked on at once,
`clock` the work that each server has done and `rate` what a second adds to it. A service
without a queue serves everyone at once. An answer makes the guesses likelier that foresaw
it; one that nobody foresaw scatters them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.polling.base import Answer
from batch_converter.polling.schedule import Schedules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from batch_converter.polling.service_time import ServiceTimes

_GUESSES: Final = 100
_UNQUEUED_SHARE: Final = 0.5
_DOUBT: Final = 0.02
_SURPRISE: Final = 0.06
_SURE: Final = 0.97
_DRIFT: Final = 2e-5
_SHRINK: Final = 0.98
_UNEVEN: Final = 0.3
_FORGETS: Final = 0.001
_ODD: Final = 0.06
_ODD_FROM: Final = -1.0
_ODD_OVER: Final = 5.0
_OWED: Final = 5.0
_QUEUE_FORGOTTEN: Final = 100


@dataclass(slots=True, kw_only=True)
class Place:
    """A document out at the service.

    Attributes:
        sequence: Its number in the order of submission.
        weight: Its time relative to a typical document's.
        starts: When it starts in each timetable.
        rank: Documents out when it was submitted, itself included.
        asked_at_s: When it was last seen unfinished.
        stray: Later documents were served before it: it tells nothing of the queue.
        planned_s: When it is to be asked.
    """

    document_id: int
    sequence: int
    submitted_at_s: float
    pages: float
    weight: float
    starts: tuple[float, ...]
    rank: int
    asked_at_s: float | None = None
    stray: bool = False
    planned_s: float = math.inf


class Guess:
    """One service that may be the real one; `index` is its timetable, None without queue."""

    __slots__ = ("clock", "index", "level", "likelihood", "rate", "scale_s")

    def __init__(self, *, level: float, index: int | None, rate: float, clock: float) -> None:
        self.level = level
        self.index = index
        self.rate = rate
        self.clock = clock
        self.likelihood = 1.0
        self.scale_s = math.exp(level)


class Belief:
    """A hundred guesses about the service, at one moment."""

    def __init__(
        self,
        times: ServiceTimes,
        random: Random,
        *,
        max_in_flight: int,
        typical_s: float,
        spread: float,
        servers: float | None = None,
    ) -> None:
        self.schedules = Schedules(max_in_flight=max_in_flight)
        self.mean_weight = 1.0
        self._times = times
        self._random = random
        self._max_in_flight = max_in_flight
        self._at_s = -math.inf
        self._chosen_s = math.inf
        self._owed = 0.0
        self._since_pending = _QUEUE_FORGOTTEN + 1
        self._seen: tuple[int, float] | None = None
        self._guesses = [
            self._first_guess(k, math.log(typical_s), spread, servers) for k in range(_GUESSES)
        ]

    def _first_guess(self, k: int, level: float, spread: float, servers: float | None) -> Guess:
        level += self._random.gauss(0.0, spread)
        if servers is None or k % 5 == 0:
            return self._guess(level, self._any_index())
        counts = self.schedules.servers
        if not counts or servers >= self._max_in_flight:
            return self._guess(level, None)
        wanted = servers * math.exp(self._random.gauss(0.0, 0.2))
        return self._guess(level, min(range(len(counts)), key=lambda i: abs(counts[i] - wanted)))

    def _guess(self, level: float, index: int | None, clock: float = 0.0) -> Guess:
        rate = math.exp(-level + self._random.gauss(0.0, _UNEVEN / 3))
        rate /= self._times.residuals.mean_factor
        return Guess(level=level, index=index, rate=rate, clock=clock)

    def _any_index(self) -> int | None:
        count = len(self.schedules.servers)
        unqueued = _UNQUEUED_SHARE if self._since_pending > _QUEUE_FORGOTTEN else 0.0
        if not count or self._random.random() < unqueued:
            return None
        return self._random.randrange(count)

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
        """The median of the documents worked on at once, at most `max_in_flight`."""
        counts = self.schedules.servers
        return sorted(
            counts[guess.index] if guess.index is not None else self._max_in_flight
            for guess in self._guesses
        )[_GUESSES // 2]

    def submit(self, weight: float, at_s: float) -> tuple[float, ...]:
        """Take in a document; returns its start in each timetable."""
        self.advance(at_s)
        for guess in self._guesses:
            if guess.index is not None:  # a server that has idled takes it at once
                guess.clock = min(guess.clock, self.schedules.next_start(guess.index))
        starts = self.schedules.append(weight)
        self.mean_weight += (weight - self.mean_weight) / min(len(self.schedules), 200)
        return starts

    def reshape(self, places: list[Place]) -> None:
        """The weights were learned anew: lay the documents from the oldest on out again."""
        total = len(self.schedules)
        first = min((place.sequence for place in places), default=total)
        known = {place.sequence: place for place in places}
        fronts = [self._front(guess) for guess in self._guesses]
        weights = [known[k].weight if k in known else self.mean_weight for k in range(first, total)]
        rows = self.schedules.rebuild(weights)
        for place in places:
            place.starts = rows[place.sequence - first]
        for guess, front in zip(self._guesses, fronts, strict=True):
            if guess.index is not None:
                guess.clock = self.schedules.start(front, guess.index, mean_weight=self.mean_weight)

    def _front(self, guess: Guess) -> int:
        """Return the number of the document that the guess starts next."""
        if guess.index is None:
            return 0
        low, high = 0, len(self.schedules)
        while low < high:
            middle = (low + high) // 2
            start = self.schedules.start(middle, guess.index, mean_weight=self.mean_weight)
            if start < guess.clock:
                low = middle + 1
            else:
                high = middle
        return low

    def advance(self, at_s: float) -> None:
        """Let the guesses work until `at_s`."""
        if self._at_s == -math.inf:
            self._at_s = at_s
        step_s = at_s - self._at_s
        if step_s <= 0.0:
            return
        self._at_s = at_s
        counts = self.schedules.servers
        for guess in self._guesses:
            if guess.index is None:
                continue
            work = guess.rate * step_s
            shake = _UNEVEN * math.sqrt(work * self.mean_weight / counts[guess.index])
            guess.clock += max(0.0, work + self._random.gauss(0.0, shake))

    def _start_s(self, guess: Guess, place: Place) -> float:
        """When the guess starts (or started) the document."""
        if guess.index is None or self.schedules.servers[guess.index] >= place.rank:
            return place.submitted_at_s
        start = self._at_s + (place.starts[guess.index] - guess.clock) / guess.rate
        return max(start, place.submitted_at_s)

    def sample(self, count: int) -> list[Guess]:
        """Return some of the guesses, spread over all."""
        return self._guesses[:: _GUESSES // count][:count]

    def servers_of(self, guess: Guess) -> int:
        """Return the documents worked on at once, at most `max_in_flight`."""
        if guess.index is None:
            return self._max_in_flight
        return self.schedules.servers[guess.index]

    def mean_s(self, guess: Guess) -> float:
        """Return the seconds that a document is worked on, in the mean."""
        return guess.scale_s * self._times.residuals.mean_factor * self.mean_weight

    def reaches_s(self, guess: Guess, sequence: int) -> float:
        """When the guess starts the document `sequence`, also of one that is yet to come."""
        if guess.index is None:
            return self._at_s
        start = self.schedules.start(sequence, guess.index, mean_weight=self.mean_weight)
        return self._at_s + (start - guess.clock) / guess.rate

    def end_s(self, guess: Guess, place: Place) -> float:
        """When the guess has the document done, about."""
        return self.ends_s(guess, place, (0.5,))[0]

    def ends_s(self, guess: Guess, place: Place, shares: Sequence[float]) -> list[float]:
        """When the guess has the document done, as often as `shares`, given what was seen."""
        residuals = self._times.residuals
        seen = place.asked_at_s
        start = self._start_s(guess, place)
        scale = place.weight * guess.scale_s
        known = 0.0
        if seen is not None and seen > start:
            known = residuals.below(math.log((seen - start) / scale))
        ends = []
        for share in shares:
            quantile = residuals.quantile(known + (1.0 - known) * share)
            end = start + scale * math.exp(quantile)
            ends.append(end if seen is None or end > seen else seen + 0.05 * scale)
        return ends

    def service_interval_s(self, place: Place, at_s: float) -> tuple[float, float] | None:
        """Bounds of the time that the document was worked on; None where they are vague."""
        starts = sorted(self._start_s(guess, place) for guess in self._guesses[::5])
        vague = starts[-4] - starts[3]
        if vague > 0.15 * place.weight * math.exp(self.level):
            return None
        start = starts[len(starts) // 2]
        low = place.asked_at_s - start if place.asked_at_s is not None else 0.0
        high = at_s - start
        return (max(low, 0.0), high) if high > max(low, 0.0) else None

    def learn(self, place: Place, answer: Answer, at_s: float) -> float:
        """Weigh the guesses by an answer; returns how much it was foreseen."""
        self.advance(at_s)
        self._since_pending = 0 if answer is Answer.PENDING else self._since_pending + 1
        if answer is not Answer.PENDING and (self._seen is None or place.sequence >= self._seen[0]):
            self._seen = (place.sequence, at_s)
        foreseen = self._weigh(place, answer, at_s)
        if foreseen > _SURE:
            return foreseen
        self._doubt_lateness(foreseen, answer)
        self._weigh(place, answer, at_s)
        if foreseen < _SURPRISE:
            self._scatter(place, answer)
            self._weigh(place, answer, at_s)
        self._choose(at_s)
        return foreseen

    def _weigh(self, place: Place, answer: Answer, at_s: float) -> float:
        total = 0.0
        for guess in self._guesses:
            likelihood = self._likelihood(guess, place, answer, at_s)
            guess.likelihood = _DOUBT + (1 - _DOUBT) * likelihood
            total += guess.likelihood
        return total / _GUESSES

    def _likelihood(self, guess: Guess, place: Place, answer: Answer, at_s: float) -> float:
        start = self._start_s(guess, place)
        pending = self._pending(guess, start - at_s)
        if answer is Answer.PENDING:
            return pending
        scale = place.weight * guess.scale_s
        done = self._share_done(at_s - start, scale)
        known = (
            self._share_done(place.asked_at_s - start, scale)
            if place.asked_at_s is not None
            else 0.0
        )
        left = max(1.0 - known, 1e-3)
        share = (done - known) / left if answer is Answer.ENDED else (1.0 - done) / left
        return (1.0 - pending) * min(share, 1.0)

    def _pending(self, guess: Guess, wait_s: float) -> float:
        """Return how likely the document is still waiting."""
        each = 1.0 / self.schedules.servers[guess.index] if guess.index is not None else 0.0
        softness = guess.scale_s * self.mean_weight * (0.5 * each + 0.05)
        ratio = wait_s / softness
        return 1.0 / (1.0 + math.exp(-ratio)) if -50 < ratio < 50 else float(ratio > 0)

    def _share_done(self, worked_s: float, scale: float) -> float:
        if worked_s <= 0.0:
            return 0.0
        residual = math.log(worked_s / scale)
        wide = min(max((residual - _ODD_FROM) / _ODD_OVER, 0.0), 1.0)
        return (1 - _ODD) * self._times.residuals.below(residual) + _ODD * wide

    def _doubt_lateness(self, foreseen: float, answer: Answer) -> None:
        """Where fewer questions fail than should, all are asked too late: guess faster."""
        owed = 1.0 - foreseen if answer is Answer.ENDED else foreseen - 1.0
        self._owed = max(0.97 * self._owed + owed, -1.0)
        if self._owed < _OWED:
            return
        self._owed = 0.0
        for k in range(0, _GUESSES, 2):
            guess = self._guesses[k]
            faster = abs(self._random.gauss(0.0, 0.6))
            self._guesses[k] = Guess(
                level=guess.level - faster,
                index=guess.index,
                rate=guess.rate * math.exp(faster),
                clock=guess.clock,
            )

    def _scatter(self, place: Place, answer: Answer) -> None:
        """Nobody foresaw the answer: spread the guesses out."""
        random = self._random
        for k, guess in enumerate(self._guesses):
            level, rate, clock = guess.level, guess.rate, guess.clock
            if k % 4 == 0:
                level += random.gauss(0.0, 0.7)
            elif k % 4 == 1:
                rate *= math.exp(random.gauss(0.0, 0.7))
            elif k % 4 == 2:
                clock = self._moved(guess, place, answer)
            else:
                continue
            if random.random() < 0.2:
                self._guesses[k] = self._converted(level)
            else:
                self._guesses[k] = Guess(level=level, index=guess.index, rate=rate, clock=clock)

    def _moved(self, guess: Guess, place: Place, answer: Answer) -> float:
        """Put the guess's clock where the answer says that it is."""
        if guess.index is None:
            return guess.clock
        each = 1.0 / self.schedules.servers[guess.index]
        beside = self._random.expovariate(1.0) * self.mean_weight * (each + 0.5)
        start = place.starts[guess.index]
        if answer is Answer.PENDING:
            return min(guess.clock, start - beside)
        return max(guess.clock, start + beside)

    def _converted(self, level: float) -> Guess:
        """Make a guess of any kind, its clock put where the front was last seen."""
        guess = self._guess(level, self._any_index())
        if guess.index is None:
            return guess
        sequence, seen_s = self._seen or (0, self._at_s)
        start = self.schedules.start(sequence, guess.index, mean_weight=self.mean_weight)
        guess.clock = start + guess.rate * max(0.0, self._at_s - seen_s)
        return guess

    def _choose(self, at_s: float) -> None:
        """Draw the guesses again by their likelihood, shaken a little about their means."""
        chosen = self._drawn()
        drift = math.sqrt(_DRIFT * max(0.0, at_s - self._chosen_s))
        self._chosen_s = at_s
        queued = [guess for guess in chosen if guess.index is not None]
        free = [guess for guess in chosen if guess.index is None]
        self._guesses = [*self._shaken(queued, drift), *self._shaken(free, drift)]
        self._random.shuffle(self._guesses)

    def _drawn(self) -> list[Guess]:
        total = sum(guess.likelihood for guess in self._guesses)
        step = total / _GUESSES
        point = self._random.random() * step
        chosen: list[Guess] = []
        running = 0.0
        for guess in self._guesses:
            running += guess.likelihood
            while point < running and len(chosen) < _GUESSES:
                chosen.append(guess)
                point += step
        while len(chosen) < _GUESSES:
            chosen.append(self._guesses[-1])
        return chosen

    def _shaken(self, guesses: list[Guess], drift: float) -> list[Guess]:
        """Shrink towards the mean and shake by as much: the spread stays, ties part."""
        if not guesses:
            return []
        levels = _moments([guess.level for guess in guesses])
        rates = _moments([math.log(guess.rate) for guess in guesses])
        return [self._child(guess, levels, rates, drift) for guess in guesses]

    def _child(
        self,
        guess: Guess,
        levels: tuple[float, float],
        rates: tuple[float, float],
        drift: float,
    ) -> Guess:
        random = self._random
        level = self._stirred(guess.level, levels, drift)
        if random.random() < _FORGETS:
            return self._converted(level)
        rate = math.exp(self._stirred(math.log(guess.rate), rates, drift))
        index = guess.index
        if index is not None and random.random() < 0.05:
            index = min(max(index + random.choice((-1, 1)), 0), len(self.schedules.servers) - 1)
            if index != guess.index:
                return self._neighbour(guess, level, rate, index)
        return Guess(level=level, index=index, rate=rate, clock=guess.clock)

    def _neighbour(self, guess: Guess, level: float, rate: float, index: int) -> Guess:
        """Move a guess to another number of servers, its front where it was."""
        front = self._front(guess)
        counts = self.schedules.servers
        assert guess.index is not None  # noqa: S101  # the caller has looked
        clock = self.schedules.start(front, index, mean_weight=self.mean_weight)
        factor = counts[guess.index] / counts[index]
        return Guess(level=level, index=index, rate=rate * factor, clock=clock)

    def _stirred(self, value: float, moments: tuple[float, float], drift: float) -> float:
        mean, spread = moments
        kernel = math.sqrt(1 - _SHRINK * _SHRINK) * spread
        shake = math.hypot(kernel, drift) + 0.003
        return mean + _SHRINK * (value - mean) + self._random.gauss(0.0, shake)


def _moments(values: list[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
