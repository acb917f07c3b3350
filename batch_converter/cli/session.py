"""Logging for the length of a command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog

from batch_converter.events import FileFailed, RunStopped, WatchPolling, WatchSourceLost
from batch_converter.logs import configure_logging
from batch_converter.redaction import Redactor
from batch_converter.state import new_run_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import EventDict

    from batch_converter.config import LoadedSettings, Settings
    from batch_converter.logs import LogSession, PeopleLines
    from batch_converter.logs.writing import LineStream


_IN_A_SUMMARY: Final = frozenset({FileFailed.name, RunStopped.name, "report.not_written"})
"""Errors that the summary of the run tells of, the last two as its causes."""

_BETWEEN_RUNS: Final = frozenset({WatchPolling.name, WatchSourceLost.name})
"""Trouble of a watch, which no run's summary tells of."""


@contextmanager
def logging_session(
    loaded: LoadedSettings,
    *,
    stream: LineStream | None = None,
    for_people: PeopleLines | None = None,
    quiet: bool = False,
) -> Iterator[LogSession]:
    """Log as the settings say, with the configured secrets masked.

    Args:
        loaded: The settings; what they warn of is the first to be logged.
        stream: Where the console's lines go; standard error where absent.
        for_people: Renders what a console on a terminal shows, unless it shows `debug`.
        quiet: Whether the console leaves out what a summary says: single files, and trouble
            that has passed.

    Raises:
        UsageError: The log file cannot be opened.
    """
    redactor = Redactor(*loaded.settings.secrets())
    with log_as_set(
        loaded.settings,
        new_run_id(),
        redactor,
        stream=stream,
        for_people=for_people,
        quiet=quiet,
    ) as session:
        for warning in loaded.warnings:
            structlog.get_logger().warning("config.warning", message=warning)
        yield session


def log_as_set(
    settings: Settings,
    run_id: str,
    redactor: Redactor,
    *,
    stream: LineStream | None = None,
    for_people: PeopleLines | None = None,
    quiet: bool = False,
) -> LogSession:
    """Return a session that logs as the settings say, of this run; see `logging_session`.

    Raises:
        UsageError: The log file cannot be opened.
    """
    return configure_logging(
        level=settings.logging.level,
        log_format=settings.logging.format,
        file=settings.logging.file,
        max_bytes=settings.logging.max_bytes or 0,
        backups=settings.logging.backups,
        run_id=run_id,
        stream=stream,
        redactor=redactor,
        for_people=for_people,
        left_out=_is_in_a_summary if quiet else None,
    )


def _is_in_a_summary(event: EventDict) -> bool:
    if event["event"] in _BETWEEN_RUNS:
        return False
    return event["level"] not in {"error", "critical"} or event["event"] in _IN_A_SUMMARY
