"""`watch`: convert what is there, then what arrives, until a signal."""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import click
import structlog

from batch_converter import api
from batch_converter.cli import event_loop
from batch_converter.cli.allocator import keep_freed_memory
from batch_converter.cli.choosing import choosing_options
from batch_converter.cli.collector import collect_seldom
from batch_converter.cli.draining import stopped_by_signals
from batch_converter.cli.options import (
    SOURCE,
    config_option,
    logging_options,
    output_options,
    settings_from,
)
from batch_converter.cli.run_options import (
    display_options,
    keeping_options,
    report_options,
    service_options,
)
from batch_converter.cli.running import displayed_logging, displayed_run, print_result
from batch_converter.cli.telling import tell_at_the_end, telling_options
from batch_converter.cli.watch_telling import WatchTelling
from batch_converter.config.units import parse_duration_s
from batch_converter.counters import RunCounters
from batch_converter.machine_limits import check_limits
from batch_converter.orchestrator import StopReason
from batch_converter.report.formatting import pluralized, short_duration
from batch_converter.watching import RESCAN_S, SETTLE_S, WatchOptions, open_watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from batch_converter.cli.progress import ProgressDisplay
    from batch_converter.config import LoadedSettings, Settings
    from batch_converter.errors import ExitCode
    from batch_converter.logs import LogSession
    from batch_converter.orchestrator import Run
    from batch_converter.sources import Sources
    from batch_converter.watching import Tally, Watcher

log = structlog.get_logger()
_RESCAN = f"{RESCAN_S / 60:g}m"


def _seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Read a duration, as a callback of its option."""
    try:
        return parse_duration_s(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


@click.command(short_help="Convert what is there, then what arrives, until a signal.")
@click.argument("paths", metavar="SOURCE...", nargs=-1, type=SOURCE)
@output_options
@config_option
@click.option(
    "--settle",
    "settle_s",
    callback=_seconds,
    default=f"{SETTLE_S:g}",
    metavar="SECONDS",
    help=f"Take a file up once it has not changed for so long (default: {SETTLE_S:g}).",
)
@click.option(
    "--rescan",
    "rescan_s",
    callback=_seconds,
    default=_RESCAN,
    metavar="DURATION",
    help="Look through everything, and try again what failed in passing, every so long"
    f" (default: {_RESCAN}).",
)
@click.option(
    "--poll",
    is_flag=True,
    help="Look for changes now and then instead of being told of them: for network mounts.",
)
@service_options
@choosing_options
@keeping_options
@report_options
@click.option("--json", "as_json", is_flag=True, help="Each batch's result as one line of JSON.")
@display_options
@telling_options
@logging_options
def watch(
    paths: tuple[str, ...],
    config_file: Path | None,
    verbose: int,
    quiet: int,
    *,
    settle_s: float,
    rescan_s: float,
    poll: bool,
    as_json: bool,
    ping_url: str | None,
    on_finish: str | None,
    **given: Any,  # noqa: ANN401  # one parameter a setting, typed by the settings
) -> None:
    """Convert what is in the sources, then what arrives there, until a signal.

    SOURCE is a file or a folder, which is searched for .djvu and .djv files. What has arrived is
    converted once it is quiet, in batches; each batch is a run of its own, as convert makes it.
    """
    keep_freed_memory()
    is_quiet = quiet > verbose
    telling = WatchTelling(ping_url, on_finish, quiet=is_quiet)
    tell_at_the_end(telling)
    loaded = settings_from(config_file, given, verbose=verbose, quiet=quiet)
    options = WatchOptions(settle_s=settle_s, rescan_s=rescan_s, poll=poll)
    check_limits()
    collect_seldom()
    with displayed_logging(loaded, quiet=is_quiet) as (session, display):
        telling.begin(loaded.settings, session)
        show = partial(print_result, settings=loaded.settings, as_json=as_json, quiet=is_quiet)
        is_shown = as_json or is_quiet  # else the log tells of each batch, and a sentence of all
        command = _Watching(loaded, session, display, telling, show=show if is_shown else None)
        code, summary = event_loop.run(command.watch, paths, options)
    if not is_shown:
        click.echo(summary)
    sys.exit(code)


class _Watching:
    """A watch that is shown, told of, and stopped by signals."""

    def __init__(
        self,
        loaded: LoadedSettings,
        session: LogSession,
        display: ProgressDisplay,
        telling: WatchTelling,
        *,
        show: Callable[[api.RunReport], object] | None,
    ) -> None:
        self._settings = loaded.settings
        self._session = session
        self._display = display
        self._telling = telling
        self._show = show

    async def watch(self, paths: tuple[str, ...], options: WatchOptions) -> tuple[ExitCode, str]:
        """Watch; return why it has ended, and what there is to say of it."""
        opening = open_watch(paths, self._settings, options, run_batch=self._run, after=self._after)
        began_s = anyio.current_time()
        async with opening as watcher:
            with self._stopped_by_signals(watcher):
                code = await watcher.watch()
        took_s = anyio.current_time() - began_s
        return code, _summary(watcher.tally, sources=len(paths), took_s=took_s)

    async def _run(
        self,
        sources: Sources,
        settings: Settings,
        /,
        *,
        held: Path,
        stopping: Callable[[Run], AbstractContextManager[object]],
    ) -> api.RunReport:
        counters = RunCounters()
        run = partial(api.run, redactor=self._session.redactor, stopping=stopping, held=held)
        with self._display.of(counters):
            shown = displayed_run(run, counters, settings, is_drawn=self._display.is_drawn)
            return await shown(sources, settings)

    async def _after(self, report: api.RunReport | None) -> None:
        if report is None:
            await self._telling.rescanned()
            return
        if self._show is not None:
            await anyio.to_thread.run_sync(self._show, report)
        await self._telling.batch_ended(report)

    def _stopped_by_signals(self, watcher: Watcher[api.RunReport]) -> AbstractContextManager[None]:
        def stop(number: int) -> None:
            log.warning("run.interrupted", signal=signal.Signals(number).name)
            watcher.stop(StopReason.of_signal(number))
            self._telling.stop()

        def leave() -> None:
            self._telling.kill()
            self._session.close()
            self._display.wipe()

        return stopped_by_signals(stop, before_leaving=leave)


def _summary(tally: Tally, *, sources: int, took_s: float) -> str:
    """Return in one sentence what a watch has done."""
    facts = [f"{pluralized(tally.converted, 'file')} converted"]
    facts += [f"{tally.failed:,} failed"] if tally.failed else []
    facts += [f"{tally.left:,} left"] if tally.left else []
    watched = f"Watched {pluralized(sources, 'source')} for {short_duration(took_s)}"
    return f"{watched}: {', '.join(facts)}."
