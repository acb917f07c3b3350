"""What a second's delay of a document is worth, in calls.

The exchange rate is one: halving the makespan may cost `calls_per_halved_makespan` calls a
document. So a second is worth more where the batch is short. A document that is done and
not fetched costs nothing by itself; it costs where it holds a place that the service will
run dry without, and in the end, where the batch waits for nothing else.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Final

from batch_converter.polling.particle_filter import SAMPLED
from batch_converter.polling.poll_time import CompletionSample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_converter.polling.outstanding import OutstandingDocument
    from batch_converter.polling.particle import Particle
    from batch_converter.polling.particle_filter import ParticleFilter

_QUANTILES: Final = 6
_GOLDEN: Final = 0.618
"""Quantiles of each particle, one in each sixth, shifted from particle to particle by the
golden section so that together they lie close and even."""
_SHARES: Final = tuple(
    tuple((q + (k * _GOLDEN + 0.5) % 1.0) / _QUANTILES for q in range(_QUANTILES))
    for k in range(SAMPLED)
)
_UNNEEDED: Final = 0.001
_UNNEEDED_AT_END: Final = 0.003
"""What a second costs of a place that nobody needs, as a share of what a needed one costs:
of two moments that are equally good the earlier one is better."""
_QUEUE_NEED: Final = 0.1
"""What a place is worth that a queue runs dry without: one of many may be missing."""
_LAST_ONES: Final = 6
"""Documents that may be the last to be done, of which each particle names one."""


class DelayCost:
    """Draws moments when a document may be done, each with the price of a delay.

    Attributes:
        remaining: Documents still to be submitted; None is not known.
    """

    def __init__(
        self, particle_filter: ParticleFilter, *, calls_per_halved_makespan: float
    ) -> None:
        self.remaining: int | None = None
        self._filter = particle_filter
        self._forecast = particle_filter.forecast
        self._calls_per_halved_makespan = calls_per_halved_makespan
        self._first_s = math.inf
        self._submitted = 0
        self._last: list[int] | None = None
        self._last_ends: list[list[tuple[float, int]]] = []

    def submitted(self) -> None:
        """Count a document."""
        self._submitted += 1

    def answered(self) -> None:
        """Forget what was derived from the particles."""
        self._last = None

    def samples(
        self,
        document: OutstandingDocument,
        documents: Mapping[int, OutstandingDocument],
        now_s: float,
    ) -> list[CompletionSample]:
        """Return sixty equally likely moments, sorted, when the document may be done.

        Each particle has its own price: where the service is fast, the batch is short and
        a second dear. So a wrong prior is found out early.
        """
        self._first_s = min(self._first_s, now_s)
        ending = self.remaining == 0
        if ending and self._last is None:
            self._find_last(documents)
        samples: list[CompletionSample] = []
        for k, particle in enumerate(self._filter.sample()):
            if ending:
                price = self._price_at_end(k, particle, document, documents, now_s)
            else:
                price = self._price(particle, document, len(documents), now_s)
            samples += [
                CompletionSample(at_s, *price)
                for at_s in self._forecast.ends_s(particle, document, _SHARES[k])
            ]
        samples.sort()
        return samples

    def last(self, documents: Mapping[int, OutstandingDocument]) -> int | None:
        """Return the document that is believed to be the last to be done."""
        if self._last is None:
            self._find_last(documents)
        return self._last[0] if self._last else None

    def _price(
        self, particle: Particle, document: OutstandingDocument, out: int, now_s: float
    ) -> tuple[float, float, float]:
        """Price a place while others wait for it."""
        width = min(self._forecast.servers(particle), self._total)
        left_s = ((self.remaining or 0) + out) * self._forecast.mean_s(particle) / width
        place = self._calls_per_s(left_s, particle, now_s) / width
        needed = place if particle.queue_index is None else _QUEUE_NEED * place
        return _UNNEEDED * place, needed, self._needed_s(particle, document)

    def _price_at_end(
        self,
        k: int,
        particle: Particle,
        document: OutstandingDocument,
        documents: Mapping[int, OutstandingDocument],
        now_s: float,
    ) -> tuple[float, float, float]:
        """Price a document when nobody waits for a place: what counts is the last."""
        others = [
            end_s
            for end_s, number in self._last_ends[k]
            if number != document.document_id and number in documents
        ]
        last_s = max(others, default=now_s)
        width = min(self._forecast.servers(particle), self._total)
        left_s = max(len(documents) * self._forecast.mean_s(particle) / width, last_s - now_s)
        needed = self._calls_per_s(left_s, particle, now_s)
        critical = self._last is not None and self._last[:1] == [document.document_id]
        return _UNNEEDED_AT_END * needed / width, needed, now_s if critical else last_s

    @property
    def _total(self) -> int:
        return self._submitted + (self.remaining or 0)

    def _calls_per_s(self, left_s: float, particle: Particle, now_s: float) -> float:
        """Return what a second of the makespan is worth."""
        makespan_s = now_s - self._first_s + max(left_s, self._forecast.mean_s(particle))
        return self._calls_per_halved_makespan * self._total / makespan_s

    def _needed_s(self, particle: Particle, document: OutstandingDocument) -> float:
        """Return when the service runs dry for want of this document's place."""
        servers, room = self._filter.servers, self._forecast.max_in_flight
        if servers >= room or particle.queue_index is None:
            return document.submitted_at_s
        return self._forecast.reaches_s(particle, document.sequence + room)

    def _find_last(self, documents: Mapping[int, OutstandingDocument]) -> None:
        """Find the documents that may be the last to be done, and when that may be."""
        forecast, particles = self._forecast, self._filter.sample()
        middle = self._filter.middle()
        ends = [
            (forecast.end_s(middle, each), each.document_id)
            for each in documents.values()
            if not each.overtaken
        ]
        self._last = [number for _, number in heapq.nlargest(_LAST_ONES, ends)]
        self._last_ends = [
            [(forecast.end_s(particle, documents[number]), number) for number in self._last]
            for particle in particles
        ]
