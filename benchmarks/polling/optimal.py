"""The policy that is told the service exactly, and what it reaches for a number of calls.

While documents wait for places it asks as `floor` says, which nothing undercuts. In the
end, when nobody waits, a delay costs only where the batch waits for that document.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from statistics import fmean
from typing import TYPE_CHECKING, Final

from batch_converter.polling import Answer
from batch_converter.polling.poll_time import CompletionSample, cheapest_poll_time_s
from benchmarks.polling.floor import Asking, Odds, best_asking, least_delay_s, odds_of
from benchmarks.polling.runs import Score, ideal, score, trace_of
from benchmarks.polling.simulation import POLL_S, SUBMIT_S
from benchmarks.polling.traces import (
    BASE_S,
    PAGE_S,
    Trace,
    bimodal,
    growth,
    heavy_tail,
    log_normal,
    of_any_pages,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from random import Random

    from batch_converter.polling import Observation

NOISES: Final[dict[str, Callable[[Random], float]]] = {
    "heavy-tail": heavy_tail,
    "bimodal": bimodal,
    "bimodal-queue": bimodal,
    "unrelated": of_any_pages,
}
_STEPS: Final = 6
_SHARES: Final = tuple((k + 0.5) / 40 for k in range(40))
_FLOOR_S: Final = 1.0
_ROUNDS: Final = 10
_SPARE: Final = 0.1


def lines_of(trace: Trace) -> list[float]:
    """Return for each document the seconds that its chance multiplies: what is told of it."""
    if trace.name == "unrelated":  # all is chance there
        return [1.0 for _ in trace.jobs]
    lines_s = [BASE_S + PAGE_S * job.pages for job in trace.jobs]
    if trace.name != "growing":
        return lines_s
    return [line_s * growth(index, len(lines_s)) for index, line_s in enumerate(lines_s)]


@dataclass(slots=True)
class _Out:
    started: float
    line_s: float
    asked: float = 0.0


@dataclass(slots=True)
class ToldOptimal:
    """Knows the distribution of the times, the speed at all times and the price.

    Attributes:
        price: Calls that a second of one place is worth.
    """

    trace: Trace
    odds: Odds
    asking: Callable[[int], Asking]
    price: float
    max_in_flight: int
    _lines_s: list[float] = field(init=False, default_factory=list)
    _remaining: int | None = None
    _out: dict[int, _Out] = field(default_factory=dict)
    _last: int | None = None
    _ending: bool = False
    _before_s: list[float] = field(default_factory=list)
    _longest_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        lines_s = self._lines_s = lines_of(self.trace)
        self._before_s = list(accumulate(lines_s, initial=0.0))
        ends_s = [
            before_s / self.max_in_flight + line_s
            for before_s, line_s in zip(self._before_s, lines_s, strict=False)
        ]
        self._longest_s = list(accumulate(reversed(ends_s), max))[::-1]

    def remaining(self, count: int | None) -> None:
        self._remaining = count

    def submitted(
        self,
        document_id: int,
        *,
        at_s: float,
        size_bytes: int,  # noqa: ARG002  # what is told says more
        pages: int | None,  # noqa: ARG002  # as above
    ) -> None:
        self._out[document_id] = _Out(self.trace.speed.work_at(at_s), self._lines_s[document_id])

    def plan_poll(self, document_id: int, *, now_s: float) -> float:
        out = self._out[document_id]
        if self._remaining == 0:
            return self._at_the_end(document_id, out, now_s)
        price = self.price if self._matters(now_s) else _SPARE * self.price
        step = round(_STEPS * math.log(price * out.line_s))
        return self._moment(out, self.asking(step).next(out.asked))

    def _matters(self, now_s: float) -> bool:
        """Whether those to come, whose pages are known here, outlast all that are out."""
        following = len(self.trace.jobs) - (self._remaining or 0)
        ends_s = [self._end_s(each) for each in self._out.values()]
        left_s = sum(max(0.0, end_s - now_s) for end_s in ends_s) - self._before_s[following]
        return left_s / self.max_in_flight + self._longest_s[following] >= max(ends_s) - now_s

    def _moment(self, out: _Out, ratio: float) -> float:
        return self.trace.speed.time_of(out.started + ratio * out.line_s)

    def _at_the_end(self, document_id: int, out: _Out, now_s: float) -> float:
        """Only the last one is waited for; what the others cost begins when it is done."""
        ends_s = {number: self._end_s(each) for number, each in self._out.items()}
        last = max(ends_s, key=ends_s.__getitem__)
        self._last = last
        others_s = max((end for n, end in ends_s.items() if n != document_id), default=now_s)
        free_until_s = now_s if document_id == last else others_s
        need = self.price * self.max_in_flight
        ends = [
            CompletionSample(
                self._moment(out, self.odds.left(share, beyond=out.asked)), 1e-6, need, free_until_s
            )
            for share in _SHARES
        ]
        earliest = now_s if not out.asked else max(now_s, self._moment(out, out.asked) + _FLOOR_S)
        return cheapest_poll_time_s(ends, not_before_s=earliest, floor_s=_FLOOR_S)

    def _end_s(self, out: _Out) -> float:
        return self._moment(out, self.odds.left(0.5, beyond=out.asked))

    def answered(self, document_id: int, answer: Answer, *, at_s: float) -> Collection[int]:
        if answer is Answer.ENDED:
            self.forget(document_id)
        else:
            out = self._out[document_id]
            out.asked = (self.trace.speed.work_at(at_s - 0.05) - out.started) / out.line_s
        if self._remaining == 0 and (document_id == self._last or not self._ending):
            self._ending = True
            return list(self._out)
        return ()

    def forget(self, document_id: int) -> None:
        self._out.pop(document_id, None)

    def observations(self) -> Sequence[Observation]:
        return ()


def floor_score(
    name: str, seeds: Sequence[int], calls: float, *, count: int, max_in_flight: int
) -> Score:
    """Find the price at which `calls` a document are spent, and what that reaches."""
    odds = odds_of(NOISES.get(name, log_normal))
    asking = cache(lambda step: best_asking(odds, math.exp(step / _STEPS)))

    def at(price: float) -> Score:
        def make(seed: int) -> ToldOptimal:
            trace = trace_of(name, seed, count=count)
            return ToldOptimal(trace, odds, asking, price, max_in_flight)

        return score(name, seeds, make, count=count, max_in_flight=max_in_flight)

    low, high = 0.01, 1.0
    for _ in range(_ROUNDS):
        price = math.sqrt(low * high)
        low, high = (low, price) if at(price).mean_calls > calls else (price, high)
    return at(low)


def bound(
    name: str, seeds: Sequence[int], calls: float, *, count: int, max_in_flight: int
) -> float:
    """Bound the makespan over the oracle's from below, by how long all places are held."""
    odds = odds_of(NOISES.get(name, log_normal))
    bounds = []
    for seed in seeds:
        trace = trace_of(name, seed, count=count)
        delay_s = least_delay_s(odds, lines_of(trace), calls - 1.0)
        held_s = sum(job.service_s + SUBMIT_S + POLL_S + delay_s for job in trace.jobs)
        oracle_s = ideal(name, seed, count, max_in_flight).makespan_s
        bounds.append(held_s / max_in_flight / oracle_s)
    return fmean(bounds)
