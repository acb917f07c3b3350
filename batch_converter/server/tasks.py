"""The tasks that the service knows: what each is, where it stands, when it is forgotten."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Final
from uuid import UUID

from anyio import CancelScope

from batch_converter.wire import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from batch_converter.engines.base import SourceDocument

RETENTION_S: Final = 24 * 3600.0

_MOVES: Final[Mapping[TaskStatus, frozenset[TaskStatus]]] = {
    TaskStatus.PENDING: frozenset({TaskStatus.PROCESSING, TaskStatus.NOT_EXIST}),
    TaskStatus.PROCESSING: frozenset(
        {TaskStatus.COMPLETED, TaskStatus.ERROR, TaskStatus.NOT_EXIST}
    ),
    TaskStatus.COMPLETED: frozenset({TaskStatus.NOT_EXIST}),
    TaskStatus.ERROR: frozenset({TaskStatus.NOT_EXIST}),
    TaskStatus.NOT_EXIST: frozenset(),
}


@dataclass(slots=True, kw_only=True)
class ServedTask:
    """A submission that was accepted; `status` changes through `move` alone.

    Attributes:
        task_id: The GUID that the client was given.
        submitted_at_s: Monotonic moment of the submission.
        document: The upload, as the engine sees it.
        result: Where the PDF is to stand.
        messages: Why it failed.
        warnings: What the engine said beside a result.
        fetched: Whether a client has seen its end.
        scope: Cancelling it ends the conversion.
    """

    task_id: str
    submitted_at_s: float
    document: SourceDocument
    result: Path
    status: TaskStatus = TaskStatus.PENDING
    messages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    fetched: bool = False
    scope: CancelScope = field(default_factory=CancelScope)

    def move(self, status: TaskStatus) -> None:
        """Go on to the next state.

        Raises:
            ValueError: The table has no such move.
        """
        if status not in _MOVES[self.status]:
            msg = f"a task cannot go from {self.status} to {status}"
            raise ValueError(msg)
        self.status = status


class TaskBoard:
    """All tasks of the last 24 hours, oldest first.

    Attributes:
        unfetched: Tasks that were accepted and whose end no client has seen.
        unfetched_peak: The most that there ever were at once.
    """

    def __init__(self) -> None:
        self._tasks: dict[UUID, ServedTask] = {}
        self.unfetched = 0
        self.unfetched_peak = 0

    def add(self, task: ServedTask) -> None:
        """Take a task in."""
        self._tasks[UUID(task.task_id)] = task
        self.unfetched += 1
        self.unfetched_peak = max(self.unfetched_peak, self.unfetched)

    def find(self, text: str) -> ServedTask | None:
        """Return the task of this GUID in any spelling, or None."""
        try:
            return self._tasks.get(UUID(text.strip()))
        except ValueError:
            return None

    def mark_fetched(self, task: ServedTask) -> None:
        """A client has seen how the task ended, or that it is gone."""
        if not task.fetched:
            task.fetched = True
            self.unfetched -= 1

    def forget(self, task: ServedTask) -> None:
        """Let the task go: it answers `NotExist` from now on, and its conversion ends."""
        if self._tasks.pop(UUID(task.task_id), None) is None:
            return
        self.mark_fetched(task)
        task.move(TaskStatus.NOT_EXIST)
        task.scope.cancel()

    def forget_expired(self, now_s: float) -> list[ServedTask]:
        """Let all go that were submitted more than 24 hours ago, and return them."""
        over = partial(_is_over, now_s=now_s)
        expired = list(takewhile(over, self._tasks.values()))
        for task in expired:
            self.forget(task)
        return expired

    def counts(self) -> Counter[TaskStatus]:
        """Return how many tasks stand in each state."""
        return Counter(task.status for task in self._tasks.values())


def _is_over(task: ServedTask, *, now_s: float) -> bool:
    return now_s >= task.submitted_at_s + RETENTION_S
