"""How long a document takes once it is worked on: a line in its pages.

A document takes `relative_work(pages) * exp(log_typical_s + residual)` seconds. The
`log_typical_s` lives in the particles; here are the line's shape and the residuals, both
learned from intervals: a document not done after 40 s and done when polled at 60 s took
something in between. A wide interval teaches little, so one that was polled late does not
teach lateness.
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
"""Intervals that are learned from: the newest."""
_TYPICAL_PAGES: Final = 20.0
_FLAT_PAGES: Final = (0.0, 1.0, 2.5, 6.0, 15.0, 50.0, 1e4)
"""Shapes that are tried: what a document takes besides its pages, in pages; the last is a
service whose times do not depend on pages."""
_FIRST_FLAT_PAGES: Final = 6.0
_OFFSETS: Final = tuple(0.1 * k for k in range(-3, 4))
"""Each shape may lie so much above or below, as a logarithm, when it is compared."""
_MUCH_BETTER: Final = 4.0
"""Another shape is taken where its log-likelihood is so much higher."""
_FIRST_FIT: Final = 4
_FIRST_SHAPE: Final = 8
_FIT_EVERY: Final = 40
_LEAST_FIT_EVERY: Final = 2
_FIT_GROWTH: Final = 4
"""The first fit of the residuals and of the shape come after so many intervals; the next when
a fourth more have come, at least 2 and at most 40."""
_BYTES_PER_PAGE: Final = 30_000.0
_NEWEST_SHARE: Final = 0.05
"""Weight of the newest document in the mean bytes of a page."""
_UNLIKELY: Final = 0.01
"""Likelihood that an interval has in any shape: one odd document decides nothing."""


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
    log_typical_s: float


class ServiceTimes:
    """The line's shape and the residuals, which are the spread about it."""

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
            self._bytes_per_page += _NEWEST_SHARE * (size_bytes / pages - self._bytes_per_page)
        return float(max(pages, 1))

    def relative_work(self, pages: float) -> float:
        """Return a document's time relative to that of one of twenty pages."""
        return _relative_work(self._flat_pages, pages)

    def learn(self, *, pages: float, low_s: float, high_s: float, log_typical_s: float) -> bool:
        """Take in an interval; returns True where relative works have changed."""
        self._intervals.append(
            _Interval(
                pages=pages,
                log_low=math.log(low_s) if low_s > 0.0 else -math.inf,
                log_high=math.log(high_s),
                log_typical_s=log_typical_s,
            )
        )
        self._seen += 1
        if self._seen < self._next_fit:
            return False
        self._next_fit = self._seen + min(
            _FIT_EVERY, max(_LEAST_FIT_EVERY, self._seen // _FIT_GROWTH)
        )
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
            line = each.log_typical_s + math.log(_relative_work(flat_pages, each.pages))
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


def _relative_work(flat_pages: float, pages: float) -> float:
    """Return the time over that of twenty pages, where each takes `flat_pages` pages more."""
    return (flat_pages + pages) / (flat_pages + _TYPICAL_PAGES)
