"""`convert`: the main job."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
import click
import structlog

from batch_converter import api
from batch_converter.cli.options import (
    PATH,
    config_option,
    flag,
    logging_options,
    option,
    output_options,
    settings_from,
)
from batch_converter.logs import SecretScrubber, configure_logging
from batch_converter.orchestrator import StopReason
from batch_converter.progress import ProgressDisplay, Tally
from batch_converter.report import ensure_writable, human_summary, summary_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch_converter.config import LoadedSettings, Settings
    from batch_converter.models import RunSummary
    from batch_converter.orchestrator import Run

_REASONS: Final = {
    signal.SIGINT: StopReason.SIGINT,
    signal.SIGTERM: StopReason.SIGTERM,
    signal.SIGHUP: StopReason.SIGTERM,
}

log = structlog.get_logger()


@click.command(short_help="Convert every DjVu in the sources to PDF.")
@click.argument("paths", metavar="SOURCE...", nargs=-1, type=click.Path())
@output_options
@config_option
@option(
    "engine",
    "--engine",
    type=click.Choice(["auto", "aspose", "local"]),
    help="What converts (default: auto, the service where credentials are configured).",
)
@option("aspose.base_url", "--base-url", metavar="URL", help="Address of the API.")
@option(
    "concurrency.max_submissions",
    "--max-submissions",
    type=int,
    metavar="N",
    help="Uploads at once (default: 8).",
)
@option(
    "concurrency.max_in_flight",
    "--max-in-flight",
    type=int,
    metavar="N",
    help="Documents accepted by the service and not fetched yet (default: 64).",
)
@option(
    "concurrency.max_pollers",
    "--max-pollers",
    type=int,
    metavar="N",
    help="Status requests at once (default: 16).",
)
@option(
    "polling.interval",
    "--poll-interval",
    type=float,
    metavar="SECONDS",
    help="Fixed polling instead of the predictive one.",
)
@option(
    "polling.task_timeout_s",
    "--task-timeout",
    type=float,
    metavar="SECONDS",
    help="Give up waiting for one document (default: 3600).",
)
@option(
    "retry.max_attempts",
    "--max-attempts",
    type=int,
    metavar="N",
    help="Submissions of one document in one run (default: 3).",
)
@click.option(
    "--files-from", metavar="FILE", help="Read the sources from a file, one a line; - is stdin."
)
@click.option("--null", is_flag=True, help="The sources in --files-from are NUL-separated.")
@option(
    "input.include",
    "--include",
    multiple=True,
    metavar="GLOB",
    help="Only files whose path below the source matches; gitignore syntax, repeatable.",
)
@option("input.exclude", "--exclude", multiple=True, metavar="GLOB", help="Not these; repeatable.")
@flag("input.follow_symlinks", "--follow-symlinks", help="Enter linked folders, each once.")
@option(
    "output.overwrite",
    "--overwrite",
    type=click.Choice(["if-changed", "always", "never"]),
    help="What becomes of PDFs that are there (default: if-changed).",
)
@flag("retry.retry_failed", "--retry-failed", help="Take up what failed for good before.")
@flag(
    "report.ignore_known_failures",
    "--ignore-known-failures",
    help="Such files do not make the exit code 1.",
)
@option("report.file", "--report", type=PATH, metavar="FILE", help="JSON report of the run.")
@option(
    "report.manifest",
    "--manifest",
    type=PATH,
    metavar="FILE",
    help="SHA-256 of every converted PDF, for sha256sum -c in the output folder.",
)
@option(
    "report.failed_list",
    "--failed-list",
    type=PATH,
    metavar="FILE",
    help="Sources that failed, usable as the next --files-from.",
)
@click.option("--json", "as_json", is_flag=True, help="The result as one line of JSON.")
@click.option(
    "--progress/--no-progress",
    "logging__progress",
    default=None,
    help="Live progress (default: on a terminal).",
)
@logging_options
def convert(
    paths: tuple[str, ...],
    config_file: Path | None,
    files_from: str | None,
    verbose: int,
    quiet: int,
    *,
    null: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401  # one parameter a setting, typed by the settings
) -> None:
    """Convert every DjVu in the sources to PDF.

    SOURCE is a file or a folder, which is searched for .djvu and .djv files.
    """
    loaded = settings_from(config_file, given, verbose=verbose, quiet=quiet)
    sources = api.Sources(paths=paths, files_from=files_from, null=null)
    tally = Tally()
    display = ProgressDisplay(tally, wanted=loaded.settings.logging.progress)
    with _logging(loaded, display) as run_id, display:
        report = anyio.run(_convert, sources, loaded.settings, run_id, tally)
    _print_result(report, loaded.settings, as_json=as_json)
    sys.exit(report.summary.exit_code)


@contextmanager
def _logging(loaded: LoadedSettings, display: ProgressDisplay) -> Iterator[str]:
    run_id = api.new_run_id()
    settings = loaded.settings
    scrubber = SecretScrubber()
    if settings.aspose.client_secret is not None:
        scrubber.add(settings.aspose.client_secret.get_secret_value())
    with configure_logging(
        level=settings.logging.level,
        log_format=settings.logging.format,
        file=settings.logging.file,
        run_id=run_id,
        stream=display.log_stream,
        scrubber=scrubber,
    ):
        for warning in loaded.warnings:
            log.warning("config.warning", message=warning)
        yield run_id


async def _convert(
    sources: api.Sources, settings: Settings, run_id: str, tally: Tally
) -> api.RunReport:
    await anyio.to_thread.run_sync(_check_report_files, settings)
    async with api.open_run(settings, sources, run_id=run_id, tally=tally) as run:
        async with anyio.create_task_group() as watchers:
            watchers.start_soon(_watch_signals, run)
            roots = await anyio.to_thread.run_sync(sources.roots)
            summary = await run.execute(api.walk(sources, settings), roots)
            watchers.cancel_scope.cancel()
        _tell_finished(summary)
    report = api.RunReport(summary=summary, state_dir=api.state_dir(settings))
    await anyio.to_thread.run_sync(api.write_reports, report, settings)
    return report


def _check_report_files(settings: Settings) -> None:
    """Refuse what could not be written in the end before anything is paid for."""
    wanted = settings.report
    for path, what in (
        (wanted.file, "report"),
        (wanted.manifest, "manifest"),
        (wanted.failed_list, "list of failures"),
    ):
        if path is not None:
            ensure_writable(path, what)


async def _watch_signals(run: Run) -> None:
    """Drain at the first signal, leave at the second."""
    first = True
    with anyio.open_signal_receiver(*_REASONS) as signals:
        async for signum in signals:
            if not first:
                os._exit(128 + signum)
            first = False
            log.warning("run.interrupted", signal=signal.Signals(signum).name)
            run.stop(_REASONS[signal.Signals(signum)])


def _tell_finished(summary: RunSummary) -> None:
    totals = summary.totals
    log.info(
        "run.finished",
        exit_code=summary.exit_code,
        found=totals.found,
        converted=totals.converted,
        skipped=totals.skipped,
        failed=totals.failed,
        remaining=totals.remaining,
        billed=summary.api_calls.billed,
    )


def _print_result(report: api.RunReport, settings: Settings, *, as_json: bool) -> None:
    if as_json:
        click.echo(summary_json(report.summary))
        return
    budget = settings.budget
    click.echo(
        human_summary(
            report.summary,
            report.files(),
            price_per_call=budget.price_per_call,
            currency=budget.currency,
        )
    )
