"""How many documents a run may have in flight: by its settings, its engine, and open files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio.to_thread

from batch_converter.engines.base import TaskService
from batch_converter.events import RunFewerAtOnce
from batch_converter.machine_limits import spare_descriptors

if TYPE_CHECKING:
    from batch_converter.orchestrator.context import RunContext

_DESCRIPTORS_EACH: Final = 3
"""Of a document at work: its source or part, and a connection, or a worker's two pipes."""
_DESCRIPTORS_BESIDE: Final = 12
"""Of the run: a worker that is being started, folders that are synced, a report."""


class Capacity:
    """How many documents may be in flight at once; an engine's own limit may change meanwhile.

    Args:
        context: What the run shares.
    """

    def __init__(self, context: RunContext) -> None:
        self._concurrency = context.settings.concurrency
        self._emit = context.events.emit
        engine = context.engine
        self._converter = None if isinstance(engine, TaskService) else engine
        self._affordable = 1

    @property
    def documents(self) -> int:
        """How many, as of now; one, until it was looked at limits."""
        return min(self._affordable, self._useful)

    async def look_at_limits(self) -> None:
        """Let fewer documents in where only few files may be open."""
        spare = await anyio.to_thread.run_sync(spare_descriptors)
        self._affordable, wanted = self._affordable_by(spare), self._useful
        if spare is not None and self._affordable < wanted:
            self._emit(
                RunFewerAtOnce(documents=self._affordable, wanted=wanted, spare_descriptors=spare)
            )

    @property
    def _useful(self) -> int:
        """How many the user wants, and the engine is of use for."""
        wanted = self._concurrency.max_in_flight
        return wanted if self._converter is None else min(wanted, self._converter.capacity)

    def _affordable_by(self, spare: int | None) -> int:
        """Return how many may be in flight where so many descriptors are left."""
        concurrency = self._concurrency
        at_work = self._useful
        if self._converter is None:
            at_work = concurrency.max_submissions + concurrency.max_pollers
        if spare is None or spare >= _DESCRIPTORS_EACH * at_work + _DESCRIPTORS_BESIDE:
            return concurrency.max_in_flight
        return max(1, (spare - _DESCRIPTORS_BESIDE) // _DESCRIPTORS_EACH)
