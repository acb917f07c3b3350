"""The services that the policies are tried on: made of nothing but a seed."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MEDIAN_PAGES: Final = 20
PAGES_SIGMA: Final = 1.0
BYTES_PER_PAGE: Final = 30_000
BASE_S: Final = 3.0
PAGE_S: Final = 1.2
NOISE_SIGMA: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A document and the seconds a server of the service will work on it."""

    pages: int
    size_bytes: int
    service_s: float


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast the service works over time: steps of (from second, factor)."""

    steps: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    _work: list[float] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        done = 0.0
        for (start, factor), (end, _) in zip(self.steps, self.steps[1:], strict=False):
            self._work.append(done)
            done += (end - start) * factor
        self._work.append(done)

    def work_at(self, at_s: float) -> float:
        """Return the work that one server has done by `at_s`."""
        index = bisect_right(self.steps, (at_s, math.inf)) - 1
        start, factor = self.steps[index]
        return self._work[index] + (at_s - start) * factor

    def time_of(self, work: float) -> float:
        """Return the moment when one server has done `work`."""
        if work == math.inf:
            return math.inf
        index = bisect_right(self._work, work) - 1
        start, factor = self.steps[index]
        return start + (work - self._work[index]) / factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One service and the documents it is given.

    Attributes:
        servers: How many documents are worked on at once; None is no queue.
        speed: Of each server, over time.
        stuck: Positions of documents that stay Pending for good.
        hung: Positions of documents that stay Processing for good; they hold no server.
    """

    name: str
    jobs: tuple[Job, ...]
    servers: int | None = None
    speed: Speed = Speed()
    stuck: frozenset[int] = frozenset()
    hung: frozenset[int] = frozenset()


def pages_of(random: Random) -> int:
    return min(2_000, max(1, round(random.lognormvariate(math.log(MEDIAN_PAGES), PAGES_SIGMA))))


def job(random: Random, noise: Callable[[Random], float], *, scale: float = 1.0) -> Job:
    """Make a document whose time is a line in its pages times `noise`."""
    pages = pages_of(random)
    size = int(pages * BYTES_PER_PAGE * random.lognormvariate(0.0, 0.5))
    return Job(
        pages=pages,
        size_bytes=size,
        service_s=scale * (BASE_S + PAGE_S * pages) * noise(random),
    )


def log_normal(random: Random) -> float:
    return random.lognormvariate(0.0, NOISE_SIGMA)


def heavy_tail(random: Random) -> float:
    """One document in ten takes a Pareto-tailed multiple, without a finite variance."""
    slow = random.paretovariate(1.3) if random.random() < 0.1 else 1.0
    return slow * log_normal(random)


def bimodal(random: Random) -> float:
    """One document in twenty takes ten times as long."""
    slow = 10.0 if random.random() < 0.05 else 1.0
    return slow * log_normal(random)


def wandering(random: Random, *, hours: float = 40.0) -> Speed:
    """Make a speed that wanders about 1 (a factor 1.6 either way) within 20 minutes."""
    step_s, memory_s, spread = 60.0, 1_200.0, 0.5
    keep = math.exp(-step_s / memory_s)
    level, steps = 0.0, []
    for index in range(int(hours * 3_600 / step_s)):
        steps.append((index * step_s, math.exp(level)))
        level = keep * level + math.sqrt(1 - keep * keep) * random.gauss(0.0, spread)
    return Speed(tuple(steps))


def _jobs(
    random: Random, count: int, noise: Callable[[Random], float], *, scale: float = 1.0
) -> tuple[Job, ...]:
    return tuple(job(random, noise, scale=scale) for _ in range(count))


def fifo(servers: int) -> Callable[[Random, int], Trace]:
    def make(random: Random, count: int) -> Trace:
        jobs = _jobs(random, count, log_normal)
        return Trace(name=f"fifo-{servers}", jobs=jobs, servers=servers)

    return make


def free(
    name: str, noise: Callable[[Random], float], *, servers: int | None = None, scale: float = 1.0
) -> Callable[[Random, int], Trace]:
    def make(random: Random, count: int) -> Trace:
        return Trace(name=name, jobs=_jobs(random, count, noise, scale=scale), servers=servers)

    return make


def drifting(random: Random, count: int) -> Trace:
    return Trace(
        name="drift-queue",
        jobs=_jobs(random, count, log_normal),
        servers=8,
        speed=wandering(random),
    )


def stopping(random: Random, count: int) -> Trace:
    """A queue that stops for ten minutes at a third of the way."""
    jobs = _jobs(random, count, log_normal)
    stop = sum(each.service_s for each in jobs) / 8 / 3
    speed = Speed(((0.0, 1.0), (stop, 1e-9), (stop + 600.0, 1.0)))
    return Trace(name="stops", jobs=jobs, servers=8, speed=speed)


def stopping_free(random: Random, count: int) -> Trace:
    jobs = _jobs(random, count, log_normal)
    speed = Speed(((0.0, 1.0), (200.0, 1e-9), (800.0, 1.0)))
    return Trace(name="stops-free", jobs=jobs, speed=speed)


def of_any_pages(random: Random) -> float:
    """Return the seconds that a document takes of which nothing is known."""
    return job(random, log_normal).service_s


def unrelated(random: Random, count: int) -> Trace:
    """Pages tell nothing about the time."""
    jobs = tuple(
        Job(pages=pages_of(random), size_bytes=each.size_bytes, service_s=each.service_s)
        for each in _jobs(random, count, log_normal)
    )
    return Trace(name="unrelated", jobs=jobs)


def growth(index: int, count: int) -> float:
    """Return how many times as long as elsewhere the document `index` takes where they grow."""
    times: float = 100.0 ** (index / count)
    return times / 10.0


def growing(random: Random, count: int) -> Trace:
    """Each document takes longer than the one before, a hundredfold in the end."""
    jobs = tuple(
        Job(
            pages=each.pages,
            size_bytes=each.size_bytes,
            service_s=each.service_s * growth(index, count),
        )
        for index, each in enumerate(_jobs(random, count, log_normal))
    )
    return Trace(name="growing", jobs=jobs)


def growing_queue(random: Random, count: int) -> Trace:
    free_trace = growing(random, count)
    return Trace(name="growing-queue", jobs=free_trace.jobs, servers=8)


def stuck(random: Random, count: int) -> Trace:
    """One document in fifty stays Pending until its task times out."""
    jobs = _jobs(random, count, log_normal)
    return Trace(name="stuck", jobs=jobs, servers=8, stuck=_one_in_fifty(random, count))


def hung(random: Random, count: int) -> Trace:
    """One document in fifty stays Processing until its task times out."""
    jobs = _jobs(random, count, log_normal)
    return Trace(name="hung", jobs=jobs, servers=8, hung=_one_in_fifty(random, count))


def _one_in_fifty(random: Random, count: int) -> frozenset[int]:
    return frozenset(index for index in range(count) if random.random() < 0.02)


PRIOR_S: Final = 7.5
MEDIAN_S: Final = BASE_S + PAGE_S * MEDIAN_PAGES
_SLOW: Final = 10 * PRIOR_S / MEDIAN_S
_FAST: Final = PRIOR_S / 10 / MEDIAN_S
_INSTANT: Final = 0.02 / MEDIAN_S

GOAL_TRACES: Final[Mapping[str, Callable[[Random, int], Trace]]] = {
    "fifo-2": fifo(2),
    "fifo-8": fifo(8),
    "fifo-32": fifo(32),
    "log-normal": free("log-normal", log_normal),
    "heavy-tail": free("heavy-tail", heavy_tail),
    "bimodal": free("bimodal", bimodal),
    "bimodal-queue": free("bimodal-queue", bimodal, servers=8),
    "drift-queue": drifting,
}
FIRST_TRACES: Final[Mapping[str, Callable[[Random, int], Trace]]] = {
    "first-slow": free("first-slow", log_normal, scale=_SLOW),
    "first-fast": free("first-fast", log_normal, scale=_FAST),
    "first-slow-queue": free("first-slow-queue", log_normal, servers=8, scale=_SLOW),
    "first-fast-queue": free("first-fast-queue", log_normal, servers=8, scale=_FAST),
}
FOOLING_TRACES: Final[Mapping[str, Callable[[Random, int], Trace]]] = {
    "stops": stopping,
    "stops-free": stopping_free,
    "unrelated": unrelated,
    "growing": growing,
    "growing-queue": growing_queue,
    "stuck": stuck,
    "hung": hung,
}
INSTANT_TRACES: Final[Mapping[str, Callable[[Random, int], Trace]]] = {
    "instant": free("instant", log_normal, scale=_INSTANT),
}
"""Nothing can be won by asking at the right moment there: what counts is to plan fast."""
LOSING_TRACES: Final = ("stuck", "hung")
"""Some of their documents are lost for good and end with the task timeout only."""
TRACES: Final = {**GOAL_TRACES, **FIRST_TRACES, **FOOLING_TRACES}


def make_trace(name: str, seed: int, *, count: int) -> Trace:
    """Make the trace `name`; the same seed makes the same trace everywhere."""
    make = TRACES.get(name) or INSTANT_TRACES[name]
    return make(Random(f"{name}/{seed}"), count)
