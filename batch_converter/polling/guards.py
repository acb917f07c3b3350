"""How much is asked at most, and how little at least, where the belief is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.polling.scout import Scout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch_converter.polling.belief import Belief
    from batch_converter.polling.forecast import Place
    from batch_converter.polling.plan import End

_SPACING_SHARE: Final = 0.02
_EXPECTED_WAITS: Final = 5.0
_AGE_SHARE: Final = 0.3
_SILENT_SERVICES: Final = 3.0


class Guards:
    """Keeps a model that is wrong from asking without end, and from falling silent."""

    def __init__(self, belief: Belief, places: Mapping[int, Place], *, floor_s: float) -> None:
        self._belief = belief
        self._places = places
        self._floor_s = floor_s
        self._scout = Scout(belief, places, floor_s=floor_s)
        self._answered_s: float | None = None
        self._sentinel_before: Place | None = None

    def earliest_s(self, place: Place, now_s: float) -> float:
        """Return when the document may be asked: the longer it is worked on, the rarer."""
        if place.asked_at_s is None:
            return now_s
        worked_s = 0.0 if place.working_s is None else place.asked_at_s - place.working_s
        return max(now_s, place.asked_at_s + max(self._floor_s, _SPACING_SHARE * worked_s))

    def latest_s(self, place: Place, ends: Sequence[End]) -> float:
        """Return by when the document is to be asked, for its own sake or for the batch's."""
        since = _asked_s(place)
        likely_s = ends[len(ends) // 2].at_s - since
        longest_s = _EXPECTED_WAITS * max(likely_s, self._belief.typical_s, self._floor_s)
        wait = since + longest_s + _AGE_SHARE * (since - place.submitted_at_s)
        return min(wait, self._watched_s(place))

    def unfinished(self, place: Place, at_s: float) -> None:
        """Take in that the document was found unfinished."""
        self._scout.unfinished(place, at_s)

    def ended(self, place: Place, at_s: float) -> None:
        """Take in that the document has come home."""
        self._scout.ended(place, at_s)

    def answered(self, at_s: float) -> set[int]:
        """Take in an answer; returns the sentinel that is new, and who is planned too late."""
        self._answered_s = at_s
        sentinel = self._sentinel()
        watched = [each for each in (self._scout.choose(at_s), sentinel) if each is not None]
        woken = {each.document_id for each in watched if each.planned_s > self._watched_s(each)}
        if sentinel is not None and sentinel is not self._sentinel_before:
            woken.add(sentinel.document_id)
        self._sentinel_before = sentinel
        return woken

    def _watched_s(self, place: Place) -> float:
        """Return by when the document is to be asked for the batch's sake; mostly never."""
        deadline = self._scout.deadline_s(place)
        if self._sentinel() is not place:
            return deadline
        since = _asked_s(place)
        heard = place.submitted_at_s if self._answered_s is None else self._answered_s
        silence = heard + max(self._floor_s, _SILENT_SERVICES * self._belief.typical_s)
        again = since + _AGE_SHARE * (since - place.submitted_at_s) + self._floor_s
        return min(deadline, max(silence, again))

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


def _asked_s(place: Place) -> float:
    """When the document was last heard of."""
    return place.submitted_at_s if place.asked_at_s is None else place.asked_at_s
