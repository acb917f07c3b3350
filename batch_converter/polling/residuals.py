"""The spread of documents' times about the line: a histogram, fitted to intervals."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LOWEST: Final = -5.0
_STEP: Final = 0.04
_BINS: Final = 275
"""Bins of 4 %, from a 150th of the line to 400 times it."""
_EDGES: Final = tuple(LOWEST + _STEP * k for k in range(_BINS + 1))
_FACTORS: Final = tuple(math.exp(edge) for edge in _EDGES)
_TRIMMED: Final = 0.99
"""Share of documents that the mean is of: the longest hundredth may be of any length."""
_ROUNDS: Final = 4
"""Steps of expectation maximisation at each fit."""
_PRIOR_STRENGTH: Final = 2.0
"""Documents that the prior counts as."""
_NARROW: Final = 0.3
_WIDE: Final = 1.0
_WIDE_SHARE: Final = 0.12
"""The prior: a normal distribution, and a share of a Laplace distribution beside it."""
_ANY_SHARE: Final = 0.002
"""Share of documents that take any multiple of the line above 1, in logarithms evenly."""
_LEAST_COVERED: Final = 1e-6
_EMPTY: Final = 1e-9
"""Masses that stand for none: the one is divided by, the other fills bins at the border."""
_KERNEL: Final = (0.25, 0.5, 0.25)
_MIDDLE: Final = int(-LOWEST / _STEP)


def _prior_below(z: float) -> float:
    """Return the prior's share below `z`: most residuals are small, some are anything."""
    narrow = 0.5 * math.erfc(-z / (_NARROW * math.sqrt(2.0)))
    wide = 0.5 * math.exp(z / _WIDE) if z < 0 else 1.0 - 0.5 * math.exp(-z / _WIDE)
    return (1 - _WIDE_SHARE) * narrow + _WIDE_SHARE * wide


def _prior_masses() -> tuple[float, ...]:
    masses = [high - low for low, high in pairwise(map(_prior_below, _EDGES))]
    total = sum(masses)
    return tuple(mass / total for mass in masses)


_PRIOR: Final = _prior_masses()


class Residuals:
    """The distribution of the logarithm of a document's time over its line's.

    Attributes:
        mean_factor: The mean of what the line is multiplied with, without the
            longest hundredth.
    """

    __slots__ = ("_below", "mean_factor")

    def __init__(self) -> None:
        self._below: list[float] = []
        self.mean_factor = 1.0
        self._take(_PRIOR)

    def _take(self, masses: Sequence[float]) -> None:
        sums = list(accumulate(_with_any(masses), initial=0.0))
        total = sums[-1]
        self._below = [value / total for value in sums]
        self._below[-1] = 1.0
        kept = bisect_right(self._below, _TRIMMED)
        mean = sum(
            mass * 0.5 * (low + high)
            for mass, (low, high) in zip(masses[:kept], pairwise(_FACTORS), strict=False)
        )
        self.mean_factor = mean / sums[kept]

    def below(self, residual: float) -> float:
        """Return the share of documents whose residual is lower."""
        place = (residual - LOWEST) / _STEP
        if place <= 0.0:
            return 0.0
        if place >= _BINS:
            return 1.0
        k = int(place)
        low = self._below[k]
        return low + (self._below[k + 1] - low) * (place - k)

    def factor(self, share: float) -> float:
        """Return the multiple of the line that `share` of the documents stay below."""
        k = min(max(bisect_right(self._below, share) - 1, 0), _BINS - 1)
        low, high = self._below[k], self._below[k + 1]
        part = (share - low) / (high - low) if high > low else 0.5
        return _FACTORS[k] + (_FACTORS[k + 1] - _FACTORS[k]) * part

    def refit(self, ranges: Iterable[tuple[float, float]]) -> None:
        """Fit to intervals of residuals: share each out as the masses have it, and again."""
        spans = [_span(low, high) for low, high in ranges]
        masses = [high - low for low, high in pairwise(self._below)]
        for _ in range(_ROUNDS):
            masses = _expected(spans, masses)
        self._take(_centred(_smoothed(masses)))


def _with_any(masses: Sequence[float]) -> list[float]:
    """Return the masses with a few documents that take any multiple of the line.

    Else one document that took twenty times its line would have all that outlive the others
    take twenty times theirs, and none of them would be asked sooner.
    """
    each = _ANY_SHARE * sum(masses) / (_BINS - _MIDDLE)
    return [*masses[:_MIDDLE], *(mass + each for mass in masses[_MIDDLE:])]


def _span(low: float, high: float) -> tuple[int, int]:
    """Return the bins from `low` to `high`, at least one."""
    first = min(int((max(low, LOWEST) - LOWEST) / _STEP), _BINS - 1)
    last = min(max(int((max(high, LOWEST) - LOWEST) / _STEP) + 1, first + 1), _BINS)
    return first, last


def _expected(spans: Sequence[tuple[int, int]], masses: Sequence[float]) -> list[float]:
    """Return the masses with each interval shared out among its bins, and the prior's."""
    below = list(accumulate(masses, initial=0.0))
    density = [0.0] * (_BINS + 1)
    for first, last in spans:
        share = 1.0 / max(below[last] - below[first], _LEAST_COVERED)
        density[first] += share
        density[last] -= share
    total = len(spans) + _PRIOR_STRENGTH
    return [
        (mass * covered + _PRIOR_STRENGTH * prior) / total
        for mass, covered, prior in zip(masses, accumulate(density), _PRIOR, strict=False)
    ]


def _smoothed(masses: Sequence[float]) -> list[float]:
    """Average each bin with its neighbours."""
    before, own, after = _KERNEL
    padded = [masses[0], *masses, masses[-1]]
    return [
        before * padded[k] + own * padded[k + 1] + after * padded[k + 2] for k in range(len(masses))
    ]


def _centred(masses: list[float]) -> list[float]:
    """Shift the masses by whole bins so that the median is at zero."""
    sums = list(accumulate(masses))
    shift = bisect_right(sums, sums[-1] / 2) - _MIDDLE
    if shift >= 0:
        return masses[shift:] + [_EMPTY] * shift
    return [_EMPTY] * -shift + masses[:shift]
