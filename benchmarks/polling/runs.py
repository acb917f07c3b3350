"""Runs of the policies on the traces, and what they cost beside the oracle's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Final

from batch_converter.polling import Observation, Predictive
from benchmarks.polling.simulation import TASK_TIMEOUT_S, Outcome, Simulation
from benchmarks.polling.traces import FIRST_TRACES, LOSING_TRACES, Trace, make_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch_converter.polling import PollPolicy

FIRST_COUNT: Final = 60
EARLIER: Final = 10_000
LONG_S: Final = 24 * TASK_TIMEOUT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One policy on one trace, over the seeds: calls a document, makespan over the ideal."""

    calls: tuple[float, ...]
    makespans: tuple[float, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def mean_calls(self) -> float:
        return fmean(self.calls)

    @property
    def mean_makespan(self) -> float:
        return fmean(self.makespans)


def trace_of(name: str, seed: int, *, count: int) -> Trace:
    return make_trace(name, seed, count=FIRST_COUNT if name in FIRST_TRACES else count)


def timeout_of(name: str) -> float:
    """Only the documents that are lost for good run into the task timeout."""
    return TASK_TIMEOUT_S if name in LOSING_TRACES else LONG_S


@cache
def ideal(name: str, seed: int, count: int, max_in_flight: int) -> Outcome:
    """Ask each document at the moment of its completion."""
    trace = trace_of(name, seed, count=count)
    return Simulation(trace, None, max_in_flight, timeout_of(name)).run()


def score(
    name: str,
    seeds: Sequence[int],
    make: Callable[[int], PollPolicy],
    *,
    count: int,
    max_in_flight: int,
) -> Score:
    """Run the policy that `make` returns for each seed."""
    outcomes = tuple(
        Simulation(
            trace_of(name, seed, count=count), make(seed), max_in_flight, timeout_of(name)
        ).run()
        for seed in seeds
    )
    return Score(
        calls=tuple(each.calls_per_document for each in outcomes),
        makespans=tuple(
            each.makespan_s / ideal(name, seed, count, max_in_flight).makespan_s
            for each, seed in zip(outcomes, seeds, strict=True)
        ),
        outcomes=outcomes,
    )


def cold(max_in_flight: int) -> Callable[[int], PollPolicy]:
    """A policy that knows nothing of the service."""
    return lambda seed: Predictive(Random(seed), max_in_flight=max_in_flight)


def warm(name: str, max_in_flight: int, *, count: int) -> Callable[[int], PollPolicy]:
    """A policy that has seen another batch at the same kind of service."""

    def make(seed: int) -> PollPolicy:
        earlier = Predictive(Random(seed), max_in_flight=max_in_flight)
        trace = trace_of(name, seed + EARLIER, count=count)
        Simulation(trace, earlier, max_in_flight, timeout_of(name)).run()
        return Predictive(Random(seed), max_in_flight=max_in_flight, known=earlier.observations())

    return make


def told(name: str, max_in_flight: int, *, count: int) -> Callable[[int], PollPolicy]:
    """A policy that knows the times of 240 other documents of the service to the second."""

    def make(seed: int) -> PollPolicy:
        trace = trace_of(name, seed + EARLIER, count=count)
        known = [
            Observation(
                pages=each.pages,
                low_s=each.service_s * 0.999,
                high_s=each.service_s,
                servers=trace.servers or max_in_flight,
            )
            for each in trace.jobs[:240]
        ]
        return Predictive(Random(seed), max_in_flight=max_in_flight, known=known)

    return make
