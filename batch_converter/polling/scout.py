"""Who is asked by a deadline, whatever is believed.

A policy that asks only who is surely done hears nothing but what it foresaw, and never
learns that it asks too late. A question that finds a document unfinished is the proof that
it does not: where that proof has been missing for long, the scout is asked for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_converter.polling.belief import Belief
    from batch_converter.polling.forecast import Place

_GAP_AGE: Final = 0.5
_GAP_DOCUMENTS: Final = 32.0
_KEPT_GAPS: Final = 0.5
_SAMPLED: Final = 10


class Scout:
    """One of the documents that are out: the one that proves the belief, or refutes it.

    It is believed to be unfinished at the deadline, and for a while longer. If it is done,
    the service is faster than believed. The deadline comes half the oldest document's age
    after the last proof, or as long after it as 32 documents take, whichever is later: a
    proof costs a call.
    """

    def __init__(self, belief: Belief, places: Mapping[int, Place], *, floor_s: float) -> None:
        self._belief = belief
        self._places = places
        self._floor_s = floor_s
        self._gap_s = 0.0
        self._deadline_s = math.inf
        self._document_id: int | None = None

    def deadline_s(self, place: Place) -> float:
        """Return by when the document is to be asked; never, for all but the scout."""
        return self._deadline_s if place.document_id == self._document_id else math.inf

    def proved(self, at_s: float) -> None:
        """Put the deadline off: a document was found unfinished."""
        oldest = next((place for place in self._places.values() if not place.stray), None)
        if oldest is None:
            return
        forecast = self._belief.forecast
        at_once = min(forecast.max_in_flight, len(forecast.schedules))
        share = max(_GAP_AGE, _GAP_DOCUMENTS / at_once)  # a document comes each age / at_once
        self._gap_s = max(self._floor_s, share * (at_s - oldest.submitted_at_s))
        self._deadline_s = at_s + self._gap_s

    def choose(self, at_s: float) -> int | None:
        """Keep the scout or choose another; returns its number."""
        if self._deadline_s == math.inf:
            self.proved(at_s)
        wanted_s = max(self._deadline_s, at_s) + self._gap_s
        if self._stays(wanted_s - _KEPT_GAPS * self._gap_s):
            return self._document_id
        ends = [
            (self._end_s(place), number)
            for number, place in self._places.items()
            if not place.stray
        ]
        last = max(ends, default=(-math.inf, None))
        end_s, number = min((end for end in ends if end[0] >= wanted_s), default=last)
        self._document_id = number if end_s > self._deadline_s else None
        return self._document_id

    def _stays(self, least_s: float) -> bool:
        """Whether the scout is still out, and likely so at `least_s`."""
        place = None if self._document_id is None else self._places.get(self._document_id)
        return place is not None and not place.stray and self._end_s(place) > least_s

    def _end_s(self, place: Place) -> float:
        middle = self._belief.sample(_SAMPLED)[_SAMPLED // 2]
        return self._belief.forecast.end_s(middle, place)
