"""What a document does when, from when it was taken up: kept in memory until its outcome is."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from batch_converter.models import CallKind, CallOutcome, Phase, Timeline

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from batch_converter.clock import Clock
    from batch_converter.engines.base import CallRecorder, PdfTarget


class PhaseClock:
    """Notes when a document enters a phase; each lasts until the next.

    Seconds are those of the monotonic clock, so that a step of the time of day makes none
    of them wrong.
    """

    def __init__(self, clock: Clock, first: Phase) -> None:
        self._clock = clock
        self._began_at = clock.now()
        self._entries = [(first, clock.monotonic_s())]

    def enter(self, phase: Phase) -> None:
        """Begin a phase, unless it is the present one."""
        if self._entries[-1][0] is not phase:
            self._entries.append((phase, self._clock.monotonic_s()))

    def timeline(self) -> Timeline:
        """Return all phases so far, the last of which ends now."""
        ends = [*self._entries, (Phase.CHECKING, self._clock.monotonic_s())]
        return Timeline(
            began_at=self._began_at,
            phases=tuple(
                (phase, end_s - begin_s) for (phase, begin_s), (_, end_s) in pairwise(ends)
            ),
        )


class TimedSubmission:
    """A `CallRecorder` that tells a document's clock when its upload is under way.

    A request that was not carried out leaves it queued: the next one may be long in coming.
    """

    def __init__(self, calls: CallRecorder, phases: PhaseClock) -> None:
        self._calls = calls
        self._phases = phases

    async def begin(self, kind: CallKind) -> int:
        """Record a request; a submission leaves now."""
        call_id = await self._calls.begin(kind)
        if kind is CallKind.SUBMIT:
            self._phases.enter(Phase.UPLOADING)
        return call_id

    def end(self, call_id: int, outcome: CallOutcome, *, http_status: int | None = None) -> None:
        """Record how it ended."""
        self._calls.end(call_id, outcome, http_status=http_status)
        if outcome is not CallOutcome.ANSWERED:
            self._phases.enter(Phase.QUEUED)


class TimedTarget:
    """A `PdfTarget` that tells a document's clock when its PDF begins to arrive."""

    def __init__(self, target: PdfTarget, phases: PhaseClock) -> None:
        self._target = target
        self._phases = phases

    @property
    def path(self) -> Path:
        """Of the target."""
        return self._target.path

    async def restart(self) -> None:
        """Empty the target: the PDF, or its next try, begins."""
        self._phases.enter(Phase.DOWNLOADING)
        await self._target.restart()

    def write(self, data: bytes) -> Coroutine[Any, Any, None]:
        """Write to the target."""
        return self._target.write(data)
