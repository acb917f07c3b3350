"""How long a document takes once it is worked on: a line in pages, and what is left over.

The time of a document is `weight(pages) * exp(level + residual)`. The level lives in
the belief about the service (`belief.py`); here are the weight's shape and the spread of
the residuals, both learned from intervals: a document not done after 40 s and done when
asked at 60 s took something in between. An interval that is wide teaches little, so a
document that was asked late teaches no lateness.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LOWEST: Final = -5.0
_STEP: Final = 0.04
_BINS: Final = 275
_HIGHEST: Final = _LOWEST + _STEP * _BINS
_KEPT: Final = 240
_PRIOR_STRENGTH: Final = 2.0
_NARROW: Final = 0.3
_ROUNDS = 4
_EVERY = False
_LASTS = 1
_WIDE: Final = 1.0
_WIDE_SHARE: Final = 0.12
_TYPICAL_PAGES: Final = 20.0
_FLAT_PAGES: Final = (0.0, 1.0, 2.5, 6.0, 15.0, 50.0, 1e4)
_DEFAULT_FLAT_PAGES: Final = 2.5
_OFFSETS: Final = tuple(0.1 * k for k in range(-3, 4))
_BYTES_PER_PAGE: Final = 30_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one document taught about the service; kept for later runs.

    Attributes:
        pages: Page count, or what stood in for it.
        low_s: It was not done after so many seconds of work; 0 is not known.
        high_s: It was done after so many.
        servers: How many documents the service was believed to work on at once.
    """

    pages: float
    low_s: float
    high_s: float
    servers: float


@dataclass(frozen=True, slots=True)
class _Interval:
    """An observation as the fits read it: logarithms, and the level of its moment."""

    pages: float
    log_low: float
    log_high: float
    level: float


def _normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def _laplace_cdf(z: float) -> float:
    return 0.5 * math.exp(z) if z < 0 else 1.0 - 0.5 * math.exp(-z)


def _prior_masses() -> list[float]:
    edges = [_LOWEST + _STEP * k for k in range(_BINS + 1)]
    cdf = [
        (1 - _WIDE_SHARE) * _normal_cdf(z / _NARROW) + _WIDE_SHARE * _laplace_cdf(z / _WIDE)
        for z in edges
    ]
    masses = [high - low for low, high in zip(cdf, cdf[1:], strict=False)]
    total = sum(masses)
    return [mass / total for mass in masses]


_PRIOR: Final = tuple(_prior_masses())


class Residuals:
    """The distribution of the residual, as a histogram of its logarithm."""

    __slots__ = ("cdf", "mean_factor")

    def __init__(self, masses: Sequence[float] = _PRIOR) -> None:
        self.cdf: list[float]
        self.mean_factor: float
        self._accumulate(masses)

    def _accumulate(self, masses: Sequence[float]) -> None:
        total, cdf = 0.0, [0.0]
        for mass in masses:
            total += mass
            cdf.append(total)
        self.cdf = [value / total for value in cdf]
        self.cdf[-1] = 1.0
        self.mean_factor = self._trimmed_mean(masses, total)

    def _trimmed_mean(self, masses: Sequence[float], total: float) -> float:
        mean = weight = 0.0
        for k, mass in enumerate(masses):
            if self.cdf[k] > 0.99:  # noqa: PLR2004
                break
            mean += mass * math.exp(_LOWEST + _STEP * (k + 0.5))
            weight += mass
        return mean / (weight or total)

    def below(self, z: float) -> float:
        """Return the probability of a residual below `z`."""
        place = (z - _LOWEST) / _STEP
        if place <= 0.0:
            return 0.0
        if place >= _BINS:
            return 1.0
        k = int(place)
        low = self.cdf[k]
        return low + (self.cdf[k + 1] - low) * (place - k)

    def quantile(self, share: float) -> float:
        """Return the residual that `share` of the documents stay below."""
        k = min(max(bisect_right(self.cdf, share) - 1, 0), _BINS - 1)
        low, high = self.cdf[k], self.cdf[k + 1]
        part = (share - low) / (high - low) if high > low else 0.5
        return _LOWEST + _STEP * (k + part)

    def refit(self, ranges: Iterable[tuple[float, float]]) -> None:
        """Fit to intervals of residuals by expectation, maximisation and smoothing."""
        spans = [_span(low, high) for low, high in ranges]
        masses: Sequence[float] = [b - a for a, b in zip(self.cdf, self.cdf[1:], strict=False)]
        for _ in range(_ROUNDS):
            masses = _expected(spans, masses)
            if _EVERY:
                masses = _smoothed(masses)
        for _ in range(_LASTS):
            masses = _smoothed(masses)
        self._accumulate(_centred(masses))


def _span(low: float, high: float) -> tuple[int, int]:
    """Return the bins from `low` to `high`, at least one."""
    first = min(max(int((low - _LOWEST) / _STEP), 0), _BINS - 1)
    last = min(max(int((high - _LOWEST) / _STEP) + 1, first + 1), _BINS)
    return first, last


def _expected(spans: Sequence[tuple[int, int]], masses: Sequence[float]) -> list[float]:
    """Share each interval out among its bins, as the masses have it."""
    cdf = [0.0]
    for mass in masses:
        cdf.append(cdf[-1] + mass)
    density = [0.0] * (_BINS + 1)
    for first, last in spans:
        share = 1.0 / max(cdf[last] - cdf[first], 1e-6)
        density[first] += share
        density[last] -= share
    total = 1.0 / (len(spans) + _PRIOR_STRENGTH)
    running, result = 0.0, []
    for k, mass in enumerate(masses):
        running += density[k]
        result.append((mass * running + _PRIOR_STRENGTH * _PRIOR[k]) * total)
    return result


def _smoothed(masses: Sequence[float]) -> list[float]:
    padded = [masses[0], *masses, masses[-1]]
    return [
        0.25 * padded[k] + 0.5 * padded[k + 1] + 0.25 * padded[k + 2] for k in range(len(masses))
    ]


def _centred(masses: Sequence[float]) -> list[float]:
    """Shift the masses by whole bins so that the median is at zero."""
    half, running, median = sum(masses) / 2, 0.0, 0
    for k, mass in enumerate(masses):
        running += mass
        if running >= half:
            median = k
            break
    shift = median - int(-_LOWEST / _STEP)
    edge = [1e-9] * abs(shift)
    if shift > 0:
        return [*masses[shift:], *edge]
    return [*edge, *masses[: len(masses) + shift]] if shift else list(masses)


class ServiceTimes:
    """The shape of the line and the spread about it."""

    def __init__(self) -> None:
        self.residuals = Residuals()
        self._flat_pages = _DEFAULT_FLAT_PAGES
        self._intervals: deque[_Interval] = deque(maxlen=_KEPT)
        self._seen = 0
        self._next_fit = 4
        self._bytes_per_page = _BYTES_PER_PAGE

    def pages_of(self, pages: int | None, size_bytes: int) -> float:
        """Return the pages, or an estimate from the size where they are not known."""
        if pages is None:
            return max(1.0, size_bytes / self._bytes_per_page)
        if pages > 0 and size_bytes > 0:
            self._bytes_per_page += 0.05 * (size_bytes / pages - self._bytes_per_page)
        return float(max(pages, 1))

    def weight(self, pages: float) -> float:
        """Return the document's time relative to that of a typical one."""
        return (self._flat_pages + pages) / (self._flat_pages + _TYPICAL_PAGES)

    def learn(self, *, pages: float, low_s: float, high_s: float, level: float) -> bool:
        """Take in an interval; returns True where the shape of the weights changed."""
        log_low = math.log(low_s) if low_s > 0 else -math.inf
        self._intervals.append(
            _Interval(pages=pages, log_low=log_low, log_high=math.log(high_s), level=level)
        )
        self._seen += 1
        if self._seen < self._next_fit:
            return False
        self._next_fit = self._seen + min(40, max(2, self._seen // 4))
        return self.refit()

    def refit(self) -> bool:
        """Fit shape and spread to the intervals kept."""
        changed = self._choose_shape()
        weight = {each.pages: math.log(self.weight(each.pages)) for each in self._intervals}
        self.residuals.refit(
            (
                each.log_low - each.level - weight[each.pages] if each.log_low > -50 else _LOWEST,
                each.log_high - each.level - weight[each.pages],
            )
            for each in self._intervals
        )
        return changed

    def _choose_shape(self) -> bool:
        if self._seen < 8:
            return False
        before = self._flat_pages
        best, best_score = before, self._score(before) + 4.0
        for flat_pages in _FLAT_PAGES:
            if flat_pages != before and (score := self._score(flat_pages)) > best_score:
                best, best_score = flat_pages, score
        self._flat_pages = best
        return best != before

    def _score(self, flat_pages: float) -> float:
        """Return the best log-likelihood of the intervals under a shape."""
        before = self._flat_pages
        self._flat_pages = flat_pages
        lines = [(each, each.level + math.log(self.weight(each.pages))) for each in self._intervals]
        self._flat_pages = before
        return max(self._log_likelihood(lines, offset) for offset in _OFFSETS)

    def _log_likelihood(self, lines: list[tuple[_Interval, float]], offset: float) -> float:
        below = self.residuals.below
        total = 0.0
        for each, line in lines:
            middle = line + offset
            low = below(each.log_low - middle) if each.log_low > -50 else 0.0
            total += math.log(max(below(each.log_high - middle) - low, 0.01))
        return total
