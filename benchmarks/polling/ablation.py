"""What each part of the policy is worth: runs without it beside runs with all of them.

    python -m benchmarks.polling --without all --count 300 --seeds 541-543 --processes 2

Both see the same documents and the same chance (paired seeds), so that the difference is
the part's, apart from what chance makes of a policy that asks a moment later.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.polling.parts import PARTS, left_out
from benchmarks.polling.runs import cold, score
from benchmarks.polling.traces import FIRST_TRACES, INSTANT_TRACES, TRACES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

COUNT: Final = 100
SEEDS: Final = (541, 542)
IN_FLIGHT: Final = (64, 8)
NOTHING: Final = ""
_FIRST_TIMES: Final = 4
_APART: Final = 1_000
_SURE: Final = 2.0


class Run(NamedTuple):
    """One batch: which parts are left out (joined by `+`), of which trace."""

    without: str
    trace: str
    max_in_flight: int
    seed: int
    documents: int


class Cost(NamedTuple):
    """What a batch took: calls a document, makespan over the oracle's, processor seconds."""

    calls: float
    makespan: float
    processor_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """How much more is spent on a trace without a part, as a share, and its standard error."""

    trace: str
    share: float
    error: float

    @property
    def is_sure(self) -> bool:
        """Whether it is more than chance makes of it: with one seed, nobody can tell."""
        return self.share > _SURE * self.error


def runs_of(
    without: Sequence[str], seeds: Sequence[int], *, count: int, in_flight: Sequence[int]
) -> list[Run]:
    """List all runs; batches of 60 are tried with four times as many seeds."""
    runs = []
    traces = (*TRACES, *INSTANT_TRACES)
    for seed, parts, trace, width in product(seeds, (NOTHING, *without), traces, in_flight):
        times = _FIRST_TIMES if trace in FIRST_TRACES else 1
        runs += [Run(parts, trace, width, seed + _APART * k, count) for k in range(times)]
    return runs


def cost_of(run: Run) -> Cost:
    """Run the batch."""
    before_s = time.process_time()
    with left_out(run.without.split("+") if run.without else ()):
        result = score(
            run.trace,
            (run.seed,),
            cold(run.max_in_flight),
            count=run.documents,
            max_in_flight=run.max_in_flight,
        )
    return Cost(result.mean_calls, result.mean_makespan, time.process_time() - before_s)


def measure(runs: Sequence[Run], *, processes: int) -> dict[Run, Cost]:
    """Run all batches, in so many processes."""
    if processes == 1:
        return {run: cost_of(run) for run in runs}
    with ProcessPoolExecutor(processes) as pool:
        return dict(zip(runs, pool.map(cost_of, runs, chunksize=8), strict=True))


def worths(costs: Mapping[Run, Cost], part: str, width: int, field: int) -> list[Worth]:
    """Compare the runs without the part with those of the same seed, trace by trace."""
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for run, cost in costs.items():
        if run.without == part and run.max_in_flight == width:
            pairs[run.trace].append((costs[run._replace(without=NOTHING)][field], cost[field]))
    return [_worth(trace, each) for trace, each in pairs.items()]


def _worth(trace: str, pairs: Sequence[tuple[float, float]]) -> Worth:
    usual = fmean(whole for whole, _ in pairs)
    shares = [(without - whole) / usual for whole, without in pairs]
    error = stdev(shares) / math.sqrt(len(shares)) if len(shares) > 1 else math.inf
    return Worth(trace=trace, share=fmean(shares), error=error)


def table(costs: Mapping[Run, Cost], without: Sequence[str]) -> Iterator[str]:
    """Write a row a part."""
    widths = sorted({run.max_in_flight for run in costs}, reverse=True)
    heads = [f"{width:,} in flight: {each}" for width in widths for each in ("calls", "makespan")]
    yield f"| without | {' | '.join(heads)} | processor, instant service |"
    yield "| --- " * (len(heads) + 2) + "|"
    for part in without:
        cells = [_cell(worths(costs, part, width, field)) for width in widths for field in (0, 1)]
        yield f"| {_title(part)} | {' | '.join(cells)} | {_processor(costs, part)} |"


def _title(part: str) -> str:
    does = "; ".join(PARTS[each].does for each in part.split("+"))
    return f"`{part}`: {does}"


def _cell(each: Sequence[Worth]) -> str:
    """Write the mean over the traces, and the trace on which the part is worth most."""
    mean = fmean(worth.share for worth in each)
    sure = [worth for worth in each if worth.is_sure]
    if not sure:
        return f"{mean:+.1%}"
    most = max(sure, key=lambda worth: worth.share)
    return f"{mean:+.1%}; {most.share:+.1%} ± {most.error:.1%} {most.trace}"


def _processor(costs: Mapping[Run, Cost], part: str) -> str:
    """Write how many times the processor time it takes without the part: of all, of instant."""
    with_it, without = defaultdict[bool, float](float), defaultdict[bool, float](float)
    for run, cost in costs.items():
        if run.without == part:
            instant = run.trace in INSTANT_TRACES
            without[instant] += cost.processor_s
            with_it[instant] += costs[run._replace(without=NOTHING)].processor_s
    return ", ".join(f"{without[each] / with_it[each]:.1f} x" for each in (False, True))


def section(
    without: Sequence[str],
    seeds: Sequence[int],
    *,
    count: int,
    in_flight: Sequence[int],
    processes: int,
) -> Iterator[str]:
    """Measure, and yield the lines of the section."""
    runs = runs_of(without, seeds, count=count, in_flight=in_flight)
    costs = measure(runs, processes=processes)
    yield from _explained(len(seeds))
    yield ""
    yield from table(costs, without)


def _explained(seeds: int) -> Iterator[str]:
    yield (
        "What is spent more (+) or less (-) without a part than with all, cold, on the same seeds:"
        f" the mean over all {len(TRACES) + len(INSTANT_TRACES)} traces, then the trace on which"
        f" it is worth most, ± its standard error over {seeds} seeds (four times as many where a"
        f" batch has 60 documents), where that is more than {_SURE:g} standard errors. The last"
        " column: how many times the processor time it takes, over all traces and on an instant"
        " service (this one depends on the machine)."
    )
