"""What a person at a terminal reads of a run: one line an event, made to fit.

Task ids and the other fields are for `-v`, the log file and JSON. Messages about one file are
shortened, and stand whole in the log file and the summary; those about the run are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from batch_converter.report.formatting import duration, pluralized, short_duration, size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from structlog.typing import EventDict

    from batch_converter.cli.line_fitting import Lettering

    _Form = Callable[[EventDict, Lettering], "_Line"]

_GREEN, _RED, _YELLOW, _PLAIN = 32, 31, 33, 0
_LEAST_NAME: Final = 16
_GAP: Final = "  "
_PATH: Final = re.compile(r"(?<![\w:/])/(?:[^/\s]+/)+([^/\s]*)")
"""An absolute path; its last part tells which file it is."""
_MINUTE_S: Final = 60
_OWN_KEYS: Final = frozenset({"timestamp", "level", "event", "run_id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line before it is made to fit.

    Attributes:
        name: A file's, shortened in its middle; empty where the line is about the run.
        facts: Said of the name, in order.
        droppable: Positions in `facts`, what is left out first in front.
        text: Said of the name, shortened at its end; or of the run, whole.
    """

    color: int
    name: str = ""
    facts: tuple[str, ...] = ()
    droppable: tuple[int, ...] = ()
    text: str = ""


class EventLines:
    """Renders events for a person.

    Args:
        columns: How wide the terminal is; asked for each line.
        lettering: What it can show.
        colors: Whether signs are coloured.
    """

    def __init__(self, *, columns: Callable[[], int], lettering: Lettering, colors: bool) -> None:
        self._columns = columns
        self._letters = lettering
        self._signs = {
            _GREEN: lettering.done,
            _RED: lettering.failed,
            _YELLOW: lettering.warned,
            _PLAIN: lettering.said,
        }
        self._colors = colors
        self._start: dict[str, object] | None = None

    def __call__(self, event: EventDict) -> str | None:
        """Return the event's line; empty where it has none, None where nothing is known of it."""
        name = event["event"]
        if name in _UNSHOWN or self._is_known_start(event):
            return ""
        form = _FORMS.get(name)
        if form is None:
            return self._finished(line) if (line := _plain_message(event)) else None
        try:
            return self._finished(form(event, self._letters))
        except KeyError:  # of that name, and somebody else's: its fields are shown
            return None

    def _is_known_start(self, event: EventDict) -> bool:
        """Whether a run begins as the one before it did: a watch makes many."""
        if event["event"] != "run.started":
            return False
        start = {key: value for key, value in event.items() if key not in _OWN_KEYS}
        is_known, self._start = start == self._start, start
        return is_known

    def _finished(self, line: _Line) -> str:
        sign = self._signs[line.color]
        if self._colors and line.color != _PLAIN:
            sign = f"\x1b[{line.color}m{sign}\x1b[0m"
        return f"{sign} {self._fitted(line)}"

    def _fitted(self, line: _Line) -> str:
        text = self._letters.shown(line.text)
        if not line.name:
            return text
        cells = self._columns() - 3  # the sign, its space, and the last column, which may wrap
        name = self._letters.shown(line.name)
        if line.facts:
            return self._with_facts(name, line, cells)
        room = cells - len(_GAP) - cell_len(name)
        if cell_len(text) > room:
            text = self._letters.shown(_PATH.sub(self._letters.cut + r"/\1", line.text))
        least = min(cell_len(name), cells // 3)
        for_name = max(least, cells - len(_GAP) - cell_len(text))
        name = self._letters.middle_cut(name, for_name)
        text = self._letters.end_cut(text, cells - cell_len(name) - len(_GAP))
        return f"{name}{_GAP}{text}"

    def _with_facts(self, name: str, line: _Line, cells: int) -> str:
        facts = self._facts_beside(min(cell_len(name), _LEAST_NAME), line, cells)
        if not facts:
            return self._letters.middle_cut(name, cells)
        for_name = cells - cell_len(_GAP + facts)
        return f"{self._letters.middle_cut(name, for_name)}{_GAP}{facts}"

    def _facts_beside(self, for_name: int, line: _Line, cells: int) -> str:
        """Return as many of the facts as leave the name that many cells."""
        for count in range(len(line.droppable)):
            left_out = line.droppable[:count]
            kept = (fact for at, fact in enumerate(line.facts) if at not in left_out)
            facts = self._letters.joined(kept)
            if cells - cell_len(_GAP + facts) >= for_name:
                return facts
        return ""


def _converted(event: EventDict, letters: Lettering) -> _Line:
    pages = "" if event["pages"] is None else pluralized(event["pages"], "page")
    sizes = f"{size(event['bytes_in'])} {letters.arrow} {size(event['bytes_out'])}"
    took = event["total_s"]
    seconds = f"{took:.1f} s" if round(took, 1) < _MINUTE_S else duration(took)
    facts = [fact for fact in (pages, sizes, seconds) if fact]
    droppable = (1, 0, 2) if pages else (0, 1)
    return _Line(color=_GREEN, name=event["source"], facts=tuple(facts), droppable=droppable)


def _failed(event: EventDict, _: Lettering) -> _Line:
    return _Line(color=_RED, name=event["source"], text=_reason(event))


def _retrying(event: EventDict, _: Lettering) -> _Line:
    return _Line(color=_YELLOW, name=event["source"], text=f"tried again after {_reason(event)}")


def _reason(event: EventDict) -> str:
    """Return code and message, without the file's name, which the line has already."""
    name = str(event["source"]).rpartition("/")[2]
    message = str(event["message"]).removeprefix(name).removeprefix(":").lstrip()
    return f"{event['code']}: {message}"


def _warned(event: EventDict, _: Lettering) -> _Line:
    first, *others = event["warnings"]
    more = f" (and {len(others):,} more)" if others else ""
    return _Line(color=_YELLOW, name=event["source"], text=f"{first}{more}")


def _started(event: EventDict, _: Lettering) -> _Line:
    text = f"Engine {event['engine']}, chosen by {event['chosen_by']}; PDFs go to {event['output']}"
    out = event["out_at_service"]
    if out:
        text += f"; first {pluralized(out, 'document')} that an earlier run left at the service"
    return _Line(color=_PLAIN, text=text)


def _throttled(event: EventDict, _: Lettering) -> _Line:
    wait = short_duration(event["wait_s"])
    text = f"The service asks for a pause of {wait} ({event['endpoint']}: {event['reason']})"
    return _Line(color=_YELLOW, text=text)


def _interrupted(event: EventDict, _: Lettering) -> _Line:
    text = f"{event['signal']}: bringing home what is under way; once more leaves at once"
    return _Line(color=_YELLOW, text=text)


def _progress(event: EventDict, letters: Lettering) -> _Line:
    done = event["converted"] + event["failed"] + event["skipped"]
    facts = [f"{done:,} of {pluralized(event['found'], 'file')}"]
    facts += [f"{event['failed']:,} failed"] if event["failed"] else []
    facts += [pluralized(event["pages"], "page")]
    if event["files_per_minute"] is not None:
        facts.append(f"{event['files_per_minute']:,.1f} files a minute")
    if event["left_s"] is not None:
        facts.append(f"{duration(event['left_s'])} left")
    return _Line(color=_PLAIN, text=letters.joined(facts))


def _watching(event: EventDict, _: Lettering) -> _Line:
    quiet = f"a file is taken up once it has not changed for {event['settle_s']:g} s"
    return _Line(color=_PLAIN, text=f"Watching {', '.join(event['sources'])}; {quiet}")


def _waiting(event: EventDict, letters: Lettering) -> _Line:
    facts = [f"{event['converted']:,} converted so far"]
    facts += [f"{event['failed']:,} failed"] if event["failed"] else []
    facts += [f"{event['left']:,} to be tried again"] if event["left"] else []
    watched = f"Watching {pluralized(event['folders'], 'folder')}"
    return _Line(color=_PLAIN, text=letters.joined([watched, *facts, "waiting"]))


def _of_file(color: int, text: str) -> _Form:
    """Return the form of a file's event that says this; fields stand in braces."""
    return lambda event, _: _Line(color=color, name=event["source"], text=text.format_map(event))


def _of_run(color: int, text: str) -> _Form:
    """Return the form of a run's event that says this; fields stand in braces."""
    return lambda event, _: _Line(color=color, text=text.format_map(event))


def _plain_message(event: EventDict) -> _Line | None:
    """Return the line of an event that has nothing to say but a message."""
    if event.keys() - _OWN_KEYS != {"message"}:
        return None
    color = {"warning": _YELLOW, "error": _RED}.get(event["level"], _PLAIN)
    return _Line(color=color, text=f"{event['event']}: {event['message']}")


_FORMS: Final[Mapping[str, _Form]] = {
    "file.converted": _converted,
    "file.failed": _failed,
    "file.retrying": _retrying,
    "file.warned": _warned,
    "file.adopted": _of_file(_GREEN, "the PDF that is there was taken for its own"),
    "file.passed_over": _of_file(_YELLOW, "passed over: {reason}"),
    "file.not_moved": _of_file(_YELLOW, "stays where it is: {reason}"),
    "file.vanished": _of_file(_YELLOW, "is not there any more; its PDF stays"),
    "file.left_at_service": _of_file(_YELLOW, "stays at the service, for the engine that sent it"),
    "run.started": _started,
    "run.interrupted": _interrupted,
    "run.progress": _progress,
    "run.progress_page": _of_run(_PLAIN, "Progress page: {address}"),
    "run.shard_changed": _of_run(_YELLOW, "{message}"),
    "run.stopped": _of_run(_RED, "{code}: {message}"),
    "run.deadline_passed": _of_run(_YELLOW, "The deadline has passed: no new file is taken up"),
    "run.fewer_at_once": _of_run(
        _YELLOW, "Only {documents} of {wanted} documents at once: too few files may be open"
    ),
    "budget.exhausted": _of_run(_YELLOW, "The budget is spent: {message}"),
    "service.throttled": _throttled,
    "watch.started": _watching,
    "watch.waiting": _waiting,
    "watch.polling": _of_run(
        _YELLOW, "Changes are looked for every {poll_s:g} s, and not told by the system: {reason}"
    ),
    "watch.source_lost": _of_run(_YELLOW, "{path} is away, and is looked for: {reason}"),
    "watch.source_back": _of_run(_PLAIN, "{path} is there again"),
    "ping.failed": _of_run(_YELLOW, "The ping of {host} ({ping}) failed: {reason}"),
}

_UNSHOWN: Final = frozenset(
    {
        "auth.token_obtained",
        "file.moved",
        "file.resubmitted",
        "file.submitted",
        "run.finished",
        "watch.finished",
    }
)
"""Events that a person has no use for, or reads in the summary."""
