from __future__ import annotations

import math
from random import Random

import pytest

from batch_converter.polling import Answer, Observation, Predictive
from batch_converter.polling.exploration import Exploration
from batch_converter.polling.forecast import Forecast
from batch_converter.polling.outstanding import OutstandingDocument
from batch_converter.polling.particle_filter import ParticleFilter
from batch_converter.polling.poll_bounds import PollBounds
from batch_converter.polling.poll_time import CompletionSample
from batch_converter.polling.queue_model import QueueModel
from batch_converter.polling.service_time import ServiceTimes
from batch_converter.polling.staleness_probe import StalenessProbe
from benchmarks.polling import runs

FLOOR_S = 1.0


def make_filter(max_in_flight: int) -> ParticleFilter:
    """Documents take about 100 s each, and nobody queues: that much is sure."""
    queue = QueueModel(max_in_flight=max_in_flight)
    forecast = Forecast(ServiceTimes(), queue, max_in_flight=max_in_flight)
    return ParticleFilter(forecast, Random(1), typical_s=100.0, spread=0.01, servers=max_in_flight)


@pytest.fixture
def particle_filter() -> ParticleFilter:
    return make_filter(100)


def submit(
    particle_filter: ParticleFilter,
    documents: dict[int, OutstandingDocument],
    number: int,
    *,
    at_s: float = 0.0,
) -> OutstandingDocument:
    """Submit a document with as much work as its number says: 50 s for 50, 100 s for 100."""
    document = OutstandingDocument(
        document_id=number,
        sequence=len(documents),
        submitted_at_s=at_s,
        pages=20.0,
        relative_work=number / 100.0,
        queue_starts=particle_filter.submit(number / 100.0, at_s),
        queue_position=1,
    )
    documents[number] = document
    return document


@pytest.fixture
def documents(particle_filter: ParticleFilter) -> dict[int, OutstandingDocument]:
    documents: dict[int, OutstandingDocument] = {}
    for number in range(50, 450, 4):
        submit(particle_filter, documents, number)
    return documents


def deadlines(probe: StalenessProbe, documents: dict[int, OutstandingDocument]) -> dict[int, float]:
    """Who is polled by a deadline, and by when."""
    deadlines = {number: probe.deadline_s(document) for number, document in documents.items()}
    return {number: at_s for number, at_s in deadlines.items() if at_s < math.inf}


def prove(probe: StalenessProbe, documents: dict[int, OutstandingDocument], at_s: float) -> int:
    """Find the last document unfinished, as it should be; returns who is the probe then."""
    *_, document = documents.values()
    document.unfinished_at_s = at_s
    probe.unfinished(document, at_s)
    chosen = probe.choose(at_s)
    assert chosen is not None
    return chosen.document_id


def test_one_that_is_believed_unfinished_is_polled_half_the_age_after_the_last_proof(
    particle_filter: ParticleFilter, documents: dict[int, OutstandingDocument]
) -> None:
    probe = StalenessProbe(particle_filter, documents, floor_s=FLOOR_S)
    assert deadlines(probe, documents) == {}
    number = prove(probe, documents, 100.0)
    assert deadlines(probe, documents) == {number: 150.0}
    assert particle_filter.forecast.end_s(particle_filter.sample()[5], documents[number]) >= 200.0


def test_what_was_foreseen_puts_nothing_off_and_a_proof_does(
    particle_filter: ParticleFilter, documents: dict[int, OutstandingDocument]
) -> None:
    probe = StalenessProbe(particle_filter, documents, floor_s=FLOOR_S)
    number = prove(probe, documents, 100.0)
    assert [probe.choose(at_s) for at_s in (110.0, 120.0)] == [documents[number]] * 2
    assert deadlines(probe, documents) == {number: 150.0}
    number = prove(probe, documents, 120.0)
    assert deadlines(probe, documents) == {number: 180.0}


def test_the_staleness_probe_stays_while_it_is_likely_unfinished_and_is_replaced_then(
    particle_filter: ParticleFilter, documents: dict[int, OutstandingDocument]
) -> None:
    probe = StalenessProbe(particle_filter, documents, floor_s=FLOOR_S)
    number = prove(probe, documents, 100.0)
    assert prove(probe, documents, 104.0) == number
    assert prove(probe, documents, 160.0) != number


def test_a_staleness_probe_that_is_gone_is_replaced_and_the_last_to_be_done_stands_in(
    particle_filter: ParticleFilter, documents: dict[int, OutstandingDocument]
) -> None:
    probe = StalenessProbe(particle_filter, documents, floor_s=FLOOR_S)
    first = prove(probe, documents, 100.0)
    del documents[first]
    second = probe.choose(100.0)
    assert second is not None
    assert second.document_id != first
    for number in [each for each in documents if each > 180]:
        documents[number].overtaken = True
    assert probe.choose(100.0) is documents[178]


def test_a_document_that_is_submitted_again_is_no_longer_the_staleness_probe(
    particle_filter: ParticleFilter, documents: dict[int, OutstandingDocument]
) -> None:
    probe = StalenessProbe(particle_filter, documents, floor_s=FLOOR_S)
    number = prove(probe, documents, 100.0)
    del documents[number]
    again = submit(particle_filter, documents, number, at_s=101.0)
    assert probe.deadline_s(again) == math.inf
    chosen = probe.choose(101.0)
    assert chosen is not None
    assert chosen is documents[chosen.document_id]


def test_the_deadline_comes_sooner_once_the_oldest_is_gone(particle_filter: ParticleFilter) -> None:
    documents: dict[int, OutstandingDocument] = {}
    submit(particle_filter, documents, 200_000, at_s=-1_000.0)
    for number in range(300, 400):
        submit(particle_filter, documents, number)
    probe = StalenessProbe(particle_filter, documents, floor_s=FLOOR_S)
    prove(probe, documents, 100.0)
    assert list(deadlines(probe, documents).values()) == [650.0]
    del documents[200_000]
    probe.choose(101.0)
    assert list(deadlines(probe, documents).values()) == [150.5]


def test_a_document_that_is_lost_proves_nothing_and_does_not_speak_for_the_others(
    particle_filter: ParticleFilter,
) -> None:
    documents: dict[int, OutstandingDocument] = {}
    lost = submit(particle_filter, documents, 100, at_s=-7_200.0)
    for number in range(300, 400):
        submit(particle_filter, documents, number)
    probe = StalenessProbe(particle_filter, documents, floor_s=FLOOR_S)
    lost.processing_since_s = lost.unfinished_at_s = 50.0
    lost.outlier = particle_filter.is_outlier(lost)
    probe.unfinished(lost, 50.0)
    number = prove(probe, documents, 100.0)
    lost.unfinished_at_s = 120.0
    lost.outlier = particle_filter.is_outlier(lost)
    probe.unfinished(lost, 120.0)
    probe.choose(120.0)
    assert deadlines(probe, documents) == {number: 150.0}
    for other in range(300, 400):
        del documents[other]
    assert probe.choose(130.0) is None


def test_what_has_only_waited_has_outlived_nobody(particle_filter: ParticleFilter) -> None:
    documents: dict[int, OutstandingDocument] = {}
    waiting = submit(particle_filter, documents, 100, at_s=-7_200.0)
    waiting.unfinished_at_s = 50.0
    assert not particle_filter.is_outlier(waiting)


def test_where_all_who_are_out_are_new_the_others_tell_how_long_an_age_is(
    particle_filter: ParticleFilter,
) -> None:
    documents: dict[int, OutstandingDocument] = {}
    for number in range(300, 400):
        submit(particle_filter, documents, number)
    probe = StalenessProbe(particle_filter, documents, floor_s=FLOOR_S)
    prove(probe, documents, 100.0)
    for number in range(300, 400):
        probe.ended(documents.pop(number), 100.0)
    for number in range(300, 400):
        submit(particle_filter, documents, number, at_s=100.0)
    probe.choose(101.0)
    assert list(deadlines(probe, documents).values()) == [pytest.approx(150.0, abs=0.1)]


def test_documents_that_are_lost_make_proofs_dearer() -> None:
    particle_filter = make_filter(64)
    documents: dict[int, OutstandingDocument] = {}
    for number in range(1_000, 1_064):
        submit(particle_filter, documents, number)
    for number in range(1_000, 1_048):
        documents[number].outlier = True
    probe = StalenessProbe(particle_filter, documents, floor_s=FLOOR_S)
    prove(probe, documents, 100.0)
    assert list(deadlines(probe, documents).values()) == [100.0 + 32 / 16 * 100.0]


@pytest.mark.parametrize(
    ("max_in_flight", "count", "deadline_s"),
    [(100, 64, 150.0), (100, 16, 300.0), (100, 1, 3_300.0), (8, 64, 500.0)],
)
def test_a_proof_is_not_paid_for_more_often_than_for_each_32_documents(
    max_in_flight: int, count: int, deadline_s: float
) -> None:
    particle_filter = make_filter(max_in_flight)
    documents: dict[int, OutstandingDocument] = {}
    for k in range(count):
        submit(particle_filter, documents, 10_000 + k)
    for k in range(count - max_in_flight):
        del documents[10_000 + k]
    probe = StalenessProbe(particle_filter, documents, floor_s=FLOOR_S)
    prove(probe, documents, 100.0)
    assert list(deadlines(probe, documents).values()) == [deadline_s]


def test_proofs_are_not_wanted_within_the_floor(particle_filter: ParticleFilter) -> None:
    documents: dict[int, OutstandingDocument] = {}
    for number in range(300, 400):
        submit(particle_filter, documents, number, at_s=99.9)
    probe = StalenessProbe(particle_filter, documents, floor_s=FLOOR_S)
    prove(probe, documents, 100.0)
    assert list(deadlines(probe, documents).values()) == [101.0]


def test_there_is_no_staleness_probe_where_nothing_is_out(particle_filter: ParticleFilter) -> None:
    probe = StalenessProbe(particle_filter, {}, floor_s=FLOOR_S)
    assert probe.choose(100.0) is None


def test_who_is_planned_for_later_than_the_batch_can_wait_is_planned_again(
    particle_filter: ParticleFilter, documents: dict[int, OutstandingDocument]
) -> None:
    bounds = PollBounds(particle_filter, documents, floor_s=FLOOR_S)
    documents[446].unfinished_at_s = 100.0
    bounds.unfinished(documents[446], 100.0)
    watched = bounds.answered(100.0)
    assert 50 in watched  # the oldest unpolled
    assert len(watched) == 2
    for document in documents.values():
        document.next_check_at_s = 120.0
    assert bounds.answered(101.0) == set()
    documents[50].next_check_at_s = 10_000.0
    assert bounds.answered(102.0) == {50}
    documents[50].next_check_at_s = 120.0
    del documents[50]
    assert bounds.answered(103.0) == {54}  # now the oldest unpolled
    assert bounds.answered(104.0) == set()


def at(moment_s: float) -> list[CompletionSample]:
    return [CompletionSample(moment_s + each, 0.1) for each in (-1.0, 0.0, 9_000.0)]


def test_some_are_polled_early_and_fewer_once_two_polls_came_too_early(
    particle_filter: ParticleFilter,
) -> None:
    documents: dict[int, OutstandingDocument] = {}
    samples = [CompletionSample(float(k), 0.1) for k in range(100)]
    for number in range(30):
        submit(particle_filter, documents, number + 1)
    exploration = Exploration(particle_filter)

    def probes() -> dict[int, float]:
        moments = {each.sequence: exploration.probe_s(each, samples) for each in documents.values()}
        return {number: at_s for number, at_s in moments.items() if at_s < math.inf}

    assert probes() == dict.fromkeys((0, 1, 2, 4, 8, 12, 16, 20, 24, 28), 40.0)
    exploration.failed()
    assert probes()[4] == 40.0
    exploration.failed()
    assert probes() == dict.fromkeys((0, 1, 2, 14, 28), 75.0)


def test_a_wait_is_at_most_five_times_the_expected_one(
    particle_filter: ParticleFilter, documents: dict[int, OutstandingDocument]
) -> None:
    bounds = PollBounds(particle_filter, documents, floor_s=FLOOR_S)
    document = documents[446]
    assert bounds.latest_s(document, at(1_000.0)) == 5_000.0
    assert bounds.latest_s(document, at(0.0)) == 5.0 * particle_filter.mean_s
    document.unfinished_at_s = 400.0
    assert bounds.latest_s(document, at(1_400.0)) == 400.0 + 5.0 * 1_000.0 + 0.3 * 400.0


def test_a_batch_is_silent_for_three_services_at_most(
    particle_filter: ParticleFilter, documents: dict[int, OutstandingDocument]
) -> None:
    bounds = PollBounds(particle_filter, documents, floor_s=FLOOR_S)
    silent_s = 3.0 * particle_filter.mean_s
    assert bounds.latest_s(documents[50], at(1e6)) == silent_s
    bounds.answered(1_000.0)
    assert bounds.latest_s(documents[50], at(1e6)) == 1_000.0 + silent_s
    documents[50].overtaken = True
    assert bounds.latest_s(documents[50], at(1e6)) > 1e6
    assert bounds.latest_s(documents[54], at(1e6)) == 1_000.0 + silent_s
    for document in documents.values():
        document.unfinished_at_s = 900.0
    documents[62].submitted_at_s, documents[62].unfinished_at_s = -10_000.0, 800.0
    assert bounds.latest_s(documents[62], at(1e6)) == 800.0 + 0.3 * 10_800.0 + FLOOR_S


def test_the_longer_a_document_is_worked_on_the_rarer_it_is_polled(
    particle_filter: ParticleFilter,
) -> None:
    bounds = PollBounds(particle_filter, {}, floor_s=FLOOR_S)
    document = submit(particle_filter, {}, 100)
    assert bounds.earliest_s(document, 5.0) == 5.0
    document.unfinished_at_s = 1_000.0  # it waited in the queue till then, for all that is known
    assert bounds.earliest_s(document, 1_000.0) == 1_000.0 + FLOOR_S
    document.processing_since_s, document.unfinished_at_s = 1_000.0, 3_000.0
    assert bounds.earliest_s(document, 3_000.0) == pytest.approx(3_040.0)
    assert bounds.earliest_s(document, 9_000.0) == 9_000.0


def test_what_has_outlived_all_others_lasts_as_long_again_as_likely_as_not(
    particle_filter: ParticleFilter,
) -> None:
    document = submit(particle_filter, {}, 100)
    document.unfinished_at_s = 1e6
    particle = particle_filter.sample()[5]
    assert particle_filter.forecast.end_s(particle, document) == pytest.approx(2e6)
    sooner, later = particle_filter.forecast.ends_s(particle, document, (0.25, 0.75))
    assert (sooner, later) == pytest.approx((1e6 + 1e6 / 3.0, 4e6))


def test_answers_are_taken_for_what_they_say_of_the_document() -> None:
    policy = Predictive(Random(1), max_in_flight=1_000)
    policy.remaining(0)
    for number in range(100):
        policy.submitted(number, at_s=0.0, size_bytes=600_000, pages=20)
    policy.answered(1, Answer.PENDING, at_s=5.0)
    policy.answered(1, Answer.PROCESSING, at_s=6.0)
    policy.answered(1, Answer.PROCESSING, at_s=8.0)
    assert policy._documents[1].processing_since_s == 6.0
    policy.answered(50, Answer.PROCESSING, at_s=9.0)
    policy.answered(0, Answer.PENDING, at_s=30.0)  # overtaken: it speaks for nobody
    assert policy._bounds._probe._proved_s == 9.0


@pytest.mark.usefixtures("unmeasured")
def test_in_the_end_the_last_is_planned_again_with_each_answer_also_in_a_great_batch() -> None:
    known = [Observation(pages=20.0, low_s=29.0, high_s=30.0, servers=1_000)] * 100
    policy = Predictive(Random(1), max_in_flight=1_000, known=known)
    policy.remaining(0)
    for number in range(100):
        policy.submitted(number, at_s=0.0, size_bytes=600_000, pages=20)
    policy.submitted(100, at_s=0.0, size_bytes=60_000_000, pages=2_000)
    for number in range(101):
        policy.plan_poll(number, now_s=0.0)
    for number in range(3):
        policy.answered(number, Answer.PROCESSING, at_s=20.0)
    assert 100 in policy.answered(3, Answer.ENDED, at_s=40.0)
    assert 100 in policy.answered(4, Answer.ENDED, at_s=41.0)


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("trace", "seed", "count"),
    [("stops", 3, 1_000), ("first-fast-queue", 74, 60), ("hung", 6, 1_000)],
)
def test_batches_that_were_once_polled_far_too_late(trace: str, seed: int, count: int) -> None:
    score = runs.score(trace, [seed], runs.cold(64), count=count, max_in_flight=64)
    assert score.mean_makespan <= 1.2
    assert score.mean_calls <= 2.3
