"""What a run needs, opened in this order: sources, the state directory, the ledger, output, engine.

What is wrong with a command is raised before anything is started. What is in the way of a run
that is on record (a service, a store or a disk that fails) is told and reported by the run itself.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import anyio.to_thread

from batch_converter.clock import SystemClock
from batch_converter.config import settings_of_run
from batch_converter.discovery import absolute_path
from batch_converter.engines.registry import ENGINES, choose_engine
from batch_converter.errors import (
    LedgerError,
    LedgerWriteError,
    RunStoppedError,
    ServiceUnavailableError,
)
from batch_converter.events import EventStream
from batch_converter.logs import log_event
from batch_converter.orchestrator import Planner, Run, finish_moves
from batch_converter.report import check_report_files
from batch_converter.sources import OpenSources, SourceStores
from batch_converter.state import (
    check_move_dir,
    held_state_dir,
    moved_sources,
    new_run_id,
    output_place,
    prepare_move_dir,
    unsearched_dirs,
)
from batch_converter.wiring import SOURCE_STORES, open_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from batch_converter.clock import Clock
    from batch_converter.config import Settings
    from batch_converter.engines.spec import EngineSpec
    from batch_converter.events import Observer
    from batch_converter.ledger import Recovered
    from batch_converter.orchestrator.context import RunContext
    from batch_converter.polling import PollPolicy
    from batch_converter.redaction import Redactor
    from batch_converter.sources import BuildStore, Sources


@asynccontextmanager
async def open_run(
    settings: Settings,
    sources: Sources,
    *,
    run_id: str | None = None,
    on_event: Observer | None = None,
    redactor: Redactor | None = None,
    engines: Sequence[EngineSpec] = ENGINES,
    source_stores: Mapping[str, BuildStore] = SOURCE_STORES,
    clock: Clock | None = None,
    policy: PollPolicy | None = None,
    held: Path | None = None,
) -> AsyncIterator[tuple[Run, OpenSources]]:
    """Hold the state directory and make a run ready; leaving it closes everything.

    Args:
        settings: What the user wants.
        sources: What is to be converted.
        run_id: The run's name; a new one where absent.
        on_event: Told each event as it happens, beside the log.
        redactor: The log's, so that it learns tokens before they are used.
        engines: What there is to choose from.
        source_stores: Where sources may lie.
        clock: The time; the system's where absent.
        policy: When tasks are asked for; the settings' where absent.
        held: The state directory, where the caller holds it already.

    Raises:
        UsageError: A source, a setting or the place of a report cannot be used;
            nothing was started. A store that does not answer is told by the run.
        StateLockedError: Another run holds the state directory.
    """
    spec, run_id = choose_engine(settings, engines), run_id or new_run_id()
    stores, now = SourceStores(source_stores, settings), (clock or SystemClock()).now()
    opened, obstacle = await anyio.to_thread.run_sync(
        _open_if_reachable, sources, settings, stores, now
    )
    await anyio.to_thread.run_sync(check_report_files, settings)
    await anyio.to_thread.run_sync(prepare_move_dir, settings)
    events = EventStream([log_event] if on_event is None else [log_event, on_event])
    async with AsyncExitStack() as stack:
        holding = held_state_dir(settings) if held is None else nullcontext(held)
        state = await stack.enter_async_context(holding)
        context = await stack.enter_async_context(
            open_context(
                settings,
                spec,
                state=state,
                run_id=run_id,
                sources=stores,
                events=events,
                redactor=redactor,
                clock=clock,
                policy=policy,
            )
        )
        await anyio.to_thread.run_sync(context.scratch.prepare)
        obstacle = obstacle or await _open_places(stack, context)
        recovered = await _begin(context, settings, run_id, spec.name)
        obstacle = obstacle or await _finish_moves(context)
        planner = Planner(context, any_engine=settings.engine == "auto")
        yield Run(context, planner, recovered, obstacle=obstacle), opened


async def _begin(context: RunContext, settings: Settings, run_id: str, engine: str) -> Recovered:
    """Put the run on record, and what dead ones have left; without that nothing is started.

    Raises:
        LedgerError: It cannot be recorded: the disk is full, say.
    """
    try:
        return await context.ledger.begin_run(
            run_id, engine, at=context.clock.now(), settings=settings_of_run(settings)
        )
    except LedgerWriteError as error:
        raise LedgerError(f"nothing was started: {error}") from error


async def _finish_moves(context: RunContext) -> LedgerWriteError | None:
    """Finish moves of dead runs; returns why it cannot be recorded, which is told and reported."""
    try:
        await finish_moves(context)
    except LedgerWriteError as obstacle:
        return obstacle
    return None


async def _open_places(stack: AsyncExitStack, context: RunContext) -> RunStoppedError | None:
    """Open output and engine; returns what is in the way of a run, which is told and reported."""
    try:
        await context.pdfs.prepare()
        await context.pdfs.clear_parts(*await context.ledger.unfinished())
        await stack.enter_async_context(context.engine)
    except RunStoppedError as obstacle:
        return obstacle
    return None


def _open_if_reachable(
    sources: Sources, settings: Settings, stores: SourceStores, now: datetime
) -> tuple[OpenSources, RunStoppedError | None]:
    """Open the sources; without any where a store does not answer, which is told and reported."""
    try:
        return open_sources(sources, settings, stores, now), None
    except ServiceUnavailableError as obstacle:
        return OpenSources(found=iter(()), roots=()), obstacle


def open_sources(
    sources: Sources, settings: Settings, stores: SourceStores, now: datetime
) -> OpenSources:
    """Find out what is to be converted, and whether that can be done where it is; blocking.

    Raises:
        UsageError: A source, or the place of PDFs or of what was converted, cannot be used.
        ServiceUnavailableError: A store does not answer.
    """
    output_place(settings)
    with moved_sources(settings) as was_moved:
        opened = sources.open(
            settings.input,
            stores,
            excluded_dirs=unsearched_dirs(settings),
            now=now,
            was_moved=lambda path: was_moved(absolute_path(path)),
        )
    check_move_dir(settings, opened.roots, sources.paths)
    return opened
