"""How often a document is polled at most, and how seldom, whatever the particles say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.polling.staleness_probe import StalenessProbe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch_converter.polling.outstanding import OutstandingDocument
    from batch_converter.polling.particle_filter import ParticleFilter
    from batch_converter.polling.poll_time import CompletionSample

_SPACING_SHARE: Final = 0.02
"""Least wait between two polls, as a share of the time that it was seen worked on."""
_EXPECTED_WAITS: Final = 5.0
_AGE_SHARE: Final = 0.3
"""Longest wait: so many times the expected one, and a share of the document's age."""
_SILENT_SERVICES: Final = 3.0
"""Longest silence of the batch, in documents' times."""


class PollBounds:
    """Keeps a model that is wrong from polling without end, and from falling silent."""

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
        self._probe = StalenessProbe(particle_filter, documents, floor_s=floor_s)
        self._answered_s: float | None = None
        self._oldest_before: OutstandingDocument | None = None

    def earliest_s(self, document: OutstandingDocument, now_s: float) -> float:
        """Return when the document may be polled: the longer it is worked on, the rarer."""
        seen, since = document.unfinished_at_s, document.processing_since_s
        if seen is None:
            return now_s
        worked_s = 0.0 if since is None else seen - since
        return max(now_s, seen + max(self._floor_s, _SPACING_SHARE * worked_s))

    def latest_s(self, document: OutstandingDocument, samples: Sequence[CompletionSample]) -> float:
        """Return by when the document is to be polled, for its own sake or for the batch's."""
        since = document.last_known_at_s
        likely_s = samples[len(samples) // 2].at_s - since
        longest_s = _EXPECTED_WAITS * max(likely_s, self._filter.mean_s, self._floor_s)
        wait = since + longest_s + _AGE_SHARE * (since - document.submitted_at_s)
        return min(wait, self._watched_s(document))

    def unfinished(self, document: OutstandingDocument, at_s: float) -> None:
        """Take in that the document was found unfinished."""
        self._probe.unfinished(document, at_s)

    def ended(self, document: OutstandingDocument, at_s: float) -> None:
        """Take in that the document was fetched."""
        self._probe.ended(document, at_s)

    def answered(self, at_s: float) -> set[int]:
        """Take in an answer; returns whom it makes the oldest unpolled, and who is planned late."""
        self._answered_s = at_s
        oldest = self._oldest_unpolled()
        watched = [each for each in (self._probe.choose(at_s), oldest) if each is not None]
        woken = {
            each.document_id for each in watched if each.next_check_at_s > self._watched_s(each)
        }
        if oldest is not None and oldest is not self._oldest_before:
            woken.add(oldest.document_id)
        self._oldest_before = oldest
        return woken

    def _watched_s(self, document: OutstandingDocument) -> float:
        """Return by when the document is to be polled for the batch's sake; mostly infinity."""
        deadline = self._probe.deadline_s(document)
        if self._oldest_unpolled() is not document:
            return deadline
        since = document.last_known_at_s
        heard = document.submitted_at_s if self._answered_s is None else self._answered_s
        silence = heard + max(self._floor_s, _SILENT_SERVICES * self._filter.mean_s)
        again = since + _AGE_SHARE * (since - document.submitted_at_s) + self._floor_s
        return min(deadline, max(silence, again))

    def _oldest_unpolled(self) -> OutstandingDocument | None:
        """Return who is polled when the batch falls silent: the oldest not yet polled.

        Where all were polled, who was polled longest ago: one that is lost at the service
        must not speak for the others.
        """
        waiting = [each for each in self._documents.values() if not each.overtaken]
        for each in waiting:
            if each.unfinished_at_s is None:
                return each
        return min(waiting, key=lambda each: each.unfinished_at_s or 0.0, default=None)
