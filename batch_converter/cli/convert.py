"""`convert`: the main job."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import click

from batch_converter import api
from batch_converter.cli.allocator import keep_freed_memory
from batch_converter.cli.candidates import after_candidates
from batch_converter.cli.choosing import choosing_options
from batch_converter.cli.options import (
    PATH,
    SOURCE,
    config_option,
    flag,
    logging_options,
    option,
    output_options,
    settings_from,
)
from batch_converter.cli.output import echo_lines, echo_pieces
from batch_converter.cli.running import print_result, run_with_display
from batch_converter.cli.session import logging_session
from batch_converter.cli.signals import raise_at_once
from batch_converter.cli.telling import Telling, tell_at_the_end, telling_options
from batch_converter.engines.registry import engine_names
from batch_converter.errors import UsageError
from batch_converter.machine_limits import check_limits
from batch_converter.report import estimate_json_text, human_estimate
from batch_converter.sources import Sources

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.config import Settings
    from batch_converter.models import Estimate


@click.command(short_help="Convert every DjVu in the sources to PDF.")
@click.argument("paths", metavar="SOURCE...", nargs=-1, type=SOURCE)
@output_options
@config_option
@option(
    "engine",
    "--engine",
    type=click.Choice(engine_names()),
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
@option(
    "budget.max_api_calls",
    "--max-api-calls",
    type=int,
    metavar="N",
    help="Stop before the run makes more billed calls than this.",
)
@option(
    "budget.deadline",
    "--deadline",
    metavar="DURATION",
    help="Stop taking new work after this long (90m, 6h) and finish cleanly.",
)
@option(
    "budget.max_errors",
    "--max-errors",
    type=int,
    metavar="N",
    help="Stop admitting after N failures.",
)
@flag("budget.fail_fast", "--fail-fast", help="Stop admitting after the first failure.")
@choosing_options
@option(
    "output.overwrite",
    "--overwrite",
    type=click.Choice(["if-changed", "always", "never"]),
    help="What becomes of PDFs that are there (default: if-changed).",
)
@flag("output.preserve_times", "--preserve-times", help="PDFs take the DjVus' time of change.")
@flag("output.adopt", "--adopt", help="Take fitting PDFs that are there for the files' own.")
@option(
    "input.after",
    "--after",
    metavar="ACTION",
    shell_complete=after_candidates,
    help="What becomes of a source whose PDF is there: keep, or move:DIR (default: keep).",
)
@flag("retry.retry_failed", "--retry-failed", help="Take up what failed for good before.")
@flag(
    "report.ignore_known_failures",
    "--ignore-known-failures",
    help="Such files do not make the exit code 1.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what would be done and what it would cost; change nothing."
)
@click.option(
    "--files", "with_files", is_flag=True, help="With --dry-run: list what becomes of each file."
)
@option("report.file", "--report", type=PATH, metavar="FILE", help="JSON report of the run.")
@option(
    "report.html_file",
    "--html-report",
    type=PATH,
    metavar="FILE",
    help="The same as one page for a browser, with plots.",
)
@option(
    "report.csv_file",
    "--csv-report",
    type=PATH,
    metavar="FILE",
    help="The report's files as CSV, one row a file.",
)
@option(
    "report.metrics_file",
    "--metrics-file",
    type=PATH,
    metavar="FILE",
    help="The run for Prometheus' textfile collector (FILE.prom).",
)
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
@option(
    "logging.stats",
    "--stats",
    metavar="DURATION",
    help="Off a terminal: a run.progress event every so long (default: 1m; 0 is never).",
)
@option(
    "logging.progress_page",
    "--progress-page",
    type=int,
    metavar="PORT",
    help="A live page of this run on 127.0.0.1; 0 takes a free port.",
)
@telling_options
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
    dry_run: bool,
    with_files: bool,
    ping_url: str | None,
    on_finish: str | None,
    **given: Any,  # noqa: ANN401  # one parameter a setting, typed by the settings
) -> None:
    """Convert every DjVu in the sources to PDF.

    SOURCE is a file or a folder, which is searched for .djvu and .djv files.
    """
    keep_freed_memory()
    is_quiet = quiet > verbose
    telling = Telling(ping_url, on_finish, quiet=is_quiet)
    if not dry_run:
        tell_at_the_end(telling)
    if with_files and not dry_run:
        raise UsageError(
            "--files lists what --dry-run would do: give that too, or see status --files"
        )
    given["report__failed_list_null"] = null or None
    loaded = settings_from(config_file, given, verbose=verbose, quiet=quiet)
    is_listing = loaded.settings.report.failed_list is not None
    reads_null = null and (files_from is not None or not is_listing)
    sources = Sources(paths=paths, files_from=files_from, null=reads_null)
    if dry_run:
        raise_at_once()
        with logging_session(loaded):
            plan = partial(api.dry_run, with_files=with_files)
            estimate = anyio.run(plan, sources, loaded.settings)
        _print_estimate(estimate, loaded.settings, as_json=as_json)
        return
    check_limits()
    told = run_with_display(sources, loaded, telling, quiet=is_quiet)
    print_result(told, loaded.settings, as_json=as_json, quiet=is_quiet)
    sys.exit(told.summary.exit_code)


def _print_estimate(estimate: Estimate, settings: Settings, *, as_json: bool) -> None:
    price = settings.budget.price
    if as_json:
        echo_pieces(estimate_json_text(estimate, price=price))
    else:
        echo_lines(human_estimate(estimate, price=price))
