"""A watch from settings: checked, the state directory held, each batch a run of the API."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

import anyio.to_thread

from batch_converter import api
from batch_converter.clock import SystemClock
from batch_converter.engines.registry import ENGINES, choose_engine
from batch_converter.events import EventStream
from batch_converter.logs import log_event
from batch_converter.machine_limits import check_limits
from batch_converter.report import check_report_files
from batch_converter.state import (
    check_move_dir,
    held_state_dir,
    output_place,
    prepare_move_dir,
    unsearched_dirs,
)
from batch_converter.watching.listening import FolderListener, require_listening
from batch_converter.watching.options import RESCAN_S, SETTLE_S, WatchOptions
from batch_converter.watching.places import Places
from batch_converter.watching.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from batch_converter.clock import Clock
    from batch_converter.config import Settings
    from batch_converter.engines.spec import EngineSpec
    from batch_converter.errors import ExitCode
    from batch_converter.events import Observer
    from batch_converter.orchestrator import Run
    from batch_converter.sources import Sources
    from batch_converter.watching.batch import Batch


class RunBatch(Protocol):
    """Makes one run, as `api.run` does."""

    async def __call__(
        self,
        sources: Sources,
        settings: Settings,
        /,
        *,
        held: Path,
        stopping: Callable[[Run], AbstractContextManager[object]],
    ) -> api.RunReport:
        """Run over the sources, in a state directory that is held already."""
        ...


async def watch(
    sources: Sequence[str | os.PathLike[str]],
    settings: Settings,
    *,
    settle_s: float = SETTLE_S,
    rescan_s: float = RESCAN_S,
    poll: bool = False,
    on_event: Observer | None = None,
    on_report: Callable[[api.RunReport], object] | None = None,
    engines: Sequence[EngineSpec] = ENGINES,
) -> ExitCode:
    """Convert what is in files and folders, then what arrives; the same as the command's `watch`.

    It ends by being cancelled, or by a service that refuses the account. Cancelling it leaves
    the ledger as a killed process would: the next run takes up what was under way.

    Args:
        sources: Files and folders of this machine.
        settings: `output.dir` must be set.
        settle_s: For how long a file must not have changed before it is taken up.
        rescan_s: How often everything is looked at again, and what failed in passing is tried.
        poll: Look now and then instead of being told of changes, as network mounts need it.
        on_event: Told each `RunEvent` as it happens, in the event loop; must not block.
        on_report: Told each run, one a batch, once it has ended; likewise.
        engines: What there is to choose from; a program may bring one of its own.

    Returns:
        Why it has ended.

    Raises:
        UsageError: A source or a setting cannot be used, watchfiles is missing, or (LedgerError)
            the ledger; before anything was started, or later on.
        StateLockedError: A run, or another watch, holds the state directory.
        LimitTooLowError: This process may not have what a run needs.
        LedgerWriteError: The ledger can no longer be written.
    """
    await anyio.to_thread.run_sync(check_limits)

    async def tell(report: api.RunReport | None) -> None:
        if report is not None and on_report is not None:
            on_report(report)

    opening = open_watch(
        tuple(os.fspath(source) for source in sources),
        settings,
        WatchOptions(settle_s=settle_s, rescan_s=rescan_s, poll=poll),
        run_batch=partial(api.run, on_event=on_event, engines=engines),
        after=tell,
        on_event=on_event,
        engines=engines,
    )
    async with opening as watcher:
        return await watcher.watch()


@asynccontextmanager
async def open_watch(
    sources: Sequence[str],
    settings: Settings,
    options: WatchOptions,
    *,
    run_batch: RunBatch,
    after: Callable[[api.RunReport | None], Awaitable[object]],
    on_event: Observer | None = None,
    engines: Sequence[EngineSpec] = ENGINES,
    clock: Clock | None = None,
) -> AsyncIterator[Watcher[api.RunReport]]:
    """Check what is asked for and hold the state directory; see `watch`.

    Args:
        sources: Files and folders.
        settings: What the user wants of each run.
        options: How the watch looks and waits.
        run_batch: Makes a run.
        after: Awaited after each run, and after each rescan with None.
        on_event: Told what happens to the watch, beside the log; runs tell their own observer.
        engines: What there is to choose from.
        clock: The time; the system's where absent.
    """
    clock = clock or SystemClock()
    places = await anyio.to_thread.run_sync(_checked, sources, settings, options, engines, clock)
    events = EventStream([log_event] if on_event is None else [log_event, on_event])
    async with held_state_dir(settings) as state:

        async def convert(batch: Batch, billed: int) -> api.RunReport:
            left = _with_budget_left(settings, billed)
            return await run_batch(batch, left, held=state, stopping=watcher.running)

        watcher = Watcher(
            places,
            options,
            clock=clock,
            emit=events.emit,
            convert=convert,
            listen=None if options.poll else FolderListener.open,
            after=after,
        )
        yield watcher


def _checked(
    sources: Sequence[str],
    settings: Settings,
    options: WatchOptions,
    engines: Sequence[EngineSpec],
    clock: Clock,
) -> Places:
    """Find what a run would refuse before the first one begins; blocking."""
    if not options.poll:
        require_listening()
    choose_engine(settings, engines)
    output_place(settings)
    places = Places(sources, settings.input, excluded_dirs=unsearched_dirs(settings), now=clock.now)
    check_move_dir(settings, places.roots)
    check_report_files(settings)
    prepare_move_dir(settings)
    return places


def _with_budget_left(settings: Settings, billed: int) -> Settings:
    """Return the settings of the next run: `max_api_calls` counts over the whole watch."""
    limit = settings.budget.max_api_calls
    if limit is None:
        return settings
    budget = settings.budget.model_copy(update={"max_api_calls": max(0, limit - billed)})
    return settings.model_copy(update={"budget": budget})
