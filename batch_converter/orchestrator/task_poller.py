"""From a task to its end: wait as planned, ask, listen, until the task timeout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.engines.base import Failed, Gone, NotReady, Ready
from batch_converter.errors import (
    BadResponseError,
    ConversionFailedError,
    ExpiredError,
    TaskTimeoutError,
)
from batch_converter.models import Phase
from batch_converter.polling import Answer

if TYPE_CHECKING:
    from datetime import timedelta

    from batch_converter.clock import Clock
    from batch_converter.engines.base import Fetched, PdfTarget, SourceDocument, TaskService
    from batch_converter.models import Task
    from batch_converter.orchestrator.admission import AdmissionTicket
    from batch_converter.orchestrator.calls import DocumentCalls
    from batch_converter.orchestrator.disk_room import DiskRoom
    from batch_converter.orchestrator.outcome import DocumentOutcome
    from batch_converter.orchestrator.poll_schedule import PlannedTask, PollSchedule

_PROCESSING: Final = "Processing"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPoller:
    """Polls for one task.

    Attributes:
        target: Where its PDF goes.
        disk_room: Where it could not be stored nobody asks: the answer would be paid in vain.
        timeout_s: How long it is waited for, from when that begins.
        is_of_this_run: It has just been submitted, whatever the time of day says by now: that may
            have stepped by days since.
    """

    service: TaskService
    source: SourceDocument
    task: Task
    target: PdfTarget
    calls: DocumentCalls
    schedule: PollSchedule
    disk_room: DiskRoom
    ticket: AdmissionTicket
    clock: Clock
    timeout_s: float
    is_of_this_run: bool
    outcome: DocumentOutcome

    async def until_ready(self) -> Ready:
        """Ask when the schedule says so, until the task has ended.

        Raises:
            ExpiredError: The service does not know the task (any more).
            ConversionFailedError: The service reports an error.
            BadResponseError: It answers what makes no sense.
            TaskTimeoutError: It is still not ready at the task timeout.
            BudgetSpentError: The next question is not in the budget.
            FileError: The question got no usable answer.
        """
        age_s = 0.0 if self.is_of_this_run else self._known_age_s()
        give_up_at_s = self.clock.monotonic_s() + self.timeout_s
        with self.schedule.task(self.source, age_s=age_s) as planned:
            while True:
                await self._wait(planned, give_up_at_s)
                fetched = await self._fetch()
                planned.answered(_progress(fetched))
                if not isinstance(fetched, NotReady):
                    return self._ended(fetched)
                if self.clock.monotonic_s() >= give_up_at_s:
                    raise self._timed_out(fetched)

    async def once_more(self) -> Ready:
        """Ask again, now, for a result that was there and could not be used.

        Raises:
            FileError: As `until_ready`.
        """
        return self._ended(await self._fetch())

    async def _fetch(self) -> Fetched:
        try:
            async with self.schedule.pollers:
                await self.disk_room.look(self.outcome.document)
                fetched = await self.service.fetch(
                    self.source, self.task.task_id, self.target, self.calls
                )
        finally:
            self.ticket.mark_polled()
        self.outcome.polled(self.task, _word(fetched))
        if isinstance(fetched, NotReady):
            self.outcome.phases.enter(Phase.AT_SERVICE)
            self.calls.promise_fetch()
        return fetched

    def _known_age_s(self) -> float:
        """Return the age of an earlier run's task, by the time of day; 0 if that has gone back.

        Raises:
            ExpiredError: Results are kept for so long only: the answer is known without asking.
        """
        task, now = self.task, self.clock.now()
        if task.expires_at is not None and task.is_expired(now):
            raise ExpiredError(
                f"task {task.task_id} is {_hours(now - task.submitted_at):.0f} hours old; the"
                f" service keeps results for {_hours(task.expires_at - task.submitted_at):g} hours"
            )
        return max(0.0, (now - task.submitted_at).total_seconds())

    async def _wait(self, planned: PlannedTask, give_up_at_s: float) -> None:
        while True:
            at_s = min(planned.plan_poll(), give_up_at_s)
            if at_s <= self.clock.monotonic_s():
                return
            await self.clock.wait_until(at_s, planned.fresh_wake())

    def _ended(self, fetched: Fetched) -> Ready:
        """Return the end that is wanted, raise any other."""
        match fetched:
            case Ready():
                return fetched
            case Failed(messages=messages):
                reasons = "; ".join(messages) or "no reason was given"
                raise ConversionFailedError(f"the service could not convert it: {reasons}")
            case NotReady(status=status):
                raise BadResponseError(
                    f"task {self.task.task_id} was Completed and is now {status}; the next run"
                    " asks again"
                )
            case Gone(status=status):
                raise ExpiredError(f"the service no longer has task {self.task.task_id} ({status})")

    def _timed_out(self, last: NotReady) -> TaskTimeoutError:
        return TaskTimeoutError(
            f"task {self.task.task_id} was still {last.status} after {self.timeout_s:g} s; the next"
            " run asks for it again, or raise --task-timeout"
        )


def _hours(duration: timedelta) -> float:
    return duration.total_seconds() / 3600


def _progress(fetched: Fetched) -> Answer:
    if not isinstance(fetched, NotReady):
        return Answer.ENDED
    return Answer.PROCESSING if fetched.status == _PROCESSING else Answer.PENDING


def _word(fetched: Fetched) -> str:
    match fetched:
        case NotReady(status=status) | Gone(status=status):
            return status
        case Ready():
            return "Completed"
        case Failed():
            return "Error"
