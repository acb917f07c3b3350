"""What holds whatever is believed: the floor, and bounds of each wait and of the silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.polling.scout import Scout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch_converter.polling.belief import Belief
    from batch_converter.polling.forecast import Place
    from batch_converter.polling.plan import End

_WAITS: Final = 3.0
_WAIT_AGE: Final = 0.3
_SILENT_SERVICES: Final = 3.0
_SPACED: Final = 0.02


class Guards:
    """Keeps a model that is wrong from asking without end, and from falling silent."""

    def __init__(self, belief: Belief, places: Mapping[int, Place], *, floor_s: float) -> None:
        self._belief = belief
        self._places = places
        self._floor_s = floor_s
        self._scout = Scout(belief, places, floor_s=floor_s)
        self._watched: set[int] = set()
        self._answered_s: float | None = None

    def earliest_s(self, place: Place, now_s: float) -> float:
        """Return when the document may be asked: the longer it is worked on, the rarer."""
        if place.asked_at_s is None:
            return now_s
        worked_s = 0.0 if place.working_s is None else place.asked_at_s - place.working_s
        return max(now_s, place.asked_at_s + max(self._floor_s, _SPACED * worked_s))

    def latest_s(self, place: Place, ends: Sequence[End], now_s: float) -> float:
        """Return by when the document is to be asked, for its own sake or for the batch's."""
        age = now_s - place.submitted_at_s
        mean = sum(end.at_s for end in ends) / len(ends) - now_s
        bound = now_s + _WAITS * max(mean, self._floor_s) + _WAIT_AGE * age
        bound = min(bound, self._scout.deadline_s(place))
        if self._sentinel() is not place:
            return bound
        since = place.submitted_at_s if place.asked_at_s is None else place.asked_at_s
        heard = place.submitted_at_s if self._answered_s is None else self._answered_s
        silence = heard + max(self._floor_s, _SILENT_SERVICES * self._belief.typical_s)
        return min(bound, max(silence, since + _WAIT_AGE * age + self._floor_s))

    def answered(self, at_s: float, *, unfinished: bool) -> set[int]:
        """Take in an answer; returns who is watched from now on and was not before."""
        self._answered_s = at_s
        if unfinished:
            self._scout.proved(at_s)
        sentinel = self._sentinel()
        now = {self._scout.choose(at_s), None if sentinel is None else sentinel.document_id}
        before, self._watched = self._watched, {number for number in now if number is not None}
        return self._watched - before

    def _sentinel(self) -> Place | None:
        """Return who is asked when the batch falls silent: the oldest not yet asked.

        Where all were asked, who was asked longest ago: one that is lost at the service
        must not speak for the others.
        """
        waiting = [each for each in self._places.values() if not each.stray]
        for each in waiting:
            if each.asked_at_s is None:
                return each
        return min(waiting, key=lambda each: each.asked_at_s or 0.0, default=None)
