"""Which service it is: a particle filter, sharpened by each answer.

A particle is a service that takes documents in the order of their submission. An answer
makes the particles likelier that foresaw it (weigh), and they are drawn again by their
likelihood (resample). An answer that none foresaw scatters them before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from batch_converter.polling.base import Answer
from batch_converter.polling.forecast import NEARLY_ALL
from batch_converter.polling.particle import Particle
from batch_converter.polling.particle_factory import ParticleFactory
from batch_converter.polling.resampling import Resampler

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from batch_converter.polling.forecast import Forecast
    from batch_converter.polling.outstanding import OutstandingDocument

_PARTICLES: Final = 100
SAMPLED: Final = 10
"""Particles that stand for all where moments are foreseen."""
_WORK_AVERAGED: Final = 200
"""Documents over which the mean work is averaged."""
_UNFORESEEN: Final = 0.02
"""Likelihood that any answer has, whatever a particle says."""
_SURPRISE: Final = 0.06
"""An answer less likely than this scatters the particles; one more likely ..."""
_SURE: Final = 0.97
"""... than this teaches nothing worth drawing them again."""
_UNEVEN: Final = 0.2
"""How unevenly servers work: standard deviation over a document's own."""
_SCATTER: Final = 0.7
"""How far a surprise moves the logarithm of a speed: a factor of two either way."""
_SCATTERED_ANEW: Final = 0.2
"""Share of the moved that begin anew besides."""
_BESIDE_START: Final = 0.5
"""How far from the start an answer may find the queue, in documents, besides a turn."""
_INTERVAL_STEP: Final = 5
"""Every fifth particle says when a document was started; the middle one counts."""


class ParticleFilter:
    """A hundred particles: what is believed of the service, at one moment.

    Args:
        forecast: What particles foresee; its moment is moved on here.
        random: The only source of chance.
        typical_s: Seconds that a typical document is thought to take.
        spread: Standard deviation of the logarithm of those.
        servers: How many documents the service works on at once; None is not known.

    Attributes:
        log_typical_s: Mean of the particles' logarithms of a typical document's seconds.
        servers: Median of the documents that are worked on at once.
    """

    def __init__(
        self,
        forecast: Forecast,
        random: Random,
        *,
        typical_s: float,
        spread: float,
        servers: float | None = None,
    ) -> None:
        self.forecast = forecast
        self._random = random
        self._factory = ParticleFactory(forecast, random)
        self._resampler = Resampler(self._factory, forecast.times, random)
        self._particles: list[Particle] = []
        prior = math.log(typical_s)
        self._keep(
            [
                self._factory.first(k, prior, spread=spread, servers=servers)
                for k in range(_PARTICLES)
            ]
        )

    def _keep(self, particles: list[Particle]) -> None:
        """Hold these particles, and what they say together."""
        self._particles = particles
        self._sorted: list[Particle] = []
        self.log_typical_s = sum(each.log_typical_s for each in particles) / _PARTICLES
        self.servers = sorted(map(self.forecast.servers, particles))[_PARTICLES // 2]

    @property
    def mean_s(self) -> float:
        """Seconds that a document is worked on, in the mean."""
        forecast = self.forecast
        factor = forecast.times.residuals.mean_factor
        return math.exp(self.log_typical_s) * factor * forecast.mean_work

    def sample(self) -> Sequence[Particle]:
        """Return ten particles evenly spread from the shortest queue to the longest.

        Drawn by chance, a particle that hardly any other agrees with would now and then stand
        for a tenth of them, and each plan that is made again would draw once more.
        """
        if not self._sorted:
            self._sorted = sorted(self._particles, key=self._sort_key)
        step = _PARTICLES // SAMPLED
        return self._sorted[step // 2 :: step]

    def _sort_key(self, particle: Particle) -> tuple[float, float]:
        return self.forecast.backlog_s(particle), particle.log_typical_s

    def middle(self) -> Particle:
        """Return the particle with the median queue."""
        return self.sample()[SAMPLED // 2]

    def is_outlier(self, document: OutstandingDocument) -> bool:
        """Return whether it was seen worked on for longer than nearly all documents are."""
        if document.processing_since_s is None:
            return False
        return self.forecast.outlived(self.middle(), document) > NEARLY_ALL

    def submit(self, work: float, at_s: float) -> tuple[float, ...]:
        """Take in a document; returns its start for each number of servers."""
        forecast = self.forecast
        if forecast.at_s == -math.inf:
            forecast.at_s = at_s
        step_s = at_s - forecast.at_s
        for particle in self._particles:
            if particle.queue_index is not None:  # a server that has idled takes it at once
                next_start = forecast.queue.next_start(particle.queue_index)
                latest = next_start - particle.work_per_s * step_s
                particle.work_done = min(particle.work_done, latest)
        starts = forecast.queue.append(work)
        count = min(len(forecast.queue), _WORK_AVERAGED)
        forecast.mean_work += (work - forecast.mean_work) / count
        return starts

    def learn(self, document: OutstandingDocument, answer: Answer, at_s: float) -> None:
        """Weigh the particles by an answer and draw them again."""
        self._factory.note(document, answer, at_s)
        self._advance(at_s)
        foreseen = self._weigh(document, answer, at_s)
        if foreseen > _SURE:
            return
        if foreseen < _SURPRISE:
            self._scatter(document, answer)
            self._weigh(document, answer, at_s)
        self._keep(self._resampler.resample(self._particles, at_s))

    def _weigh(self, document: OutstandingDocument, answer: Answer, at_s: float) -> float:
        """Set each particle's likelihood; returns their mean."""
        total = 0.0
        likelihood = self.forecast.likelihood
        for particle in self._particles:
            foreseen = likelihood(particle, document, answer, at_s)
            particle.likelihood = _UNFORESEEN + (1 - _UNFORESEEN) * foreseen
            total += particle.likelihood
        return total / _PARTICLES

    def _advance(self, at_s: float) -> None:
        """Let the particles work until `at_s`, each as evenly as its servers are many."""
        step_s = max(0.0, at_s - self.forecast.at_s)
        self.forecast.at_s += step_s
        mean_work = self.forecast.mean_work
        for particle in self._particles:
            if particle.queue_index is not None:
                work = particle.work_per_s * step_s
                servers = self.forecast.queue.servers[particle.queue_index]
                shake = _UNEVEN * math.sqrt(work * mean_work / servers)
                particle.work_done += max(0.0, work + self._random.gauss(0.0, shake))

    def _scatter(self, document: OutstandingDocument, answer: Answer) -> None:
        """Move three quarters of the particles: each changes its times, its pace or its queue."""
        gauss = self._random.gauss
        for k, particle in enumerate(self._particles):
            log_typical_s, pace = particle.log_typical_s, particle.work_per_s
            done = particle.work_done
            match k % 4:
                case 0:
                    log_typical_s += gauss(0.0, _SCATTER)
                case 1:
                    pace *= math.exp(gauss(0.0, _SCATTER))
                case 2:
                    done = self._moved(particle, document, answer)
                case _:
                    continue
            if self._random.random() < _SCATTERED_ANEW:
                self._particles[k] = self._factory.anew(log_typical_s)
            else:
                self._particles[k] = Particle(
                    log_typical_s=log_typical_s,
                    queue_index=particle.queue_index,
                    work_per_s=pace,
                    work_done=done,
                )

    def _moved(self, particle: Particle, document: OutstandingDocument, answer: Answer) -> float:
        """Return the particle's work done, put where the answer says that it is."""
        if particle.queue_index is None:
            return particle.work_done
        turn = 1.0 / self.forecast.queue.servers[particle.queue_index]
        mean_work = self.forecast.mean_work
        beside = self._random.expovariate(1.0) * mean_work * (turn + _BESIDE_START)
        start = document.queue_starts[particle.queue_index]
        if answer is Answer.PENDING:
            return min(particle.work_done, start - beside)
        return max(particle.work_done, start + beside)

    def service_interval_s(
        self, document: OutstandingDocument, at_s: float
    ) -> tuple[float, float] | None:
        """Return bounds of the seconds that it was worked on; None where there were none.

        Args:
            document: One that has ended.
            at_s: When it was found so.
        """
        starts = sorted(
            self.forecast.start_s(each, document) for each in self._particles[::_INTERVAL_STEP]
        )
        start, seen = starts[len(starts) // 2], document.unfinished_at_s
        low = max(seen - start, 0.0) if seen is not None else 0.0
        high = at_s - start
        return (low, high) if high > low else None
