"""Polls that come sooner than they pay for themselves, since their answers teach."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from batch_converter.polling.outstanding import OutstandingDocument
    from batch_converter.polling.particle_filter import ParticleFilter
    from batch_converter.polling.poll_time import CompletionSample

_FIRST_PROBES: Final = 3
_PROBE_EVERY: Final = 14
_PROBE_SHARE: Final = 0.75
"""The first documents and one in so many are polled by this quantile of their completion ..."""
_EARLY_PROBE_EVERY: Final = 4
_EARLY_PROBE_SHARE: Final = 0.4
_FAILED_ENOUGH: Final = 2
"""... more of them and earlier, until so many polls found a document unfinished."""
_CHECK_EVERY: Final = 64
_CHECK_AFTER: Final = 1.2
"""One document in so many is polled after so many times its own time."""


class Exploration:
    """Chooses the documents that are to teach, and when."""

    def __init__(self, particle_filter: ParticleFilter) -> None:
        self._filter = particle_filter
        self._failed = 0

    def failed(self) -> None:
        """Count a poll that came too early."""
        self._failed += 1

    def idle_queue_check_s(self, document: OutstandingDocument) -> float:
        """Return when to poll a document as if nobody queued; infinity, for most.

        A queue that is only imagined keeps the service idle, and a service that idles looks
        slow: whoever waits for it never finds out.
        """
        every = max(_CHECK_EVERY, self._filter.forecast.max_in_flight)
        if document.unfinished_at_s is not None or (document.sequence + 1) % every:
            return math.inf
        delay_s = _CHECK_AFTER * document.relative_work * math.exp(self._filter.log_typical_s)
        return document.submitted_at_s + delay_s

    def probe_s(self, document: OutstandingDocument, samples: list[CompletionSample]) -> float:
        """Return when to poll a document early; infinity, for most.

        More are polled, and earlier, until two were polled too early.
        """
        learning = self._failed < _FAILED_ENOUGH
        every = _EARLY_PROBE_EVERY if learning else _PROBE_EVERY
        if document.sequence >= _FIRST_PROBES and document.sequence % every:
            return math.inf
        share = _EARLY_PROBE_SHARE if learning else _PROBE_SHARE
        return samples[int(len(samples) * share)].at_s
