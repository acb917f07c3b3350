"""The public Python API: convert from a program, with the command's own settings.

The command line stands on the same functions.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import structlog

from batch_converter.clock import SystemClock
from batch_converter.config import settings_of_run
from batch_converter.discovery import absolute_path
from batch_converter.engines.base import TaskService
from batch_converter.engines.registry import ENGINES, choose_engine, choose_service
from batch_converter.errors import (
    LedgerError,
    LedgerWriteError,
    RunStoppedError,
    ServiceUnavailableError,
)
from batch_converter.events import EventStream
from batch_converter.ledger import Ledger, LedgerReader
from batch_converter.logs import log_event
from batch_converter.machine_limits import check_limits
from batch_converter.merging import MergedRun, merged_run
from batch_converter.models import RunKind
from batch_converter.orchestrator import Cancelling, Planner, Run, estimate, finish_moves
from batch_converter.report import check_report_files, write_report_files
from batch_converter.sources import OpenSources, Sources, SourceStores
from batch_converter.state import (
    check_move_dir,
    held_state_dir,
    ledger_path,
    new_run_id,
    output_place,
    prepare_move_dir,
    require_ledger,
    unsearched_dirs,
    was_moved,
)
from batch_converter.wiring import SOURCE_STORES, open_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from batch_converter.clock import Clock
    from batch_converter.config import Settings
    from batch_converter.engines.spec import EngineSpec
    from batch_converter.errors import OutputError
    from batch_converter.events import Observer
    from batch_converter.ledger import Recovered
    from batch_converter.models import Estimate, FileReport, RunSummary
    from batch_converter.orchestrator.context import RunContext
    from batch_converter.polling import PollPolicy
    from batch_converter.redaction import Redactor
    from batch_converter.sources import BuildStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A finished run: its totals at hand, its files as the ledger has them.

    Attributes:
        summary: Totals, calls and exit code.
        ledger: Path of the ledger.
        unwritten: Why report files that the settings ask for are not there, each naming one; where
            nothing worse has happened, the exit code is 1 for that.
    """

    summary: RunSummary
    ledger: Path
    unwritten: tuple[OutputError, ...] = ()

    def files(self) -> Iterator[FileReport]:
        """Yield what the run did with each file, by path; blocking, one row at a time.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with LedgerReader(self.ledger) as reader:
            yield from reader.files(self.summary.run_id)

    def failed_paths(self) -> Iterator[str]:
        """Yield the absolute paths of the sources that failed; blocking.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with LedgerReader(self.ledger) as reader:
            yield from reader.failed_paths(self.summary.run_id)

    def paths(self) -> Iterator[str]:
        """Yield the absolute paths of all sources that the run tells of; blocking.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with LedgerReader(self.ledger) as reader:
            yield from reader.paths(self.summary.run_id)

    def left_paths(self) -> Iterator[str]:
        """Yield the absolute paths of the sources that the next run takes up again; blocking.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with LedgerReader(self.ledger) as reader:
            yield from reader.left_paths(self.summary.run_id)

    def paths_of_many_files(self) -> Iterator[tuple[str, bool]]:
        """Yield the paths of documents that change when files beside them do; blocking.

        Indexes with parts; and, marked by True, what failed and may be one that lacks some.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with LedgerReader(self.ledger) as reader:
            yield from reader.paths_of_many_files()

    def converted(self) -> Iterator[tuple[str, str, int]]:
        """Yield name, SHA-256 and size of every PDF that the ledger knows; blocking.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with LedgerReader(self.ledger) as reader:
            yield from reader.converted()

    def last_success(self) -> datetime | None:
        """Return when a run last ended with 0, this one or an earlier one; blocking.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with LedgerReader(self.ledger) as reader:
            return reader.last_success(self.summary.run_id)


async def convert(
    sources: Sequence[str | os.PathLike[str]],
    settings: Settings,
    *,
    on_event: Observer | None = None,
    engines: Sequence[EngineSpec] = ENGINES,
) -> RunReport:
    """Convert files and folders; the same run as the command's.

    Failures of single files are in the report, and so is a report file that could not
    be written: once begun, a run always gives its report back. Cancelling it leaves
    the ledger as a killed process would: the next run takes up what was under way.

    Args:
        sources: Files and folders.
        settings: `output.dir` must be set.
        on_event: Told each `RunEvent` as it happens, in the event loop; must not block.
        engines: What there is to choose from; a program may bring one of its own.

    Raises:
        UsageError: A source or a setting cannot be used, or (LedgerError) the ledger;
            nothing was started.
        StateLockedError: Another run holds the state directory.
        LimitTooLowError: This process may not have what a run needs.
        LedgerWriteError: The ledger's disk is gone: not even the totals can be read.
    """
    await anyio.to_thread.run_sync(check_limits)
    paths = tuple(os.fspath(source) for source in sources)
    return await run(Sources(paths=paths), settings, on_event=on_event, engines=engines)


async def run(
    sources: Sources,
    settings: Settings,
    *,
    run_id: str | None = None,
    on_event: Observer | None = None,
    redactor: Redactor | None = None,
    engines: Sequence[EngineSpec] = ENGINES,
    stopping: Callable[[Run], AbstractContextManager[object]] = nullcontext,
    held: Path | None = None,
) -> RunReport:
    """Convert what is named in any way that the command knows; see `convert`.

    Args:
        sources: Files, folders and lists of them.
        settings: `output.dir` must be set.
        run_id: What every line of the log carries; made up where absent.
        on_event: Told each event as it happens.
        redactor: The log's, so that it learns tokens before they are used.
        engines: What there is to choose from.
        stopping: Entered while the run goes on; it may call `Run.stop`.
        held: The state directory, where the caller holds it already.
    """
    run_id = run_id or new_run_id()
    with structlog.contextvars.bound_contextvars(run_id=run_id):
        opening = open_run(
            settings,
            sources,
            run_id=run_id,
            on_event=on_event,
            redactor=redactor,
            engines=engines,
            held=held,
        )
        async with opening as (opened, found):
            with stopping(opened):
                summary = await opened.execute(found.found, found.roots)
        ended = RunReport(summary=summary, ledger=ledger_path(settings))
        return await anyio.to_thread.run_sync(write_reports, ended, settings)


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
        return _open_sources(sources, settings, stores, now), None
    except ServiceUnavailableError as obstacle:
        return OpenSources(found=iter(()), roots=()), obstacle


def _open_sources(
    sources: Sources, settings: Settings, stores: SourceStores, now: datetime
) -> OpenSources:
    output_place(settings)
    opened = sources.open(
        settings.input,
        stores,
        excluded_dirs=unsearched_dirs(settings),
        now=now,
        was_moved=lambda path: was_moved(settings, absolute_path(path)),
    )
    check_move_dir(settings, opened.roots, sources.paths)
    return opened


async def dry_run(
    sources: Sources,
    settings: Settings,
    *,
    engines: Sequence[EngineSpec] = ENGINES,
    source_stores: Mapping[str, BuildStore] = SOURCE_STORES,
    with_files: bool = False,
) -> Estimate:
    """Say what a run would do and cost; nothing is changed, not even the ledger.

    Args:
        sources: Files, folders and lists of them.
        settings: `output.dir` must be set.
        engines: What there is to choose from.
        source_stores: Where sources may lie.
        with_files: Also what would be done with each file; they are held in memory.

    Raises:
        UsageError: A source or a setting, or a file or program that one names, cannot be used,
            or the place of a report cannot be written.
    """
    spec = choose_engine(settings, engines)
    await anyio.to_thread.run_sync(spec.check_means, settings)
    stores, now = SourceStores(source_stores, settings), SystemClock().now()
    opened = await anyio.to_thread.run_sync(_open_sources, sources, settings, stores, now)
    await anyio.to_thread.run_sync(partial(check_report_files, settings, changes_nothing=True))
    async with AsyncExitStack() as stack:
        state = ledger_path(settings).parent
        context = await stack.enter_async_context(
            open_context(
                settings,
                spec,
                state=state,
                run_id="dry-run",
                sources=stores,
                open_ledger=Ledger.open_copy,
            )
        )
        await context.ledger.begin_run("dry-run", spec.name, at=context.clock.now())
        planner = Planner(context, any_engine=settings.engine == "auto")
        return await estimate(context, planner, opened.found, opened.roots, with_files=with_files)


async def cancel(
    settings: Settings,
    *,
    run_id: str | None = None,
    redactor: Redactor | None = None,
    engines: Sequence[EngineSpec] = ENGINES,
) -> Cancelling:
    """Delete at the service what is still out there, and put it back to pending.

    Returns:
        What was cancelled, counted.

    Raises:
        UsageError: There are no credentials, or there is no ledger.
        StateLockedError: A run holds the state directory.
        RunStoppedError: The service refuses the account or cannot be reached.
    """
    spec = choose_service(settings, engines)
    await anyio.to_thread.run_sync(require_ledger, settings)
    run_id = run_id or new_run_id()
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(held_state_dir(settings))
        context = await stack.enter_async_context(
            open_context(settings, spec, state=state, run_id=run_id, redactor=redactor)
        )
        service = context.engine
        if not isinstance(service, TaskService):
            raise TypeError(f"{spec.name} has no tasks to cancel")
        await stack.enter_async_context(service)
        await context.ledger.begin_run(
            run_id, spec.name, at=context.clock.now(), kind=RunKind.CANCEL
        )
        cancelling = Cancelling(context, service)
        await cancelling.execute()
    return cancelling


def merge(state_dirs: Sequence[str | os.PathLike[str]]) -> AbstractContextManager[MergedRun]:
    """Read the last runs of an archive's shards as one, for as long as the block lasts.

    Blocking. Runs may go on meanwhile: each ledger is read as it was at one moment.

    Args:
        state_dirs: The state directory of each shard (`--shard K/N --state-dir DIR`).

    Raises:
        UsageError: They are no shards of one archive, or (LedgerError) one has no run.
    """
    return merged_run([Path(folder) for folder in state_dirs])


def write_reports(report: RunReport, settings: Settings) -> RunReport:
    """Write the files that the settings ask for, each whatever became of others; blocking.

    Returns:
        The report with what could not be written, and the exit code with it.
    """
    summary, unwritten = write_report_files(report, settings)
    return replace(report, summary=summary, unwritten=unwritten)
