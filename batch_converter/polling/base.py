"""What decides when to poll: pure, with the clock injected.

A policy is told what happened (`submitted`, `answered`, `forget`, `remaining`) and
plans when each document is polled (`plan_poll`). It never sleeps and never reads a
clock: every method takes the time, in seconds of one monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from batch_converter.polling.service_time import Observation


class Answer(Enum):
    """What the service said of a task's progress."""

    PENDING = auto()
    PROCESSING = auto()
    ENDED = auto()


class PollPolicy(Protocol):
    """Decides when each document out at the service is polled."""

    def remaining(self, count: int | None) -> None:
        """Tell how many documents are still to be submitted; None is not known yet.

        Called whenever the number changes, before `submitted`. With 0 the end game
        begins: nobody waits for a place, and the last document decides.
        """
        ...

    def submitted(
        self, document_id: int, *, at_s: float, size_bytes: int, pages: int | None
    ) -> None:
        """Tell that a document went out at `at_s` (of an earlier run: in the past)."""
        ...

    def plan_poll(self, document_id: int, *, now_s: float) -> float:
        """Plan when to poll the document; returns the moment, at most `now_s` for at once.

        The plan is kept for the policy's own use. It is made anew at each call: who
        waited for it calls again before a request is spent.
        """
        ...

    def answered(self, document_id: int, answer: Answer, *, at_s: float) -> Collection[int]:
        """Tell an answer; returns the other documents that had better be planned again."""
        ...

    def forget(self, document_id: int) -> None:
        """Tell that the document is no longer out (failed, cancelled, timed out)."""
        ...

    def observations(self) -> Sequence[Observation]:
        """Return what this run has taught, oldest first, for the policy of the next one."""
        ...


@dataclass(slots=True)
class FixedInterval:
    """Polls every `interval_s` seconds, counted from submission or the last answer."""

    interval_s: float
    _due_at_s: dict[int, float] = field(default_factory=dict)

    def remaining(self, count: int | None) -> None:
        """Do nothing: a fixed interval does not look at what is left."""

    def submitted(
        self,
        document_id: int,
        *,
        at_s: float,
        size_bytes: int,  # noqa: ARG002  # a fixed interval looks at the clock alone
        pages: int | None,  # noqa: ARG002  # the Protocol's
    ) -> None:
        """Plan the first poll one interval after submission."""
        self._due_at_s[document_id] = at_s + self.interval_s

    def plan_poll(self, document_id: int, *, now_s: float) -> float:  # noqa: ARG002  # the Protocol's
        """Return the planned moment."""
        return self._due_at_s[document_id]

    def answered(self, document_id: int, answer: Answer, *, at_s: float) -> Collection[int]:
        """Plan the next poll, or forget a task that has ended."""
        if answer is Answer.ENDED:
            self.forget(document_id)
        else:
            self._due_at_s[document_id] = at_s + self.interval_s
        return ()

    def forget(self, document_id: int) -> None:
        """Drop the plan."""
        self._due_at_s.pop(document_id, None)

    def observations(self) -> Sequence[Observation]:
        """Return nothing: a fixed interval does not learn."""
        return ()
