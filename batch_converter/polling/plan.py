"""The best moment to ask, for a price of a question and a price of a second's delay."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class End(NamedTuple):
    """A moment when the document may be done, and what a later question would cost then.

    Attributes:
        at_s: When it is done.
        base: Calls that each second from then on is worth.
        need: Calls that each second is worth besides, once it is needed.
        need_from_s: From when on it is needed: the service runs dry without its place,
            or the batch waits for nothing else.
    """

    at_s: float
    base: float
    need: float = 0.0
    need_from_s: float = math.inf


def best_ask_s(ends: Sequence[End], *, not_before_s: float, floor_s: float) -> float:
    """Return the moment of the next question with the least expected cost.

    Dynamic programming from the last of the equally likely `ends` (sorted) to the first:
    a question at one of them finds the document done, or costs a call and leaves the
    later ones. Who is found unfinished earlier is not asked again later than one who is
    found so at a later end: a delay costs each end before it as much or more.
    """
    count = len(ends)
    asks = [max(end.at_s, not_before_s) for end in ends]
    costs = _Costs(ends, asks)
    later = [0.0] * count
    latest = count - 1
    for i in range(count - 2, -1, -1):
        allowed_s = asks[i] + floor_s
        best, best_j = math.inf, latest
        for j in range(i + 1, latest + 1):
            if (asks[j] >= allowed_s or j == count - 1) and (
                total := costs.of(i + 1, j) + later[j]
            ) < best:
                best, best_j = total, j
        later[i], latest = best + count - i - 1, best_j
    return min((costs.of(0, j) + later[j], asks[j]) for j in range(count))[1]


class _Costs:
    """Sums of what a question costs the ends before it, ready to be subtracted."""

    __slots__ = ("_asks", "_needs", "_offsets", "_slopes")

    def __init__(self, ends: Sequence[End], asks: Sequence[float]) -> None:
        origin_s = asks[0]
        self._asks = [ask - origin_s for ask in asks]
        slopes, offsets = [], []
        needs: list[tuple[int, float, float]] = []
        for k, (at_s, base, need, need_from_s) in enumerate(ends):
            slope = base + need if need_from_s <= at_s else base
            slopes.append(slope)
            offsets.append(slope * (at_s - origin_s))
            if at_s < need_from_s < asks[-1]:
                needs.append((k, need, need_from_s - origin_s))
        self._slopes = list(accumulate(slopes, initial=0.0))
        self._offsets = list(accumulate(offsets, initial=0.0))
        self._needs = [_need_sums(needs, ask, len(ends)) for ask in self._asks] if needs else []

    def of(self, first: int, last: int) -> float:
        """Return what the ends `first` to `last` cost, asked for at the last of them."""
        slope = self._slopes[last + 1] - self._slopes[first]
        cost = self._asks[last] * slope - (self._offsets[last + 1] - self._offsets[first])
        if self._needs:
            needs = self._needs[last]
            cost += needs[last + 1] - needs[first]
        return cost


def _need_sums(needs: Sequence[tuple[int, float, float]], ask: float, count: int) -> list[float]:
    """Sum up, end by end, what a question costs those that were needed before it."""
    each = [0.0] * count
    for k, need, need_from in needs:
        if ask > need_from:
            each[k] = need * (ask - need_from)
    return list(accumulate(each, initial=0.0))
