"""The best moments to ask, for a price of a question and a price of a second's delay."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """What it costs, in calls, that a finished document is fetched late.

    A second costs `base` at any time, `place` more from `place_from_s` on, when its
    place is missed, and `last` more from `last_from_s` on, when the batch waits for it.
    """

    base: float
    place: float = 0.0
    place_from_s: float = math.inf
    last: float = 0.0
    last_from_s: float = math.inf

    def until(self, at_s: float) -> float:
        """Return the cost of being out until `at_s`, up to a constant."""
        cost = self.base * at_s
        if at_s > self.place_from_s:
            cost += self.place * (at_s - self.place_from_s)
        if at_s > self.last_from_s:
            cost += self.last * (at_s - self.last_from_s)
        return cost


def best_ask_s(
    ends_s: Sequence[float], delay: Delay, *, not_before_s: float, floor_s: float
) -> float:
    """Return the moment of the next question with the least expected cost.

    Dynamic programming from the last of the equally likely `ends_s` (sorted) to the
    first: a question at one of them finds the document done or costs a call and leaves
    the later ones.
    """
    count = len(ends_s)
    asks = [max(end, not_before_s) for end in ends_s]
    costs = [delay.until(ask) for ask in asks]
    sums = [0.0]
    for cost in costs:
        sums.append(sums[-1] + cost)
    later = [0.0] * count
    for i in range(count - 2, -1, -1):
        floor = asks[i] + floor_s
        floor_cost = delay.until(floor)
        best = math.inf
        failed = float(count - i - 1)
        for j in range(i + 1, count):
            cost = costs[j] if asks[j] > floor else floor_cost
            total = failed + (j - i) * cost - (sums[j + 1] - sums[i + 1]) + later[j]
            best = min(best, total)
        later[i] = best
    best, choice = math.inf, asks[-1]
    for j in range(count):
        total = (j + 1) * costs[j] - sums[j + 1] + later[j]
        if total < best:
            best, choice = total, asks[j]
    return choice
