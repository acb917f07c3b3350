"""When each document is started, if so many servers take them in the order of submission.

Time is counted in work: a document of relative work 2 keeps its server busy for 2. How
much work a second brings is for the particles to say.
"""

from __future__ import annotations

import heapq
from typing import Final

SERVER_COUNTS: Final = (
    *(1, 2, 3, 4, 5, 6, 8, 10, 12, 16),
    *(20, 24, 32, 40, 48, 64, 96, 128, 192, 256),
)
"""Numbers of servers that are thought of: each within a quarter to a half of the next."""
_KEPT_PER_PLACE: Final = 4
_KEPT_BESIDES: Final = 256
"""Starts are kept of the last documents only: of a few times as many as may be out, since
the front of the queue is looked for among them."""


class QueueModel:
    """A first-come-first-served queue for each number of servers below `max_in_flight`.

    With as many servers as documents may be out there is no queue.
    """

    def __init__(self, *, max_in_flight: int) -> None:
        self.servers = tuple(count for count in SERVER_COUNTS if count < max_in_flight)
        self._free = [[0.0] * count for count in self.servers]
        self._kept = _KEPT_PER_PLACE * max_in_flight + _KEPT_BESIDES
        self._rows: list[tuple[float, ...]] = []
        self._dropped = 0

    def __len__(self) -> int:
        return self._dropped + len(self._rows)

    def append(self, work: float) -> tuple[float, ...]:
        """Put a document at the end; returns its start for each number of servers."""
        row = []
        for free in self._free:
            start = free[0]
            heapq.heapreplace(free, start + work)
            row.append(start)
        starts = tuple(row)
        self._rows.append(starts)
        if len(self._rows) > 2 * self._kept:
            self._dropped += len(self._rows) - self._kept
            del self._rows[: -self._kept]
        return starts

    def start(self, sequence: int, queue_index: int, *, mean_work: float) -> float:
        """Return when the document `sequence` starts, also one that is yet to come."""
        beyond = sequence - len(self)
        if beyond >= 0:
            return self.next_start(queue_index) + beyond * mean_work / self.servers[queue_index]
        return self._rows[max(0, sequence - self._dropped)][queue_index]

    def next_start(self, queue_index: int) -> float:
        """Return when the next document to be submitted would start."""
        return self._free[queue_index][0]
