from __future__ import annotations

import math
from random import Random

import pytest

from batch_converter.polling import Answer, Observation, Predictive
from batch_converter.polling.belief import Belief
from batch_converter.polling.forecast import Forecast, Place
from batch_converter.polling.guards import Guards
from batch_converter.polling.schedule import Schedules
from batch_converter.polling.scout import Scout
from batch_converter.polling.service_time import ServiceTimes

FLOOR_S = 1.0


def make_belief(max_in_flight: int) -> Belief:
    """Documents take about 100 s each, and nobody queues: that much is sure."""
    schedules = Schedules(max_in_flight=max_in_flight)
    forecast = Forecast(ServiceTimes(), schedules, max_in_flight=max_in_flight)
    return Belief(forecast, Random(1), typical_s=100.0, spread=0.01, servers=max_in_flight)


@pytest.fixture
def belief() -> Belief:
    return make_belief(100)


def submit(belief: Belief, places: dict[int, Place], number: int, *, at_s: float = 0.0) -> Place:
    """Send out a document that weighs as much as its number says: 50 s for 50, 100 s for 100."""
    place = Place(
        document_id=number,
        sequence=len(places),
        submitted_at_s=at_s,
        pages=20.0,
        weight=number / 100.0,
        starts=belief.submit(number / 100.0, at_s),
        rank=1,
    )
    places[number] = place
    return place


@pytest.fixture
def places(belief: Belief) -> dict[int, Place]:
    places: dict[int, Place] = {}
    for number in range(50, 450, 4):
        submit(belief, places, number)
    return places


def scouts(scout: Scout, places: dict[int, Place]) -> dict[int, float]:
    """Who is asked by a deadline, and by when."""
    deadlines = {number: scout.deadline_s(place) for number, place in places.items()}
    return {number: at_s for number, at_s in deadlines.items() if at_s < math.inf}


def test_one_that_is_believed_unfinished_is_asked_half_the_age_after_the_last_proof(
    belief: Belief, places: dict[int, Place]
) -> None:
    scout = Scout(belief, places, floor_s=FLOOR_S)
    assert scouts(scout, places) == {}
    scout.proved(100.0)
    number = scout.choose(100.0)
    assert number is not None
    assert scouts(scout, places) == {number: 150.0}
    assert belief.forecast.end_s(belief.sample(10)[5], places[number]) >= 200.0


def test_what_was_foreseen_puts_nothing_off_and_a_proof_does(
    belief: Belief, places: dict[int, Place]
) -> None:
    scout = Scout(belief, places, floor_s=FLOOR_S)
    scout.proved(100.0)
    number = scout.choose(100.0)
    assert [scout.choose(at_s) for at_s in (110.0, 120.0)] == [number, number]
    assert list(scouts(scout, places).values()) == [150.0]
    scout.proved(120.0)
    scout.choose(120.0)
    assert list(scouts(scout, places).values()) == [180.0]


def test_a_scout_stays_while_it_is_likely_unfinished_and_is_relieved_then(
    belief: Belief, places: dict[int, Place]
) -> None:
    scout = Scout(belief, places, floor_s=FLOOR_S)
    scout.proved(100.0)
    number = scout.choose(100.0)
    scout.proved(104.0)
    assert scout.choose(104.0) == number
    scout.proved(160.0)
    assert scout.choose(160.0) != number


def test_a_scout_that_is_gone_is_replaced_and_the_last_to_be_done_stands_in(
    belief: Belief, places: dict[int, Place]
) -> None:
    scout = Scout(belief, places, floor_s=FLOOR_S)
    scout.proved(100.0)
    first = scout.choose(100.0)
    assert first is not None
    del places[first]
    second = scout.choose(100.0)
    assert second not in {first, None}
    for number in [each for each in places if each > 180]:
        places[number].stray = True
    assert scout.choose(100.0) == 178


@pytest.mark.parametrize(
    ("max_in_flight", "count", "deadline_s"),
    [(100, 64, 150.0), (100, 16, 300.0), (100, 1, 3_300.0), (8, 64, 500.0)],
)
def test_a_proof_is_not_paid_for_more_often_than_for_each_32_documents(
    max_in_flight: int, count: int, deadline_s: float
) -> None:
    belief = make_belief(max_in_flight)
    places: dict[int, Place] = {}
    for k in range(count):
        submit(belief, places, 10_000 + k)
    for k in range(count - max_in_flight):
        del places[10_000 + k]
    scout = Scout(belief, places, floor_s=FLOOR_S)
    scout.proved(100.0)
    scout.choose(100.0)
    assert list(scouts(scout, places).values()) == [deadline_s]


def test_nobody_scouts_where_nothing_is_out(belief: Belief) -> None:
    scout = Scout(belief, {}, floor_s=FLOOR_S)
    scout.proved(100.0)
    assert scout.choose(100.0) is None


def test_who_is_watched_from_now_on_is_named_once(belief: Belief, places: dict[int, Place]) -> None:
    guards = Guards(belief, places, floor_s=FLOOR_S)
    watched = guards.answered(100.0, unfinished=True)
    assert 50 in watched  # the sentinel: the oldest not yet asked
    assert len(watched) == 2
    assert guards.answered(101.0, unfinished=False) == set()
    del places[50]
    assert guards.answered(102.0, unfinished=False) == {54}


def test_the_longer_a_document_is_worked_on_the_rarer_it_is_asked(belief: Belief) -> None:
    guards = Guards(belief, {}, floor_s=FLOOR_S)
    place = submit(belief, {}, 100)
    assert guards.earliest_s(place, 5.0) == 5.0
    place.asked_at_s = 1_000.0  # it waited in the queue till then, for all that is known
    assert guards.earliest_s(place, 1_000.0) == 1_000.0 + FLOOR_S
    place.working_s, place.asked_at_s = 1_000.0, 3_000.0
    assert guards.earliest_s(place, 3_000.0) == pytest.approx(3_040.0)
    assert guards.earliest_s(place, 9_000.0) == 9_000.0


def test_what_has_outlived_all_others_lasts_as_long_again_as_likely_as_not(belief: Belief) -> None:
    place = submit(belief, {}, 100)
    place.asked_at_s = 1e6
    guess = belief.sample(10)[5]
    assert belief.forecast.end_s(guess, place) == pytest.approx(2e6)
    sooner, later = belief.forecast.ends_s(guess, place, (0.25, 0.75))
    assert (sooner, later) == pytest.approx((1e6 + 1e6 / 3.0, 4e6))


@pytest.mark.usefixtures("unmeasured")
def test_in_the_end_the_last_is_planned_again_with_each_answer_also_in_a_great_batch() -> None:
    known = [Observation(pages=20.0, low_s=29.0, high_s=30.0, servers=1_000)] * 100
    policy = Predictive(Random(1), max_in_flight=1_000, known=known)
    policy.remaining(0)
    for number in range(100):
        policy.submitted(number, at_s=0.0, size_bytes=600_000, pages=20)
    policy.submitted(100, at_s=0.0, size_bytes=60_000_000, pages=2_000)
    for number in range(101):
        policy.next_poll_at_s(number, now_s=0.0)
    for number in range(3):
        policy.answered(number, Answer.PROCESSING, at_s=20.0)
    assert 100 in policy.answered(3, Answer.ENDED, at_s=40.0)
    assert 100 in policy.answered(4, Answer.ENDED, at_s=41.0)


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("trace", "seed", "count"),
    [("stops", 3, 1_000), ("first-fast-queue", 74, 60), ("first-fast-queue", 36, 60)],
)
def test_batches_that_once_were_asked_for_far_too_late(trace: str, seed: int, count: int) -> None:
    runs = pytest.importorskip("benchmarks.polling.runs", reason="the sdist has no benchmarks")
    score = runs.score(trace, [seed], runs.cold(64), count=count, max_in_flight=64)
    assert score.mean_makespan <= 1.15
    assert score.mean_calls <= 2.3
