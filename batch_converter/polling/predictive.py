"""The policy that learns the service and asks when the answer is worth its price."""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import TYPE_CHECKING, Final

from batch_converter.polling.base import Answer
from batch_converter.polling.belief import Belief
from batch_converter.polling.forecast import Forecast, Place
from batch_converter.polling.guards import Guards
from batch_converter.polling.lessons import Lessons
from batch_converter.polling.plan import best_ask_s
from batch_converter.polling.price import Prices
from batch_converter.polling.schedule import Schedules
from batch_converter.polling.service_time import Observation, ServiceTimes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from random import Random

    from batch_converter.polling.plan import End

_PRIOR_S: Final = 7.5
_PRIOR_SPREAD: Final = 1.3
_WARM_SPREAD: Final = 0.4
_STRAY_AGE: Final = 0.5
_FASTER: Final = 0.15
_FEW: Final = 16
_WOKEN: Final = 64
_REMEMBERED: Final = 200
_BUSY_PER_S: Final = 100.0
_BUSY_SHARE: Final = 0.9
_INSTANT_S: Final = 0.1
_INSTANT_SHARE: Final = 1.5
_INSTANT_PROBE: Final = 0.3
_INSTANT_LESSONS: Final = 16


class Predictive:
    """Asks when the document is expected to be done, learned from all answers.

    Args:
        random: The only source of chance; the same seed gives the same plans.
        max_in_flight: How many documents may be out at once.
        floor_s: No document is asked twice within so many seconds.
        known: Observations of earlier runs, oldest first.
        patience: Calls a document that would be paid to halve the makespan. More asks
            more often and sooner.
    """

    def __init__(
        self,
        random: Random,
        *,
        max_in_flight: int,
        floor_s: float = 1.0,
        known: Sequence[Observation] = (),
        patience: float = 4.5,
    ) -> None:
        self._floor_s = floor_s
        self._times = ServiceTimes()
        self._forecast = Forecast(
            self._times,
            Schedules(max_in_flight=max_in_flight),
            max_in_flight=max_in_flight,
        )
        self._belief = self._believe(random, known)
        self._prices = Prices(self._belief, patience=patience)
        self._lessons = Lessons(self._belief)
        self._places: dict[int, Place] = {}
        self._guards = Guards(self._belief, self._places, floor_s=floor_s)
        self._front = -1
        self._woken_level = self._belief.level
        self._woken_s = -math.inf
        self._learned: deque[Observation] = deque(maxlen=_REMEMBERED)

    def _believe(self, random: Random, known: Sequence[Observation]) -> Belief:
        if not known:
            return Belief(self._forecast, random, typical_s=_PRIOR_S, spread=_PRIOR_SPREAD)
        level = self._level_of(known)
        for each in known:
            self._times.learn(pages=each.pages, low_s=each.low_s, high_s=each.high_s, level=level)
        self._times.refit()
        return Belief(
            self._forecast,
            random,
            typical_s=math.exp(level),
            spread=_WARM_SPREAD,
            servers=sorted(each.servers for each in known)[len(known) // 2],
        )

    def _level_of(self, known: Sequence[Observation]) -> float:
        """Return the median of what the observations say of a typical document."""
        middles = sorted(
            math.log(each.high_s / self._times.weight(each.pages))
            - (0.5 * math.log(each.high_s / each.low_s) if each.low_s > 0.0 else 0.1)
            for each in known
        )
        return middles[len(middles) // 2]

    def observations(self) -> tuple[Observation, ...]:
        """What this run has learned, oldest first; at most 200, for a later run's `known`."""
        return tuple(self._learned)

    def remaining(self, count: int | None) -> None:
        """Take in how many documents are still to be submitted."""
        self._prices.remaining = count

    def submitted(
        self, document_id: int, *, at_s: float, size_bytes: int, pages: int | None
    ) -> None:
        """Put the document at the end of the queue."""
        known_pages = self._times.pages_of(pages, size_bytes)
        weight = self._times.weight(known_pages)
        sequence = len(self._forecast.schedules)
        self._places.pop(document_id, None)
        self._places[document_id] = Place(
            document_id=document_id,
            sequence=sequence,
            submitted_at_s=at_s,
            pages=known_pages,
            weight=weight,
            starts=self._belief.submit(weight, at_s),
            rank=len(self._places) + 1,
        )
        self._prices.submitted()

    def next_poll_at_s(self, document_id: int, *, now_s: float) -> float:
        """Plan the document's next question, or the next moment to plan it again."""
        place = self._places[document_id]
        asked = place.asked_at_s
        earliest = self._guards.earliest_s(place, now_s)
        if place.stray:
            return max(earliest, place.planned_s)
        if self._is_instant():
            return max(earliest, self._instant_s(place)) if asked is None else earliest
        ends = self._prices.ends(place, self._places, now_s)
        plan = min(self._plan(place, ends, earliest), self._guards.latest_s(place, ends))
        place.planned_s = max(plan, earliest)
        return place.planned_s

    def _is_instant(self) -> bool:
        """Whether planning would take longer than the service does."""
        belief = self._belief
        return belief.typical_s < _INSTANT_S and belief.servers >= self._forecast.max_in_flight

    def _instant_s(self, place: Place) -> float:
        """Return when to ask without a plan: late enough, and sometimes early, to learn."""
        share = _INSTANT_PROBE if place.sequence % _INSTANT_LESSONS == 0 else _INSTANT_SHARE
        likely_s = place.weight * self._belief.typical_s / self._forecast.mean_weight
        return place.submitted_at_s + share * likely_s

    def _plan(self, place: Place, ends: list[End], earliest_s: float) -> float:
        """Return when to ask, or sooner, when to plan again: the answers till then help."""
        typical_s = self._belief.typical_s
        check = max(earliest_s, self._lessons.check_s(place))
        if check < ends[0].at_s:
            return check
        soonest = ends[0].at_s - earliest_s
        if soonest > 0.1 * typical_s:
            return earliest_s + max(0.7 * soonest, 0.1 * typical_s)
        if len(self._places) > _BUSY_PER_S * typical_s:
            return max(earliest_s, ends[int(len(ends) * _BUSY_SHARE)].at_s)
        plan = best_ask_s(ends, not_before_s=earliest_s, floor_s=self._floor_s)
        if place.asked_at_s is None:
            plan = max(earliest_s, min(plan, self._lessons.probe_s(place, ends)))
        wait = plan - earliest_s
        return earliest_s + min(wait, max(0.6 * wait, 0.25 * typical_s))

    def answered(self, document_id: int, answer: Answer, *, at_s: float) -> Collection[int]:
        """Learn from the answer; returns the documents that had better be planned again."""
        place = self._places.get(document_id)
        if place is None:
            return ()
        self._prices.answered()
        self._note_order(place, answer)
        if not place.stray and (
            answer is not Answer.ENDED
            or place.sequence % _INSTANT_LESSONS == 0
            or not self._is_instant()
        ):
            self._learn(place, answer, at_s)
        if answer is Answer.ENDED:
            self._guards.ended(place, at_s)
            self.forget(document_id)
        else:
            self._note_unfinished(place, answer, at_s)
        return self._woken(document_id, at_s)

    def _note_unfinished(self, place: Place, answer: Answer, at_s: float) -> None:
        self._lessons.failed()
        place.asked_at_s = at_s
        if answer is Answer.PROCESSING and place.working_s is None:
            place.working_s = at_s
        if not place.stray:
            self._guards.unfinished(place, at_s)
        age = at_s - place.submitted_at_s
        place.planned_s = at_s + max(self._floor_s, _STRAY_AGE * age)

    def _note_order(self, place: Place, answer: Answer) -> None:
        """A document that still waits when later ones were served has lost its turn."""
        if answer is not Answer.PENDING:
            self._front = max(self._front, place.sequence)
        elif place.sequence < self._front:
            place.stray = True

    def _learn(self, place: Place, answer: Answer, at_s: float) -> None:
        self._belief.learn(place, answer, at_s)
        self._lessons.learned()
        if answer is not Answer.ENDED:
            return
        interval = self._belief.service_interval_s(place, at_s)
        if interval is None:
            return
        low_s, high_s = interval
        level, servers = self._belief.level, self._belief.servers
        self._learned.append(
            Observation(pages=place.pages, low_s=low_s, high_s=high_s, servers=servers)
        )
        if self._times.learn(pages=place.pages, low_s=low_s, high_s=high_s, level=level):
            for each in self._places.values():
                each.weight = self._times.weight(each.pages)
            self._belief.reshape(list(self._places.values()))

    def _woken(self, document_id: int, at_s: float) -> set[int]:
        """Choose whom to plan again at once: who had better be asked sooner than planned."""
        woken = set(self._sooner(document_id, at_s))
        if not self._is_instant():
            woken |= self._guards.answered(at_s)
        return woken - {document_id}

    def _sooner(self, document_id: int, at_s: float) -> Iterable[int]:
        """Those due next where the service is faster than thought; in the end, the last."""
        ending = self._prices.remaining == 0
        if self._is_faster(at_s) or (ending and len(self._places) <= _FEW):
            waiting = [
                (place.planned_s, number)
                for number, place in self._places.items()
                if number != document_id
            ]
            return (number for _, number in heapq.nsmallest(_WOKEN, waiting))
        last = self._prices.last(self._places) if ending and not self._is_instant() else None
        return () if last is None else (last,)

    def _is_faster(self, at_s: float) -> bool:
        """Whether the service has become faster, for the first time in a while."""
        level = self._belief.level
        rested = at_s - self._woken_s > 0.1 * self._belief.typical_s
        faster = rested and level < self._woken_level - _FASTER
        if faster:
            self._woken_level, self._woken_s = level, at_s
        self._woken_level = max(level, self._woken_level)
        return faster

    def forget(self, document_id: int) -> None:
        """Drop the document."""
        self._places.pop(document_id, None)
