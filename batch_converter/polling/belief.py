"""What the service is believed to be: a cloud of guesses, sharpened by each answer.

A guess is a service that takes documents in the order of their submission. An answer
makes the guesses likelier that foresaw it; one that nobody foresaw scatters them.
(This is a particle filter: weigh, resample, shake.)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from batch_converter.polling.base import Answer
from batch_converter.polling.forecast import Guess
from batch_converter.polling.guesses import Guesses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from batch_converter.polling.forecast import Forecast, Place

_GUESSES: Final = 100
_DOUBT: Final = 0.02
_SURPRISE: Final = 0.06
_SURE: Final = 0.97
_DRIFT: Final = 2e-5
_SHRINK: Final = 0.98
_UNEVEN: Final = 0.2
_PULL: Final = 0.02
_FORGETS: Final = 0.001
_STEPS_ASIDE: Final = 0.05


class Belief:
    """A hundred guesses about the service, at one moment."""

    def __init__(
        self,
        forecast: Forecast,
        random: Random,
        *,
        typical_s: float,
        spread: float,
        servers: float | None = None,
    ) -> None:
        self.forecast = forecast
        self._random = random
        self._chosen_s = math.inf
        self._new = Guesses(forecast, random)
        self._guesses: list[Guess] = []
        level = math.log(typical_s)
        self._keep(
            [self._new.first(k, level, spread=spread, servers=servers) for k in range(_GUESSES)]
        )

    def _keep(self, guesses: list[Guess]) -> None:
        """Hold these guesses, and what they say together."""
        self._guesses = guesses
        self._sorted: list[Guess] = []
        self.level = sum(guess.level for guess in guesses) / _GUESSES
        self.servers = sorted(map(self.forecast.servers, guesses))[_GUESSES // 2]

    @property
    def typical_s(self) -> float:
        """Seconds that a document is worked on, in the mean."""
        forecast = self.forecast
        return math.exp(self.level) * forecast.times.residuals.mean_factor * forecast.mean_weight

    def sample(self, count: int) -> Sequence[Guess]:
        """Return guesses evenly spread from the shortest queue to the longest.

        Drawn by chance, a guess that hardly any other agrees with would now and then stand
        for a tenth of them, and each plan that is made again would draw once more.
        """
        if not self._sorted:
            self._sorted = sorted(self._guesses, key=self._place_in_line)
        step = _GUESSES // count
        return self._sorted[step // 2 :: step]

    def _place_in_line(self, guess: Guess) -> tuple[float, float]:
        return self.forecast.backlog_s(guess), guess.level

    def submit(self, weight: float, at_s: float) -> tuple[float, ...]:
        """Take in a document; returns its start in each timetable."""
        forecast = self.forecast
        if forecast.at_s == -math.inf:
            forecast.at_s = at_s
        step_s = at_s - forecast.at_s
        for guess in self._guesses:
            if guess.index is not None:  # a server that has idled takes it at once
                latest = forecast.schedules.next_start(guess.index) - guess.rate * step_s
                guess.clock = min(guess.clock, latest)
        starts = forecast.schedules.append(weight)
        count = min(len(forecast.schedules), 200)
        forecast.mean_weight += (weight - forecast.mean_weight) / count
        return starts

    def reshape(self, places: Sequence[Place]) -> None:
        """The weights were learned anew: lay the documents from the oldest on out again."""
        forecast = self.forecast
        total = len(forecast.schedules)
        known = {place.sequence: place for place in places}
        first = min(known, default=total)
        fronts = [forecast.front(guess) for guess in self._guesses]
        weights = [
            known[k].weight if k in known else forecast.mean_weight for k in range(first, total)
        ]
        rows = forecast.schedules.rebuild(weights)
        for place in places:
            place.starts = rows[place.sequence - first]
        for guess, front in zip(self._guesses, fronts, strict=True):
            if guess.index is not None:
                guess.clock = forecast.start(guess.index, front)

    def learn(self, place: Place, answer: Answer, at_s: float) -> None:
        """Weigh the guesses by an answer and draw them again."""
        self._new.note(place, answer, at_s)
        self._advance(at_s)
        foreseen = self._weigh(place, answer, at_s)
        if foreseen > _SURE:
            return
        if foreseen < _SURPRISE:
            self._scatter(place, answer)
            self._weigh(place, answer, at_s)
        self._choose(at_s)

    def _weigh(self, place: Place, answer: Answer, at_s: float) -> float:
        total = 0.0
        likelihood = self.forecast.likelihood
        for guess in self._guesses:
            guess.likelihood = _DOUBT + (1 - _DOUBT) * likelihood(guess, place, answer, at_s)
            total += guess.likelihood
        return total / _GUESSES

    def _advance(self, at_s: float) -> None:
        """Let the guesses work until `at_s`, each as evenly as its servers are many."""
        step_s = max(0.0, at_s - self.forecast.at_s)
        self.forecast.at_s += step_s
        mean_weight = self.forecast.mean_weight
        for guess in self._guesses:
            if guess.index is not None:
                work = guess.rate * step_s
                servers = self.forecast.schedules.servers[guess.index]
                shake = _UNEVEN * math.sqrt(work * mean_weight / servers)
                guess.clock += max(0.0, work + self._random.gauss(0.0, shake))

    def _scatter(self, place: Place, answer: Answer) -> None:
        """Nobody foresaw the answer: spread the guesses out, each in its own way."""
        gauss = self._random.gauss
        for k, guess in enumerate(self._guesses):
            level, rate, clock = guess.level, guess.rate, guess.clock
            match k % 4:
                case 0:
                    level += gauss(0.0, 0.7)
                case 1:
                    rate *= math.exp(gauss(0.0, 0.7))
                case 2:
                    clock = self._moved(guess, place, answer)
                case _:
                    continue
            if self._random.random() < 0.2:  # noqa: PLR2004  # a share of no other meaning
                self._guesses[k] = self._new.anew(level)
            else:
                self._guesses[k] = Guess(level=level, index=guess.index, rate=rate, clock=clock)

    def _moved(self, guess: Guess, place: Place, answer: Answer) -> float:
        """Return the guess's clock, put where the answer says that it is."""
        if guess.index is None:
            return guess.clock
        turn = 1.0 / self.forecast.schedules.servers[guess.index]
        beside = self._random.expovariate(1.0) * self.forecast.mean_weight * (turn + 0.5)
        start = place.starts[guess.index]
        if answer is Answer.PENDING:
            return min(guess.clock, start - beside)
        return max(guess.clock, start + beside)

    def _choose(self, at_s: float) -> None:
        """Draw the guesses again by their likelihood, shaken a little about their means."""
        chosen = self._drawn()
        drift = math.sqrt(_DRIFT * max(0.0, at_s - self._chosen_s))
        self._chosen_s = at_s
        queued = [guess for guess in chosen if guess.index is not None]
        free = [guess for guess in chosen if guess.index is None]
        guesses = [*self._shaken(queued, drift), *self._shaken(free, drift)]
        self._random.shuffle(guesses)
        self._keep(guesses)

    def _drawn(self) -> list[Guess]:
        step = sum(guess.likelihood for guess in self._guesses) / _GUESSES
        point = self._random.random() * step
        chosen: list[Guess] = []
        running = 0.0
        for guess in self._guesses:
            running += guess.likelihood
            while point < running and len(chosen) < _GUESSES:
                chosen.append(guess)
                point += step
        return chosen + [self._guesses[-1]] * (_GUESSES - len(chosen))

    def _shaken(self, guesses: list[Guess], drift: float) -> list[Guess]:
        """Shrink towards the mean and shake by as much: the spread stays, ties part.

        A busy server does in a second as much as a document's time says. Guesses are pulled
        there: else a service that idles, since it is asked late, passes for a slow one.
        """
        if not guesses:
            return []
        usual = -math.log(self.forecast.times.residuals.mean_factor)
        levels = [guess.level for guess in guesses]
        paces = [math.log(guess.rate) + guess.level for guess in guesses]
        return [
            self._child(guess, level, math.exp(pace - level + _PULL * (usual - pace)))
            for guess, level, pace in zip(
                guesses, self._stirred(levels, drift), self._stirred(paces, drift), strict=True
            )
        ]

    def _stirred(self, values: list[float], drift: float) -> list[float]:
        mean = sum(values) / len(values)
        spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
        kernel = math.sqrt(1 - _SHRINK * _SHRINK) * spread
        shake = math.hypot(kernel, drift) + 0.003
        gauss = self._random.gauss
        return [mean + _SHRINK * (value - mean) + gauss(0.0, shake) for value in values]

    def _child(self, guess: Guess, level: float, rate: float) -> Guess:
        chance = self._random.random()
        if chance < _FORGETS:
            return self._new.anew(level)
        if chance < _STEPS_ASIDE and guess.index is not None:
            return self._new.beside(guess, level, rate, guess.index)
        return Guess(level=level, index=guess.index, rate=rate, clock=guess.clock)

    def service_interval_s(self, place: Place, at_s: float) -> tuple[float, float] | None:
        """Bounds of the time that the document was worked on; None where they are vague."""
        starts = sorted(self.forecast.start_s(guess, place) for guess in self._guesses[::5])
        likely_s = place.weight * math.exp(self.level)
        if starts[-4] - starts[3] > 0.15 * likely_s:
            return None
        start = starts[len(starts) // 2]
        low = max(place.asked_at_s - start, 0.0) if place.asked_at_s is not None else 0.0
        high = at_s - start
        if high <= low or (low == 0.0 and high > 3.0 * likely_s):
            return None
        return low, high
