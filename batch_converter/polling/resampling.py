"""Particles drawn again by their likelihood, and moved a little so that equal ones part."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from batch_converter.polling.particle import Particle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from batch_converter.polling.particle_factory import ParticleFactory
    from batch_converter.polling.service_time import ServiceTimes

_DRIFT_PER_S: Final = 2e-5
"""Variance that a second adds to the logarithms of speeds: a service may change."""
_SHRINK: Final = 0.98
"""Liu and West's: drawn anew, a value keeps so much of its distance from the mean ..."""
_LEAST_SHAKE: Final = 0.003
"""... and is shaken by what that takes from the spread, and by this."""
_PULL: Final = 0.02
"""Share of the way to a busy server's speed, at each draw."""
_FORGETS: Final = 0.001
"""Share of particles that begin anew at each draw."""
_STEPS_ASIDE: Final = 0.05 - _FORGETS
"""Share that takes a neighbouring number of servers at each draw."""


class Resampler:
    """Draws as many particles as it is given, the likelier ones more often."""

    def __init__(self, factory: ParticleFactory, times: ServiceTimes, random: Random) -> None:
        self._factory = factory
        self._times = times
        self._random = random
        self._drawn_at_s = math.inf

    def resample(self, particles: Sequence[Particle], at_s: float) -> list[Particle]:
        """Return the particles drawn again at `at_s`, shaken a little about their means."""
        drawn = self._drawn(particles)
        drift = math.sqrt(_DRIFT_PER_S * max(0.0, at_s - self._drawn_at_s))
        self._drawn_at_s = at_s
        queued = [particle for particle in drawn if particle.queue_index is not None]
        free = [particle for particle in drawn if particle.queue_index is None]
        shaken = [*self._shaken(queued, drift), *self._shaken(free, drift)]
        self._random.shuffle(shaken)
        return shaken

    def _drawn(self, particles: Sequence[Particle]) -> list[Particle]:
        """Draw systematically: one random offset, equal steps of the summed likelihood."""
        count = len(particles)
        step = sum(particle.likelihood for particle in particles) / count
        point = self._random.random() * step
        drawn: list[Particle] = []
        running = 0.0
        for particle in particles:
            running += particle.likelihood
            while point < running and len(drawn) < count:
                drawn.append(particle)
                point += step
        return drawn + [particles[-1]] * (count - len(drawn))  # for sums that were rounded

    def _shaken(self, particles: list[Particle], drift: float) -> list[Particle]:
        """Shrink towards the mean and shake by as much: the spread stays, ties part.

        A busy server does in a second as much as a document's time says. Particles are pulled
        there: else a service that idles, since it is polled late, passes for a slow one.
        """
        if not particles:
            return []
        busy = -math.log(self._times.residuals.mean_factor)
        logs = [particle.log_typical_s for particle in particles]
        paces = [math.log(each.work_per_s) + each.log_typical_s for each in particles]
        return [
            self._child(particle, log, math.exp(pace - log + _PULL * (busy - pace)))
            for particle, log, pace in zip(
                particles, self._stirred(logs, drift), self._stirred(paces, drift), strict=True
            )
        ]

    def _stirred(self, values: list[float], drift: float) -> list[float]:
        mean = sum(values) / len(values)
        spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
        kernel = math.sqrt(1 - _SHRINK * _SHRINK) * spread
        shake = math.hypot(kernel, drift) + _LEAST_SHAKE
        gauss = self._random.gauss
        return [mean + _SHRINK * (value - mean) + gauss(0.0, shake) for value in values]

    def _child(self, particle: Particle, log_typical_s: float, work_per_s: float) -> Particle:
        chance = self._random.random()
        index = particle.queue_index
        if chance < _FORGETS:
            return self._factory.anew(log_typical_s)
        if chance < _FORGETS + _STEPS_ASIDE and index is not None:
            return self._factory.beside(particle, log_typical_s, work_per_s, index)
        return Particle(
            log_typical_s=log_typical_s,
            queue_index=index,
            work_per_s=work_per_s,
            work_done=particle.work_done,
        )
