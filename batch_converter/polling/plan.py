"""The best moment to ask, for a price of a question and a price of a second's delay."""

from __future__ import annotations

import math
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

    def cost(self, asked_s: float) -> float:
        """Return what it costs, in calls, to fetch the document at `asked_s`."""
        late = asked_s - self.at_s
        if late <= 0.0:
            return 0.0
        cost = self.base * late
        needed_s = max(self.at_s, self.need_from_s)
        if asked_s > needed_s:
            cost += self.need * (asked_s - needed_s)
        return cost


def best_ask_s(ends: Sequence[End], *, not_before_s: float, floor_s: float) -> float:
    """Return the moment of the next question with the least expected cost.

    Dynamic programming from the last of the equally likely `ends` (sorted) to the first:
    a question at one of them finds the document done, or costs a call and leaves the
    later ones.
    """
    count = len(ends)
    asks = [max(end.at_s, not_before_s) for end in ends]
    sums = [_sums(ends, asks[j], j) for j in range(count)]
    later = [0.0] * count
    for i in range(count - 2, -1, -1):
        allowed = asks[i] + floor_s
        failed = float(count - i - 1)
        best = sums[-1][count] - sums[-1][i + 1]
        for j in range(i + 1, count - 1):
            if asks[j] >= allowed:
                total = sums[j][j + 1] - sums[j][i + 1] + later[j]
                best = min(best, total)
        later[i] = best + failed
    best, choice = math.inf, asks[-1]
    for j in range(count):
        total = sums[j][j + 1] + later[j]
        if total < best:
            best, choice = total, asks[j]
    return choice


def _sums(ends: Sequence[End], asked_s: float, last: int) -> list[float]:
    """Return the costs of the ends up to `last`, summed up, of one question."""
    total, sums = 0.0, [0.0]
    for at_s, base, need, need_from_s in ends[: last + 1]:
        if asked_s > at_s:
            total += base * (asked_s - at_s)
            needed_s = max(need_from_s, at_s)
            if asked_s > needed_s:
                total += need * (asked_s - needed_s)
        sums.append(total)
    return sums
