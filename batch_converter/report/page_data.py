"""The files of a run as the page's script reads them: JSON, an array a file.

Positions instead of names keep the page of 10,000 documents within 5 MB; `COLUMNS` stands
beside the rows, and the script goes by it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from batch_converter.logs import printable
from batch_converter.models import FileStatus
from batch_converter.report.plot_data import PHASE_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from batch_converter.models import FileReport, RunSummary, Timeline

MOST_GOOD_FILES: Final = 50_000
"""That are converted or up to date, and have nothing else to be said of."""

COLUMNS: Final = (
    "status",
    "source",
    "root",
    "output",
    "pages",
    "bytesIn",
    "bytesOut",
    "submissions",
    "polls",
    "timeline",
    "code",
    "message",
    "warnings",
    "taskId",
    "movedTo",
)
_SUFFIX: Final = ".pdf"
_STATUSES: Final = (
    FileStatus.FAILED,
    FileStatus.REMAINING,
    FileStatus.CONVERTED,
    FileStatus.SKIPPED,
)
_PHASES: Final = tuple(PHASE_NAMES)
_IN_TROUBLE: Final = frozenset({FileStatus.FAILED, FileStatus.REMAINING})
_IN_SCRIPT: Final = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"})
"""So that no name ends the element that it stands in."""


class PageData:
    """The rows of the table; iterated once, and after that it knows what it has left out.

    Files in trouble, or with warnings, come first and are all there; of the others as many
    as a browser bears.

    Args:
        summary: The run.
        files: Gives what it did with each file, one at a time; called twice.
    """

    def __init__(self, summary: RunSummary, files: Callable[[], Iterable[FileReport]]) -> None:
        self._files = files
        self._began_s = summary.started_at.timestamp()
        self._has_calls = summary.api_calls.billed > 0
        self._roots: dict[str, int] = {}
        self.left_out = 0

    def __iter__(self) -> Iterator[str]:
        """Yield pieces of one JSON object that may stand in a `script` element."""
        head = {
            "began": round(self._began_s * 1000),
            "hasCalls": self._has_calls,
            "columns": COLUMNS,
            "statuses": [status.value for status in _STATUSES],
            "phases": [[phase.value, PHASE_NAMES[phase]] for phase in _PHASES],
        }
        yield _json(head).removesuffix("}") + ',"rows":[\n'
        separator = ""
        for file in self._in_order():
            yield separator + _json(self._row(file))
            separator = ",\n"
        yield '\n],"roots":' + _json(list(self._roots)) + "}"

    def _in_order(self) -> Iterator[FileReport]:
        yield from filter(_is_notable, self._files())
        good = 0
        for file in self._files():
            if not _is_notable(file):
                good += 1
                if good <= MOST_GOOD_FILES:
                    yield file
        self.left_out = max(0, good - MOST_GOOD_FILES)

    def _row(self, file: FileReport) -> list[Any]:
        """Return the values of `COLUMNS`; those at the end that say nothing are left out."""
        error = file.error
        row: list[Any] = [
            _STATUSES.index(file.status),
            printable(file.source),
            self._roots.setdefault(printable(file.source_root), len(self._roots)),
            _output(file),
            file.pages,
            file.bytes_in,
            file.bytes_out,
            file.submissions,
            file.polls,
            0 if file.timeline is None else self._timeline(file.timeline),
            0 if error is None else error.code.value,
            0 if error is None else printable(error.message),
            [printable(warning) for warning in file.warnings] or 0,
            printable(file.task_id or "") if file.status in _IN_TROUBLE else 0,
            printable(file.moved_to or ""),
        ]
        while not row[-1]:
            row.pop()
        return row

    def _timeline(self, timeline: Timeline) -> list[int]:
        """Return milliseconds from the run's start, then each phase's number and milliseconds."""
        flat = [round((timeline.began_at.timestamp() - self._began_s) * 1000)]
        for phase, seconds in timeline.phases:
            flat += _PHASES.index(phase), round(seconds * 1000)
        return flat


def _output(file: FileReport) -> str | int | None:
    """Return the PDF's path; mostly as how many letters of the source `.pdf` stands for."""
    if file.output is None:
        return None
    source, output = printable(file.source), printable(file.output)
    stem = output.removesuffix(_SUFFIX)
    suffix = source.removeprefix(stem)
    is_suffix = stem + suffix == source and stem + _SUFFIX == output and suffix.isascii()
    return len(suffix) if is_suffix else output


def _is_notable(file: FileReport) -> bool:
    return file.status in _IN_TROUBLE or bool(file.warnings)


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_IN_SCRIPT)
