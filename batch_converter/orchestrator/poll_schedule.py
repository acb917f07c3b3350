"""When the tasks of a run are asked for: the policy, and who waits for what it says."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_converter.clock import Clock
    from batch_converter.engines.base import SourceDocument
    from batch_converter.polling import Answer, Observation, PollPolicy


class PollSchedule:
    """Tells each task when to ask, and wakes it where its plan moves earlier.

    Args:
        policy: Plans.
        clock: The time.
        max_pollers: Status requests at once.
    """

    def __init__(self, policy: PollPolicy, clock: Clock, *, max_pollers: int) -> None:
        self._policy = policy
        self._clock = clock
        self._planned: dict[int, PlannedTask] = {}
        self.pollers = anyio.Semaphore(max_pollers, fast_acquire=True)

    def remaining(self, count: int | None) -> None:
        """Tell the policy how many documents are still to be submitted."""
        self._policy.remaining(count)

    def observations(self) -> Sequence[Observation]:
        """Return what this run has taught, for the policy of the next one."""
        return self._policy.observations()

    @contextmanager
    def task(self, source: SourceDocument, *, age_s: float) -> Iterator[PlannedTask]:
        """Plan a task that was submitted `age_s` seconds ago, for as long as it is out."""
        planned = PlannedTask(number=source.number, schedule=self)
        self._planned[source.number] = planned
        self._policy.submitted(
            source.number,
            at_s=self._clock.monotonic_s() - age_s,
            size_bytes=source.size_bytes,
            pages=source.pages,
        )
        try:
            yield planned
        finally:
            self._policy.forget(source.number)
            del self._planned[source.number]

    def plan_poll(self, task: PlannedTask) -> float:
        """Plan the task's next poll; returns its moment, the past for at once."""
        return self._policy.plan_poll(task.number, now_s=self._clock.monotonic_s())

    def answered(self, task: PlannedTask, answer: Answer) -> None:
        """Tell the policy what was answered, and wake whom that concerns."""
        at_s = self._clock.monotonic_s()
        for number in self._policy.answered(task.number, answer, at_s=at_s):
            if other := self._planned.get(number):
                other.wake.set()


@dataclass(slots=True, kw_only=True, eq=False)
class PlannedTask:
    """A task that is out at the service and is asked for as the schedule says."""

    number: int
    schedule: PollSchedule
    wake: anyio.Event = field(default_factory=anyio.Event)

    def plan_poll(self) -> float:
        """Plan the next poll; returns its moment, the past for at once."""
        return self.schedule.plan_poll(self)

    def fresh_wake(self) -> anyio.Event:
        """Return an event that is set when the plan moves earlier from now on."""
        self.wake = anyio.Event()
        return self.wake

    def answered(self, answer: Answer) -> None:
        """Say what was answered."""
        self.schedule.answered(self, answer)
