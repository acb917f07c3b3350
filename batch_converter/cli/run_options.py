"""The options of whatever makes runs: `convert`, and `watch`, whose batches are runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from batch_converter.cli.candidates import after_candidates
from batch_converter.cli.options import PATH, flag, option, with_options
from batch_converter.engines.registry import engine_names

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

_SERVICE: Final = (
    option(
        "engine",
        "--engine",
        type=click.Choice(engine_names()),
        help="What converts (default: auto, the service where credentials are configured).",
    ),
    option(
        "dask.scheduler",
        "--scheduler",
        metavar="ADDRESS",
        help="With --engine dask: a cluster that is there (tcp://host:8786); else one on this"
        " machine.",
    ),
    option("aspose.base_url", "--base-url", metavar="URL", help="Address of the API."),
    option(
        "concurrency.max_submissions",
        "--max-submissions",
        type=int,
        metavar="N",
        help="Uploads at once (default: 8).",
    ),
    option(
        "concurrency.max_in_flight",
        "--max-in-flight",
        type=int,
        metavar="N",
        help="Documents accepted by the service and not fetched yet (default: 64).",
    ),
    option(
        "concurrency.max_pollers",
        "--max-pollers",
        type=int,
        metavar="N",
        help="Status requests at once (default: 16).",
    ),
    option(
        "polling.interval",
        "--poll-interval",
        type=float,
        metavar="SECONDS",
        help="Fixed polling instead of the predictive one.",
    ),
    option(
        "polling.task_timeout_s",
        "--task-timeout",
        type=float,
        metavar="SECONDS",
        help="Give up waiting for one document (default: 3600).",
    ),
    option(
        "retry.max_attempts",
        "--max-attempts",
        type=int,
        metavar="N",
        help="Submissions of one document in one run (default: 3).",
    ),
    option(
        "budget.max_api_calls",
        "--max-api-calls",
        type=int,
        metavar="N",
        help="Stop before the run makes more billed calls than this.",
    ),
)

_KEEPING: Final = (
    option(
        "output.overwrite",
        "--overwrite",
        type=click.Choice(["if-changed", "always", "never"]),
        help="What becomes of PDFs that are there (default: if-changed).",
    ),
    flag("output.preserve_times", "--preserve-times", help="PDFs take the DjVus' time of change."),
    flag("output.adopt", "--adopt", help="Take fitting PDFs that are there for the files' own."),
    option(
        "input.after",
        "--after",
        metavar="ACTION",
        shell_complete=after_candidates,
        help="What becomes of a source whose PDF is there: keep, or move:DIR (default: keep).",
    ),
    flag("retry.retry_failed", "--retry-failed", help="Take up what failed for good before."),
    flag(
        "report.ignore_known_failures",
        "--ignore-known-failures",
        help="Such files do not make the exit code 1.",
    ),
)

_REPORT: Final = (
    option("report.file", "--report", type=PATH, metavar="FILE", help="JSON report of the run."),
    option(
        "report.html_file",
        "--html-report",
        type=PATH,
        metavar="FILE",
        help="The same as one page for a browser, with plots.",
    ),
    option(
        "report.csv_file",
        "--csv-report",
        type=PATH,
        metavar="FILE",
        help="The report's files as CSV, one row a file.",
    ),
    option(
        "report.metrics_file",
        "--metrics-file",
        type=PATH,
        metavar="FILE",
        help="The run for Prometheus' textfile collector (FILE.prom).",
    ),
    option(
        "report.manifest",
        "--manifest",
        type=PATH,
        metavar="FILE",
        help="SHA-256 of every converted PDF, for sha256sum -c in the output folder.",
    ),
    option(
        "report.failed_list",
        "--failed-list",
        type=PATH,
        metavar="FILE",
        help="Sources that failed, usable as the next --files-from.",
    ),
)

_DISPLAY: Final = (
    click.option(
        "--progress/--no-progress",
        "logging__progress",
        default=None,
        help="Live progress (default: on a terminal).",
    ),
    option(
        "logging.stats",
        "--stats",
        metavar="DURATION",
        help="Off a terminal: a run.progress event every so long (default: 1m; 0 is never).",
    ),
    option(
        "logging.progress_page",
        "--progress-page",
        type=int,
        metavar="PORT",
        help="A live page of this run on 127.0.0.1; 0 takes a free port.",
    ),
)


def service_options(function: F) -> F:
    """Add the engine, how much happens at once, patience, and the budget of calls."""
    return with_options(function, *_SERVICE)


def keeping_options(function: F) -> F:
    """Add what becomes of PDFs and sources that are there, and of failures of earlier runs."""
    return with_options(function, *_KEEPING)


def report_options(function: F) -> F:
    """Add the files that are written at the end of a run."""
    return with_options(function, *_REPORT)


def display_options(function: F) -> F:
    """Add the live progress, and what stands in its place."""
    return with_options(function, *_DISPLAY)
