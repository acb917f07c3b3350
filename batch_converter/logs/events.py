"""Run events as log lines: an observer."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from batch_converter.events import RunEvent

_log = structlog.get_logger()


def log_event(event: RunEvent) -> None:
    """Write the event's line, if it has one: its name, and its fields beside it."""
    if event.level is not None:
        values = {field.name: getattr(event, field.name) for field in fields(event)}
        getattr(_log, event.level)(event.name, **values)
