"""How fast files are worked off, and how long the rest will take. Pure: the time is given."""

from __future__ import annotations

from collections import deque
from typing import Final

_WINDOW_S: Final = 300.0
_FEWEST_FOR_A_RATE: Final = 2
_FEWEST_SEEN: Final = 2


class Pace:
    """Files worked off a second, over the last five minutes.

    Observed less often than that, it is the pace since the observation before.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def observe(self, worked_off: int, *, at_s: float) -> None:
        """Note how many files had been worked off at that moment."""
        self._seen.append((at_s, worked_off))
        while len(self._seen) > _FEWEST_SEEN and at_s - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()

    @property
    def files_per_minute(self) -> float | None:
        """How many files a minute take; None while nobody can know."""
        seconds = self.seconds_for(1)
        return None if seconds is None else 60 / seconds

    def seconds_for(self, files: int) -> float | None:
        """Return how long that many more files will take; None while nobody can know."""
        if not self._seen:
            return None
        (first_s, before), (last_s, now) = self._seen[0], self._seen[-1]
        if now - before < _FEWEST_FOR_A_RATE or last_s <= first_s:
            return None
        return files * (last_s - first_s) / (now - before)
