"""One document that is polled by a deadline, so that polling too late is found out.

A policy that polls only who is surely done hears nothing but what it foresaw, and never
learns that it polls too late. A poll that finds a document unfinished is the proof that it
does not: where that proof has been missing for long, it is asked for.
"""

from __future__ import annotations

import math
from operator import itemgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch_converter.polling.outstanding import OutstandingDocument
    from batch_converter.polling.particle_filter import ParticleFilter

_GAP_AGE: Final = 0.5
_GAP_DOCUMENTS: Final = 32.0
"""A proof is asked for after so much of an age, but not within so many documents."""
_KEPT_GAP: Final = 0.5
"""A document stays the probe while it lasts beyond the deadline and so much of a gap."""
_NEWEST_SHARE: Final = 0.1
"""Weight of the newest document in the mean age of those that have ended."""


class StalenessProbe:
    """Chooses the document, and by when it is to be polled.

    It is believed to be unfinished at the deadline, and if possible for a while longer: if
    it is done, the service is faster than believed. The deadline comes half an age after
    the last proof, or as long after it as 32 documents take, whichever is later: a proof
    costs a call. An age is how long documents are out: the oldest one, or those that have
    ended. Outliers prove nothing, nor do documents that were overtaken.
    """

    def __init__(
        self,
        particle_filter: ParticleFilter,
        documents: Mapping[int, OutstandingDocument],
        *,
        floor_s: float,
    ) -> None:
        self._filter = particle_filter
        self._documents = documents
        self._floor_s = floor_s
        self._chosen: OutstandingDocument | None = None
        self._proved_s: float | None = None
        self._deadline_s = math.inf
        self._ended_age_s = 0.0

    def deadline_s(self, document: OutstandingDocument) -> float:
        """Return by when the document is to be polled; infinity, for all but the probe."""
        return self._deadline_s if document is self._chosen else math.inf

    def unfinished(self, document: OutstandingDocument, at_s: float) -> None:
        """Take in that the document was found unfinished: a proof, unless it is an outlier."""
        if not document.outlier:
            self._proved_s, self._deadline_s = at_s, math.inf

    def ended(self, document: OutstandingDocument, at_s: float) -> None:
        """Take in how long the document was out."""
        if not (document.overtaken or document.outlier):
            age_s = at_s - document.submitted_at_s
            self._ended_age_s += _NEWEST_SHARE * (age_s - self._ended_age_s)

    def choose(self, at_s: float) -> OutstandingDocument | None:
        """Keep the probe or choose another; None, where nobody is believed to last so long."""
        if self._proved_s is None:
            self._proved_s = at_s
        usual = [each for each in self._documents.values() if _is_usual(each)]
        if not usual:
            self._chosen = None
            return None
        age_s = max(at_s - usual[0].submitted_at_s, self._ended_age_s)
        gap_s = self._gap_s(age_s, lost=len(self._documents) - len(usual))
        self._deadline_s = min(self._deadline_s, self._proved_s + gap_s)
        wanted_s = max(self._deadline_s, at_s) + gap_s
        if not self._stays(wanted_s - _KEPT_GAP * gap_s):
            self._chosen = self._best(usual, wanted_s, least_s=max(self._deadline_s, at_s))
        return self._chosen

    def _gap_s(self, age_s: float, *, lost: int) -> float:
        """Return the seconds between two proofs, where a document ends each age / out."""
        forecast = self._filter.forecast
        usually_out = max(1, min(forecast.max_in_flight, len(forecast.queue)) - lost)
        share = max(_GAP_AGE, _GAP_DOCUMENTS / usually_out)
        return max(self._floor_s, share * age_s)

    def _stays(self, least_s: float) -> bool:
        """Return whether the probe is still out, and likely so at `least_s`."""
        chosen = self._chosen
        if chosen is None or self._documents.get(chosen.document_id) is not chosen:
            return False
        return _is_usual(chosen) and self._end_s(chosen) > least_s

    def _best(
        self, documents: Sequence[OutstandingDocument], wanted_s: float, *, least_s: float
    ) -> OutstandingDocument | None:
        """Return who is the first to be done after `wanted_s`, else the last after `least_s`."""
        ends = [(self._end_s(each), each) for each in documents]
        later = [each for each in ends if each[0] >= wanted_s]
        end_s, best = min(later, key=itemgetter(0)) if later else max(ends, key=itemgetter(0))
        return best if end_s > least_s else None

    def _end_s(self, document: OutstandingDocument) -> float:
        return self._filter.forecast.end_s(self._filter.middle(), document)


def _is_usual(document: OutstandingDocument) -> bool:
    return not (document.overtaken or document.outlier)
