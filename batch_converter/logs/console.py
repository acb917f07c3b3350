"""Renders events for standard error: as JSON, with their fields, or for a person at a terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import EventDict

from batch_converter.journal import is_journal, prioritized
from batch_converter.logs.cleaning import printable
from batch_converter.logs.writing import descriptor_of

if TYPE_CHECKING:
    from batch_converter.logs.writing import LineStream

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json"]

Render = Callable[[EventDict], str]
"""Renders an event as a line without its end; empty for none."""

PeopleLines = Callable[[EventDict], str | None]
"""Renders an event for a person: empty for none, None where its fields are to be shown."""

TERMS_WITHOUT_CURSOR: Final = frozenset({"dumb", "unknown"})
"""Values of `TERM` that promise nothing but letters."""

_FIRST_KEYS: Final = ("timestamp", "level", "event", "run_id")
_EVENT_WIDTH: Final = 19  # the longest common one, `auth.token_obtained`


def console_render(
    stream: LineStream,
    level: LogLevel,
    log_format: LogFormat,
    for_people: PeopleLines | None,
    left_out: Callable[[EventDict], bool] | None,
) -> Render:
    """Return what renders events for the stream; see `configure_logging`."""
    render: Render = json_line
    if log_format == "console" or (log_format == "auto" and stream.isatty()):
        render = _ConsoleLines(colors=wants_colors(stream))
        if for_people is not None and stream.isatty() and level != "debug":
            render = _first_of(for_people, render)
    descriptor = descriptor_of(stream)
    if descriptor is not None and is_journal(descriptor):
        render = _with_priority(render)
    return render if left_out is None else _without(left_out, render)


def wants_colors(stream: LineStream) -> bool:
    """Whether lines on the stream may be coloured: a terminal that nobody said no for."""
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return False
    return os.environ.get("TERM") not in TERMS_WITHOUT_CURSOR


def _first_of(for_people: PeopleLines, fields: Render) -> Render:
    """Return what renders an event for people where they have a line for it."""

    def render(event: EventDict) -> str:
        line = for_people(event)
        return fields(event) if line is None else line

    return render


def _with_priority(render: Render) -> Render:
    return lambda event: prioritized(render(event), event["level"])


def _without(left_out: Callable[[EventDict], bool], render: Render) -> Render:
    return lambda event: "" if left_out(event) else render(event)


def json_line(event_dict: EventDict) -> str:
    """Return the event as one line of JSON, the keys of every line first."""
    ordered = {key: event_dict[key] for key in _FIRST_KEYS} | dict(event_dict)
    return json.dumps(ordered)  # in ASCII: surrogates stand as escapes


class _ConsoleLines:
    """Renders an event as a line for people: no run id, whole seconds, all of it safe."""

    def __init__(self, *, colors: bool) -> None:
        self._render = ConsoleRenderer(
            _EVENT_WIDTH,
            colors=colors,
            repr_native_str=True,  # escapes what a terminal would obey, and surrogates
            sort_keys=False,
            exception_formatter=plain_traceback,
        )

    def __call__(self, event_dict: EventDict) -> str:
        shown = {key: value for key, value in event_dict.items() if key != "run_id"}
        shown["timestamp"] = f"{shown['timestamp'][:19]}Z"
        shown["event"] = printable(str(shown["event"]))
        if "exception" in shown:
            shown["exception"] = "\n".join(map(printable, shown["exception"].split("\n")))
        return self._render(None, "", shown)
