"""From a task to its end: wait as planned, ask, listen, until the task timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from batch_converter.engines.base import Failed, Gone, NotReady, Ready
from batch_converter.errors import (
    BadResponseError,
    ConversionFailedError,
    ExpiredError,
    TaskTimeoutError,
)
from batch_converter.ledger import TASK_LIFE_S
from batch_converter.polling import Answer

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from batch_converter.engines.base import Fetched, PdfSink
    from batch_converter.models import Document, Task
    from batch_converter.orchestrator.context import RunContext

_PROCESSING: Final = "Processing"


class Waiting(NamedTuple):
    """One task and the sink that its PDF goes to."""

    context: RunContext
    document: Document
    task: Task
    sink: PdfSink
    log: FilteringBoundLogger

    async def until_ready(self) -> Ready:
        """Ask when the policy says so, until the task has ended.

        Raises:
            ExpiredError: The service does not know the task (any more).
            ConversionFailedError: The service reports an error.
            BadResponseError: It answers what makes no sense.
            TaskTimeoutError: It is still not ready at the task timeout.
            BudgetSpentError: The next question is not in the budget.
            FileError: The question got no usable answer.
        """
        self._check_age()
        give_up_at_s = self._begin()
        while True:
            await self._wait_for_turn(give_up_at_s)
            fetched = await self.ask()
            if not isinstance(fetched, NotReady):
                return self.ended(fetched)
            if self.context.clock.monotonic_s() >= give_up_at_s:
                raise self._timed_out(fetched)

    async def ask(self) -> Fetched:
        """Ask once, now, and tell the policy what was answered."""
        context = self.context
        if not context.engine.traits.polled:
            return await context.engine.fetch(self.document, self.task, self.sink)
        try:
            async with context.pollers:
                fetched = await context.engine.fetch(self.document, self.task, self.sink)
        finally:
            context.left_out.asked(self.document.id)
        self._tell(fetched)
        return fetched

    def ended(self, fetched: Fetched) -> Ready:
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

    def _check_age(self) -> None:
        age_s = (self.context.clock.now() - self.task.submitted_at).total_seconds()
        if self.context.engine.traits.billed and age_s > TASK_LIFE_S:
            raise ExpiredError(
                f"task {self.task.task_id} is {age_s / 3600:.0f} hours old; the service keeps"
                " results for 24 hours"
            )

    def _begin(self) -> float:
        clock = self.context.clock
        age_s = max(0.0, (clock.now() - self.task.submitted_at).total_seconds())
        now_s = clock.monotonic_s()
        self.context.policy.submitted(
            self.document.id,
            at_s=now_s - age_s,
            size_bytes=self.document.size_bytes,
            pages=self.document.pages,
        )
        return now_s + self.context.settings.polling.task_timeout_s

    async def _wait_for_turn(self, give_up_at_s: float) -> None:
        if not self.context.engine.traits.polled:
            return
        clock, policy = self.context.clock, self.context.policy
        while True:
            now_s = clock.monotonic_s()
            at_s = min(policy.next_poll_at_s(self.document.id, now_s=now_s), give_up_at_s)
            if at_s <= now_s:
                return
            await clock.wait_until(at_s, self.context.wakeups.event(self.document.id))

    def _tell(self, fetched: Fetched) -> None:
        context = self.context
        self.log.debug("file.polled", task_id=self.task.task_id, status=_word(fetched))
        answer = Answer.ENDED
        if isinstance(fetched, NotReady):
            context.meter.budget.promise_fetch(self.document.id)
            answer = Answer.PROCESSING if fetched.status == _PROCESSING else Answer.PENDING
        at_s = context.clock.monotonic_s()
        for document_id in context.policy.answered(self.document.id, answer, at_s=at_s):
            context.wakeups.wake(document_id)

    def _timed_out(self, last: NotReady) -> TaskTimeoutError:
        limit_s = self.context.settings.polling.task_timeout_s
        return TaskTimeoutError(
            f"task {self.task.task_id} was still {last.status} after {limit_s:g} s; the next run"
            " asks for it again, or raise --task-timeout"
        )


def _word(fetched: Fetched) -> str:
    match fetched:
        case NotReady(status=status) | Gone(status=status):
            return status
        case Ready():
            return "Completed"
        case Failed():
            return "Error"
