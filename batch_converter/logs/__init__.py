"""Log lines: structlog, once for the console and once for the log file."""

from __future__ import annotations

from batch_converter.logs.cleaning import printable
from batch_converter.logs.events import log_event
from batch_converter.logs.session import (
    LogFormat,
    LogLevel,
    LogSession,
    configure_logging,
    shifted_level,
)

__all__ = [
    "LogFormat",
    "LogLevel",
    "LogSession",
    "configure_logging",
    "log_event",
    "printable",
    "shifted_level",
]
