"""Who is served when, if documents are taken in order by so many servers.

Time is counted in work: a document of weight 2 keeps its server busy for 2. How much
work a second brings is for the belief to say.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SERVERS: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192, 256)


class Schedules:
    """One timetable for each number of servers that is worth thinking of."""

    def __init__(self, *, max_in_flight: int) -> None:
        self.servers = tuple(count for count in SERVERS if count < max_in_flight)
        self._free = [[0.0] * count for count in self.servers]
        self._kept = 4 * max_in_flight + 256
        self._rows: list[tuple[float, ...]] = []
        self._dropped = 0

    def __len__(self) -> int:
        return self._dropped + len(self._rows)

    def append(self, weight: float) -> tuple[float, ...]:
        """Put a document at the end; returns its start in each timetable."""
        row = []
        for free in self._free:
            start = free[0]
            heapq.heapreplace(free, start + weight)
            row.append(start)
        starts = tuple(row)
        self._rows.append(starts)
        if len(self._rows) > 2 * self._kept:
            self._dropped += len(self._rows) - self._kept
            del self._rows[: -self._kept]
        return starts

    def start(self, sequence: int, index: int, *, mean_weight: float) -> float:
        """Return when the document `sequence` starts, also of one that is yet to come."""
        beyond = sequence - len(self)
        if beyond >= 0:
            return self.next_start(index) + beyond * mean_weight / self.servers[index]
        return self._rows[max(0, sequence - self._dropped)][index]

    def next_start(self, index: int) -> float:
        """Return when the next document to be submitted would start."""
        return self._free[index][0]

    def rebuild(self, weights: Iterable[float]) -> list[tuple[float, ...]]:
        """Lay the last documents out anew, from where the first of them starts."""
        fresh = list(weights)
        first = max(0, len(self._rows) - len(fresh))
        origin = self._rows[first] if fresh and self._rows else (0.0,) * len(self.servers)
        del self._rows[first:]
        self._free = [[start] * count for start, count in zip(origin, self.servers, strict=True)]
        return [self.append(weight) for weight in fresh]
