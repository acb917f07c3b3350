"""The parts of the predictive policy, each with what stands in its stead when it is left out.

A part is left out by replacing methods and constants of the package for the time of a run:
production code knows no such switches.
"""

# ruff: noqa: SLF001  # what is replaced, and what stands in its stead, is private

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.polling import (
    delay_cost,
    exploration,
    forecast,
    particle_factory,
    particle_filter,
    poll_bounds,
    poll_time,
    predictive,
    queue_model,
    resampling,
    residuals,
    service_time,
    staleness_probe,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batch_converter.polling.delay_cost import DelayCost
    from batch_converter.polling.forecast import Forecast
    from batch_converter.polling.outstanding import OutstandingDocument
    from batch_converter.polling.particle import Particle
    from batch_converter.polling.particle_factory import ParticleFactory
    from batch_converter.polling.particle_filter import ParticleFilter
    from batch_converter.polling.poll_bounds import PollBounds
    from batch_converter.polling.poll_time import CompletionSample
    from batch_converter.polling.predictive import Predictive
    from batch_converter.polling.service_time import ServiceTimes


@dataclass(frozen=True, slots=True)
class Replacement:
    """An attribute of a class or module, and what it is instead."""

    owner: object
    name: str
    value: object


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the policy that can be left out.

    Attributes:
        does: What it is for, in a line.
        replacements: What is changed while it is left out.
    """

    does: str
    replacements: tuple[Replacement, ...]


@contextmanager
def left_out(names: Iterable[str]) -> Iterator[None]:
    """Leave these parts out of every policy, until the context is left."""
    replacements = [each for name in names for each in PARTS[name].replacements]
    before = [(each, vars(each.owner)[each.name]) for each in replacements]
    for each in replacements:
        setattr(each.owner, each.name, each.value)
    try:
        yield
    finally:
        for each, value in reversed(before):
            setattr(each.owner, each.name, value)


def _never(*_: object) -> float:
    return math.inf


def _no(*_: object) -> bool:
    return False


def _none(*_: object) -> None:
    return None


def _one(*_: object) -> float:
    return 1.0


def _for_the_batch_alone(
    self: PollBounds, document: OutstandingDocument, _: Sequence[CompletionSample]
) -> float:
    return self._watched_s(document)


def _due_next_if_faster(self: Predictive, document_id: int, at_s: float) -> Iterable[int]:
    if not self._is_faster(at_s):
        return ()
    waiting = sorted(
        (document.next_check_at_s, number)
        for number, document in self._documents.items()
        if number != document_id
    )
    return [number for _, number in waiting[: predictive._WOKEN]]


def _price_before_the_end(
    self: DelayCost,
    _: int,
    particle: Particle,
    document: OutstandingDocument,
    documents: Mapping[int, OutstandingDocument],
    now_s: float,
) -> tuple[float, float, float]:
    return self._price(particle, document, len(documents), now_s)


def _from_submission(
    self: DelayCost,  # noqa: ARG001  # the method's
    particle: Particle,  # noqa: ARG001  # the method's
    document: OutstandingDocument,
) -> float:
    return document.submitted_at_s


def _shape_kept(self: ServiceTimes) -> float:
    return self._flat_pages


def _shape_alone(self: ServiceTimes) -> bool:
    before = self._flat_pages
    if self._seen >= service_time._FIRST_SHAPE:
        self._flat_pages = self._best_shape()
    return self._flat_pages != before


def _planned_once(
    self: Predictive,
    document: OutstandingDocument,
    samples: list[CompletionSample],
    earliest_s: float,
) -> float:
    """Plan as the method does, but return the plan itself, never a sooner moment."""
    check_s = max(earliest_s, self._exploration.idle_queue_check_s(document))
    if check_s < samples[0].at_s:
        return check_s
    poll_s = poll_time.cheapest_poll_time_s(samples, not_before_s=earliest_s, floor_s=self._floor_s)
    if document.unfinished_at_s is None:
        poll_s = max(earliest_s, min(poll_s, self._exploration.probe_s(document, samples)))
    return poll_s


def _polled_as_planned(self: Predictive, document_id: int, *, now_s: float) -> float:
    """Spend the call at the moment of the plan, whatever was answered meanwhile."""
    document = self._documents[document_id]
    if document.next_check_at_s <= now_s and not document.overtaken:
        return now_s
    earliest_s = self._bounds.earliest_s(document, now_s)
    if document.overtaken:
        return max(earliest_s, document.next_check_at_s)
    if self._is_instant():
        if document.unfinished_at_s is not None:
            return earliest_s
        return max(earliest_s, self._instant_s(document))
    samples = self._delay_cost.samples(document, self._documents, now_s)
    planned_s = _planned_once(self, document, samples, earliest_s)
    latest_s = self._bounds.latest_s(document, samples)
    document.next_check_at_s = max(min(planned_s, latest_s), earliest_s)
    return document.next_check_at_s


def _polled_twice_at_most(
    samples: Sequence[CompletionSample],
    *,
    not_before_s: float,
    floor_s: float,  # noqa: ARG001  # the function's
) -> float:
    """Choose the moment as if whoever is unfinished then cost one call more and no delay."""
    count = len(samples)
    polls = [max(sample.at_s, not_before_s) for sample in samples]
    costs = poll_time._DelayCosts(samples, polls)
    return min((costs.of(0, j) + count - j - 1, polls[j]) for j in range(count))[1]


def _at_nine_tenths(
    samples: Sequence[CompletionSample],
    *,
    not_before_s: float,
    floor_s: float,  # noqa: ARG001  # the function's
) -> float:
    return max(not_before_s, samples[int(0.9 * len(samples))].at_s)


def _mean_price(
    self: DelayCost,
    left_s: float,  # the method's
    particle: Particle,  # noqa: ARG001  # the method's
    now_s: float,
) -> float:
    """Price a second for all particles alike."""
    mean_s, servers = self._filter.mean_s, self._filter.servers
    out = min(self._submitted, self._forecast.max_in_flight)
    left_s = ((self.remaining or 0) + out) * mean_s / max(1, min(servers, self._total))
    makespan_s = now_s - self._first_s + max(left_s, mean_s)
    return self._calls_per_halved_makespan * self._total / makespan_s


def _sampled_by_chance(self: ParticleFilter) -> Sequence[Particle]:
    return self._random.sample(self._particles, particle_filter.SAMPLED)


def _ends_as_of_any_other(
    self: Forecast, particle: Particle, document: OutstandingDocument, shares: Sequence[float]
) -> list[float]:
    seen, start = document.unfinished_at_s, self.start_s(particle, document)
    usual_s = document.relative_work * particle.typical_s
    known = self.outlived(particle, document)
    ends = []
    for share in shares:
        end = start + usual_s * self.times.residuals.factor(known + (1.0 - known) * share)
        ends.append(end if seen is None or end > seen else seen + forecast._OVERDUE_WAIT * usual_s)
    return ends


def _start_by_the_queue(self: Forecast, particle: Particle, document: OutstandingDocument) -> float:
    index = particle.queue_index
    if index is None:
        return document.submitted_at_s
    ahead = document.queue_starts[index] - particle.work_done
    return max(self.at_s + ahead / particle.work_per_s, document.submitted_at_s)


def _any_number_of_servers(self: ParticleFactory) -> int | None:
    count = len(self._forecast.queue.servers)
    if not count or self._random.random() < particle_factory._UNQUEUED_SHARE:
        return None
    return self._random.randrange(count)


def _part(does: str, *replacements: tuple[object, str, object]) -> Part:
    return Part(does, tuple(Replacement(*each) for each in replacements))


_BOUNDS: Final = poll_bounds.PollBounds
_COST: Final = delay_cost.DelayCost
_FACTORY: Final = particle_factory.ParticleFactory
_FILTER: Final = particle_filter.ParticleFilter
_FORECAST: Final = forecast.Forecast
_PREDICTIVE: Final = predictive.Predictive
_TIMES: Final = service_time.ServiceTimes
_EXPLORATION: Final = exploration.Exploration

PARTS: Final[Mapping[str, Part]] = {
    "staleness-probe": _part(
        "one document is polled by a deadline", (staleness_probe.StalenessProbe, "choose", _none)
    ),
    "oldest-unpolled": _part(
        "the oldest document is polled when the batch falls silent",
        (_BOUNDS, "_oldest_unpolled", _none),
    ),
    "longest-wait": _part(
        "no wait is longer than five expected ones", (_BOUNDS, "latest_s", _for_the_batch_alone)
    ),
    "spacing": _part(
        "the longer a document is worked on, the rarer it is polled",
        (poll_bounds, "_SPACING_SHARE", 0.0),
    ),
    "probes": _part("some documents are polled early, to learn", (_EXPLORATION, "probe_s", _never)),
    "idle-queue-check": _part(
        "one document in 64 is polled as if nobody queued",
        (_EXPLORATION, "idle_queue_check_s", _never),
    ),
    "overtaken": _part(
        "who was overtaken in the queue says nothing of it", (_PREDICTIVE, "_note_order", _none)
    ),
    "outliers": _part("who outlives nearly all proves nothing", (_FILTER, "is_outlier", _no)),
    "instant-path": _part(
        "no plan where the service is instant", (_PREDICTIVE, "_is_instant", _no)
    ),
    "wake-faster": _part(
        "who is due next is planned again when the service is faster",
        (_PREDICTIVE, "_is_faster", _no),
    ),
    "wake-end": _part(
        "in the end the last is planned again with each answer",
        (_PREDICTIVE, "_sooner", _due_next_if_faster),
    ),
    "wake-few": _part("in the end all are, once 16 are left", (predictive, "_FEW", 0)),
    "end-price": _part(
        "in the end only the last is waited for", (_COST, "_price_at_end", _price_before_the_end)
    ),
    "queue-need": _part(
        "a place is needed only when the queue runs dry", (_COST, "_needed_s", _from_submission)
    ),
    "queue-discount": _part(
        "a place in a queue is worth a tenth", (delay_cost, "_QUEUE_NEED", 1.0)
    ),
    "unneeded-price": _part(
        "a place that nobody needs costs a thousandth",
        (delay_cost, "_UNNEEDED", 1e-9),
        (delay_cost, "_UNNEEDED_AT_END", 1e-9),
    ),
    "own-price": _part(
        "each particle prices a second itself", (_COST, "_calls_per_s", _mean_price)
    ),
    "scatter": _part("a surprise scatters the particles", (_FILTER, "_scatter", _none)),
    "drift": _part("speeds may change with time", (resampling, "_DRIFT_PER_S", 0.0)),
    "pull": _part("particles are pulled to a busy server's speed", (resampling, "_PULL", 0.0)),
    "forgetting": _part("a few particles begin anew", (resampling, "_FORGETS", 0.0)),
    "stepping-aside": _part(
        "some take another number of servers", (resampling, "_STEPS_ASIDE", 0.0)
    ),
    "doubt": _part("any answer is a little likely", (particle_filter, "_UNFORESEEN", 0.0)),
    "uneven-work": _part("servers work unevenly", (particle_filter, "_UNEVEN", 0.0)),
    "sure-answers": _part(
        "an answer that all foresaw draws nothing anew", (particle_filter, "_SURE", 1.1)
    ),
    "even-sample": _part(
        "ten particles stand evenly for all", (_FILTER, "sample", _sampled_by_chance)
    ),
    "learned-shape": _part("how pages count is learned", (_TIMES, "_best_shape", _shape_kept)),
    "learned-residuals": _part(
        "the spread about the line is learned", (_TIMES, "refit", _shape_alone)
    ),
    "any-multiple": _part("a few take any multiple", (residuals, "_ANY_SHARE", 0.0)),
    "as-long-again": _part(
        "who outlives nearly all lasts as long again", (_FORECAST, "ends_s", _ends_as_of_any_other)
    ),
    "queue-position": _part(
        "who has a server at once does not queue", (_FORECAST, "start_s", _start_by_the_queue)
    ),
    "queue-model": _part("documents may queue", (queue_model, "SERVER_COUNTS", ())),
    "queue-memory": _part(
        "what was seen of a queue tells new particles",
        (_FACTORY, "_any_index", _any_number_of_servers),
    ),
    "page-weights": _part("more pages take longer", (service_time, "_relative_work", _one)),
    "replanning": _part(
        "a plan is made again before its moment", (_PREDICTIVE, "_planned_s", _planned_once)
    ),
    "late-binding": _part(
        "a plan is made again before a call is spent",
        (_PREDICTIVE, "plan_poll", _polled_as_planned),
    ),
    "dynamic-program": _part(
        "that one may poll again later counts",
        (predictive, "cheapest_poll_time_s", _polled_twice_at_most),
    ),
    "pricing": _part(
        "calls and delays are weighed (instead: nine tenths)",
        (predictive, "cheapest_poll_time_s", _at_nine_tenths),
    ),
}
"""By name. (Where two parts share a replacement, they cannot be left out together.)"""
