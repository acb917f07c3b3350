"""The data of the HTML report's plots, gathered in one pass: a few numbers a document."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Final

from batch_converter.models import FileStatus, Phase
from batch_converter.report.formatting import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from batch_converter.models import FileReport, RunSummary

MOST_STEPS: Final = 60
PHASE_NAMES: Final[Mapping[Phase, str]] = {
    Phase.QUEUED: "queued",
    Phase.UPLOADING: "uploading",
    Phase.AT_SERVICE: "at the service",
    Phase.CONVERTING: "converting",
    Phase.DOWNLOADING: "downloading",
    Phase.CHECKING: "checking",
}
"""In the order in which a document goes through them."""

_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600)
_DAY_S: Final = 86_400
_MINUTE_S: Final = 60
_FEW_STEPS: Final = 4
_MANY_CALLS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a plot."""

    label: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What ended in one step of a run."""

    began_at: datetime
    converted: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How numbers of many documents lie: the median, what 95 of 100 do not exceed, the most."""

    median: float
    high: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFigures:
    """A phase of all documents.

    Attributes:
        share: Of the time of all phases, from 0 to 1.
        seconds: In a document that had it.
    """

    phase: Phase
    name: str
    documents: int
    share: float
    seconds: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The plots of a run; one that has nothing to show is empty.

    Attributes:
        step_s: Length of a step.
        steps: The run in equal steps, `MOST_STEPS` at most.
        axis: When some of them begin, from the first to the last, as short as it can be told.
        phases: Where the time went.
        waits: Converted documents by the time from submission to PDF.
        wait_s: The same time.
        calls: Converted documents by the requests about them, of an engine that has any.
        ratios: Converted documents by the PDF's size in sizes of the DjVu.
        ratio: The same.
    """

    step_s: int
    steps: Sequence[Step]
    axis: Sequence[str]
    phases: Sequence[PhaseFigures]
    waits: Sequence[Bar]
    wait_s: Spread | None
    calls: Sequence[Bar]
    ratios: Sequence[Bar]
    ratio: Spread | None

    @property
    def busiest(self) -> Step:
        """The step in which most files ended."""
        return max(self.steps, key=lambda step: step.converted + step.failed)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where one bar ends and the next begins, and how that is told."""

    edges: Sequence[float]
    label: Callable[[float], str]
    unit: str = ""

    def labels(self) -> list[str]:
        """Return those of all bars, of which the first and the last have one edge."""
        told = [self.label(edge) for edge in self.edges]
        return [
            f"under {told[0]}{self.unit}",
            *(f"{low} to {high}{self.unit}" for low, high in pairwise(told)),
            f"over {told[-1]}{self.unit}",
        ]


class FigureCollector:
    """Takes what a run did with its files, one by one, and makes plots of it."""

    def __init__(self, summary: RunSummary) -> None:
        self._summary = summary
        self._converted_s, self._failed_s = array("d"), array("d")
        self._waits_s, self._ratios = array("d"), array("d")
        self._phases_s = {phase: array("d") for phase in PHASE_NAMES}
        self._calls: Counter[int] = Counter()

    def add(self, file: FileReport) -> None:
        """Count a file."""
        if file.timeline is not None:
            self._add_phases(file)
        if file.status is FileStatus.CONVERTED:
            self._add_conversion(file)
        elif file.status is FileStatus.FAILED and file.timeline is not None:
            lasted_s = sum(seconds for _, seconds in file.timeline.phases)
            self._failed_s.append(self._since_start_s(file.timeline.began_at) + lasted_s)

    def figures(self) -> Figures:
        """Return the plots of what was added."""
        step_s, steps = self._steps()
        return Figures(
            step_s=step_s,
            steps=steps,
            axis=_axis(step_s, steps),
            phases=self._phase_figures(),
            waits=_binned(self._waits_s, _WAITS),
            wait_s=_spread(self._waits_s),
            calls=_call_bars(self._calls) if self._calls else [],
            ratios=_binned(self._ratios, _RATIOS),
            ratio=_spread(self._ratios),
        )

    def _since_start_s(self, at: datetime) -> float:
        return max(0.0, (at - self._summary.started_at).total_seconds())

    def _add_phases(self, file: FileReport) -> None:
        spent: dict[Phase, float] = {}
        for phase, seconds in file.timeline.phases if file.timeline else ():
            spent[phase] = spent.get(phase, 0.0) + seconds
        for phase, seconds in spent.items():
            self._phases_s[phase].append(seconds)

    def _add_conversion(self, file: FileReport) -> None:
        if file.polls:  # else an engine without calls has converted it
            self._calls[min(file.submissions + file.polls, _MANY_CALLS)] += 1
        if file.bytes_in and file.bytes_out:
            self._ratios.append(file.bytes_out / file.bytes_in)
        if file.completed_at is not None:
            self._converted_s.append(self._since_start_s(file.completed_at))
            if file.submitted_at is not None:
                self._waits_s.append((file.completed_at - file.submitted_at).total_seconds())

    def _steps(self) -> tuple[int, list[Step]]:
        ends_s = (self._converted_s, self._failed_s)
        if not any(ends_s):
            return 0, []
        finished_at = self._summary.finished_at
        lasted_s = max(max(ends, default=0.0) for ends in ends_s)
        if finished_at is not None:
            lasted_s = max(lasted_s, self._since_start_s(finished_at))
        step_s = _step_s(lasted_s)
        last = max(0, ceil(lasted_s / step_s) - 1)
        converted, failed = (
            Counter(min(int(end_s // step_s), last) for end_s in ends) for ends in ends_s
        )
        started_at = self._summary.started_at
        return step_s, [
            Step(
                began_at=started_at + timedelta(seconds=step_s * number),
                converted=converted[number],
                failed=failed[number],
            )
            for number in range(last + 1)
        ]

    def _phase_figures(self) -> list[PhaseFigures]:
        total_s = sum(map(sum, self._phases_s.values())) or 1.0
        return [
            PhaseFigures(
                phase=phase,
                name=PHASE_NAMES[phase],
                documents=len(seconds),
                share=sum(seconds) / total_s,
                seconds=spread,
            )
            for phase, seconds in self._phases_s.items()
            if (spread := _spread(seconds)) is not None
        ]


def collect(summary: RunSummary, files: Iterable[FileReport]) -> Figures:
    """Return the plots of a run, going through its files once."""
    collector = FigureCollector(summary)
    for file in files:
        collector.add(file)
    return collector.figures()


def _step_s(lasted_s: float) -> int:
    """Return the shortest round step that needs no more than `MOST_STEPS`; else whole days."""
    wanted_s = lasted_s / MOST_STEPS
    if wanted_s > _STEPS_S[-1]:
        return _DAY_S * ceil(wanted_s / _DAY_S)
    return _STEPS_S[bisect_left(_STEPS_S, wanted_s)]


def _axis(step_s: int, steps: Sequence[Step]) -> list[str]:
    middle = [len(steps) // 2] if len(steps) > _FEW_STEPS else []
    last = [len(steps) - 1] if len(steps) > 1 else []
    form = "%H:%M" if step_s >= _MINUTE_S else "%H:%M:%S"
    if step_s * len(steps) > _DAY_S:
        form = "%m-%d %H:%M"
    return [f"{steps[number].began_at:{form}}" for number in [0, *middle, *last] if steps]


def _spread(numbers: array[float]) -> Spread | None:
    if not numbers:
        return None
    ordered = sorted(numbers)
    last = len(ordered) - 1
    return Spread(median=ordered[last // 2], high=ordered[ceil(last * 0.95)], most=ordered[-1])


def _binned(numbers: array[float], scale: _Scale) -> list[Bar]:
    """Count numbers between edges, from the first bin that has any to the last."""
    if not numbers:
        return []
    counts = Counter(bisect_right(scale.edges, number) for number in numbers)
    shown = range(min(counts), max(counts) + 1)
    labels = scale.labels()
    return [Bar(label=labels[index], count=counts[index]) for index in shown]


def _duration(seconds: float) -> str:
    return duration(seconds).removesuffix(" 0 s").removesuffix(" 0 min")


def _call_bars(calls: Counter[int]) -> list[Bar]:
    return [
        Bar(label=f"{count} or more" if count == _MANY_CALLS else str(count), count=calls[count])
        for count in range(min(calls), max(calls) + 1)
    ]


_WAITS: Final = _Scale(
    (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400), _duration
)
_RATIOS: Final = _Scale((0.25, 0.5, 1, 2, 4, 8, 16), "{:g}".format, " times")
