"""Builds the parts of a run from the settings: ledger, budget, engine, policy, output."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from batch_converter.budget import Budget, month_start
from batch_converter.clock import SystemClock
from batch_converter.engines.base import TaskService
from batch_converter.engines.spec import EngineResources
from batch_converter.errors import UsageError
from batch_converter.events import EventStream
from batch_converter.ledger import Ledger
from batch_converter.objects import FILE_SCHEMES, STORE_SCHEMES, ObjectClients
from batch_converter.orchestrator import CallBook, DiskRoom, PollSchedule, RunContext
from batch_converter.output import ObjectPdfs, PdfStore
from batch_converter.polling import FixedInterval, Predictive
from batch_converter.redaction import Redactor
from batch_converter.sources import DISK, DiskSources, ObjectSources, SourceStores
from batch_converter.state import (
    LEDGER_NAME,
    SCRATCH_NAME,
    moved_sources_dir,
    output_place,
    state_dir,
)
from batch_converter.storage import ScratchFolder
from batch_converter.threads import DiskThreads, LimitedThreads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from datetime import datetime

    from batch_converter.clock import Clock
    from batch_converter.config import Settings
    from batch_converter.djvu.work.inspection import DjvuInspector
    from batch_converter.engines.base import Engine
    from batch_converter.engines.spec import EngineSpec
    from batch_converter.output import OutputStore
    from batch_converter.polling import PollPolicy
    from batch_converter.sources import BuildStore

_PREFLIGHTS: Final = 2
"""Sources looked at at once: hashing long ones in all threads would let uploads stall."""

_STORE_REQUESTS: Final = 8
"""Documents fetched at once: most of the time of each is the network's."""


def _object_sources(settings: Settings, inspector: DjvuInspector) -> ObjectSources:
    return ObjectSources(settings, inspector, lambda: state_dir(settings) / SCRATCH_NAME)


SOURCE_STORES: Final[Mapping[str, BuildStore]] = {
    DISK: lambda _settings, inspector: DiskSources(inspector),
    **dict.fromkeys((*STORE_SCHEMES, *FILE_SCHEMES), _object_sources),
}
"""Where sources may lie: the scheme of their addresses, and what builds the store."""


def open_output(
    settings: Settings, *, state: Path, run_id: str, threads: DiskThreads
) -> OutputStore:
    """Return the store that PDFs go to, by what `output.dir` is; it is asked nothing yet. Blocks.

    Args:
        settings: What the user wants.
        state: The state directory.
        run_id: The run's name, or any where none is made.
        threads: Where the disk is asked.

    Raises:
        UsageError: There is none, or a setting makes no sense with it.
    """
    place, verify = output_place(settings), settings.output.verify
    if isinstance(place, Path):
        return PdfStore(
            output_dir=place, state_dir=state, run_id=run_id, threads=threads, verify=verify
        )
    if settings.output.preserve_times:
        raise UsageError(
            f"objects have no time of change that can be set, so none is preserved in {place}:"
            " leave --preserve-times (output.preserve_times) out"
        )
    return ObjectPdfs(
        root=place,
        client=ObjectClients(settings.remote, settings.retry).of(place),
        scratch_dir=state / SCRATCH_NAME,
        state_dir=state,
        threads=threads,
        retry=settings.retry,
        verify=verify,
        overwrite=settings.output.overwrite == "always",
    )


@asynccontextmanager
async def open_context(
    settings: Settings,
    spec: EngineSpec,
    *,
    state: Path,
    run_id: str,
    sources: SourceStores | None = None,
    events: EventStream | None = None,
    redactor: Redactor | None = None,
    clock: Clock | None = None,
    policy: PollPolicy | None = None,
    open_ledger: Callable[[Path], Awaitable[Ledger]] | None = None,
) -> AsyncIterator[RunContext]:
    """Open the ledger in `state` and wire a run over it; the engine is not opened.

    Args:
        settings: What the user wants.
        spec: The engine's row of the registry.
        state: The state directory, held by the caller.
        run_id: The run's name.
        sources: Where documents lie, closed with the rest; anywhere they may where absent.
        events: Told what happens.
        redactor: Learns the secrets that turn up; of its own where absent.
        clock: The time; the system's where absent.
        policy: When tasks are asked for; the settings' where absent.
        open_ledger: Given its path; opens it to be written where absent.

    Raises:
        UsageError: The ledger or a setting cannot be used.
    """
    async with AsyncExitStack() as stack:
        sources = sources or SourceStores(SOURCE_STORES, settings)
        stack.push_async_callback(sources.aclose)
        opening = (open_ledger or Ledger.open)(state / LEDGER_NAME)
        ledger = await stack.enter_async_context(await opening)
        clock, events = clock or SystemClock(), events or EventStream()
        threads = DiskThreads()
        budget = await _budget(settings, ledger, now=clock.now())
        calls = CallBook(ledger=ledger, budget=budget, clock=clock, events=events)
        resources = EngineResources(
            clock=clock,
            calls=calls.of_account(),
            events=events,
            redactor=redactor or Redactor(),
            threads=threads,
            open_source=sources.open,
        )
        engine = await anyio.to_thread.run_sync(spec.build, settings, resources)
        policy = policy or await _policy(settings, engine, ledger)
        pdfs = await anyio.to_thread.run_sync(
            partial(open_output, settings, state=state, run_id=run_id, threads=threads)
        )
        yield RunContext(
            settings=settings,
            engine=engine,
            ledger=ledger,
            calls=calls,
            polling=PollSchedule(policy, clock, max_pollers=settings.concurrency.max_pollers),
            sources=sources,
            pdfs=pdfs,
            scratch=ScratchFolder(state / SCRATCH_NAME),
            threads=threads,
            clock=clock,
            events=events,
            preflight=LimitedThreads(threads, at_once=_PREFLIGHTS),
            fetching=LimitedThreads(DiskThreads(_STORE_REQUESTS), at_once=_STORE_REQUESTS),
            disk_room=DiskRoom(pdfs, threads, clock),
            move_dir=moved_sources_dir(settings),
        )


async def _policy(settings: Settings, engine: Engine, ledger: Ledger) -> PollPolicy:
    if settings.polling.interval is not None:
        return FixedInterval(settings.polling.interval)
    known = await ledger.recall(engine.address) if isinstance(engine, TaskService) else ()
    max_in_flight = settings.concurrency.max_in_flight
    return Predictive(Random(), max_in_flight=max_in_flight, known=known)  # noqa: S311  # no secret


async def _budget(settings: Settings, ledger: Ledger, *, now: datetime) -> Budget:
    chosen = settings.budget
    limits = [] if chosen.max_api_calls is None else [chosen.max_api_calls]
    if chosen.monthly_api_calls is not None:
        since = month_start(now, starts_on=chosen.month_starts_on)
        limits.append(chosen.monthly_api_calls - await ledger.billed_since(since))
    return Budget(max(0, min(limits)) if limits else None)
