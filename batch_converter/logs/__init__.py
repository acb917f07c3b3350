"""Log lines: structlog, once for the console and once for the log file."""

from __future__ import annotations

from batch_converter.logs.cleaning import printable
from batch_converter.logs.console import (
    TERMS_WITHOUT_CURSOR,
    LogFormat,
    LogLevel,
    PeopleLines,
    wants_colors,
)
from batch_converter.logs.events import log_event
from batch_converter.logs.session import LogSession, configure_logging, shifted_level
from batch_converter.logs.writing import NullStream

__all__ = [
    "TERMS_WITHOUT_CURSOR",
    "LogFormat",
    "LogLevel",
    "LogSession",
    "NullStream",
    "PeopleLines",
    "configure_logging",
    "log_event",
    "printable",
    "shifted_level",
    "wants_colors",
]
