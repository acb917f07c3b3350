"""What the page shows of each document of a run: an observer of the run's events. Pure."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field, replace
from itertools import takewhile
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
from batch_converter.server.queue import OPEN, DocumentState, Missed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from batch_converter.clock import Clock
    from batch_converter.events import FileEvent, RunEvent

MAX_ENDED: Final = 5_000
"""Documents that are shown of those that are ready, and as many of those that have failed: the
latest. Older ones stand in the totals alone, and in the report."""

_MAX_REMOVED: Final = 10_000
_PROCESSING: Final = "Processing"
_S: Final = DocumentState


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One document, as the page's table has it.

    Attributes:
        number: In the order of admission; the row's id.
        sequence: Grows with every change of any row.
        error: Code and message of one that failed.
        warnings: What was said beside its PDF, or why it is tried again.
    """

    number: int
    name: str
    state: DocumentState
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
        clock: Tells when something happened.
        facts: Of the run.
        sequence: Of the latest change.
        totals: Documents by state, of all that were admitted.
        bytes_in: Of the DjVu files that were admitted.
        bytes_out: Of the PDFs that are there.
        changed: Called after every change.
    """

    clock: Clock = field(default_factory=SystemClock)
    facts: RunFacts = field(default_factory=RunFacts)
    sequence: int = 0
    totals: Counter[DocumentState] = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    changed: Callable[[], None] = lambda: None
    _rows: dict[int, Row] = field(default_factory=dict)
    _open: dict[str, list[int]] = field(default_factory=dict)
    _latest: OrderedDict[int, None] = field(default_factory=OrderedDict)
    _ended: dict[DocumentState, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    _removed: deque[tuple[int, int]] = field(default_factory=deque)
    _known_after: int = 0
    _numbered: int = 0

    @property
    def listed(self) -> int:
        """How many documents are shown, of all that `totals` counts."""
        return len(self._rows)

    def observe(self, event: RunEvent) -> None:
        """Take an event of the run."""
        match event:
            case RunStarted(engine=engine, output=output):
                self.facts.engine, self.facts.output = engine, output
                self.facts.started_at = self.clock.now()
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
                state = _S.CONVERTING if task_id is None else _S.WAITING
                self._change(event, state=state, size_bytes=size_bytes, pages=pages, begins=True)
            case FilePolled(status=status) if status == _PROCESSING:
                self._change(event, state=_S.CONVERTING)
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
        self.totals[_S.WAITING] += 1
        self._rows[number] = Row(
            number=number,
            name=source,
            state=_S.WAITING,
            sequence=self.sequence + 1,
            submitted_at=self.clock.now(),
        )
        self._latest[number] = None

    def _release(self, source: str) -> None:
        """Let go of a document that has left the run; without an end it is the next run's."""
        numbers = self._open.get(source, [])
        if not numbers:
            return
        number = numbers.pop(0)
        if not numbers:
            del self._open[source]
        row = self._rows.get(number)
        if row is not None and row.state in OPEN:
            self.totals[row.state] -= 1
            self._remove(number)

    def _convert(self, event: FileConverted) -> None:
        self.bytes_out += event.bytes_out
        self._change(
            event,
            state=_S.READY,
            size_bytes=event.bytes_in,
            pdf_bytes=event.bytes_out,
            pages=event.pages,
            warnings=event.warnings,
            ends=True,
        )

    def _fail(self, event: FileFailed) -> None:
        if event.source not in self._open:  # it failed before, or before it was let in
            self._admit(event.source)
            self._step()
            self._change(event, state=_S.FAILED, error=(event.code, event.message), ends=True)
            self._release(event.source)
            return
        self._change(event, state=_S.FAILED, error=(event.code, event.message), ends=True)

    def _change(
        self, event: FileEvent, *, begins: bool = False, ends: bool = False, **changes: object
    ) -> None:
        numbers = self._open.get(event.source)
        before = self._rows.get(numbers[0]) if numbers else None
        if before is None:
            return
        after = replace(before, sequence=self.sequence + 1, **changes)  # type: ignore[arg-type]  # one type a field
        if begins:
            after = replace(after, started_at=self.clock.now())
        if ends:
            after = replace(after, ended_at=self.clock.now())
        self.totals[before.state] -= 1
        self.totals[after.state] += 1
        self.bytes_in += after.size_bytes - before.size_bytes
        self._rows[after.number] = after
        self._latest.move_to_end(after.number)
        self._step()
        if ends and before.ended_at is None:
            self._show_latest(after)

    def _show_latest(self, ended: Row) -> None:
        """Show what has ended like the others before it, and the oldest of them no more."""
        shown = self._ended[ended.state]
        shown.append(ended.number)
        if len(shown) > MAX_ENDED:
            self._remove(shown.popleft())

    def _remove(self, number: int) -> None:
        del self._rows[number], self._latest[number]
        self._removed.append((self.sequence + 1, number))
        if len(self._removed) > _MAX_REMOVED:
            self._known_after, _ = self._removed.popleft()
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
        """Return the rows that changed since, the earliest change first.

        Looked for from the latest change back: what has stood since then costs nothing.
        """
        latest = (self._rows[number] for number in reversed(self._latest))
        changed = list(takewhile(lambda row: row.sequence > sequence, latest))
        return changed[::-1][:limit]

    def removed_after(self, sequence: int) -> list[int]:
        """Return the numbers of rows that are not shown any more since.

        Raises:
            Missed: That is too long ago, or was told of another run.
        """
        if not self._known_after <= sequence <= self.sequence:
            raise Missed
        latest = takewhile(lambda entry: entry[0] > sequence, reversed(self._removed))
        return [number for _, number in latest][::-1]
