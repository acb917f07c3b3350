"""What a document did when: the clock of its phases, and where they come from."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from batch_converter.models import CallKind, CallOutcome, Phase
from batch_converter.orchestrator.phase_clock import PhaseClock, TimedSubmission, TimedTarget
from tests.support.clocks import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

P = Phase


class Calls:
    """Numbers the requests, and keeps how they ended."""

    def __init__(self) -> None:
        self.begun: list[CallKind] = []
        self.ended: list[tuple[int, CallOutcome, int | None]] = []

    async def begin(self, kind: CallKind) -> int:
        self.begun.append(kind)
        return len(self.begun)

    def end(self, call_id: int, outcome: CallOutcome, *, http_status: int | None = None) -> None:
        self.ended.append((call_id, outcome, http_status))


class Target:
    """Keeps what is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = b"old"

    async def restart(self) -> None:
        self.data = b""

    async def write(self, data: bytes) -> None:
        self.data += data


def test_phases_follow_each_other_without_gaps_whatever_the_time_of_day_does() -> None:
    clock = ManualClock()
    began_at = clock.now()
    phases = PhaseClock(clock, P.QUEUED)
    clock.advance(2)
    phases.enter(P.UPLOADING)
    clock.step(hours=-5)
    clock.advance(3)
    phases.enter(P.UPLOADING)
    clock.advance(4)
    phases.enter(P.AT_SERVICE)
    clock.advance(0.5)
    timeline = phases.timeline()
    assert timeline.began_at == began_at
    assert list(timeline.phases) == [(P.QUEUED, 2), (P.UPLOADING, 7), (P.AT_SERVICE, 0.5)]
    clock.advance(1)
    assert phases.timeline().phases[-1] == (P.AT_SERVICE, 1.5)
    assert timedelta(seconds=10.5) == clock.now() - began_at + timedelta(hours=5)


@pytest.mark.parametrize(
    ("outcome", "after"),
    [
        (CallOutcome.ANSWERED, P.UPLOADING),
        (CallOutcome.REFUSED, P.QUEUED),
        (CallOutcome.LOST, P.QUEUED),
        (CallOutcome.UNSENT, P.QUEUED),
    ],
)
async def test_an_upload_lasts_as_long_as_its_request(outcome: CallOutcome, after: Phase) -> None:
    """What is waited for between two tries is no upload."""
    clock, calls = ManualClock(), Calls()
    phases = PhaseClock(clock, P.QUEUED)
    timed = TimedSubmission(calls, phases)
    clock.advance(1)
    call = await timed.begin(CallKind.SUBMIT)
    clock.advance(2)
    timed.end(call, outcome, http_status=503)
    clock.advance(4)
    phases.enter(P.AT_SERVICE)
    spent = dict.fromkeys(P, 0.0)
    for phase, seconds in phases.timeline().phases:
        spent[phase] += seconds
    assert spent[P.QUEUED] + spent[P.UPLOADING] == 7
    assert spent[P.UPLOADING] == (6 if after is P.UPLOADING else 2)
    assert (calls.begun, calls.ended) == ([CallKind.SUBMIT], [(1, outcome, 503)])


async def test_another_request_is_no_upload() -> None:
    phases = PhaseClock(ManualClock(), P.QUEUED)
    await TimedSubmission(Calls(), phases).begin(CallKind.TOKEN)
    assert phases.timeline().phases == ((P.QUEUED, 0),)


async def test_a_download_begins_with_the_pdf(tmp_path: Path) -> None:
    clock, target = ManualClock(), Target(tmp_path / "part")
    phases = PhaseClock(clock, P.AT_SERVICE)
    timed = TimedTarget(target, phases)
    clock.advance(9)
    await timed.restart()
    clock.advance(1)
    await timed.write(b"new")
    assert (timed.path, target.data) == (tmp_path / "part", b"new")
    assert phases.timeline().phases == ((P.AT_SERVICE, 9), (P.DOWNLOADING, 1))
