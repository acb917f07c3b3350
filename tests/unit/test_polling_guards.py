from __future__ import annotations

import math
from random import Random

import pytest

from batch_converter.polling import Answer, Observation, Predictive
from batch_converter.polling.belief import Belief
from batch_converter.polling.forecast import Forecast, Place
from batch_converter.polling.guards import Guards
from batch_converter.polling.plan import End
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


def prove(scout: Scout, places: dict[int, Place], at_s: float) -> int:
    """Find the last document unfinished, as it should be; returns who is the scout then."""
    *_, place = places.values()
    place.asked_at_s = at_s
    scout.unfinished(place, at_s)
    chosen = scout.choose(at_s)
    assert chosen is not None
    return chosen.document_id


def test_one_that_is_believed_unfinished_is_asked_half_the_age_after_the_last_proof(
    belief: Belief, places: dict[int, Place]
) -> None:
    scout = Scout(belief, places, floor_s=FLOOR_S)
    assert scouts(scout, places) == {}
    number = prove(scout, places, 100.0)
    assert scouts(scout, places) == {number: 150.0}
    assert belief.forecast.end_s(belief.sample(10)[5], places[number]) >= 200.0


def test_what_was_foreseen_puts_nothing_off_and_a_proof_does(
    belief: Belief, places: dict[int, Place]
) -> None:
    scout = Scout(belief, places, floor_s=FLOOR_S)
    number = prove(scout, places, 100.0)
    assert [scout.choose(at_s) for at_s in (110.0, 120.0)] == [places[number]] * 2
    assert scouts(scout, places) == {number: 150.0}
    number = prove(scout, places, 120.0)
    assert scouts(scout, places) == {number: 180.0}


def test_a_scout_stays_while_it_is_likely_unfinished_and_is_relieved_then(
    belief: Belief, places: dict[int, Place]
) -> None:
    scout = Scout(belief, places, floor_s=FLOOR_S)
    number = prove(scout, places, 100.0)
    assert prove(scout, places, 104.0) == number
    assert prove(scout, places, 160.0) != number


def test_a_scout_that_is_gone_is_replaced_and_the_last_to_be_done_stands_in(
    belief: Belief, places: dict[int, Place]
) -> None:
    scout = Scout(belief, places, floor_s=FLOOR_S)
    first = prove(scout, places, 100.0)
    del places[first]
    second = scout.choose(100.0)
    assert second is not None
    assert second.document_id != first
    for number in [each for each in places if each > 180]:
        places[number].stray = True
    assert scout.choose(100.0) is places[178]


def test_a_document_that_is_submitted_again_is_no_longer_the_scout(
    belief: Belief, places: dict[int, Place]
) -> None:
    scout = Scout(belief, places, floor_s=FLOOR_S)
    number = prove(scout, places, 100.0)
    del places[number]
    again = submit(belief, places, number, at_s=101.0)
    assert scout.deadline_s(again) == math.inf
    chosen = scout.choose(101.0)
    assert chosen is not None
    assert chosen is places[chosen.document_id]


def test_the_deadline_comes_sooner_once_the_oldest_is_gone(belief: Belief) -> None:
    places: dict[int, Place] = {}
    submit(belief, places, 200_000, at_s=-1_000.0)
    for number in range(300, 400):
        submit(belief, places, number)
    scout = Scout(belief, places, floor_s=FLOOR_S)
    prove(scout, places, 100.0)
    assert list(scouts(scout, places).values()) == [650.0]
    del places[200_000]
    scout.choose(101.0)
    assert list(scouts(scout, places).values()) == [150.5]


def test_a_document_that_is_lost_proves_nothing_and_does_not_speak_for_the_others(
    belief: Belief,
) -> None:
    places: dict[int, Place] = {}
    lost = submit(belief, places, 100, at_s=-7_200.0)
    for number in range(300, 400):
        submit(belief, places, number)
    scout = Scout(belief, places, floor_s=FLOOR_S)
    lost.working_s = lost.asked_at_s = 50.0
    scout.unfinished(lost, 50.0)
    number = prove(scout, places, 100.0)
    lost.asked_at_s = 120.0
    scout.unfinished(lost, 120.0)
    scout.choose(120.0)
    assert scouts(scout, places) == {number: 150.0}
    for other in range(300, 400):
        del places[other]
    assert scout.choose(130.0) is None


def test_what_has_only_waited_has_outlived_nobody(belief: Belief) -> None:
    places: dict[int, Place] = {}
    waiting = submit(belief, places, 100, at_s=-7_200.0)
    waiting.asked_at_s = 50.0
    scout = Scout(belief, places, floor_s=FLOOR_S)
    scout.unfinished(waiting, 50.0)
    assert not waiting.odd


def test_where_all_who_are_out_are_new_the_others_tell_how_long_an_age_is(belief: Belief) -> None:
    places: dict[int, Place] = {}
    for number in range(300, 400):
        submit(belief, places, number)
    scout = Scout(belief, places, floor_s=FLOOR_S)
    prove(scout, places, 100.0)
    for number in range(300, 400):
        scout.ended(places.pop(number), 100.0)
    for number in range(300, 400):
        submit(belief, places, number, at_s=100.0)
    scout.choose(101.0)
    assert list(scouts(scout, places).values()) == [pytest.approx(150.0, abs=0.1)]


def test_documents_that_are_lost_make_proofs_dearer() -> None:
    belief = make_belief(64)
    places: dict[int, Place] = {}
    for number in range(1_000, 1_064):
        submit(belief, places, number)
    for number in range(1_000, 1_048):
        places[number].odd = True
    scout = Scout(belief, places, floor_s=FLOOR_S)
    prove(scout, places, 100.0)
    assert list(scouts(scout, places).values()) == [100.0 + 32 / 16 * 100.0]


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
    prove(scout, places, 100.0)
    assert list(scouts(scout, places).values()) == [deadline_s]


def test_proofs_are_not_asked_for_within_the_floor(belief: Belief) -> None:
    places: dict[int, Place] = {}
    for number in range(300, 400):
        submit(belief, places, number, at_s=99.9)
    scout = Scout(belief, places, floor_s=FLOOR_S)
    prove(scout, places, 100.0)
    assert list(scouts(scout, places).values()) == [101.0]


def test_nobody_scouts_where_nothing_is_out(belief: Belief) -> None:
    scout = Scout(belief, {}, floor_s=FLOOR_S)
    assert scout.choose(100.0) is None


def test_who_is_planned_for_later_than_the_batch_can_wait_is_planned_again(
    belief: Belief, places: dict[int, Place]
) -> None:
    guards = Guards(belief, places, floor_s=FLOOR_S)
    places[446].asked_at_s = 100.0
    guards.unfinished(places[446], 100.0)
    watched = guards.answered(100.0)
    assert 50 in watched  # the sentinel: the oldest not yet asked
    assert len(watched) == 2
    for place in places.values():
        place.planned_s = 120.0
    assert guards.answered(101.0) == set()
    places[50].planned_s = 10_000.0
    assert guards.answered(102.0) == {50}
    places[50].planned_s = 120.0
    del places[50]
    assert guards.answered(103.0) == {54}  # new on watch: its turn has come
    assert guards.answered(104.0) == set()


def at(moment_s: float) -> list[End]:
    return [End(moment_s + each, 0.1) for each in (-1.0, 0.0, 9_000.0)]


def test_a_wait_is_at_most_five_times_the_expected_one(
    belief: Belief, places: dict[int, Place]
) -> None:
    guards = Guards(belief, places, floor_s=FLOOR_S)
    place = places[446]
    assert guards.latest_s(place, at(1_000.0)) == 5_000.0
    assert guards.latest_s(place, at(0.0)) == 5.0 * belief.typical_s
    place.asked_at_s = 400.0
    assert guards.latest_s(place, at(1_400.0)) == 400.0 + 5.0 * 1_000.0 + 0.3 * 400.0


def test_a_batch_is_silent_for_three_services_at_most(
    belief: Belief, places: dict[int, Place]
) -> None:
    guards = Guards(belief, places, floor_s=FLOOR_S)
    silent_s = 3.0 * belief.typical_s
    assert guards.latest_s(places[50], at(1e6)) == silent_s
    guards.answered(1_000.0)
    assert guards.latest_s(places[50], at(1e6)) == 1_000.0 + silent_s
    places[50].stray = True
    assert guards.latest_s(places[50], at(1e6)) > 1e6
    assert guards.latest_s(places[54], at(1e6)) == 1_000.0 + silent_s
    for place in places.values():
        place.asked_at_s = 900.0
    places[62].submitted_at_s, places[62].asked_at_s = -10_000.0, 800.0
    assert guards.latest_s(places[62], at(1e6)) == 800.0 + 0.3 * 10_800.0 + FLOOR_S


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


def test_answers_are_taken_for_what_they_say_of_the_document() -> None:
    policy = Predictive(Random(1), max_in_flight=1_000)
    policy.remaining(0)
    for number in range(100):
        policy.submitted(number, at_s=0.0, size_bytes=600_000, pages=20)
    policy.answered(1, Answer.PENDING, at_s=5.0)
    policy.answered(1, Answer.PROCESSING, at_s=6.0)
    policy.answered(1, Answer.PROCESSING, at_s=8.0)
    assert policy._places[1].working_s == 6.0
    policy.answered(50, Answer.PROCESSING, at_s=9.0)
    policy.answered(0, Answer.PENDING, at_s=30.0)  # overtaken: it speaks for nobody
    assert policy._guards._scout._proved_s == 9.0


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
    [("stops", 3, 1_000), ("first-fast-queue", 74, 60), ("hung", 6, 1_000)],
)
def test_batches_that_once_were_asked_for_far_too_late(trace: str, seed: int, count: int) -> None:
    runs = pytest.importorskip("benchmarks.polling.runs", reason="the sdist has no benchmarks")
    score = runs.score(trace, [seed], runs.cold(64), count=count, max_in_flight=64)
    assert score.mean_makespan <= 1.2
    assert score.mean_calls <= 2.3
