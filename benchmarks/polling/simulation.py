"""A batch against a simulated service, event by event, on a simulated clock."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_converter.polling import Answer

if TYPE_CHECKING:
    from batch_converter.polling import PollPolicy
    from benchmarks.polling.traces import Job, Trace

SUBMIT_S: Final = 0.2
POLL_S: Final = 0.05
MAX_SUBMISSIONS: Final = 8
TASK_TIMEOUT_S: Final = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run cost.

    Attributes:
        longest_silence_s: The longest time without any poll while work was out.
        longest_wait_s: The longest time between two polls of one document.
    """

    documents: int
    calls: int
    makespan_s: float
    longest_delay_s: float
    longest_silence_s: float
    shortest_gap_s: float

    @property
    def calls_per_document(self) -> float:
        return self.calls / self.documents


class Service:
    """Knows when each document will be started and done, at its submission."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._free = [0.0] * (trace.servers or 0)
        self.start_s: dict[int, float] = {}
        self.done_s: dict[int, float] = {}

    def submit(self, number: int, job: Job, at_s: float) -> None:
        speed = self._trace.speed
        if number in self._trace.stuck:
            self.start_s[number] = self.done_s[number] = float("inf")
            return
        if number in self._trace.hung:
            self.start_s[number], self.done_s[number] = at_s, float("inf")
            return
        start = speed.work_at(at_s)
        if self._free:
            start = max(start, heapq.heappop(self._free))
            heapq.heappush(self._free, start + job.service_s)
        self.start_s[number] = speed.time_of(start)
        self.done_s[number] = speed.time_of(start + job.service_s)

    def ask(self, number: int, at_s: float) -> Answer:
        if at_s < self.start_s[number]:
            return Answer.PENDING
        return Answer.PROCESSING if at_s < self.done_s[number] else Answer.ENDED


@dataclass(slots=True)
class Simulation:
    """One run; `run` returns what it cost.

    With `policy` None an oracle asks each document at the moment of completion.
    """

    trace: Trace
    policy: PollPolicy | None
    max_in_flight: int
    task_timeout_s: float = TASK_TIMEOUT_S * 24
    _service: Service = field(init=False)
    _events: list[tuple[float, int, str, int]] = field(init=False, default_factory=list)
    _serial: int = field(init=False, default=0)
    _next: int = field(init=False, default=0)
    _out: int = field(init=False, default=0)
    _uploading: int = field(init=False, default=0)
    _version: dict[int, int] = field(init=False, default_factory=dict)
    _submitted_s: dict[int, float] = field(init=False, default_factory=dict)
    _polled_s: dict[int, float] = field(init=False, default_factory=dict)
    _asking: set[int] = field(init=False, default_factory=set)
    calls: int = field(init=False, default=0)
    _ended_s: float = field(init=False, default=0.0)
    _delays: list[float] = field(init=False, default_factory=list)
    _last_poll_s: float = field(init=False, default=0.0)
    _silence_s: float = field(init=False, default=0.0)
    _gap_s: float = field(init=False, default=float("inf"))

    def __post_init__(self) -> None:
        self._service = Service(self.trace)

    def run(self) -> Outcome:
        self._admit(0.0)
        while self._events:
            at_s, _, kind, number = heapq.heappop(self._events)
            if kind == "submitted":
                self._on_submitted(number, at_s)
            elif kind == "answered":
                self._on_answered(number, at_s)
            elif kind == "timeout":
                self._on_timeout(number, at_s)
            elif int(kind) == self._version.get(number):
                self._plan(number, at_s)
        return Outcome(
            documents=len(self.trace.jobs),
            calls=self.calls,
            makespan_s=self._ended_s,
            longest_delay_s=max(self._delays, default=0.0),
            longest_silence_s=self._silence_s,
            shortest_gap_s=self._gap_s,
        )

    def _push(self, at_s: float, kind: str, number: int) -> None:
        self._serial += 1
        heapq.heappush(self._events, (at_s, self._serial, kind, number))

    def _admit(self, now_s: float) -> None:
        while (
            self._next < len(self.trace.jobs)
            and self._out < self.max_in_flight
            and self._uploading < MAX_SUBMISSIONS
        ):
            self._out += 1
            self._uploading += 1
            self.calls += 1
            self._push(now_s + SUBMIT_S, "submitted", self._next)
            self._next += 1

    def _on_submitted(self, number: int, at_s: float) -> None:
        self._uploading -= 1
        job = self.trace.jobs[number]
        self._service.submit(number, job, at_s)
        self._submitted_s[number] = at_s
        self._version[number] = 0
        self._push(at_s + self.task_timeout_s, "timeout", number)
        if self.policy is None:
            if self._service.done_s[number] < float("inf"):
                self._ask(number, self._service.done_s[number])
        else:
            self.policy.remaining(len(self.trace.jobs) - self._next + self._uploading)
            self.policy.submitted(number, at_s=at_s, size_bytes=job.size_bytes, pages=job.pages)
            self._plan(number, at_s)
        self._admit(at_s)

    def _plan(self, number: int, now_s: float) -> None:
        assert self.policy is not None  # noqa: S101  # the oracle plans nothing
        due_s = self.policy.plan_poll(number, now_s=now_s)
        self._version[number] += 1
        if due_s <= now_s:
            self._ask(number, now_s)
        else:
            self._push(due_s, str(self._version[number]), number)

    def _ask(self, number: int, at_s: float) -> None:
        self.calls += 1
        last_s = self._polled_s.get(number)
        if last_s is not None:
            self._gap_s = min(self._gap_s, at_s - last_s)
        self._polled_s[number] = at_s
        self._silence_s = max(self._silence_s, at_s - self._last_poll_s)
        self._last_poll_s = at_s
        self._asking.add(number)
        self._push(at_s + POLL_S, "answered", number)

    def _on_answered(self, number: int, at_s: float) -> None:
        self._asking.discard(number)
        if number not in self._version:
            return
        answer = self._service.ask(number, at_s - POLL_S + 1e-6)
        if answer is Answer.ENDED:
            del self._version[number]
            self._out -= 1
            self._ended_s = max(self._ended_s, at_s)
            self._delays.append(at_s - POLL_S - self._service.done_s[number])
            self._admit(at_s)
        if self.policy is None:
            return
        woken = self.policy.answered(number, answer, at_s=at_s)
        if answer is not Answer.ENDED:
            self._plan(number, at_s)
        for other in woken:
            if other in self._version and other not in self._asking:
                self._plan(other, at_s)

    def _on_timeout(self, number: int, at_s: float) -> None:
        if number not in self._version:
            return
        del self._version[number]
        self._out -= 1
        self._ended_s = max(self._ended_s, at_s)
        if self.policy is not None:
            self.policy.forget(number)
        self._admit(at_s)
