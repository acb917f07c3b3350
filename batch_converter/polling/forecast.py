"""Moments and probabilities of a document, as one particle or another has them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from batch_converter.polling.base import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.polling.outstanding import OutstandingDocument
    from batch_converter.polling.particle import Particle
    from batch_converter.polling.queue_model import QueueModel
    from batch_converter.polling.service_time import ServiceTimes

NEARLY_ALL: Final = 0.99
"""Share of documents that one must have outlived to be an outlier."""
_OVERDUE_WAIT: Final = 0.05
"""A document found unfinished after a quantile is expected so much of its time later."""
_LEAST_LEFT: Final = 1e-3
"""Share of documents taken to be left, where hardly any should be: it is divided by."""
_START_SOFTNESS: Final = 0.05
"""A start is uncertain by so much of a document's time, besides half a turn of the queue."""
_CERTAIN: Final = 50.0
"""Beyond so many times its width the logistic is 0 or 1: `exp` need not be asked."""


class Forecast:
    """What a particle foresees: starts and ends of documents, and how likely an answer was.

    Attributes:
        mean_work: Relative work of a document, averaged over the last 200.
        at_s: The moment that the particles' `work_done` is of.
    """

    def __init__(self, times: ServiceTimes, queue: QueueModel, *, max_in_flight: int) -> None:
        self.times = times
        self.queue = queue
        self.max_in_flight = max_in_flight
        self.mean_work = 1.0
        self.at_s = -math.inf

    def servers(self, particle: Particle) -> int:
        """Return the documents worked on at once, at most `max_in_flight`."""
        if particle.queue_index is None:
            return self.max_in_flight
        return self.queue.servers[particle.queue_index]

    def mean_s(self, particle: Particle) -> float:
        """Return the seconds that a document is worked on, in the mean."""
        return particle.typical_s * self.times.residuals.mean_factor * self.mean_work

    def start_s(self, particle: Particle, document: OutstandingDocument) -> float:
        """Return when the document is started, or was."""
        index = particle.queue_index
        if index is None or self.queue.servers[index] >= document.queue_position:
            return document.submitted_at_s
        ahead = document.queue_starts[index] - particle.work_done
        return max(self.at_s + ahead / particle.work_per_s, document.submitted_at_s)

    def reaches_s(self, particle: Particle, sequence: int) -> float:
        """Return when the document `sequence` is started, also one that is yet to come."""
        if particle.queue_index is None:
            return self.at_s
        ahead = self.start(particle.queue_index, sequence) - particle.work_done
        return self.at_s + ahead / particle.work_per_s

    def backlog_s(self, particle: Particle) -> float:
        """Return how long a document would wait that were submitted now."""
        if particle.queue_index is None:
            return 0.0
        ahead = self.queue.next_start(particle.queue_index) - particle.work_done
        return max(0.0, ahead / particle.work_per_s)

    def start(self, queue_index: int, sequence: int) -> float:
        """Return the work that each server has done when the document `sequence` starts."""
        return self.queue.start(sequence, queue_index, mean_work=self.mean_work)

    def front(self, particle: Particle) -> int:
        """Return the sequence of the document that is started next."""
        if particle.queue_index is None:
            return len(self.queue)
        low, high = 0, len(self.queue)
        while low < high:
            middle = (low + high) // 2
            if self.start(particle.queue_index, middle) < particle.work_done:
                low = middle + 1
            else:
                high = middle
        return low

    def outlived(self, particle: Particle, document: OutstandingDocument) -> float:
        """Return the share of documents that take less than this one was seen to take."""
        seen, start = document.unfinished_at_s, self.start_s(particle, document)
        if seen is None or seen <= start:
            return 0.0
        ratio = (seen - start) / (document.relative_work * particle.typical_s)
        return self.times.residuals.below(math.log(ratio))

    def ends_s(
        self, particle: Particle, document: OutstandingDocument, shares: Sequence[float]
    ) -> list[float]:
        """Return quantiles (`shares`) of when the document is done, given that it was not yet.

        One that has outlived nearly all lasts as long again, as likely longer as shorter.
        """
        factor = self.times.residuals.factor
        seen = document.unfinished_at_s
        start = self.start_s(particle, document)
        usual_s = document.relative_work * particle.typical_s
        known = self.outlived(particle, document)
        if seen is not None and known > NEARLY_ALL:
            return [seen + (seen - start) * share / (1.0 - share) for share in shares]
        ends = []
        for share in shares:
            end = start + usual_s * factor(known + (1.0 - known) * share)
            ends.append(end if seen is None or end > seen else seen + _OVERDUE_WAIT * usual_s)
        return ends

    def end_s(self, particle: Particle, document: OutstandingDocument) -> float:
        """Return the median of when the document is done."""
        return self.ends_s(particle, document, (0.5,))[0]

    def likelihood(
        self, particle: Particle, document: OutstandingDocument, answer: Answer, at_s: float
    ) -> float:
        """Return how likely the answer was, given the answers before."""
        start = self.start_s(particle, document)
        pending = self._pending(particle, start - at_s)
        if answer is Answer.PENDING:
            return pending
        usual_s = document.relative_work * particle.typical_s
        done = self._share_done(at_s - start, usual_s)
        known = 0.0
        if document.unfinished_at_s is not None:
            known = self._share_done(document.unfinished_at_s - start, usual_s)
        left = max(1.0 - known, _LEAST_LEFT)
        share = done - known if answer is Answer.ENDED else 1.0 - done
        return (1.0 - pending) * min(share / left, 1.0)

    def _pending(self, particle: Particle, wait_s: float) -> float:
        """Return how likely a document still waits that should wait `wait_s` longer.

        A particle's queue may be off by half a turn of its servers.
        """
        index = particle.queue_index
        half_turn = 0.5 / self.queue.servers[index] if index is not None else 0.0
        ratio = wait_s / (particle.typical_s * self.mean_work * (half_turn + _START_SOFTNESS))
        if -_CERTAIN < ratio < _CERTAIN:
            return 1.0 / (1.0 + math.exp(-ratio))
        return float(ratio > 0)

    def _share_done(self, worked_s: float, usual_s: float) -> float:
        """Return how many documents are done after so long."""
        if worked_s <= 0.0:
            return 0.0
        return self.times.residuals.below(math.log(worked_s / usual_s))
