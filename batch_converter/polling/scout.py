"""Who is asked by a deadline, whatever is believed.

A policy that asks only who is surely done hears nothing but what it foresaw, and never
learns that it asks too late. A question that finds a document unfinished is the proof that
it does not: where that proof has been missing for long, the scout is asked for it.
"""

from __future__ import annotations

import math
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from batch_converter.polling.forecast import NEARLY_ALL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch_converter.polling.belief import Belief
    from batch_converter.polling.forecast import Guess, Place

_GAP_AGE: Final = 0.5
_GAP_DOCUMENTS: Final = 32.0
_KEPT_GAP: Final = 0.5
_NEWEST_SHARE: Final = 0.1
_SAMPLED: Final = 10


class Scout:
    """One of the documents that are out: the one that proves the belief, or refutes it.

    It is believed to be unfinished at the deadline, and if possible for a while longer: if
    it is done, the service is faster than believed. The deadline comes half an age after
    the last proof, or as long after it as 32 documents take, whichever is later: a proof
    costs a call. An age is how long documents are out: the oldest one, or those that came
    home. Documents that outlive nearly all others prove nothing, nor do overtaken ones.
    """

    def __init__(self, belief: Belief, places: Mapping[int, Place], *, floor_s: float) -> None:
        self._belief = belief
        self._places = places
        self._floor_s = floor_s
        self._place: Place | None = None
        self._proved_s: float | None = None
        self._deadline_s = math.inf
        self._ended_age_s = 0.0

    def deadline_s(self, place: Place) -> float:
        """Return by when the document is to be asked; never, for all but the scout."""
        return self._deadline_s if place is self._place else math.inf

    def unfinished(self, place: Place, at_s: float) -> None:
        """Take in that the document was found unfinished: that proves it, unless it is odd."""
        outlived = self._belief.forecast.outlived(self._middle(), place)
        place.odd = place.working_s is not None and outlived > NEARLY_ALL
        if not place.odd:
            self._proved_s, self._deadline_s = at_s, math.inf

    def ended(self, place: Place, at_s: float) -> None:
        """Take in how long the document was out."""
        if not (place.stray or place.odd):
            self._ended_age_s += _NEWEST_SHARE * (at_s - place.submitted_at_s - self._ended_age_s)

    def choose(self, at_s: float) -> Place | None:
        """Keep the scout or choose another; none, where nobody is believed to last so long."""
        if self._proved_s is None:
            self._proved_s = at_s
        places = [each for each in self._places.values() if not (each.stray or each.odd)]
        if not places:
            self._place = None
            return None
        age_s = max(at_s - places[0].submitted_at_s, self._ended_age_s)
        gap_s = self._gap_s(age_s, lost=len(self._places) - len(places))
        self._deadline_s = min(self._deadline_s, self._proved_s + gap_s)
        wanted_s = max(self._deadline_s, at_s) + gap_s
        if not self._stays(wanted_s - _KEPT_GAP * gap_s):
            self._place = self._best(places, wanted_s, least_s=max(self._deadline_s, at_s))
        return self._place

    def _gap_s(self, age_s: float, *, lost: int) -> float:
        forecast = self._belief.forecast
        usually_out = max(1, min(forecast.max_in_flight, len(forecast.schedules)) - lost)
        share = max(_GAP_AGE, _GAP_DOCUMENTS / usually_out)  # one comes home each age / out
        return max(self._floor_s, share * age_s)

    def _stays(self, least_s: float) -> bool:
        """Whether the scout is still out, and likely so at `least_s`."""
        place = self._place
        if place is None or self._places.get(place.document_id) is not place:
            return False
        return not (place.stray or place.odd) and self._end_s(place) > least_s

    def _best(self, places: Sequence[Place], wanted_s: float, *, least_s: float) -> Place | None:
        """Return who is the first to be done after `wanted_s`, else the last after `least_s`."""
        ends = [(self._end_s(place), place) for place in places]
        later = [each for each in ends if each[0] >= wanted_s]
        end_s, place = min(later, key=itemgetter(0)) if later else max(ends, key=itemgetter(0))
        return place if end_s > least_s else None

    def _end_s(self, place: Place) -> float:
        return self._belief.forecast.end_s(self._middle(), place)

    def _middle(self) -> Guess:
        return self._belief.sample(_SAMPLED)[_SAMPLED // 2]
