"""All kinds of runs that are killed, by their names."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.soak.archives import CloudStage, ObjectStage, WatchStage
from tests.soak.copies import BagStage, MergeStage
from tests.soak.embedded import DaskStage, LocalStage, SchedulerStage
from tests.soak.service import ServiceStage
from tests.soak.weather import WeatherStage
from tests.soak.week import WeekStage
from tests.support.dask_cluster import cluster
from tests.support.object_store import ObjectServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from random import Random

    from tests.soak.stage import Stage

    Rounds = Callable[[Path, Random], Stage]


def _alone(stage: Rounds) -> Callable[[], AbstractContextManager[Rounds]]:
    """Give rounds that share nothing."""
    return lambda: nullcontext(stage)


@contextmanager
def _with_objects() -> Iterator[Rounds]:
    server = ObjectServer()
    try:
        yield partial(ObjectStage, server)
    finally:
        server.close()


@contextmanager
def _with_cluster() -> Iterator[Rounds]:
    with cluster() as started:
        started.add_worker(env={"NUMBA_DISABLE_JIT": "1"})  # compiling takes half a minute
        yield partial(SchedulerStage, started)


_KINDS: Final[Mapping[str, Callable[[], AbstractContextManager[Rounds]]]] = {
    "cloud": _alone(CloudStage),
    "local": _alone(LocalStage),
    "dask": _alone(DaskStage),
    "scheduler": _with_cluster,
    "objects": _with_objects,
    "serve": _alone(ServiceStage),
    "watch": _alone(WatchStage),
    "bag": _alone(BagStage),
    "merge": _alone(MergeStage),
    "weather": _alone(WeatherStage),
    "week": _alone(WeekStage),
}
KINDS: Final = tuple(_KINDS)


def opened_kind(name: str) -> AbstractContextManager[Rounds]:
    """Give what makes the rounds of a kind, and what they share."""
    return _KINDS[name]()
