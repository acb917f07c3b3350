"""What a guess about the service foresees for a document."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.polling.base import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.polling.schedule import Schedules
    from batch_converter.polling.service_time import ServiceTimes

NEARLY_ALL: Final = 0.99
_ODD: Final = 0.06
_ODD_FROM: Final = -1.0
_ODD_OVER: Final = 5.0
_SOFTNESS: Final = 0.05
_FAR: Final = 50.0


@dataclass(slots=True, kw_only=True)
class Place:
    """A document out at the service.

    Attributes:
        sequence: Its number in the order of submission.
        weight: Its time relative to a typical document's.
        starts: When it starts in each timetable.
        rank: Documents out when it was submitted, itself included.
        asked_at_s: When it was last seen unfinished.
        working_s: When it was first seen being worked on.
        stray: Later documents were served before it: it tells nothing of the queue.
        odd: It was unfinished when nearly all others would be done: it tells nothing of them.
        planned_s: When it is to be asked, or planned again.
    """

    document_id: int
    sequence: int
    submitted_at_s: float
    pages: float
    weight: float
    starts: tuple[float, ...]
    rank: int
    asked_at_s: float | None = None
    working_s: float | None = None
    stray: bool = False
    odd: bool = False
    planned_s: float = math.inf


class Guess:
    """A service that may be the real one.

    Attributes:
        level: Logarithm of a typical document's seconds.
        index: Its timetable, that is, how many servers; None serves everyone at once.
        rate: Work that each server does in a second.
        clock: Work that each server had done at the forecast's moment.
    """

    __slots__ = ("clock", "index", "level", "likelihood", "rate", "scale_s")

    def __init__(self, *, level: float, index: int | None, rate: float, clock: float) -> None:
        self.level = level
        self.index = index
        self.rate = rate
        self.clock = clock
        self.likelihood = 1.0
        self.scale_s = math.exp(level)


class Forecast:
    """Moments and probabilities, as one guess or another has them."""

    def __init__(self, times: ServiceTimes, schedules: Schedules, *, max_in_flight: int) -> None:
        self.times = times
        self.schedules = schedules
        self.max_in_flight = max_in_flight
        self.mean_weight = 1.0
        self.at_s = -math.inf

    def servers(self, guess: Guess) -> int:
        """Return the documents worked on at once, at most `max_in_flight`."""
        if guess.index is None:
            return self.max_in_flight
        return self.schedules.servers[guess.index]

    def mean_s(self, guess: Guess) -> float:
        """Return the seconds that a document is worked on, in the mean."""
        return guess.scale_s * self.times.residuals.mean_factor * self.mean_weight

    def start_s(self, guess: Guess, place: Place) -> float:
        """When the document is started, or was."""
        index = guess.index
        if index is None or self.schedules.servers[index] >= place.rank:
            return place.submitted_at_s
        start = self.at_s + (place.starts[index] - guess.clock) / guess.rate
        return max(start, place.submitted_at_s)

    def reaches_s(self, guess: Guess, sequence: int) -> float:
        """When the document `sequence` is started, also one that is yet to come."""
        if guess.index is None:
            return self.at_s
        return self.at_s + (self.start(guess.index, sequence) - guess.clock) / guess.rate

    def backlog_s(self, guess: Guess) -> float:
        """Return how long a document would wait that were submitted now."""
        if guess.index is None:
            return 0.0
        ahead = self.schedules.next_start(guess.index) - guess.clock
        return max(0.0, ahead / guess.rate)

    def start(self, index: int, sequence: int) -> float:
        """Return when, in a timetable's work, the document `sequence` starts."""
        return self.schedules.start(sequence, index, mean_weight=self.mean_weight)

    def front(self, guess: Guess) -> int:
        """Return the number of the document that is started next."""
        if guess.index is None:
            return len(self.schedules)
        low, high = 0, len(self.schedules)
        while low < high:
            middle = (low + high) // 2
            if self.start(guess.index, middle) < guess.clock:
                low = middle + 1
            else:
                high = middle
        return low

    def outlived(self, guess: Guess, place: Place) -> float:
        """Return the share of documents that are done sooner than it was seen unfinished."""
        seen, start = place.asked_at_s, self.start_s(guess, place)
        if seen is None or seen <= start:
            return 0.0
        worked_s = seen - start
        return self.times.residuals.below(math.log(worked_s / (place.weight * guess.scale_s)))

    def ends_s(self, guess: Guess, place: Place, shares: Sequence[float]) -> list[float]:
        """When the document is done, at the `shares` of what is still possible.

        One that has outlived nearly all lasts as long again, as likely longer as shorter.
        """
        factor = self.times.residuals.factor
        seen = place.asked_at_s
        start = self.start_s(guess, place)
        scale = place.weight * guess.scale_s
        known = self.outlived(guess, place)
        if seen is not None and known > NEARLY_ALL:
            return [seen + (seen - start) * share / (1.0 - share) for share in shares]
        ends = []
        for share in shares:
            end = start + scale * factor(known + (1.0 - known) * share)
            ends.append(end if seen is None or end > seen else seen + 0.05 * scale)
        return ends

    def end_s(self, guess: Guess, place: Place) -> float:
        """When the document is done, as likely earlier as later."""
        return self.ends_s(guess, place, (0.5,))[0]

    def likelihood(self, guess: Guess, place: Place, answer: Answer, at_s: float) -> float:
        """How likely the answer was, given the answers before."""
        start = self.start_s(guess, place)
        pending = self._pending(guess, start - at_s)
        if answer is Answer.PENDING:
            return pending
        scale = place.weight * guess.scale_s
        done = self._share_done(at_s - start, scale)
        known = 0.0
        if place.asked_at_s is not None:
            known = self._share_done(place.asked_at_s - start, scale)
        left = max(1.0 - known, 1e-3)
        share = done - known if answer is Answer.ENDED else 1.0 - done
        return (1.0 - pending) * min(share / left, 1.0)

    def _pending(self, guess: Guess, wait_s: float) -> float:
        """Return how likely the document still waits; the guess may be off by half a turn."""
        turn = 0.5 / self.schedules.servers[guess.index] if guess.index is not None else 0.0
        ratio = wait_s / (guess.scale_s * self.mean_weight * (turn + _SOFTNESS))
        if -_FAR < ratio < _FAR:
            return 1.0 / (1.0 + math.exp(-ratio))
        return float(ratio > 0)

    def _share_done(self, worked_s: float, scale: float) -> float:
        """Return how many are done after so long; some are odd and take any time."""
        if worked_s <= 0.0:
            return 0.0
        residual = math.log(worked_s / scale)
        odd = min(max((residual - _ODD_FROM) / _ODD_OVER, 0.0), 1.0)
        return (1 - _ODD) * self.times.residuals.below(residual) + _ODD * odd
