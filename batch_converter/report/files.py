"""The files that a run writes about itself: one row a format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import structlog

from batch_converter.errors import ExitCode, LedgerError, OutputError
from batch_converter.report.atomic_writer import ensure_apart, ensure_writable
from batch_converter.report.csv_report import write_csv_report
from batch_converter.report.failed_list import write_failed_list
from batch_converter.report.html_report import write_html_report
from batch_converter.report.json_report import write_json_report
from batch_converter.report.manifest import write_manifest
from batch_converter.report.metrics_file import write_metrics_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from batch_converter.config import Settings
    from batch_converter.models import FileReport, RunSummary

log = structlog.get_logger()


class FinishedRun(Protocol):
    """What a format may ask of a run; each call reads from the beginning, and blocks."""

    @property
    def summary(self) -> RunSummary:
        """Totals, calls and exit code."""
        ...

    def files(self) -> Iterator[FileReport]:
        """Yield what the run did with each file, by path."""
        ...

    def failed_paths(self) -> Iterator[str]:
        """Yield the absolute paths of the sources that failed."""
        ...

    def converted(self) -> Iterator[tuple[str, str, int]]:
        """Yield name, SHA-256 and size of every PDF that the ledger knows."""
        ...

    def last_success(self) -> datetime | None:
        """Return when a run last ended with 0, this one or an earlier one."""
        ...


class _Context(NamedTuple):
    """What a format is written from; `summary` has what is known by now."""

    run: FinishedRun
    summary: RunSummary
    settings: Settings


class _Format(NamedTuple):
    """A file that tells of a run.

    Attributes:
        key: Of its path in `[report]`.
        what: How messages name it.
        write: Writes it, whole or not at all, and returns the summary for the next ones.
    """

    key: str
    what: str
    write: Callable[[Path, _Context], RunSummary]


def _write_failed_list(path: Path, told: _Context) -> RunSummary:
    null = told.settings.report.failed_list_null
    unlisted = write_failed_list(path, told.run.failed_paths(), null=null)
    return replace(told.summary, unlisted=unlisted)


def _write_manifest(path: Path, told: _Context) -> RunSummary:
    write_manifest(path, told.run.converted())
    return told.summary


def _write_csv(path: Path, told: _Context) -> RunSummary:
    write_csv_report(path, told.run.files())
    return told.summary


def _write_html(path: Path, told: _Context) -> RunSummary:
    write_html_report(path, told.summary, told.run.files, price=told.settings.budget.price)
    return told.summary


def _write_metrics(path: Path, told: _Context) -> RunSummary:
    price, last_success = told.settings.budget.price, told.run.last_success()
    write_metrics_file(path, told.summary, price=price, last_success=last_success)
    return told.summary


def _write_json(path: Path, told: _Context) -> RunSummary:
    write_json_report(path, told.summary, told.run.files(), price=told.settings.budget.price)
    return told.summary


_FORMATS: Final = (
    _Format("failed_list", "list of failures", _write_failed_list),
    _Format("manifest", "manifest", _write_manifest),
    _Format("csv_file", "CSV report", _write_csv),
    _Format("html_file", "HTML report", _write_html),
    _Format("metrics_file", "metrics file", _write_metrics),
    _Format("file", "report", _write_json),
)
"""In the order of writing: those that show the exit code come last, since they show too
that another file is missing."""


def _wanted(settings: Settings) -> Iterator[tuple[Path, _Format]]:
    for each in _FORMATS:
        path: Path | None = getattr(settings.report, each.key)
        if path is not None:
            yield path, each


def check_report_files(settings: Settings, *, changes_nothing: bool = False) -> None:
    """Check that each wanted file can be written, before anything is paid for; blocking.

    Args:
        settings: Which are wanted, and where.
        changes_nothing: Whether their places are looked at alone, for a dry run.

    Raises:
        UsageError: One cannot, or two are one, or one is the log file.
    """
    log_file = settings.logging.file
    ensure_apart(
        ([] if log_file is None else [(log_file, "log file")])
        + [(path, each.what) for path, each in _wanted(settings)]
    )
    for path, each in _wanted(settings):
        ensure_writable(path, each.what, changes_nothing=changes_nothing)


def write_report_files(
    run: FinishedRun, settings: Settings
) -> tuple[RunSummary, tuple[OutputError, ...]]:
    """Write each wanted file, whatever became of the others; blocking.

    Returns:
        The summary, whose exit code tells of files that are missing, and why they are.
    """
    summary, unwritten = run.summary, list[OutputError]()
    for path, each in _wanted(settings):
        try:
            summary = each.write(path, _Context(run, summary, settings))
        except (OutputError, LedgerError) as error:
            unwritten.append(_named(error, path, each.what))
            summary = _without_file(summary, path, unwritten[-1])
    return summary, tuple(unwritten)


def _named(error: OutputError | LedgerError, path: Path, what: str) -> OutputError:
    """Return an error that names the file, also where it is the ledger that cannot be read."""
    if isinstance(error, OutputError):
        return error
    named = OutputError(f"cannot write the {what} {path}: {error}")
    named.__cause__ = error
    return named


def _without_file(summary: RunSummary, path: Path, error: OutputError) -> RunSummary:
    log.error("report.not_written", path=str(path), message=str(error))
    return replace(summary, exit_code=summary.exit_code or ExitCode.SOME_FAILED)
