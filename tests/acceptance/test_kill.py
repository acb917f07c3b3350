"""Killed at each named step: nothing lost, nothing repeated, nothing half.

At any instant whatever: test_soak.py, and `make soak` by hundreds.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.command import run, started
from tests.support.disks import small_disk
from tests.support.killing import Archive, Watcher

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud
    from tests.support.command import Finished

pytestmark = pytest.mark.slow

FAULT_POINT: Final = "_BATCH_CONVERTER_FAULT_POINT"

STEPS: Final = (
    "ledger.made",
    "run.begun",
    "run.planned",
    "submit.recording#2",
    "submit.recorded#2",
    "task.arrived#2",
    "task.recorded#2",
    "poll.recorded#2",
    "part.written#2",
    "pdf.sealed#2",
    "pdf.announced#2",
    "pdf.named#2",
    "pdf.published#2",
    "pdf.recorded#2",
    "run.counted",
    "run.recorded",
    "report.written",
    "report.named",
    "ledger.committing#9",
    "ledger.committed#9",
)


@pytest.fixture
def archive(cloud: Cloud, source: Path, output: Path, unmeasured_processes: None) -> Archive:
    """An archive to add to; its runs overlap their requests."""
    del unmeasured_processes  # what they counted would be lost anyway
    cloud.latency_s = 0.003
    return Archive(cloud, source, output, output / ".batch-converter")


def convert(archive: Archive) -> tuple[str | Path, ...]:
    """Return the command whose runs are killed."""
    limits = ("--max-in-flight", "6", "--max-submissions", "3", "--max-pollers", "4")
    report = archive.source.with_name("report.json")
    places = ("-o", archive.output, "--state-dir", archive.state, "--report", report)
    return ("convert", archive.source, *places, *limits, "--json")


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_named_step(archive: Archive, tmp_path: Path, step: str) -> None:
    kill_and_resume(archive, tmp_path, step)


@pytest.mark.parametrize("step", ["part.written#2", "pdf.announced#2", "pdf.named#2"])
def test_killed_where_the_state_is_on_another_disk(
    archive: Archive, tmp_path: Path, step: str
) -> None:
    with small_disk(tmp_path / "disk", size_bytes=32 << 20) as disk:
        archive.state = disk.path / "state"
        kill_and_resume(archive, tmp_path, step)


def kill_and_resume(archive: Archive, tmp_path: Path, step: str) -> None:
    """Have a run die at a step, run again, and look at everything."""
    archive.add(6)
    with Watcher(archive):
        with started(tmp_path / "killed", *convert(archive), env={FAULT_POINT: step}) as process:
            assert process.finish().code == -signal.SIGKILL
        archive.check_after_death()
        before = archive.cloud.bill()
        done = run(*convert(archive))
    assert done.code == 0
    assert_all_counted(archive, before, done)
    archive.check_at_end()
    assert not list(archive.source.parent.glob(".*.part"))  # where the report is
    if step.startswith(("pdf.named", "pdf.published")):  # adopted, and for good
        assert_nothing_is_left_to_do(archive)


def assert_all_counted(archive: Archive, before: dict[str, int], done: Finished) -> None:
    """Hold the count of an undisturbed run against the service's.

    What the dead run had sent may still be on its way through the kernel when the
    service is asked: as many calls as the ledger had on record without an answer.
    """
    late = archive.cloud.billed - before["billed"] - done.json["api_calls"]["billed"]
    assert 0 <= late <= archive.maybe_called.total()


def assert_nothing_is_left_to_do(archive: Archive) -> None:
    """Run once more: nothing may be called, nor done."""
    before = archive.cloud.bill()
    again = run(*convert(archive))
    assert again.code == 0
    assert again.json["totals"]["skipped"] == len(archive.documents)
    assert archive.cloud.bill() == before
