from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest

from batch_converter.polling import Answer, FixedInterval, Observation, Predictive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.polling import PollPolicy

FLOOR_S = 1.0
HOUR_S = 3_600.0


@dataclass(slots=True)
class Service:
    """Works on documents in order, `servers` at once; polls and uploads take no time."""

    policy: PollPolicy
    services_s: Sequence[float]
    servers: int = 1_000
    stops_s: tuple[float, float] = (0.0, 0.0)
    stuck: frozenset[int] = frozenset()
    known_pages: bool = True
    ends_s: float = 24 * HOUR_S
    asked: dict[int, list[float]] = field(default_factory=dict)
    done_s: dict[int, float] = field(default_factory=dict)
    start_s: dict[int, float] = field(default_factory=dict)
    fetched_s: dict[int, float] = field(default_factory=dict)

    def run(self) -> None:
        self._submit_all()
        due = [(0.0, number) for number in range(len(self.services_s))]
        asking = dict.fromkeys(range(len(self.services_s)), 0.0)
        while due and due[0][0] < self.ends_s:
            now_s, number = heapq.heappop(due)
            if asking.get(number) != now_s:
                continue
            at_s = self.policy.plan_poll(number, now_s=now_s)
            again = {number}
            if at_s <= now_s:
                again |= set(self._ask(number, now_s))
            for other in again & (asking.keys() - self.fetched_s.keys()):
                asking[other] = max(now_s, self.policy.plan_poll(other, now_s=now_s))
                heapq.heappush(due, (asking[other], other))
            if number in self.fetched_s:
                del asking[number]

    def _submit_all(self) -> None:
        self.policy.remaining(0)
        free = [0.0] * self.servers
        for number, service_s in enumerate(self.services_s):
            start = heapq.heappop(free)
            heapq.heappush(free, start + service_s)
            self.start_s[number] = self._delayed(start)
            self.done_s[number] = self._delayed(start + service_s)
            self.policy.submitted(
                number, at_s=0.0, size_bytes=600_000, pages=20 if self.known_pages else None
            )

    def _delayed(self, at_s: float) -> float:
        stop, go_on = self.stops_s
        return at_s if at_s < stop else at_s + go_on - stop

    def _ask(self, number: int, now_s: float) -> Sequence[int]:
        self.asked.setdefault(number, []).append(now_s)
        answer = Answer.PENDING
        if number not in self.stuck and now_s >= self.start_s[number]:
            answer = Answer.ENDED if now_s >= self.done_s[number] else Answer.PROCESSING
        if answer is Answer.ENDED:
            self.fetched_s[number] = now_s
        return tuple(self.policy.answered(number, answer, at_s=now_s))

    @property
    def polls(self) -> int:
        return sum(map(len, self.asked.values()))

    @property
    def longest_silence_s(self) -> float:
        moments = sorted([0.0, *(at_s for all_s in self.asked.values() for at_s in all_s)])
        return max(b - a for a, b in pairwise(moments))


def predictive(
    *, known: Sequence[Observation] = (), max_in_flight: int = 1_000, seed: int = 1
) -> Predictive:
    return Predictive(Random(seed), max_in_flight=max_in_flight, floor_s=FLOOR_S, known=known)


def noisy(count: int, typical_s: float, *, seed: int = 7) -> list[float]:
    random = Random(seed)
    return [typical_s * random.lognormvariate(0.0, 0.1) for _ in range(count)]


def submit(policy: Predictive, number: int, *, at_s: float = 0.0) -> None:
    policy.submitted(number, at_s=at_s, size_bytes=600_000, pages=20)


def test_a_fixed_interval_counts_from_submission_and_from_the_last_answer() -> None:
    policy = FixedInterval(5.0)
    policy.remaining(3)
    policy.submitted(1, at_s=100.0, size_bytes=1, pages=None)
    assert policy.plan_poll(1, now_s=101.0) == 105.0
    assert policy.answered(1, Answer.PENDING, at_s=105.5) == ()
    assert policy.plan_poll(1, now_s=106.0) == 110.5
    assert policy.answered(1, Answer.ENDED, at_s=110.5) == ()
    policy.forget(1)
    assert policy.observations() == ()


def test_the_first_question_comes_in_seconds_while_nothing_is_known() -> None:
    policy = predictive()
    policy.remaining(0)
    submit(policy, 1)
    now_s = 0.0
    while (at_s := policy.plan_poll(1, now_s=now_s)) > now_s:
        now_s = at_s
    assert 0.0 < now_s <= 15.0


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_the_same_seed_asks_at_the_same_moments() -> None:
    runs = [Service(predictive(), noisy(40, 20.0), servers=4) for _ in range(2)]
    for each in runs:
        each.run()
    assert runs[0].asked == runs[1].asked


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("servers", [2, 8, 1_000])
def test_few_questions_find_the_end_soon(servers: int) -> None:
    service = Service(predictive(), noisy(120, 30.0), servers=servers)
    service.run()
    assert len(service.fetched_s) == 120
    assert service.polls <= 1.6 * 120
    assert max(service.fetched_s.values()) <= 1.1 * max(service.done_s.values())


@pytest.mark.slow
@pytest.mark.parametrize("typical_s", [0.3, 3.0, 300.0])
def test_no_document_is_asked_twice_within_the_floor(typical_s: float) -> None:
    service = Service(predictive(), noisy(40, typical_s), servers=4)
    service.run()
    gaps = [
        later - earlier for all_s in service.asked.values() for earlier, later in pairwise(all_s)
    ]
    assert gaps
    assert min(gaps) >= FLOOR_S - 1e-9  # clocks round


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_unknown_pages_are_estimated_from_the_size() -> None:
    service = Service(predictive(), noisy(60, 30.0), servers=4, known_pages=False)
    service.run()
    assert service.polls <= 1.6 * 60


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("seed", range(1, 7))
def test_a_service_that_stops_for_ten_minutes_is_heard_again_soon(seed: int) -> None:
    service = Service(
        predictive(seed=seed), noisy(100, 30.0, seed=seed), servers=4, stops_s=(200.0, 800.0)
    )
    service.run()
    assert len(service.fetched_s) == 100
    assert service.polls <= 2.0 * 100
    assert service.longest_silence_s <= 800.0
    assert max(service.fetched_s.values()) <= 1.5 * max(service.done_s.values())


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_what_stays_pending_for_good_costs_few_questions_and_holds_nobody_up() -> None:
    lost = frozenset({3, 20})
    service = Service(predictive(), noisy(60, 30.0), servers=4, stuck=lost, ends_s=HOUR_S)
    service.run()
    assert service.fetched_s.keys() == set(range(60)) - lost
    assert max(service.fetched_s.values()) <= 1.2 * max(service.done_s.values())
    assert all(1 <= len(service.asked[number]) <= 30 for number in lost)


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_a_hundred_times_slower_than_the_prior_costs_few_questions() -> None:
    service = Service(predictive(), noisy(20, 750.0))
    service.run()
    assert service.polls <= 6 * 20


def test_what_an_earlier_run_saw_places_the_first_question() -> None:
    known = [
        Observation(pages=20.0, low_s=0.99 * took_s, high_s=took_s, servers=1_000)
        for took_s in noisy(100, 200.0)
    ]
    service = Service(predictive(known=known), noisy(20, 200.0))
    service.run()
    assert min(all_s[0] for all_s in service.asked.values()) >= 50.0
    assert service.polls <= 2 * 20


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_observations_bound_the_real_times_and_are_few() -> None:
    policy = predictive()
    service = Service(policy, noisy(220, 30.0))
    service.run()
    seen = policy.observations()
    assert 20 < len(seen) <= 200  # of 220
    assert all(each.low_s < each.high_s for each in seen)
    assert all(each.high_s >= 0.9 * min(service.done_s.values()) for each in seen)


def test_a_document_that_has_long_been_out_is_asked_at_once() -> None:
    policy = predictive()
    policy.remaining(0)
    submit(policy, 1, at_s=-5 * HOUR_S)
    assert policy.plan_poll(1, now_s=0.0) <= 0.0


def test_the_others_are_woken_when_the_service_is_faster_than_thought() -> None:
    slow = [Observation(pages=20.0, low_s=900.0, high_s=1_000.0, servers=1_000)] * 20
    policy = predictive(known=slow)
    policy.remaining(0)
    for number in range(10):
        submit(policy, number)
        policy.plan_poll(number, now_s=0.0)
    woken = policy.answered(0, Answer.ENDED, at_s=30.0)
    assert set(woken) == set(range(1, 10))


def test_forgotten_and_unknown_documents_are_nobodys_business() -> None:
    policy = predictive()
    policy.remaining(0)
    submit(policy, 1)
    submit(policy, 2)
    policy.forget(1)
    policy.forget(1)
    assert policy.answered(1, Answer.PENDING, at_s=5.0) == ()
    assert 1 not in policy.answered(2, Answer.PROCESSING, at_s=6.0)


def test_a_document_that_is_submitted_again_starts_anew() -> None:
    policy = predictive()
    policy.remaining(0)
    submit(policy, 1)
    policy.answered(1, Answer.PROCESSING, at_s=100.0)
    submit(policy, 1, at_s=101.0)
    assert policy.plan_poll(1, now_s=101.0) > 101.0


def test_an_instant_service_is_asked_almost_at_once() -> None:
    policy = predictive(max_in_flight=8)
    policy.remaining(10_000)
    now_s, asked_after_s = 0.0, 0.0
    for number in range(400):
        submit(policy, number, at_s=now_s)
        submitted_s = now_s
        while (at_s := policy.plan_poll(number, now_s=now_s)) > now_s:
            now_s = at_s
        policy.answered(number, Answer.ENDED, at_s=now_s)
        asked_after_s = now_s - submitted_s
    assert asked_after_s <= 0.02


def first_question_s(policy: Predictive, number: int) -> float:
    now_s = 0.0
    while (at_s := policy.plan_poll(number, now_s=now_s)) > now_s:
        now_s = at_s
    return now_s


def known_service(took_s: float, *, servers: int) -> list[Observation]:
    return [
        Observation(pages=20.0, low_s=0.99 * each, high_s=each, servers=servers)
        for each in noisy(100, took_s)
    ]


def test_now_and_then_a_document_is_asked_as_if_nobody_queued() -> None:
    policy = predictive(known=known_service(30.0, servers=2), max_in_flight=80)
    policy.remaining(1_000)
    for number in range(80):
        submit(policy, number)
    for number in range(2, 12):
        policy.answered(number, Answer.PENDING, at_s=20.0)
    assert first_question_s(policy, 79) <= 60.0
    assert first_question_s(policy, 78) >= 300.0


def test_a_service_that_was_kept_idle_is_not_taken_for_a_slow_one() -> None:
    policy = predictive(known=known_service(30.0, servers=32), max_in_flight=64)
    policy.remaining(1_000)
    for number in range(64):
        submit(policy, number)
    for number in range(64):
        policy.answered(number, Answer.ENDED, at_s=120.0 + number)
        submit(policy, 64 + number, at_s=120.0 + number)
    assert first_question_s(policy, 90) <= 400.0
