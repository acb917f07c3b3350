"""The policy that learns the service and asks when the answer is worth its price."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Final

from batch_converter.polling.base import Answer
from batch_converter.polling.belief import Belief, Guess, Place
from batch_converter.polling.plan import End, best_ask_s
from batch_converter.polling.service_time import Observation, ServiceTimes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from random import Random

_PRIOR_S: Final = 7.5
_PRIOR_SPREAD: Final = 1.3
_WARM_SPREAD: Final = 0.4
_PROMPTNESS: Final = .001
_END_PROMPTNESS: Final = 0.003
_PROBE_SHARE: Final = 0.75
_EARLY_PROBE_SHARE: Final = 0.3
_EARLY_PROBE_EVERY: Final = 4
_FAILED_ENOUGH: Final = 2
_FIRST_PROBES: Final = 3
_PROBE_EVERY: Final = 14
_QUEUE_NEED: Final = 0.3
_SAMPLED: Final = 10
_EACH: Final = 4
_SPARE_USED: Final = 0.6


class Predictive:
    """Asks when the document is expected to be done, learned from all answers.

    Args:
        random: The only source of chance; the same seed gives the same plans.
        max_in_flight: How many documents may be out at once.
        floor_s: No document is asked twice within so many seconds.
        known: Observations of earlier runs, oldest first; a few hundred are enough.
        patience: Calls a document that a makespan twice as long is worth.
    """

    def __init__(
        self,
        random: Random,
        *,
        max_in_flight: int,
        floor_s: float = 1.0,
        known: Sequence[Observation] = (),
        patience: float = 4.0,
    ) -> None:
        self._random = random
        self._max_in_flight = max_in_flight
        self._floor_s = floor_s
        self._calls_per_makespan = patience
        self._times = ServiceTimes()
        self._belief = self._believe(known)
        self._places: dict[int, Place] = {}
        self._remaining: int | None = None
        self._submitted = 0
        self._first_s: float | None = None
        self._answered_s = -math.inf
        self._front = -1
        self._woken_level = self._belief.level
        self._learned: list[Observation] = []
        self._last: list[int] = []
        self._last_made = -1
        self._answers = 0
        self._failed = 0

    def _believe(self, known: Sequence[Observation]) -> Belief:
        if not known:
            return Belief(
                self._times,
                self._random,
                max_in_flight=self._max_in_flight,
                typical_s=_PRIOR_S,
                spread=_PRIOR_SPREAD,
            )
        level = self._level_of(known)
        for each in known:
            self._times.learn(pages=each.pages, low_s=each.low_s, high_s=each.high_s, level=level)
        self._times.refit()
        servers = sorted(each.servers for each in known)[len(known) // 2]
        return Belief(
            self._times,
            self._random,
            max_in_flight=self._max_in_flight,
            typical_s=math.exp(level),
            spread=_WARM_SPREAD,
            servers=servers,
        )

    def _level_of(self, known: Sequence[Observation]) -> float:
        middles = sorted(
            math.log(each.high_s / self._times.weight(each.pages))
            - (0.5 * math.log(each.high_s / each.low_s) if each.low_s > 0 else 0.1)
            for each in known
        )
        return middles[len(middles) // 2]

    def observations(self) -> tuple[Observation, ...]:
        """What this run has learned, oldest first, for the next one's `known`."""
        return tuple(self._learned[-200:])

    def remaining(self, count: int | None) -> None:
        """Take in how many documents are still to be submitted."""
        self._remaining = count

    def submitted(
        self, document_id: int, *, at_s: float, size_bytes: int, pages: int | None
    ) -> None:
        """Put the document at the end of the queue."""
        if self._first_s is None:
            self._first_s = at_s
        known_pages = self._times.pages_of(pages, size_bytes)
        weight = self._times.weight(known_pages)
        starts = self._belief.submit(weight, at_s)
        self._places[document_id] = Place(
            document_id=document_id,
            sequence=self._submitted,
            submitted_at_s=at_s,
            pages=known_pages,
            weight=weight,
            starts=starts,
            rank=len(self._places) + 1,
        )
        self._submitted += 1

    def next_poll_at_s(self, document_id: int, *, now_s: float) -> float:
        """Plan the document's next question, or the next moment to plan it again."""
        place = self._places[document_id]
        self._belief.advance(now_s)
        asked = place.asked_at_s
        earliest = now_s if asked is None else max(now_s, asked + self._floor_s)
        if place.stray:
            return max(earliest, place.planned_s)
        ends = self._ends(place, now_s)
        if asked is None and self._probes(place):
            share = _PROBE_SHARE if self._failed >= _FAILED_ENOUGH else _EARLY_PROBE_SHARE
            plan = max(ends[int(len(ends) * share)].at_s, earliest)
        else:
            plan = best_ask_s(ends, not_before_s=earliest, floor_s=self._floor_s)
        plan = self._guarded(place, plan, ends, now_s)
        place.planned_s = plan
        if plan <= now_s + 1e-6:
            return now_s
        wait = plan - now_s
        check = max(0.6 * wait, 0.25 * self._belief.typical_s, 0.1)
        return now_s + min(wait, check)

    def _probes(self, place: Place) -> bool:
        """Whether to ask early on purpose: more often while nobody was asked too early."""
        every = _PROBE_EVERY if self._failed >= _FAILED_ENOUGH else _EARLY_PROBE_EVERY
        return place.sequence < _FIRST_PROBES or place.sequence % every == 0

    def _guarded(self, place: Place, plan: float, ends: list[End], now_s: float) -> float:
        since = place.asked_at_s if place.asked_at_s is not None else place.submitted_at_s
        age = now_s - place.submitted_at_s
        mean = sum(end.at_s for end in ends) / len(ends) - now_s
        plan = min(plan, max(now_s, since) + 3.0 * max(mean, self._floor_s) + 0.3 * age)
        if self._is_oldest(place):
            silence = self._answered_s if self._answered_s > -math.inf else place.submitted_at_s
            bound = silence + max(self._floor_s, 3.0 * self._belief.typical_s)
            plan = min(plan, max(bound, since + 0.3 * age + self._floor_s))
        return max(plan, now_s, since + self._floor_s if place.asked_at_s is not None else now_s)

    def _is_oldest(self, place: Place) -> bool:
        for each in self._places.values():
            if not each.stray:
                return each is place
        return False

    def _ends(self, place: Place, now_s: float) -> list[End]:
        """Draw moments when the document may be done, each with its price of a delay."""
        belief = self._belief
        ends = []
        total = self._submitted + (self._remaining or 0)
        elapsed = now_s - (self._first_s if self._first_s is not None else now_s)
        last = self._last_places(place) if self._remaining == 0 else []
        critical = bool(self._last) and self._last[0] == place.document_id
        servers = belief.servers
        for k, guess in enumerate(belief.sample(_SAMPLED)):
            last_s = max((belief.end_s(guess, other) for other in last), default=now_s)
            width = min(belief.servers_of(guess), total)
            mean_s = belief.mean_s(guess)
            left = (self._remaining or 0) + len(self._places)
            makespan = elapsed + max(left * mean_s / width, mean_s, last_s - now_s)
            call_s = makespan / (self._calls_per_makespan * total)
            slot = 1.0 / (width * call_s)
            if self._remaining == 0:
                base, need = _END_PROMPTNESS * slot, 1.0 / call_s
                need_from = now_s if critical else last_s
            else:
                base = _PROMPTNESS * slot
                need = slot if guess.index is None else _QUEUE_NEED * slot
                need_from = self._needed_s(guess, place, servers)
            offset = (k * 0.618 + 0.5) % 1.0
            shares = [(q + offset) / _EACH for q in range(_EACH)]
            ends += [
                End(at_s, base, need, need_from) for at_s in belief.ends_s(guess, place, shares)
            ]
        ends.sort()
        return ends

    def _needed_s(self, guess: Guess, place: Place, servers: float) -> float:
        """When the service would run dry for want of this document's place."""
        if servers >= self._max_in_flight or guess.index is None:
            return place.submitted_at_s
        if len(self._places) < 0.8 * self._max_in_flight:
            return math.inf
        spare = (self._max_in_flight - servers) * _SPARE_USED
        return self._belief.reaches_s(guess, place.sequence + int(servers + spare))

    def _last_places(self, place: Place) -> list[Place]:
        """Return the documents that may be the last to be done, without this one."""
        if self._last_made != self._answers:
            self._last_made = self._answers
            guess = self._belief.sample(1)[0]
            ends = [
                (self._belief.end_s(guess, each), each.document_id)
                for each in self._places.values()
                if not each.stray
            ]
            self._last = [number for _, number in heapq.nlargest(6, ends)]
        return [
            self._places[number]
            for number in self._last
            if number != place.document_id and number in self._places
        ]

    def answered(self, document_id: int, answer: Answer, *, at_s: float) -> Collection[int]:
        """Learn from the answer; returns the documents that had better be planned again."""
        place = self._places.get(document_id)
        if place is None:
            return ()
        oldest = self._is_oldest(place)
        self._answered_s = at_s
        self._answers += 1
        if answer is Answer.PENDING and place.sequence < self._front:
            place.stray = True
        elif answer is not Answer.PENDING:
            self._front = max(self._front, place.sequence)
        if place.stray and answer is not Answer.ENDED:
            age = at_s - place.submitted_at_s
            place.asked_at_s = at_s
            place.planned_s = at_s + max(self._floor_s, 0.5 * age)
            return ()
        if not place.stray:
            self._learn(place, answer, at_s)
        if answer is Answer.ENDED:
            self.forget(document_id)
        else:
            place.asked_at_s = at_s
            self._failed += 1
        return self._woken(document_id, oldest=oldest)

    def _learn(self, place: Place, answer: Answer, at_s: float) -> None:
        self._belief.learn(place, answer, at_s)
        if answer is not Answer.ENDED:
            return
        interval = self._belief.service_interval_s(place, at_s)
        if interval is None:
            return
        low_s, high_s = interval
        likely_s = place.weight * math.exp(self._belief.level)
        if low_s <= 0.0 and high_s > 3.0 * likely_s:
            return
        changed = self._times.learn(
            pages=place.pages, low_s=low_s, high_s=high_s, level=self._belief.level
        )
        self._learned.append(
            Observation(pages=place.pages, low_s=low_s, high_s=high_s, servers=self._belief.servers)
        )
        if changed:
            self._reweigh()

    def _reweigh(self) -> None:
        """The weights have another shape: lay the documents out again."""
        for place in self._places.values():
            place.weight = self._times.weight(place.pages)
        self._belief.reshape(list(self._places.values()))

    def _woken(self, document_id: int, *, oldest: bool) -> list[int]:
        level = self._belief.level
        moved = level < self._woken_level - 0.15
        self._woken_level = level if moved else max(level, self._woken_level)
        if moved or (self._remaining == 0 and len(self._places) <= 16):
            waiting = [
                (place.planned_s, number)
                for number, place in self._places.items()
                if number != document_id
            ]
            return [number for _, number in heapq.nsmallest(64, waiting)]
        if oldest:
            for number in self._places:
                if number != document_id:
                    return [number]
        return []

    def forget(self, document_id: int) -> None:
        """Drop the document."""
        self._places.pop(document_id, None)
