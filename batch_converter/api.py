"""The public Python API: convert from a program, with the command's own settings.

The command line stands on the same functions.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import structlog

from batch_converter.errors import ConfigError
from batch_converter.ledger import LedgerReader, copy_ledger
from batch_converter.models import EngineName
from batch_converter.orchestrator import Cancelling, Planner, Run, estimate
from batch_converter.report import (
    ensure_writable,
    write_failed_list,
    write_html_report,
    write_json_report,
    write_manifest,
    write_metrics_file,
)
from batch_converter.sources import OpenSources, Sources
from batch_converter.state import (
    held_state_dir,
    ledger_path,
    new_run_id,
    output_dir,
    require_ledger,
    state_dir,
)
from batch_converter.wiring import choose_engine, open_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from batch_converter.config import Settings
    from batch_converter.models import Estimate, FileReport, RunSummary
    from batch_converter.progress import Tally

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A finished run: its totals at hand, its files as the ledger has them.

    Attributes:
        summary: Totals, calls and exit code.
        ledger: Path of the ledger.
    """

    summary: RunSummary
    ledger: Path

    def files(self) -> Iterator[FileReport]:
        """Yield what the run did with each file, by path; blocking, one row at a time."""
        with LedgerReader(self.ledger) as reader:
            yield from reader.files(self.summary.run_id)

    def failed_paths(self) -> Iterator[str]:
        """Yield the absolute paths of the sources that failed; blocking."""
        with LedgerReader(self.ledger) as reader:
            yield from reader.failed_paths(self.summary.run_id)


async def convert(sources: Sequence[str | os.PathLike[str]], settings: Settings) -> RunReport:
    """Convert files and folders; the same run as the command's.

    Failures of single files are in the report. Cancelling it leaves the ledger as a
    killed process would: the next run takes up what was under way.

    Args:
        sources: Files and folders.
        settings: `output.dir` must be set.

    Raises:
        UsageError: A source or a setting cannot be used; nothing was started.
        StateLockedError: Another run holds the state directory.
        LedgerWriteError: The ledger's disk is full or gone.
    """
    wanted = Sources(paths=tuple(os.fspath(source) for source in sources))
    async with open_run(settings, wanted) as (run, opened):
        summary = await run.execute(opened.found, opened.roots)
    report = RunReport(summary=summary, ledger=ledger_path(settings))
    await anyio.to_thread.run_sync(write_reports, report, settings)
    return report


@asynccontextmanager
async def open_run(
    settings: Settings, sources: Sources, *, run_id: str | None = None, tally: Tally | None = None
) -> AsyncIterator[tuple[Run, OpenSources]]:
    """Hold the state directory and make a run ready; leaving it closes everything.

    Raises:
        UsageError: A source, a setting or the place of a report cannot be used;
            nothing was started.
        StateLockedError: Another run holds the state directory.
    """
    name, run_id = choose_engine(settings), run_id or new_run_id()
    opened = await anyio.to_thread.run_sync(_open_sources, sources, settings)
    await anyio.to_thread.run_sync(_check_report_files, settings)
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(held_state_dir(settings))
        context = await stack.enter_async_context(
            open_context(settings, name, state=state, run_id=run_id, tally=tally)
        )
        await context.parts.prepare()
        await stack.enter_async_context(context.engine)
        recovered = await context.ledger.begin_run(run_id, name, at=context.clock.now())
        planner = Planner(context, any_engine=settings.engine == "auto")
        yield Run(context, planner, recovered), opened


def _open_sources(sources: Sources, settings: Settings) -> OpenSources:
    output_dir(settings)
    return sources.open(settings.input, excluded_dirs=[os.fspath(state_dir(settings))])


async def dry_run(sources: Sources, settings: Settings) -> Estimate:
    """Say what a run would do and cost; nothing is changed, not even the ledger.

    Raises:
        UsageError: A source or a setting cannot be used.
    """
    name = choose_engine(settings)
    opened = await anyio.to_thread.run_sync(_open_sources, sources, settings)
    async with AsyncExitStack() as stack:
        state = Path(stack.enter_context(TemporaryDirectory(prefix="batch-converter-")))
        await anyio.to_thread.run_sync(copy_ledger, ledger_path(settings), state)
        context = await stack.enter_async_context(
            open_context(settings, name, state=state, run_id="dry-run")
        )
        await context.ledger.begin_run("dry-run", name, at=context.clock.now())
        planner = Planner(context, any_engine=settings.engine == "auto")
        return await estimate(context, planner, opened.found, opened.roots)


async def cancel(settings: Settings, *, run_id: str | None = None) -> Cancelling:
    """Delete at the service what is still out there, and put it back to pending.

    Returns:
        What was cancelled, counted.

    Raises:
        UsageError: There are no credentials, or there is no ledger.
        StateLockedError: A run holds the state directory.
        RunStoppedError: The service refuses the account or cannot be reached.
    """
    if not settings.aspose.has_credentials:
        raise ConfigError("to cancel, set ASPOSE_CLIENT_ID and ASPOSE_CLIENT_SECRET")
    await anyio.to_thread.run_sync(require_ledger, settings)
    run_id = run_id or new_run_id()
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(held_state_dir(settings))
        context = await stack.enter_async_context(
            open_context(settings, EngineName.ASPOSE, state=state, run_id=run_id)
        )
        await stack.enter_async_context(context.engine)
        await context.ledger.begin_run(run_id, EngineName.ASPOSE, at=context.clock.now())
        cancelling = Cancelling(context)
        await cancelling.execute()
    return cancelling


def _check_report_files(settings: Settings) -> None:
    """Find out before anything is paid for whether `write_reports` will be able to."""
    wanted = settings.report
    for path, what in (
        (wanted.file, "report"),
        (wanted.html_file, "HTML report"),
        (wanted.metrics_file, "metrics file"),
        (wanted.manifest, "manifest"),
        (wanted.failed_list, "list of failures"),
    ):
        if path is not None:
            ensure_writable(path, what)


def write_reports(report: RunReport, settings: Settings) -> None:
    """Write what the settings ask for: reports, metrics, manifest, failures; blocking.

    Raises:
        OutputError: One of the files cannot be written.
    """
    wanted, price = settings.report, settings.budget.price
    if wanted.file is not None:
        write_json_report(wanted.file, report.summary, report.files(), price=price)
    if wanted.html_file is not None:
        write_html_report(wanted.html_file, report.summary, report.files, price=price)
    if wanted.metrics_file is not None:
        write_metrics_file(wanted.metrics_file, report.summary, price=price)
    if wanted.failed_list is not None:
        write_failed_list(wanted.failed_list, report.failed_paths())
    if wanted.manifest is not None:
        with LedgerReader(report.ledger) as reader:
            write_manifest(wanted.manifest, reader.converted())
