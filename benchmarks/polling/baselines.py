"""Policies to compare with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch_converter.polling import Answer

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from batch_converter.polling.service_time import Observation


@dataclass(slots=True)
class Backoff:
    """Waits `first_s`, then `factor` times as long after each answer, at most `cap_s`."""

    first_s: float
    factor: float = 2.0
    cap_s: float = 60.0
    _wait_s: dict[int, float] = field(default_factory=dict)
    _due_at_s: dict[int, float] = field(default_factory=dict)

    def remaining(self, count: int | None) -> None:
        """Backoff does not look at what is left."""

    def submitted(
        self,
        document_id: int,
        *,
        at_s: float,
        size_bytes: int,  # noqa: ARG002  # backoff looks at the clock alone
        pages: int | None,  # noqa: ARG002  # the Protocol's
    ) -> None:
        self._wait_s[document_id] = self.first_s
        self._due_at_s[document_id] = at_s + self.first_s

    def plan_poll(self, document_id: int, *, now_s: float) -> float:  # noqa: ARG002  # the Protocol's
        return self._due_at_s[document_id]

    def answered(self, document_id: int, answer: Answer, *, at_s: float) -> Collection[int]:
        if answer is Answer.ENDED:
            self.forget(document_id)
        else:
            wait = min(self.cap_s, self._wait_s[document_id] * self.factor)
            self._wait_s[document_id] = wait
            self._due_at_s[document_id] = at_s + wait
        return ()

    def forget(self, document_id: int) -> None:
        self._wait_s.pop(document_id, None)
        self._due_at_s.pop(document_id, None)

    def observations(self) -> Sequence[Observation]:
        """Backoff learns nothing."""
        return ()
