"""The public Python API: convert from a program, with the command's own settings.

The command line stands on the same functions.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import structlog

from batch_converter.clock import SystemClock
from batch_converter.engines.base import TaskService
from batch_converter.engines.registry import ENGINES, choose_engine, choose_service
from batch_converter.ledger import Ledger, LedgerReader
from batch_converter.machine_limits import check_limits
from batch_converter.merging import MergedRun, merged_run
from batch_converter.models import RunKind
from batch_converter.opening import open_run, open_sources
from batch_converter.orchestrator import Cancelling, Planner, Run, estimate
from batch_converter.report import check_report_files, write_report_files
from batch_converter.sources import Sources, SourceStores
from batch_converter.state import (
    held_state_dir,
    ledger_path,
    new_run_id,
    require_ledger,
)
from batch_converter.wiring import SOURCE_STORES, open_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from batch_converter.config import Settings
    from batch_converter.engines.spec import EngineSpec
    from batch_converter.errors import OutputError
    from batch_converter.events import Observer
    from batch_converter.models import Estimate, FileReport, RunSummary
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
        with self._reader() as reader:
            yield from reader.files(self.summary.run_id)

    def failed_paths(self) -> Iterator[str]:
        """Yield the absolute paths of the sources that failed; blocking.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with self._reader() as reader:
            yield from reader.failed_paths(self.summary.run_id)

    def paths(self) -> Iterator[str]:
        """Yield the absolute paths of all sources that the run tells of; blocking.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with self._reader() as reader:
            yield from reader.paths(self.summary.run_id)

    def left_paths(self) -> Iterator[str]:
        """Yield the absolute paths of the sources that the next run takes up again; blocking.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with self._reader() as reader:
            yield from reader.left_paths(self.summary.run_id)

    def paths_of_many_files(self) -> Iterator[tuple[str, bool]]:
        """Yield the paths of documents that change when files beside them do; blocking.

        Indexes with parts; and, marked by True, what failed and may be one that lacks some.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with self._reader() as reader:
            yield from reader.paths_of_many_files()

    def converted(self) -> Iterator[tuple[str, str, int]]:
        """Yield name, SHA-256 and size of every PDF that the ledger knows; blocking.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with self._reader() as reader:
            yield from reader.converted()

    def last_success(self) -> datetime | None:
        """Return when a run last ended with 0, this one or an earlier one; blocking.

        Raises:
            LedgerError: The ledger cannot be read any more.
        """
        with self._reader() as reader:
            return reader.last_success(self.summary.run_id)

    def _reader(self) -> LedgerReader:
        """Open the ledger, which the run has checked before it wrote it."""
        return LedgerReader(self.ledger, is_checked=True)


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
    opened = await anyio.to_thread.run_sync(open_sources, sources, settings, stores, now)
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
