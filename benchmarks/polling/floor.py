"""The least that asking can cost a policy which knows everything but the next document's luck.

Where nobody waits at the service, a document holds its place from its submission until a
question finds it done. A policy that knows the distribution of the times exactly chooses
for each document when to ask; no answer about another one helps it. So the best it can do,
with a second's delay at a price in calls, is the sequence of questions that dynamic
programming finds below. At whatever price: calls and delays together cost no policy less.
So a given number of calls leaves no policy less delay than the best of these bounds.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_DRAWN: Final = 200_000
_BULK: Final = 100
_TAIL: Final = 0.1
_TAIL_KEPT: Final = 0.97
_TAIL_DRAWS: Final = 4
_BEYOND: Final = 1.02
_STEPS: Final = 10
_PRICES: Final = tuple(10.0 ** (k / 10) for k in range(-30, 11))


class Odds:
    """How a document's time compares with its line's.

    Attributes:
        points: The multiples of the line that are thought of, sorted.
        sums: How likely a document is done before each of them, and 1.
        moments: The mean of the points times their masses, summed up in the same way.
    """

    __slots__ = ("moments", "points", "sums")

    def __init__(self, points: Sequence[float], masses: Sequence[float]) -> None:
        self.points = tuple(points)
        self.sums = tuple(accumulate(masses, initial=0.0))
        self.moments = tuple(accumulate(map(float.__mul__, self.points, masses), initial=0.0))

    def left(self, share: float, *, beyond: float) -> float:
        """Return the point that `share` of those who take longer than `beyond` stay below."""
        first = bisect_right(self.points, beyond)
        if first == len(self.points):
            return beyond * _BEYOND
        known = self.sums[first]
        k = bisect_left(self.sums, known + share * (self.sums[-1] - known), lo=first + 1)
        return self.points[min(k, len(self.points)) - 1]


def odds_of(noise: Callable[[Random], float]) -> Odds:
    """Draw the noise often, keep equally likely points and ever rarer ones of the tail."""
    random = Random(0)
    drawn = sorted(noise(random) for _ in range(_DRAWN))
    cuts = [k * _DRAWN // _BULK for k in range(round(_BULK * (1 - _TAIL)))]
    rest = _TAIL * _DRAWN
    while rest > _TAIL_DRAWS:
        cuts.append(_DRAWN - int(rest))
        rest *= _TAIL_KEPT
    spans = [(a, b) for a, b in pairwise([*cuts, _DRAWN]) if a < b]
    return Odds([drawn[(a + b) // 2] for a, b in spans], [(b - a) / _DRAWN for a, b in spans])


@dataclass(frozen=True, slots=True)
class Asking:
    """The best sequence of questions at one price.

    Attributes:
        after: For each point, the number of the one to ask at, if not done before it.
        calls: Questions a document, expected.
        delay: Expected time from done to found, as a multiple of the line.
    """

    odds: Odds
    after: tuple[int, ...]
    calls: float
    delay: float

    def next(self, asked: float) -> float:
        """Return when to ask a document that was not done at `asked` (0: never asked)."""
        first = bisect_right(self.odds.points, asked)
        if first == len(self.odds.points):
            return asked * _BEYOND
        return self.odds.points[self.after[first]]


def best_asking(odds: Odds, price: float) -> Asking:
    """Find the questions with the least calls plus `price` times the delay, expected."""
    points, sums, moments = odds.points, odds.sums, odds.moments
    count = len(points)
    costs, after = [0.0] * (count + 1), [count - 1] * (count + 1)

    def delay(first: int, asked: int) -> float:
        return points[asked] * (sums[asked + 1] - sums[first]) - moments[asked + 1] + moments[first]

    for first in range(count - 1, -1, -1):
        least, after[first] = min(
            (price * delay(first, asked) + costs[asked + 1], asked)
            for asked in range(first, after[first + 1] + 1)  # with fewer left, never later
        )
        costs[first] = least + sums[-1] - sums[first]
    calls, late, first = 0.0, 0.0, 0
    while first < count:
        calls += sums[-1] - sums[first]
        late += delay(first, after[first])
        first = after[first] + 1
    return Asking(odds=odds, after=tuple(after[:-1]), calls=calls, delay=late)


def least_delay_s(odds: Odds, lines_s: Sequence[float], questions: float) -> float:
    """Bound the expected mean delay of documents with these lines from below.

    Whatever the policy, if it asks so many `questions` a document on average.
    """

    def cost(step: int) -> float:
        price = math.exp(step / _STEPS)
        best = best_asking(odds, price)
        return best.calls + price * best.delay

    costs = cache(cost)

    def least(price: float) -> float:
        """The least cost is concave in the price: the chord of two neighbours is below it."""
        step = math.floor(_STEPS * math.log(price))
        low, high = math.exp(step / _STEPS), math.exp((step + 1) / _STEPS)
        part = (price - low) / (high - low)
        return (1.0 - part) * costs(step) + part * costs(step + 1)

    def bound_s(price: float) -> float:
        return (fmean(least(price * line_s) for line_s in lines_s) - questions) / price

    return max(0.0, *map(bound_s, _PRICES))
