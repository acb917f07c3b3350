from __future__ import annotations

import heapq
import math
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.polling.forecast import Forecast
from batch_converter.polling.particle_filter import ParticleFilter
from batch_converter.polling.poll_time import CompletionSample, cheapest_poll_time_s
from batch_converter.polling.queue_model import QueueModel
from batch_converter.polling.residuals import Residuals
from batch_converter.polling.service_time import ServiceTimes

if TYPE_CHECKING:
    from collections.abc import Sequence

moments = st.floats(min_value=0.0, max_value=100.0)
weights = st.lists(st.floats(min_value=0.1, max_value=10.0), min_size=1, max_size=40)


def late_cost(sample: CompletionSample, polled_s: float) -> float:
    if polled_s <= sample.at_s:
        return 0.0
    needed_s = max(sample.at_s, sample.needed_from_s)
    return sample.calls_per_s * (polled_s - sample.at_s) + sample.needed_calls_per_s * max(
        0.0, polled_s - needed_s
    )


def least_cost(samples: Sequence[CompletionSample]) -> tuple[float, float]:
    """Try every plan: the least cost, and the first poll of the plan that has it."""
    if not samples:
        return 0.0, math.inf
    best = (math.inf, math.inf)
    for first in range(len(samples)):
        polled_s = samples[first].at_s
        later = len(samples) - first - 1
        cost = sum(late_cost(sample, polled_s) for sample in samples[: first + 1])
        cost += later + least_cost(samples[first + 1 :])[0]
        best = min(best, (cost, polled_s))
    return best


def plan_cost(samples: Sequence[CompletionSample], polled_s: float) -> float:
    done = [sample for sample in samples if sample.at_s <= polled_s]
    left = samples[len(done) :]
    return sum(late_cost(sample, polled_s) for sample in done) + len(left) + least_cost(left)[0]


possible_samples = st.builds(
    CompletionSample,
    moments,
    st.floats(min_value=0.001, max_value=1.0),
    st.floats(min_value=0.0, max_value=5.0),
    moments,
)


@given(st.lists(possible_samples, min_size=1, max_size=7, unique_by=lambda sample: sample.at_s))
def test_no_other_moment_is_cheaper(unsorted: list[CompletionSample]) -> None:
    samples = sorted(unsorted)
    polled_s = cheapest_poll_time_s(samples, not_before_s=0.0, floor_s=0.0)
    assert polled_s in [sample.at_s for sample in samples]
    assert plan_cost(samples, polled_s) == pytest.approx(least_cost(samples)[0])


@given(st.lists(moments, min_size=1, max_size=20), moments)
def test_a_poll_is_never_planned_for_the_past(at: list[float], now_s: float) -> None:
    samples = [CompletionSample(at_s, 0.1) for at_s in sorted(at)]
    assert cheapest_poll_time_s(samples, not_before_s=now_s, floor_s=1.0) >= now_s


def test_a_dear_delay_polls_sooner_than_a_cheap_one() -> None:
    cheap, dear = (
        cheapest_poll_time_s(
            [CompletionSample(float(k), price) for k in range(40)], not_before_s=0.0, floor_s=0.0
        )
        for price in (0.001, 10.0)
    )
    assert dear < cheap == 39.0


@given(weights, st.sampled_from([1, 2, 3, 8]))
def test_a_queue_serves_in_order_whoever_is_free(each: list[float], servers: int) -> None:
    queue = QueueModel(max_in_flight=10)
    index = queue.servers.index(servers)
    free = [0.0] * servers
    for weight in each:
        start = heapq.heappop(free)
        heapq.heappush(free, start + weight)
        assert queue.append(weight)[index] == start
    assert queue.next_start(index) == min(free)


def test_old_rows_are_dropped_and_the_rest_keep_their_numbers() -> None:
    queue = QueueModel(max_in_flight=2)
    for _ in range(10_000):
        queue.append(1.0)
    assert len(queue._rows) < 1_000
    assert queue.start(9_999, 0, mean_work=1.0) == 9_999.0
    assert queue.start(10_002, 0, mean_work=1.0) == 10_002.0


@given(st.floats(min_value=0.001, max_value=0.999))
def test_below_undoes_factor(share: float) -> None:
    residuals = Residuals()
    assert residuals.below(math.log(residuals.factor(share))) == pytest.approx(share, abs=1e-3)


def test_residuals_are_a_distribution() -> None:
    residuals = Residuals()
    shares = [residuals.below(-6.0 + 0.1 * k) for k in range(130)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_intervals_narrow_the_residuals() -> None:
    random, residuals = Random(3), Residuals()
    residuals.refit((z - 0.05, z + 0.05) for z in (random.gauss(0.0, 0.1) for _ in range(200)))
    assert residuals.factor(0.9) / residuals.factor(0.1) < 1.5


def test_a_second_mode_is_seen_through_wide_intervals() -> None:
    residuals = Residuals()
    residuals.refit([(-0.1, 0.1)] * 90 + [(0.5, 2.5)] * 5 + [(2.1, 2.5)] * 5)
    assert residuals.below(2.0) == pytest.approx(0.9, abs=0.03)
    assert residuals.below(1.0) == pytest.approx(0.9, abs=0.03)


def test_one_odd_document_does_not_speak_for_all_that_outlive_the_others() -> None:
    residuals = Residuals()
    residuals.refit([(-0.1, 0.1)] * 239 + [(2.98, 3.02)])
    left = 1.0 - residuals.below(1.0)
    sooner = residuals.below(2.8) - residuals.below(1.0)
    assert 0.1 < sooner / left < 0.5


def test_a_particle_that_stands_alone_is_not_sampled_and_a_fifth_of_them_is() -> None:
    times = ServiceTimes()
    forecast = Forecast(times, QueueModel(max_in_flight=64), max_in_flight=64)
    particle_filter = ParticleFilter(forecast, Random(1), typical_s=10.0, spread=0.01, servers=8.0)
    for particle in particle_filter._particles:
        particle.queue_index, particle.work_done = 2, 0.0
    for _ in range(60):
        particle_filter.submit(1.0, 0.0)
    for odd, seen in ((1, 0), (20, 2)):
        for particle in particle_filter._particles[:odd]:
            particle.work_done = 1_000.0
        particle_filter._keep(particle_filter._particles)
        sample = particle_filter.sample()
        assert len(sample) == 10
        assert sum(forecast.backlog_s(particle) == 0.0 for particle in sample) == seen


def test_being_polled_late_teaches_no_lateness() -> None:
    residuals = Residuals()
    before = residuals.factor(0.5)
    residuals.refit([(-math.inf, 3.0)] * 200)
    assert residuals.factor(0.5) == pytest.approx(before, rel=0.05)


@pytest.mark.parametrize(("page_s", "longer"), [(1.0, 5.0), (0.0, 1.5)])
def test_the_line_is_as_steep_as_the_times_say(page_s: float, longer: float) -> None:
    random, times = Random(5), ServiceTimes()
    log_typical_s = math.log(20.0)
    for _ in range(200):
        pages = float(random.randint(1, 200))
        took_s = (20.0 - 20.0 * page_s + page_s * pages) or 1.0
        took_s = max(took_s, 1.0) * random.lognormvariate(0.0, 0.05)
        times.learn(
            pages=pages, low_s=0.95 * took_s, high_s=1.05 * took_s, log_typical_s=log_typical_s
        )
    ratio = times.relative_work(200.0) / times.relative_work(20.0)
    assert (ratio > longer) if page_s else (ratio < longer)


def test_size_stands_in_for_unknown_pages() -> None:
    times = ServiceTimes()
    for _ in range(200):
        times.pages_of(10, 1_000_000)
    assert times.pages_of(None, 5_000_000) == pytest.approx(50.0, rel=0.05)
    assert times.pages_of(0, 0) == 1.0
