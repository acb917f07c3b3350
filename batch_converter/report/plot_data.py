"""The data of the HTML report's plots, counted in one pass and in constant memory."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

from batch_converter.models import FileStatus
from batch_converter.report.formatting import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch_converter.models import FileReport, RunSummary

TIMELINE_STEPS: Final = 60
_WAIT_EDGES_S: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
_MANY_POLLS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a plot."""

    label: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The plots of a run; one that has nothing to show is empty.

    Attributes:
        timeline: PDFs finished by the end of each of `TIMELINE_STEPS` equal parts
            of the run.
        waits: Converted documents by the time from submission to PDF.
        polls: Converted documents by the questions asked for them.
        failures: Failed files by error code, the most frequent first.
    """

    timeline: Sequence[int]
    waits: Sequence[Bar]
    polls: Sequence[Bar]
    failures: Sequence[Bar]


def collect(summary: RunSummary, files: Iterable[FileReport]) -> Figures:
    """Count what the plots show, going through the files once."""
    steps: Counter[int] = Counter()
    waits: Counter[int] = Counter()
    polls: Counter[int] = Counter()
    failures: Counter[str] = Counter()
    for file in files:
        if file.status is FileStatus.FAILED:
            failures[file.error.code.value if file.error else "unknown"] += 1
        elif file.status is FileStatus.CONVERTED:
            _count_conversion(summary, file, steps, waits)
            polls[min(file.polls, _MANY_POLLS)] += 1
    return Figures(
        timeline=list(accumulate(steps[step] for step in range(TIMELINE_STEPS))) if steps else [],
        waits=_wait_bars(waits),
        polls=_poll_bars(polls),
        failures=[Bar(label=code, count=count) for code, count in failures.most_common()],
    )


def _count_conversion(
    summary: RunSummary, file: FileReport, steps: Counter[int], waits: Counter[int]
) -> None:
    if file.completed_at is None:
        return
    if summary.finished_at is not None:
        took_s = (summary.finished_at - summary.started_at).total_seconds()
        at_s = (file.completed_at - summary.started_at).total_seconds()
        step = int(TIMELINE_STEPS * at_s / took_s) if took_s > 0 else 0
        steps[max(0, min(step, TIMELINE_STEPS - 1))] += 1
    if file.submitted_at is not None:
        waited_s = (file.completed_at - file.submitted_at).total_seconds()
        waits[bisect_right(_WAIT_EDGES_S, waited_s)] += 1


def _wait_bars(waits: Counter[int]) -> list[Bar]:
    if not waits:
        return []
    labels = [
        f"< {duration(_WAIT_EDGES_S[0])}",
        *(f"{duration(low)} to {duration(high)}" for low, high in pairwise(_WAIT_EDGES_S)),
        f"> {duration(_WAIT_EDGES_S[-1])}",
    ]
    shown = range(min(waits), max(waits) + 1)
    return [Bar(label=labels[index], count=waits[index]) for index in shown]


def _poll_bars(polls: Counter[int]) -> list[Bar]:
    """Count polls a file; empty for an engine that is not polled."""
    if not any(polls[count] for count in range(1, _MANY_POLLS + 1)):
        return []
    return [
        Bar(label=f"{count} or more" if count == _MANY_POLLS else str(count), count=polls[count])
        for count in range(min(polls), max(polls) + 1)
    ]
