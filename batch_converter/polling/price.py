"""What a second's delay of a document is worth, in calls.

The exchange rate is one: halving the makespan may cost `patience` calls a document. So
a second is worth more where the batch is short. A document that is done and not fetched
costs nothing by itself; it costs where it holds a place that the service will run dry
without, and in the end, where the batch waits for nothing else.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Final

from batch_converter.polling.plan import End

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_converter.polling.belief import Belief
    from batch_converter.polling.forecast import Guess, Place

_SAMPLED: Final = 10
_EACH: Final = 6
_SHARES: Final = tuple(
    tuple((q + (k * 0.618 + 0.5) % 1.0) / _EACH for q in range(_EACH)) for k in range(_SAMPLED)
)
_PROMPTNESS: Final = 0.001
_END_PROMPTNESS: Final = 0.003
_QUEUE_NEED: Final = 0.1
_NEARLY_FULL: Final = 0.8
_LAST: Final = 6


class Prices:
    """Draws moments when a document may be done, each with its price of a delay."""

    def __init__(self, belief: Belief, *, patience: float) -> None:
        self.remaining: int | None = None
        self._belief = belief
        self._forecast = belief.forecast
        self._patience = patience
        self._first_s = math.inf
        self._submitted = 0
        self._last: list[int] | None = None
        self._last_ends: list[list[tuple[float, int]]] = []

    def submitted(self) -> None:
        """Count a document."""
        self._submitted += 1

    def answered(self) -> None:
        """Forget what was derived from the belief."""
        self._last = None

    def ends(self, place: Place, places: Mapping[int, Place], now_s: float) -> list[End]:
        """Draw equally likely moments, sorted, when the document may be done."""
        self._first_s = min(self._first_s, now_s)
        ending = self.remaining == 0
        if ending and self._last is None:
            self._find_last(places)
        ends: list[End] = []
        for k, guess in enumerate(self._belief.sample(_SAMPLED)):
            if ending:
                base, need, need_from_s = self._price_at_end(k, guess, place, places, now_s)
            else:
                base, need, need_from_s = self._price(guess, place, len(places), now_s)
            ends += [
                End(at_s, base, need, need_from_s)
                for at_s in self._forecast.ends_s(guess, place, _SHARES[k])
            ]
        ends.sort()
        return ends

    def last(self, places: Mapping[int, Place]) -> int | None:
        """Return the document that is believed to be the last to be done."""
        if self._last is None:
            self._find_last(places)
        return self._last[0] if self._last else None

    def _price(
        self, guess: Guess, place: Place, out: int, now_s: float
    ) -> tuple[float, float, float]:
        """Price a place while others wait for it."""
        width = min(self._forecast.servers(guess), self._total)
        left_s = ((self.remaining or 0) + out) * self._forecast.mean_s(guess) / width
        slot = self._calls_per_s(left_s, guess, now_s) / width
        need = slot if guess.index is None else _QUEUE_NEED * slot
        return _PROMPTNESS * slot, need, self._needed_s(guess, place, out)

    def _price_at_end(
        self, k: int, guess: Guess, place: Place, places: Mapping[int, Place], now_s: float
    ) -> tuple[float, float, float]:
        """Price a document when nobody waits for a place: what counts is the last."""
        others = [
            end_s
            for end_s, number in self._last_ends[k]
            if number != place.document_id and number in places
        ]
        last_s = max(others, default=now_s)
        width = min(self._forecast.servers(guess), self._total)
        left_s = max(len(places) * self._forecast.mean_s(guess) / width, last_s - now_s)
        need = self._calls_per_s(left_s, guess, now_s)
        critical = self._last is not None and self._last[:1] == [place.document_id]
        return _END_PROMPTNESS * need / width, need, now_s if critical else last_s

    @property
    def _total(self) -> int:
        return self._submitted + (self.remaining or 0)

    def _calls_per_s(self, left_s: float, guess: Guess, now_s: float) -> float:
        """Return what a second of the makespan is worth."""
        makespan_s = now_s - self._first_s + max(left_s, self._forecast.mean_s(guess))
        return self._patience * self._total / makespan_s

    def _needed_s(self, guess: Guess, place: Place, out: int) -> float:
        """When the service would run dry for want of this document's place."""
        servers, room = self._belief.servers, self._forecast.max_in_flight
        if servers >= room or guess.index is None:
            return place.submitted_at_s
        if out < _NEARLY_FULL * room:
            return math.inf
        return self._forecast.reaches_s(guess, place.sequence + room)

    def _find_last(self, places: Mapping[int, Place]) -> None:
        """Find the documents that may be the last to be done, and when that may be."""
        forecast, guesses = self._forecast, self._belief.sample(_SAMPLED)
        middle = guesses[_SAMPLED // 2]
        ends = [
            (forecast.end_s(middle, each), each.document_id)
            for each in places.values()
            if not each.stray
        ]
        self._last = [number for _, number in heapq.nlargest(_LAST, ends)]
        self._last_ends = [
            [(forecast.end_s(guess, places[number]), number) for number in self._last]
            for guess in guesses
        ]
