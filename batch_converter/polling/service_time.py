"""How long a document takes once it is worked on: a line in its pages.

A document takes `weight(pages) * exp(level + residual)` seconds. The level lives in the
belief; here are the line's shape and the residuals, both learned from intervals: a
document not done after 40 s and done when asked at 60 s took something in between. A wide
interval teaches little, so one that was asked late does not teach lateness.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from batch_converter.polling.residuals import Residuals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KEPT: Final = 240
_TYPICAL_PAGES: Final = 20.0
_FLAT_PAGES: Final = (0.0, 1.0, 2.5, 6.0, 15.0, 50.0, 1e4)
_FIRST_FLAT_PAGES: Final = 6.0
_OFFSETS: Final = tuple(0.1 * k for k in range(-3, 4))
_MUCH_BETTER: Final = 4.0
_FIRST_FIT: Final = 4
_FIRST_SHAPE: Final = 8
_FIT_EVERY: Final = 40
_BYTES_PER_PAGE: Final = 30_000.0
_UNLIKELY: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one document taught about the service, kept for later runs.

    Attributes:
        pages: Its page count, or what stood in for it.
        low_s: It was not done after so many seconds of work; 0 says nothing.
        high_s: It was done after so many.
        servers: Documents that the service was believed to work on at once.
    """

    pages: float
    low_s: float
    high_s: float
    servers: float


class _Interval(NamedTuple):
    """An observation as the fits read it."""

    pages: float
    log_low: float
    log_high: float
    level: float


class ServiceTimes:
    """The line's shape and the spread about it."""

    def __init__(self) -> None:
        self.residuals = Residuals()
        self._flat_pages = _FIRST_FLAT_PAGES
        self._intervals: deque[_Interval] = deque(maxlen=_KEPT)
        self._seen = 0
        self._next_fit = _FIRST_FIT
        self._bytes_per_page = _BYTES_PER_PAGE

    def pages_of(self, pages: int | None, size_bytes: int) -> float:
        """Return the pages, or an estimate from the size where they are not known."""
        if pages is None:
            return max(1.0, size_bytes / self._bytes_per_page)
        if pages > 0 and size_bytes > 0:
            self._bytes_per_page += 0.05 * (size_bytes / pages - self._bytes_per_page)
        return float(max(pages, 1))

    def weight(self, pages: float) -> float:
        """Return a document's time relative to that of one of twenty pages."""
        return _weight(self._flat_pages, pages)

    def learn(self, *, pages: float, low_s: float, high_s: float, level: float) -> bool:
        """Take in an interval; returns True where the weights have changed."""
        self._intervals.append(
            _Interval(
                pages=pages,
                log_low=math.log(low_s) if low_s > 0.0 else -math.inf,
                log_high=math.log(high_s),
                level=level,
            )
        )
        self._seen += 1
        if self._seen < self._next_fit:
            return False
        self._next_fit = self._seen + min(_FIT_EVERY, max(2, self._seen // 4))
        return self.refit()

    def refit(self) -> bool:
        """Fit shape and spread to the intervals kept; returns True for another shape."""
        before = self._flat_pages
        if self._seen >= _FIRST_SHAPE:
            self._flat_pages = self._best_shape()
        self.residuals.refit(self._ranges(self._flat_pages))
        return self._flat_pages != before

    def _ranges(self, flat_pages: float) -> Iterator[tuple[float, float]]:
        """Yield the intervals as residuals of the line of this shape."""
        for each in self._intervals:
            line = each.level + math.log(_weight(flat_pages, each.pages))
            yield each.log_low - line, each.log_high - line

    def _best_shape(self) -> float:
        best, score = self._flat_pages, self._score(self._flat_pages) + _MUCH_BETTER
        for flat_pages in _FLAT_PAGES:
            if (other := self._score(flat_pages)) > score:
                best, score = flat_pages, other
        return best

    def _score(self, flat_pages: float) -> float:
        """Return the best log-likelihood that the line of this shape reaches."""
        ranges = list(self._ranges(flat_pages))
        return max(self._log_likelihood(ranges, offset) for offset in _OFFSETS)

    def _log_likelihood(self, ranges: Sequence[tuple[float, float]], offset: float) -> float:
        below = self.residuals.below
        return sum(
            math.log(max(below(high - offset) - below(low - offset), _UNLIKELY))
            for low, high in ranges
        )


def _weight(flat_pages: float, pages: float) -> float:
    """A document takes as if it had `flat_pages` pages more."""
    return (flat_pages + pages) / (flat_pages + _TYPICAL_PAGES)
