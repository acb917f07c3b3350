"""New particles, which agree with what was seen of the service."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from batch_converter.polling.base import Answer
from batch_converter.polling.particle import Particle

if TYPE_CHECKING:
    from random import Random

    from batch_converter.polling.forecast import Forecast
    from batch_converter.polling.outstanding import OutstandingDocument

_UNQUEUED_SHARE: Final = 0.5
"""Share of new particles without a queue, where nothing is known ..."""
_QUEUE_FORGOTTEN: Final = 200
"""... again after so many answers since the last that was Pending; none before that ..."""
_QUEUE_UNSEEN: Final = 100
_UNSEEN_QUEUE_SHARE: Final = 0.1
"""... and all but this share, where as many answers have shown no queue at all."""
_UNBELIEVING: Final = 5
"""Each fifth of the first particles does not trust the number of servers it is told."""
_SERVERS_SPREAD: Final = 0.2
_PACE_SPREAD: Final = 0.1
"""Standard deviations of logarithms: of a number of servers that an earlier run believed in,
and of a busy server's work a second."""


class ParticleFactory:
    """Remembers where the front of the queue was last seen, and makes particles accordingly."""

    def __init__(self, forecast: Forecast, random: Random) -> None:
        self._forecast = forecast
        self._random = random
        self._since_pending = 0
        self._waited = False
        self._front: tuple[int, float] | None = None

    def note(self, document: OutstandingDocument, answer: Answer, at_s: float) -> None:
        """Take in what an answer shows of a queue."""
        if answer is Answer.PENDING:
            self._since_pending, self._waited = 0, True
            return
        self._since_pending += 1
        if self._front is None or document.sequence >= self._front[0]:
            self._front = (document.sequence, at_s)

    def first(
        self, k: int, log_typical_s: float, *, spread: float, servers: float | None
    ) -> Particle:
        """Make the particle number `k` of a filter that has seen nothing yet."""
        log_typical_s += self._random.gauss(0.0, spread)
        if servers is None or k % _UNBELIEVING == 0:
            return self._particle(log_typical_s, self._any_index())
        counts = self._forecast.queue.servers
        if not counts or servers >= self._forecast.max_in_flight:
            return self._particle(log_typical_s, None)
        wanted = servers * math.exp(self._random.gauss(0.0, _SERVERS_SPREAD))
        index = min(range(len(counts)), key=lambda i: abs(counts[i] - wanted))
        return self._particle(log_typical_s, index)

    def anew(self, log_typical_s: float) -> Particle:
        """Make a particle with any queue, put where the front was last seen."""
        particle = self._particle(log_typical_s, self._any_index())
        if particle.queue_index is not None:
            at_s = self._forecast.at_s
            sequence, seen_s = self._front or (0, at_s)
            start = self._forecast.start(particle.queue_index, sequence)
            particle.work_done = start + particle.work_per_s * max(0.0, at_s - seen_s)
        return particle

    def beside(
        self, particle: Particle, log_typical_s: float, work_per_s: float, index: int
    ) -> Particle:
        """Move a particle to one number of servers more or less; front and throughput stay."""
        counts = self._forecast.queue.servers
        beside = min(max(index + self._random.choice((-1, 1)), 0), len(counts) - 1)
        work_done = particle.work_done
        if beside != index:
            work_done = self._forecast.start(beside, self._forecast.front(particle))
            work_per_s *= counts[index] / counts[beside]
        return Particle(
            log_typical_s=log_typical_s,
            queue_index=beside,
            work_per_s=work_per_s,
            work_done=work_done,
        )

    def _particle(self, log_typical_s: float, queue_index: int | None) -> Particle:
        """Make a particle whose servers are as fast as a document's time says."""
        work_per_s = math.exp(-log_typical_s + self._random.gauss(0.0, _PACE_SPREAD))
        work_per_s /= self._forecast.times.residuals.mean_factor
        return Particle(
            log_typical_s=log_typical_s,
            queue_index=queue_index,
            work_per_s=work_per_s,
            work_done=0.0,
        )

    def _any_index(self) -> int | None:
        """Draw a number of servers, as what was seen of a queue has it; None is no queue."""
        count = len(self._forecast.queue.servers)
        unqueued = _UNQUEUED_SHARE
        if self._waited and self._since_pending < _QUEUE_FORGOTTEN:
            unqueued = 0.0
        elif not self._waited and self._since_pending > _QUEUE_UNSEEN:
            unqueued = 1.0 - _UNSEEN_QUEUE_SHARE
        if not count or self._random.random() < unqueued:
            return None
        return self._random.randrange(count)
