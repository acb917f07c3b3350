"""Sets structlog up for two outputs and one pipeline, and undoes it when the session closes."""

from __future__ import annotations

import logging
import sys
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import structlog
from structlog.contextvars import merge_contextvars
from structlog.processors import TimeStamper, add_log_level, format_exc_info

from batch_converter.errors import UsageError
from batch_converter.logs.cleaning import Cleaner
from batch_converter.logs.console import console_render, json_line
from batch_converter.logs.log_file import LogFile
from batch_converter.logs.writing import LineWriter, NullStream, sink_for
from batch_converter.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import NoReturn

    from structlog.typing import EventDict

    from batch_converter.logs.console import LogFormat, LogLevel, PeopleLines, Render
    from batch_converter.logs.writing import LineStream

_LEVELS: Final[tuple[LogLevel, ...]] = ("debug", "info", "warning", "error")
_SEVERITIES: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_DRAIN_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Output:
    threshold: int
    render: Render
    writer: LineWriter


class LogSession:
    """Logging as configured; closing it writes what is waiting and undoes the set-up.

    Attributes:
        run_id: What every line carries.
        redactor: Masks secrets; who learns one adds it.
    """

    def __init__(self, *, run_id: str, redactor: Redactor) -> None:
        self.run_id = run_id
        self.redactor = redactor
        self._outputs: list[_Output] = []
        self._bridge = _Bridge()
        self._before = structlog.get_config() if structlog.is_configured() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is waiting, for at most some seconds, and let go; safe to repeat."""
        if not self._outputs:
            return
        logging.captureWarnings(capture=False)
        logging.root.removeHandler(self._bridge)
        while self._outputs:  # the log file first, so that the console can tell its losses
            output = self._outputs.pop()
            output.writer.close(_DRAIN_S)
            if output.writer.lost:
                _log().warning(
                    "log.lines_lost", target=output.writer.name, lines=output.writer.lost
                )
        self._restore()

    def _restore(self) -> None:
        if self._before is None:
            structlog.reset_defaults()
        else:
            structlog.configure(**self._before)

    def _start(self, *outputs: _Output) -> None:
        self._outputs.extend(outputs)
        structlog.configure(
            processors=[
                merge_contextvars,
                add_log_level,
                TimeStamper(fmt="iso", utc=True),
                self._identify,
                format_exc_info,  # as text: a traceback's locals may hold secrets
                Cleaner(self.redactor),
                self._deliver,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(
                min(output.threshold for output in outputs)
            ),
            logger_factory=structlog.ReturnLoggerFactory(),
            cache_logger_on_first_use=False,
        )
        logging.root.addHandler(self._bridge)
        logging.captureWarnings(capture=True)

    def _identify(self, _logger: object, _method: str, event_dict: EventDict) -> EventDict:
        """Give lines from threads that have no context variables their run, too."""
        event_dict.setdefault("run_id", self.run_id)
        return event_dict

    def _deliver(self, _logger: object, _method: str, event_dict: EventDict) -> NoReturn:
        severity = _SEVERITIES[event_dict["level"]]
        for output in self._outputs:
            if severity >= output.threshold and (line := output.render(event_dict)):
                output.writer.put(line)
        raise structlog.DropEvent


def configure_logging(
    *,
    level: LogLevel = "info",
    log_format: LogFormat = "auto",
    file: Path | None = None,
    max_bytes: int = 0,
    backups: int = 5,
    run_id: str | None = None,
    stream: LineStream | None = None,
    redactor: Redactor | None = None,
    for_people: PeopleLines | None = None,
    left_out: Callable[[EventDict], bool] | None = None,
) -> LogSession:
    """Send structlog's events, and what libraries log, to `stream` and `file`.

    Args:
        level: What the console shows at least; the file has everything.
        log_format: `auto` is console on a terminal, else JSON lines.
        file: JSON lines are appended here; its folder is made if need be, and the file, too,
            wherever it was moved away.
        max_bytes: The file is rotated before it would be longer; 0 is never.
        backups: So many rotated files are kept.
        run_id: What every line carries; made up where absent.
        stream: The console, standard error where absent; give the live display's
            `log_stream` to have the lines appear above it.
        redactor: Where secrets are, or will be, known.
        for_people: Renders what a console on a terminal shows, unless it shows `debug`.
        left_out: Whether the console goes without an event; the file never does.

    Returns:
        The session, already in force; use it as a context manager or close it.

    Raises:
        UsageError: The file cannot be opened.
    """
    console = stream or sys.stderr or NullStream()
    session = LogSession(run_id=run_id or uuid.uuid4().hex, redactor=redactor or Redactor())
    shown = _Output(
        threshold=_SEVERITIES[level],
        render=console_render(console, level, log_format, for_people, left_out),
        writer=LineWriter(sink_for(console), name="console", on_first_failure=_tell_failure),
    )
    outputs = [shown] if file is None else [shown, _file_output(file, max_bytes, backups)]
    session._start(*outputs)  # noqa: SLF001  # its own factory
    return session


def shifted_level(level: LogLevel, *, louder: int) -> LogLevel:
    """Return the level that many steps more talkative; negative is quieter (`-q`)."""
    wanted = _LEVELS.index(level) - louder
    return _LEVELS[min(max(wanted, 0), len(_LEVELS) - 1)]


def _file_output(path: Path, max_bytes: int, backups: int) -> _Output:
    try:
        sink = LogFile(path, max_bytes=max_bytes, backups=backups, on_trouble=_tell_trouble(path))
    except OSError as error:
        msg = f"cannot open the log file {path}: {error.strerror}"
        raise UsageError(msg) from error
    return _Output(
        threshold=_SEVERITIES["debug"],
        render=json_line,
        writer=LineWriter(sink, name=str(path), on_first_failure=_tell_failure),
    )


class _Bridge(logging.Handler):
    """Takes what libraries log (warnings and worse, unless they were told more)."""

    def emit(self, record: logging.LogRecord) -> None:
        known = max((s for s in _SEVERITIES.values() if s <= record.levelno), default=10)
        _log().log(
            known,
            "library.logged",
            logger=record.name,
            message=record.getMessage(),
            exc_info=record.exc_info,
        )


def _tell_failure(writer: LineWriter, error: Exception) -> None:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    _log().warning("log.write_failed", target=writer.name, reason=reason)


def _tell_trouble(path: Path) -> Callable[[str, OSError], None]:
    return lambda event, error: _log().warning(event, target=str(path), reason=error.strerror)


def _log() -> structlog.typing.FilteringBoundLogger:
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return log
