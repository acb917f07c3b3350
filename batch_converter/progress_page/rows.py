"""What the page shows of each document of a run: an observer of the run's events. Pure."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from batch_converter.clock import SystemClock
from batch_converter.events import (
    DocumentAdmitted,
    DocumentReleased,
    FileConverted,
    FileDiscovered,
    FileFailed,
    FilePolled,
    FileRetrying,
    FileSubmitted,
    KnownFailure,
    RunFinished,
    RunStarted,
    RunStopped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from batch_converter.events import FileEvent, RunEvent

MAX_READY: Final = 5_000
"""Documents that are shown after their PDF is there; older ones stand in the totals alone."""

_MAX_REMOVED: Final = 10_000
_PROCESSING: Final = "Processing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One document, as the page's table has it.

    Attributes:
        number: In the order of admission; the row's id.
        state: `waiting`, `converting`, `ready` or `failed`.
        sequence: Grows with every change of any row.
        error: Code and message of one that failed.
        warnings: What was said beside its PDF, or why it is tried again.
    """

    number: int
    name: str
    state: str
    sequence: int
    submitted_at: datetime
    size_bytes: int = 0
    pdf_bytes: int = 0
    pages: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: tuple[str, str] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class RunFacts:
    """What is said of the run as a whole; its counts are the run's own counters'."""

    engine: str = ""
    output: str = ""
    started_at: datetime | None = None
    stopped: str = ""
    exit_code: int | None = None
    ended: bool = False


@dataclass(slots=True)
class RunRows:
    """The rows, and what has changed of them.

    Attributes:
        now: The time of day.
        facts: Of the run.
        sequence: Of the latest change.
        totals: Documents by state, of all that were admitted.
        bytes_in: Of the DjVu files that were admitted.
        bytes_out: Of the PDFs that are there.
        changed: Called after every change.
    """

    now: Callable[[], datetime] = field(default_factory=lambda: SystemClock().now)
    facts: RunFacts = field(default_factory=RunFacts)
    sequence: int = 0
    totals: Counter[str] = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    changed: Callable[[], None] = lambda: None
    _rows: dict[int, Row] = field(default_factory=dict)
    _open: dict[str, list[int]] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
    _ready: deque[int] = field(default_factory=deque)
    _removed: deque[tuple[int, int]] = field(default_factory=deque)
    _numbered: int = 0

    def observe(self, event: RunEvent) -> None:
        """Take an event of the run."""
        match event:
            case RunStarted(engine=engine, output=output):
                self.facts.engine, self.facts.output = engine, output
                self.facts.started_at = self.now()
            case RunStopped(message=message):
                self.facts.stopped = message
            case RunFinished(exit_code=exit_code):
                self.facts.exit_code, self.facts.ended = exit_code, True
            case DocumentAdmitted(source=source):
                self._admit(source)
            case DocumentReleased(source=source):
                self._release(source)
            case _:
                self._observe_file(event)
                return
        self._step()

    def _observe_file(self, event: RunEvent) -> None:
        match event:
            case FileSubmitted(task_id=task_id, bytes=size_bytes, pages=pages):
                state = "converting" if task_id is None else "waiting"
                self._change(event, state=state, size_bytes=size_bytes, pages=pages, begins=True)
            case FilePolled(status=status) if status == _PROCESSING:
                self._change(event, state="converting")
            case FileRetrying(code=code, message=message):
                self._change(event, warnings=(f"tried again after {code}: {message}",))
            case FileConverted():
                self._convert(event)
            case KnownFailure() | FileFailed():
                self._fail(event)
            case FileDiscovered():
                pass
            case _:
                return

    def _admit(self, source: str) -> None:
        self._numbered += 1
        number = self._numbered
        self._open.setdefault(source, []).append(number)
        self.totals["waiting"] += 1
        self._rows[number] = Row(
            number=number,
            name=source,
            state="waiting",
            sequence=self.sequence + 1,
            submitted_at=self.now(),
        )

    def _release(self, source: str) -> None:
        """Let go of a document that has left the run; without an end it is the next run's."""
        numbers = self._open.get(source, [])
        if not numbers:
            return
        number = numbers.pop(0)
        if not numbers:
            del self._open[source]
        if self._rows[number].state in {"waiting", "converting"}:
            self.totals[self._rows[number].state] -= 1
            self._remove(number)

    def _convert(self, event: FileConverted) -> None:
        self.bytes_out += event.bytes_out
        row = self._change(
            event,
            state="ready",
            size_bytes=event.bytes_in,
            pdf_bytes=event.bytes_out,
            pages=event.pages,
            warnings=event.warnings,
            ends=True,
        )
        if row is None:
            return
        self._ready.append(row.number)
        if len(self._ready) > MAX_READY:
            self._remove(self._ready.popleft())

    def _fail(self, event: FileFailed) -> None:
        if event.source not in self._open:  # it failed before, or before it was let in
            self._admit(event.source)
            self._step()
            self._change(event, state="failed", error=(event.code, event.message), ends=True)
            self._release(event.source)
            return
        self._change(event, state="failed", error=(event.code, event.message), ends=True)

    def _change(
        self, event: FileEvent, *, begins: bool = False, ends: bool = False, **changes: object
    ) -> Row | None:
        numbers = self._open.get(event.source)
        if not numbers:
            return None
        before = self._rows[numbers[0]]
        after = replace(before, sequence=self.sequence + 1, **changes)  # type: ignore[arg-type]  # one type a field
        if begins:
            after = replace(after, started_at=self.now())
        if ends:
            after = replace(after, ended_at=self.now())
        self.totals[before.state] -= 1
        self.totals[after.state] += 1
        self.bytes_in += after.size_bytes - before.size_bytes
        self._rows[after.number] = after
        self._step()
        return after

    def _remove(self, number: int) -> None:
        del self._rows[number]
        self._removed.append((self.sequence + 1, number))
        if len(self._removed) > _MAX_REMOVED:
            self._removed.popleft()
        self._step()

    def _step(self) -> None:
        self.sequence += 1
        self.changed()

    def page(
        self, *, offset: int, limit: int, text: str = "", state: str = ""
    ) -> tuple[list[Row], int]:
        """Return some rows in the order of admission, and how many there are in all."""
        found = list(self._matching(text.lower(), state))
        return found[offset : offset + limit], len(found)

    def _matching(self, text: str, state: str) -> Iterator[Row]:
        for row in self._rows.values():
            if (not state or row.state == state) and text in row.name.lower():
                yield row

    def changed_after(self, sequence: int, limit: int) -> list[Row]:
        """Return the rows that changed since, the earliest change first."""
        found: Iterable[Row] = (row for row in self._rows.values() if row.sequence > sequence)
        return sorted(found, key=lambda row: row.sequence)[:limit]

    def removed_after(self, sequence: int) -> list[int]:
        """Return the numbers of rows that are not shown any more since."""
        return [number for at, number in self._removed if at > sequence]
