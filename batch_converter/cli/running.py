"""A run as `convert` makes it: observed, shown, interrupted by signals, and told in the end."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click
import structlog

from batch_converter import api
from batch_converter.cli import event_loop
from batch_converter.cli.draining import stopped_by_signals
from batch_converter.cli.event_lines import EventLines
from batch_converter.cli.progress import ProgressDisplay
from batch_converter.cli.progress_log import run_with_progress_log
from batch_converter.cli.session import logging_session
from batch_converter.counters import RunCounters
from batch_converter.errors import ExitCode
from batch_converter.logs import NullStream, wants_colors
from batch_converter.orchestrator import StopReason
from batch_converter.report import human_summary, summary_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager

    from batch_converter.cli.telling import Telling
    from batch_converter.config import LoadedSettings, Settings
    from batch_converter.logs import LogSession
    from batch_converter.orchestrator import Run
    from batch_converter.sources import Sources

log = structlog.get_logger()


def run_with_display(
    sources: Sources, loaded: LoadedSettings, telling: Telling, *, quiet: bool
) -> api.RunReport:
    """Convert, with a live display on a terminal and `run.progress` elsewhere.

    Args:
        sources: What is to be converted.
        loaded: The settings.
        telling: Told of the beginning, and what came of it.
        quiet: Whether nothing is drawn unless asked for, nor said but what ends the run.
    """
    counters, settings = RunCounters(), loaded.settings
    with displayed_logging(loaded, quiet=quiet) as (session, display), display.of(counters):
        run = partial(
            api.run,
            run_id=session.run_id,
            redactor=session.redactor,
            stopping=partial(_stopped_by_signals, session=session, display=display),
        )
        telling.begin(settings, session)
        shown = displayed_run(run, counters, settings, is_drawn=display.is_drawn)
        report = event_loop.run(shown, sources, settings)
    telling.ran(report)
    return report


@contextmanager
def displayed_logging(
    loaded: LoadedSettings, *, quiet: bool
) -> Iterator[tuple[LogSession, ProgressDisplay]]:
    """Log as the settings say, for a person in words, above a display that is to be entered.

    Raises:
        UsageError: The log file cannot be opened.
    """
    wishes = loaded.settings.logging
    wanted = False if quiet and wishes.progress is None else wishes.progress
    display = ProgressDisplay(RunCounters(), wanted=wanted)
    lines = EventLines(
        columns=lambda: display.columns,
        lettering=display.lettering,
        colors=wants_colors(display.log_stream or NullStream()),
    )
    logging = logging_session(loaded, stream=display.log_stream, for_people=lines, quiet=quiet)
    with logging as session:
        yield session, display


def displayed_run(
    run: Callable[..., Awaitable[api.RunReport]],
    counters: RunCounters,
    settings: Settings,
    *,
    is_drawn: bool,
) -> Callable[..., Awaitable[api.RunReport]]:
    """Return the run with who observes it: counters, a page where one is wanted, `run.progress`.

    Args:
        run: As `api.run`.
        counters: Of this run.
        settings: What the user wants.
        is_drawn: Whether a display shows how far it is, so that no line has to.
    """
    stats_s = 0 if is_drawn else settings.logging.stats
    return _observed(_with_progress_log(run, counters, stats_s), counters, settings)


def print_result(report: api.RunReport, settings: Settings, *, as_json: bool, quiet: bool) -> None:
    """Print what came of the run; quietly, nothing where it succeeded, unless JSON is wanted."""
    summary, price = report.summary, settings.budget.price
    if as_json:
        click.echo(summary_json(summary, price=price))
    is_silent = summary.exit_code == ExitCode.OK if quiet else as_json
    if not is_silent:
        unwritten = [
            f"{error}; once that is settled, the same command writes it"
            for error in report.unwritten
        ]
        text = human_summary(summary, report.files(), price=price, unwritten=unwritten)
        click.echo(text, err=as_json)


def _with_progress_log(
    run: Callable[..., Awaitable[api.RunReport]], counters: RunCounters, interval_s: float
) -> Callable[..., Awaitable[api.RunReport]]:
    return partial(run_with_progress_log, run, counters, interval_s) if interval_s else run


def _observed(
    run: Callable[..., Awaitable[api.RunReport]], counters: RunCounters, settings: Settings
) -> Callable[..., Awaitable[api.RunReport]]:
    """Return the run with who observes it: the counters, and a page where one is wanted."""
    port = settings.logging.progress_page
    if port is None:
        return partial(run, on_event=counters.observe)
    from batch_converter.cli.page import run_with_page  # noqa: PLC0415  # a web server, which most runs spare themselves

    return partial(run_with_page, run, port, counters)


def _stopped_by_signals(
    run: Run, session: LogSession, display: ProgressDisplay
) -> AbstractContextManager[None]:
    def stop(number: int) -> None:
        log.warning("run.interrupted", signal=signal.Signals(number).name)
        run.stop(StopReason.of_signal(number))

    def leave() -> None:
        session.close()
        display.wipe()

    return stopped_by_signals(stop, before_leaving=leave)
