"""The best moment to poll, for a price of a poll and a price of a second's delay."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class CompletionSample(NamedTuple):
    """A moment when the document may be done, and what finding out later would cost.

    Attributes:
        at_s: When it is done.
        calls_per_s: Calls that each second from then on is worth.
        needed_calls_per_s: Calls that each second is worth besides, once it is needed.
        needed_from_s: From when on it is needed: the service runs dry without its place,
            or the batch waits for nothing else.
    """

    at_s: float
    calls_per_s: float
    needed_calls_per_s: float = 0.0
    needed_from_s: float = math.inf


def cheapest_poll_time_s(
    samples: Sequence[CompletionSample], *, not_before_s: float, floor_s: float
) -> float:
    """Return the moment of the next poll with the least expected cost.

    Dynamic programming from the last of the equally likely `samples` (sorted) to the
    first: a poll at one of them finds the document done, or costs a call and leaves the
    later ones. Who is found unfinished earlier is not polled again later than one who is
    found so at a later sample: a delay costs each sample before it as much or more.

    Args:
        samples: Equally likely moments of completion, sorted, at least one.
        not_before_s: The earliest moment that is allowed.
        floor_s: Seconds between two polls, at least.
    """
    count = len(samples)
    polls = [max(sample.at_s, not_before_s) for sample in samples]
    costs = _DelayCosts(samples, polls)
    later = [0.0] * count  # what those after a sample cost, once it was polled in vain
    latest = count - 1
    for i in range(count - 2, -1, -1):
        allowed_s = polls[i] + floor_s
        best, best_j = math.inf, latest
        for j in range(i + 1, latest + 1):
            if (polls[j] >= allowed_s or j == count - 1) and (
                total := costs.of(i + 1, j) + later[j]
            ) < best:
                best, best_j = total, j
        later[i], latest = best + count - i - 1, best_j
    return min((costs.of(0, j) + later[j], polls[j]) for j in range(count))[1]


class _DelayCosts:
    """Sums of what a poll costs the samples before it, ready to be subtracted."""

    __slots__ = ("_needs", "_offsets", "_polls", "_slopes")

    def __init__(self, samples: Sequence[CompletionSample], polls: Sequence[float]) -> None:
        origin_s = polls[0]
        self._polls = [poll - origin_s for poll in polls]
        slopes, offsets = [], []
        needs: list[tuple[int, float, float]] = []
        for k, (at_s, base, needed, needed_from_s) in enumerate(samples):
            slope = base + needed if needed_from_s <= at_s else base
            slopes.append(slope)
            offsets.append(slope * (at_s - origin_s))
            if at_s < needed_from_s < polls[-1]:
                needs.append((k, needed, needed_from_s - origin_s))
        self._slopes = list(accumulate(slopes, initial=0.0))
        self._offsets = list(accumulate(offsets, initial=0.0))
        self._needs = (
            [_need_sums(needs, poll, len(samples)) for poll in self._polls] if needs else []
        )

    def of(self, first: int, last: int) -> float:
        """Return what the samples `first` to `last` cost, polled at the last of them."""
        slope = self._slopes[last + 1] - self._slopes[first]
        cost = self._polls[last] * slope - (self._offsets[last + 1] - self._offsets[first])
        if self._needs:
            needs = self._needs[last]
            cost += needs[last + 1] - needs[first]
        return cost


def _need_sums(needs: Sequence[tuple[int, float, float]], poll: float, count: int) -> list[float]:
    """Sum up, sample by sample, what a poll costs those that were needed before it."""
    each = [0.0] * count
    for k, needed, needed_from in needs:
        if poll > needed_from:
            each[k] = needed * (poll - needed_from)
    return list(accumulate(each, initial=0.0))
