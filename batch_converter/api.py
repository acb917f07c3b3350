"""The public Python API: convert from a program, with the command's own settings.

Here the concrete parts are wired together; the command line uses the same wiring.
"""

from __future__ import annotations

import os
import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Final, assert_never

import anyio
import anyio.to_thread
import structlog
from filelock import FileLock, Timeout

from batch_converter.budget import Budget, month_start
from batch_converter.clock import SystemClock
from batch_converter.config import STATE_DIR_NAME, parse_shard
from batch_converter.discovery import Selection, check_sources, read_files_from, walk_sources
from batch_converter.engines.aspose import AsposeEngine
from batch_converter.engines.local import LocalEngine
from batch_converter.errors import ConfigError, StateLockedError, UsageError
from batch_converter.ledger import Ledger, LedgerReader
from batch_converter.models import EngineName
from batch_converter.orchestrator import Run
from batch_converter.orchestrator.context import RunContext
from batch_converter.orchestrator.meter import LedgerMeter
from batch_converter.orchestrator.planning import Planner
from batch_converter.output import PartFolder
from batch_converter.polling import FixedInterval, Predictive
from batch_converter.progress import Tally
from batch_converter.report import write_failed_list, write_json_report, write_manifest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from filelock import BaseFileLock

    from batch_converter.config import Settings
    from batch_converter.discovery import Found
    from batch_converter.engines.base import CallMeter, Engine
    from batch_converter.models import FileReport, RunSummary
    from batch_converter.polling import PollPolicy

LEDGER_NAME: Final = "ledger.sqlite3"
LOCK_NAME: Final = "lock"
PARTS_NAME: Final = "parts"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A finished run: its totals at hand, its files as the ledger has them.

    Attributes:
        summary: Totals, calls and exit code.
        state_dir: Where the ledger lies.
    """

    summary: RunSummary
    state_dir: Path

    def files(self) -> Iterator[FileReport]:
        """Yield what the run did with each file, by path; blocking, one row at a time."""
        with LedgerReader(self.state_dir / LEDGER_NAME) as reader:
            yield from reader.files(self.summary.run_id)

    def failed_paths(self) -> Iterator[str]:
        """Yield the absolute paths of the sources that failed."""
        with LedgerReader(self.state_dir / LEDGER_NAME) as reader:
            yield from reader.failed_paths(self.summary.run_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is to be converted.

    Attributes:
        paths: Files and folders.
        files_from: A file that lists more, `-` for standard input.
        null: The list is NUL-separated.
    """

    paths: tuple[str, ...] = ()
    files_from: str | None = None
    null: bool = False

    def check(self) -> None:
        """Make sure that there is something to look at.

        Raises:
            UsageError: Nothing was given, or a path does not exist.
        """
        if not self.paths and self.files_from is None:
            raise UsageError("nothing to convert: give a file, a folder or --files-from")
        check_sources(self.paths)

    def __iter__(self) -> Iterator[str]:
        """Yield all paths as they come."""
        yield from self.paths
        if self.files_from is not None:
            yield from read_files_from(self.files_from, null=self.null)

    def roots(self) -> list[str]:
        """Return the absolute paths of the folders among the paths; blocking."""
        return [os.path.abspath(path) for path in self.paths if os.path.isdir(path)]  # noqa: PTH100, PTH112  # bytes kept


def output_dir(settings: Settings) -> Path:
    """Return the absolute output folder.

    Raises:
        UsageError: None is configured.
    """
    if settings.output.dir is None:
        raise UsageError("no output folder: give -o DIR or set output.dir in the configuration")
    return settings.output.dir.absolute()


def state_dir(settings: Settings) -> Path:
    """Return the absolute folder of ledger, lock and part files."""
    if settings.output.state_dir is not None:
        return settings.output.state_dir.absolute()
    return output_dir(settings) / STATE_DIR_NAME


def new_run_id() -> str:
    """Return a name for a run that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def choose_engine(settings: Settings) -> EngineName:
    """Return the engine that `auto` means, or the one that was asked for.

    Raises:
        ConfigError: The service was asked for and there are no credentials.
    """
    if settings.engine == "auto":
        return EngineName.ASPOSE if settings.aspose.has_credentials else EngineName.LOCAL
    engine = EngineName(settings.engine)
    if engine is EngineName.ASPOSE and not settings.aspose.has_credentials:
        raise ConfigError(
            "the aspose engine needs credentials: set ASPOSE_CLIENT_ID and ASPOSE_CLIENT_SECRET,"
            " or use --engine local"
        )
    return engine


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
    async with open_run(settings, wanted) as run:
        roots = await anyio.to_thread.run_sync(wanted.roots)
        summary = await run.execute(walk(wanted, settings), roots)
    report = RunReport(summary=summary, state_dir=state_dir(settings))
    await anyio.to_thread.run_sync(write_reports, report, settings)
    return report


@asynccontextmanager
async def open_run(
    settings: Settings, sources: Sources, *, run_id: str | None = None, tally: Tally | None = None
) -> AsyncIterator[Run]:
    """Hold the state directory and wire a run over it.

    Raises:
        UsageError: A source or a setting cannot be used; nothing was started.
        StateLockedError: Another run holds the state directory.
    """
    name = choose_engine(settings)
    run_id, tally, clock = run_id or new_run_id(), tally or Tally(), SystemClock()
    target = output_dir(settings)
    await anyio.to_thread.run_sync(sources.check)
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(held_state_dir(settings))
        ledger = await stack.enter_async_context(await Ledger.open(state / LEDGER_NAME))
        parts = PartFolder(
            output_dir=target, state_dir=state, run_id=run_id, verify=settings.output.verify
        )
        await parts.prepare()
        budget = await _budget(settings, ledger)
        meter = LedgerMeter(ledger=ledger, budget=budget, clock=clock, tally=tally)
        engine = build_engine(name, settings, meter)
        recovered = await ledger.begin_run(run_id, name, at=clock.now())
        log.info("run.started", engine=name, output=os.fspath(target), **asdict(recovered))
        await stack.enter_async_context(engine)
        context = RunContext(
            settings=settings,
            engine=engine,
            ledger=ledger,
            meter=meter,
            policy=_policy(settings),
            parts=parts,
            clock=clock,
            tally=tally,
            output_dir=target,
            parts_dir=state / PARTS_NAME,
            pollers=anyio.CapacityLimiter(settings.concurrency.max_pollers),
        )
        yield Run(context, Planner(context, any_engine=settings.engine == "auto"))


def build_engine(name: EngineName, settings: Settings, meter: CallMeter) -> Engine:
    """Return the engine of that name, not yet opened."""
    match name:
        case EngineName.ASPOSE:
            return AsposeEngine(
                settings.aspose,
                settings.retry,
                meter=meter,
                max_submissions=settings.concurrency.max_submissions,
            )
        case EngineName.LOCAL:
            return LocalEngine(settings.local)
        case _ as never:
            assert_never(never)


def _policy(settings: Settings) -> PollPolicy:
    if settings.polling.interval is not None:
        return FixedInterval(settings.polling.interval)
    return Predictive(Random(), max_in_flight=settings.concurrency.max_in_flight)  # noqa: S311  # no secret


async def _budget(settings: Settings, ledger: Ledger) -> Budget:
    limits, chosen = [], settings.budget
    if chosen.max_api_calls is not None:
        limits.append(chosen.max_api_calls)
    if chosen.monthly_api_calls is not None:
        since = month_start(datetime.now(UTC), starts_on=chosen.month_starts_on)
        limits.append(chosen.monthly_api_calls - await ledger.billed_since(since))
    return Budget(max(0, min(limits)) if limits else None)


def write_reports(report: RunReport, settings: Settings) -> None:
    """Write what the settings ask for: report, manifest, list of failures; blocking.

    Raises:
        OutputError: One of the files cannot be written.
    """
    wanted = settings.report
    if wanted.file is not None:
        write_json_report(wanted.file, report.summary, report.files())
    if wanted.failed_list is not None:
        write_failed_list(wanted.failed_list, report.failed_paths())
    if wanted.manifest is not None:
        with LedgerReader(report.state_dir / LEDGER_NAME) as reader:
            write_manifest(wanted.manifest, reader.converted())


def walk(sources: Sources, settings: Settings) -> Iterator[Found]:
    """Return the walk over the sources, with the filters of the settings."""
    chosen = settings.input
    selection = Selection(
        include=chosen.include,
        exclude=chosen.exclude,
        min_bytes=chosen.min_size or 0,
        max_bytes=chosen.max_size,
        follow_symlinks=chosen.follow_symlinks,
        shard=None if chosen.shard is None else parse_shard(chosen.shard),
    )
    return walk_sources(sources, selection, excluded_dirs=[os.fspath(state_dir(settings))])


@asynccontextmanager
async def held_state_dir(settings: Settings) -> AsyncIterator[Path]:
    """Create the state directory and hold its lock, which dies with the process.

    Raises:
        StateLockedError: Another process holds it.
        UsageError: It cannot be created.
    """
    folder = state_dir(settings)
    lock = FileLock(folder / LOCK_NAME, blocking=False, thread_local=False)
    await anyio.to_thread.run_sync(_hold, folder, lock)
    try:
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(lock.release)


def _hold(folder: Path, lock: BaseFileLock) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        msg = f"another run holds {folder}; wait for it, or use another --state-dir"
        raise StateLockedError(msg) from None
    except OSError as error:
        msg = f"the state directory {folder} cannot be used: {error.strerror}"
        raise UsageError(msg) from error
