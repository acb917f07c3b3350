"""The policy that learns the service and polls when the answer is worth its price."""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import TYPE_CHECKING, Final

from batch_converter.polling.base import Answer
from batch_converter.polling.delay_cost import DelayCost
from batch_converter.polling.exploration import Exploration
from batch_converter.polling.forecast import Forecast
from batch_converter.polling.outstanding import OutstandingDocument
from batch_converter.polling.particle_filter import ParticleFilter
from batch_converter.polling.poll_bounds import PollBounds
from batch_converter.polling.poll_time import cheapest_poll_time_s
from batch_converter.polling.queue_model import QueueModel
from batch_converter.polling.service_time import Observation, ServiceTimes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from random import Random

    from batch_converter.polling.poll_time import CompletionSample

_PRIOR_S: Final = 7.5
_PRIOR_SPREAD: Final = 1.3
"""A document takes the 5 to 10 s of the vendor's tutorial, give or take a factor of four."""
_WARM_SPREAD: Final = 0.4
"""Spread of the logarithm about what an earlier run learned: a factor of one and a half."""
_UNBOUNDED_LOG_S: Final = 0.1
"""An observation that only says by when a document was done is taken to be so much longer
than the document took, as a logarithm."""
_OVERTAKEN_AGE: Final = 0.5
"""An overtaken document is polled after so much of its age."""
_EARLIER: Final = 0.7
_EARLIER_WAIT: Final = 0.6
"""Shares of the wait for the first likely moment, and for the plan, after which the plan is
made again: the answers till then help ..."""
_LEAST_EARLIER: Final = 0.1
_LEAST_EARLIER_WAIT: Final = 0.25
"""... but not sooner than these shares of a document's time."""
_FASTER: Final = 0.15
"""The service is faster where its times' logarithm has fallen by so much, since the last
time that ..."""
_WOKEN: Final = 64
"""... so many were planned again for it, ..."""
_WOKEN_REST: Final = 0.1
"""... which is not done again within so much of a document's time."""
_FEW: Final = 16
"""In the end all documents are planned again with each answer, once so few are left."""
_REMEMBERED: Final = 200
_INSTANT_S: Final = 0.1
_INSTANT_SHARE: Final = 1.5
_INSTANT_PROBE: Final = 0.3
_INSTANT_LESSONS: Final = 16
"""Where a document takes less than this it is polled after so many times its time; one in
so many is polled earlier, and is learned from."""


class Predictive:
    """Polls when the document is expected to be done, learned from all answers.

    It alone changes the outstanding documents; what it is made of reads them.

    Args:
        random: The only source of chance; the same seed gives the same plans.
        max_in_flight: How many documents may be out at once.
        floor_s: No document is polled twice within so many seconds.
        known: Observations of earlier runs, oldest first.
        calls_per_halved_makespan: Calls a document that would be paid to halve the
            makespan. More polls more often and sooner.
    """

    def __init__(
        self,
        random: Random,
        *,
        max_in_flight: int,
        floor_s: float = 1.0,
        known: Sequence[Observation] = (),
        calls_per_halved_makespan: float = 4.5,
    ) -> None:
        self._floor_s = floor_s
        self._times = ServiceTimes()
        self._forecast = Forecast(
            self._times,
            QueueModel(max_in_flight=max_in_flight),
            max_in_flight=max_in_flight,
        )
        self._filter = self._make_filter(random, known)
        self._delay_cost = DelayCost(
            self._filter, calls_per_halved_makespan=calls_per_halved_makespan
        )
        self._exploration = Exploration(self._filter)
        self._documents: dict[int, OutstandingDocument] = {}
        self._bounds = PollBounds(self._filter, self._documents, floor_s=floor_s)
        self._furthest_served = -1
        self._woken_log_s = self._filter.log_typical_s
        self._woken_s = -math.inf
        self._learned: deque[Observation] = deque(maxlen=_REMEMBERED)

    def _make_filter(self, random: Random, known: Sequence[Observation]) -> ParticleFilter:
        if not known:
            return ParticleFilter(self._forecast, random, typical_s=_PRIOR_S, spread=_PRIOR_SPREAD)
        log_typical_s = self._median_log_s(known)
        for each in known:
            self._times.learn(
                pages=each.pages,
                low_s=each.low_s,
                high_s=each.high_s,
                log_typical_s=log_typical_s,
            )
        self._times.refit()
        return ParticleFilter(
            self._forecast,
            random,
            typical_s=math.exp(log_typical_s),
            spread=_WARM_SPREAD,
            servers=sorted(each.servers for each in known)[len(known) // 2],
        )

    def _median_log_s(self, known: Sequence[Observation]) -> float:
        """Return the median of what the observations say of a typical document."""
        middles = sorted(
            math.log(each.high_s / self._times.relative_work(each.pages))
            - (0.5 * math.log(each.high_s / each.low_s) if each.low_s > 0.0 else _UNBOUNDED_LOG_S)
            for each in known
        )
        return middles[len(middles) // 2]

    def observations(self) -> tuple[Observation, ...]:
        """What this run has learned, oldest first; at most 200, for a later run's `known`."""
        return tuple(self._learned)

    def remaining(self, count: int | None) -> None:
        """Take in how many documents are still to be submitted."""
        self._delay_cost.remaining = count

    def submitted(
        self, document_id: int, *, at_s: float, size_bytes: int, pages: int | None
    ) -> None:
        """Put the document at the end of the queue."""
        known_pages = self._times.pages_of(pages, size_bytes)
        relative_work = self._times.relative_work(known_pages)
        sequence = len(self._forecast.queue)
        self._documents.pop(document_id, None)
        self._documents[document_id] = OutstandingDocument(
            document_id=document_id,
            sequence=sequence,
            submitted_at_s=at_s,
            pages=known_pages,
            relative_work=relative_work,
            queue_starts=self._filter.submit(relative_work, at_s),
            queue_position=len(self._documents) + 1,
        )
        self._delay_cost.submitted()

    def plan_poll(self, document_id: int, *, now_s: float) -> float:
        """Plan the document's next poll; returns its moment, or a sooner one to plan it again."""
        document = self._documents[document_id]
        earliest_s = self._bounds.earliest_s(document, now_s)
        if document.overtaken:
            return max(earliest_s, document.next_check_at_s)
        if self._is_instant():
            if document.unfinished_at_s is not None:
                return earliest_s
            return max(earliest_s, self._instant_s(document))
        samples = self._delay_cost.samples(document, self._documents, now_s)
        planned_s = self._planned_s(document, samples, earliest_s)
        latest_s = self._bounds.latest_s(document, samples)
        document.next_check_at_s = max(min(planned_s, latest_s), earliest_s)
        return document.next_check_at_s

    def _is_instant(self) -> bool:
        """Return whether planning would take longer than the service does."""
        particle_filter = self._filter
        return (
            particle_filter.mean_s < _INSTANT_S
            and particle_filter.servers >= self._forecast.max_in_flight
        )

    def _instant_s(self, document: OutstandingDocument) -> float:
        """Return when to poll without a plan: late enough, and sometimes early, to learn."""
        lesson = document.sequence % _INSTANT_LESSONS == 0
        likely_s = document.relative_work * self._filter.mean_s / self._forecast.mean_work
        share = _INSTANT_PROBE if lesson else _INSTANT_SHARE
        return document.submitted_at_s + share * likely_s

    def _planned_s(
        self, document: OutstandingDocument, samples: list[CompletionSample], earliest_s: float
    ) -> float:
        """Return when to poll, or sooner, when to plan again: the answers till then help."""
        mean_s = self._filter.mean_s
        check_s = max(earliest_s, self._exploration.idle_queue_check_s(document))
        if check_s < samples[0].at_s:
            return check_s
        soonest = samples[0].at_s - earliest_s
        if soonest > _LEAST_EARLIER * mean_s:
            return earliest_s + max(_EARLIER * soonest, _LEAST_EARLIER * mean_s)
        poll_s = cheapest_poll_time_s(samples, not_before_s=earliest_s, floor_s=self._floor_s)
        if document.unfinished_at_s is None:
            poll_s = max(earliest_s, min(poll_s, self._exploration.probe_s(document, samples)))
        wait = poll_s - earliest_s
        return earliest_s + min(wait, max(_EARLIER_WAIT * wait, _LEAST_EARLIER_WAIT * mean_s))

    def answered(self, document_id: int, answer: Answer, *, at_s: float) -> Collection[int]:
        """Learn from the answer; returns the documents that had better be planned again."""
        document = self._documents.get(document_id)
        if document is None:
            return ()
        self._delay_cost.answered()
        self._note_order(document, answer)
        if not document.overtaken and (
            answer is not Answer.ENDED
            or document.sequence % _INSTANT_LESSONS == 0
            or not self._is_instant()
        ):
            self._learn(document, answer, at_s)
        if answer is Answer.ENDED:
            self._bounds.ended(document, at_s)
            self.forget(document_id)
        else:
            self._note_unfinished(document, answer, at_s)
        return self._woken(document_id, at_s)

    def _note_unfinished(self, document: OutstandingDocument, answer: Answer, at_s: float) -> None:
        self._exploration.failed()
        document.found_unfinished(answer, at_s)
        if not document.overtaken:
            document.outlier = self._filter.is_outlier(document)
            self._bounds.unfinished(document, at_s)
        age_s = at_s - document.submitted_at_s
        document.next_check_at_s = at_s + max(self._floor_s, _OVERTAKEN_AGE * age_s)

    def _note_order(self, document: OutstandingDocument, answer: Answer) -> None:
        """A document that still waits when later ones were served has lost its turn."""
        if answer is not Answer.PENDING:
            self._furthest_served = max(self._furthest_served, document.sequence)
        elif document.sequence < self._furthest_served:
            document.overtaken = True

    def _learn(self, document: OutstandingDocument, answer: Answer, at_s: float) -> None:
        self._filter.learn(document, answer, at_s)
        if answer is not Answer.ENDED:
            return
        interval = self._filter.service_interval_s(document, at_s)
        if interval is None:
            return
        low_s, high_s = interval
        log_typical_s, servers = self._filter.log_typical_s, self._filter.servers
        self._learned.append(
            Observation(pages=document.pages, low_s=low_s, high_s=high_s, servers=servers)
        )
        if self._times.learn(
            pages=document.pages, low_s=low_s, high_s=high_s, log_typical_s=log_typical_s
        ):
            self._weigh_again()

    def _weigh_again(self) -> None:
        """Give all that are out the work that the line's new shape has."""
        for document in self._documents.values():
            document.relative_work = self._times.relative_work(document.pages)

    def _woken(self, document_id: int, at_s: float) -> set[int]:
        """Choose whom to plan again at once: who had better be polled sooner than planned."""
        woken = set(self._sooner(document_id, at_s))
        if not self._is_instant():
            woken |= self._bounds.answered(at_s)
        return woken - {document_id}

    def _sooner(self, document_id: int, at_s: float) -> Iterable[int]:
        """Return who is due next where the service is faster than thought; in the end, the last."""
        ending = self._delay_cost.remaining == 0
        if self._is_faster(at_s) or (ending and len(self._documents) <= _FEW):
            waiting = [
                (document.next_check_at_s, number)
                for number, document in self._documents.items()
                if number != document_id
            ]
            return (number for _, number in heapq.nsmallest(_WOKEN, waiting))
        last = self._delay_cost.last(self._documents) if ending and not self._is_instant() else None
        return () if last is None else (last,)

    def _is_faster(self, at_s: float) -> bool:
        """Return whether the service has become faster, for the first time in a while."""
        log_typical_s = self._filter.log_typical_s
        rested = at_s - self._woken_s > _WOKEN_REST * self._filter.mean_s
        faster = rested and log_typical_s < self._woken_log_s - _FASTER
        if faster:
            self._woken_log_s, self._woken_s = log_typical_s, at_s
        self._woken_log_s = max(log_typical_s, self._woken_log_s)
        return faster

    def forget(self, document_id: int) -> None:
        """Drop the document."""
        self._documents.pop(document_id, None)
