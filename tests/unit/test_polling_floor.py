from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.polling import floor
from benchmarks.polling.optimal import NOISES, floor_score, lines_of
from benchmarks.polling.traces import log_normal, make_trace

if TYPE_CHECKING:
    from collections.abc import Sequence


points = st.lists(
    st.floats(min_value=0.1, max_value=10.0), min_size=1, max_size=7, unique=True
).map(sorted)
prices = st.floats(min_value=0.001, max_value=10.0)


def sequences(count: int) -> list[list[int]]:
    """All ways to ask at some of the points, at the last one in the end."""
    return [
        [k for k in range(count - 1) if chosen >> k & 1] + [count - 1]
        for chosen in range(1 << (count - 1))
    ]


def spent(at: Sequence[float], asks: Sequence[int]) -> tuple[float, float]:
    """Questions and delay, in the mean of equally likely points."""
    calls, delay, first = 0, 0.0, 0
    for ask in asks:
        calls += len(at) - first
        delay += sum(at[ask] - at[k] for k in range(first, ask + 1))
        first = ask + 1
    return calls / len(at), delay / len(at)


def equally_likely(at: Sequence[float]) -> floor.Odds:
    return floor.Odds(at, [1.0 / len(at)] * len(at))


@given(points, prices)
def test_no_sequence_of_questions_costs_less(at: list[float], price: float) -> None:
    best = floor.best_asking(equally_likely(at), price)
    costs = [calls + price * delay for calls, delay in (spent(at, s) for s in sequences(len(at)))]
    assert best.calls + price * best.delay == pytest.approx(min(costs))


@pytest.mark.slow
@given(points, st.floats(min_value=1.0, max_value=100.0))
def test_no_policy_undercuts_the_bound(at: list[float], line_s: float) -> None:
    odds = equally_likely(at)
    for calls, delay in (spent(at, each) for each in sequences(len(at))):
        assert floor.least_delay_s(odds, [line_s], calls) <= line_s * delay + 1e-6


@pytest.mark.slow
def test_the_bound_is_reached_at_the_prices_that_it_tries() -> None:
    odds = floor.odds_of(lambda random: random.lognormvariate(0.0, 0.1))
    best = floor.best_asking(odds, math.exp(1.5))
    assert floor.least_delay_s(odds, [10.0], best.calls) == pytest.approx(10 * best.delay, rel=0.05)


def test_the_sequence_goes_on_beyond_what_was_drawn() -> None:
    best = floor.best_asking(equally_likely([1.0, 2.0]), 1.0)
    assert best.next(0.0) in {1.0, 2.0}
    assert best.next(5.0) > 5.0


def test_the_points_stand_for_the_noise() -> None:
    odds = floor.odds_of(lambda random: random.uniform(1.0, 2.0))
    assert odds.sums[-1] == pytest.approx(1.0)
    assert odds.left(0.5, beyond=0.0) == pytest.approx(1.5, abs=0.02)
    assert odds.left(0.5, beyond=1.5) == pytest.approx(1.75, abs=0.02)


@pytest.mark.parametrize("name", ["log-normal", "bimodal-queue", "unrelated", "growing"])
def test_what_is_told_of_a_document_leaves_nothing_but_chance(name: str) -> None:
    trace = make_trace(name, 7, count=1_000)
    odds = floor.odds_of(NOISES.get(name, log_normal))
    chances = [
        job.service_s / line_s for job, line_s in zip(trace.jobs, lines_of(trace), strict=True)
    ]
    for part in (chances[:500], chances[500:]):
        below = sum(chance < odds.left(0.5, beyond=0.0) for chance in part)
        assert below / len(part) == pytest.approx(0.5, abs=0.1)


def test_who_is_told_how_documents_grow_is_not_fooled() -> None:
    found = floor_score("growing", (7,), 2.5, count=60, max_in_flight=8)
    assert found.mean_calls <= 2.5
    assert 1.0 <= found.mean_makespan < 1.15
