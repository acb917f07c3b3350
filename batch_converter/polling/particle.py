"""One hypothesis about the service."""

from __future__ import annotations

import math


class Particle:
    """A service that may be the real one: how fast it is, and how far its queue has come.

    Attributes:
        log_typical_s: Logarithm of the seconds that a document of twenty pages takes.
        typical_s: Those seconds.
        queue_index: Which number of servers of the `QueueModel` it has; None is a service
            that starts every document at once.
        work_per_s: Work that each server does in a second.
        work_done: Work that each server had done at the forecast's moment.
        likelihood: How likely it made the last answer.
    """

    __slots__ = (
        "likelihood",
        "log_typical_s",
        "queue_index",
        "typical_s",
        "work_done",
        "work_per_s",
    )

    def __init__(
        self, *, log_typical_s: float, queue_index: int | None, work_per_s: float, work_done: float
    ) -> None:
        self.log_typical_s = log_typical_s
        self.typical_s = math.exp(log_typical_s)
        self.queue_index = queue_index
        self.work_per_s = work_per_s
        self.work_done = work_done
        self.likelihood = 1.0
