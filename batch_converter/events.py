"""What happens in a run, as typed values under the contract's names.

The run emits them; the log, counters, displays and a program's own `on_event` observe. A
field that a log line leaves out has no place here: the values are what the lines say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable

Level = Literal["debug", "info", "warning", "error"]

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """The root of all events.

    Attributes:
        name: As the contract spells it.
        level: How loud its log line is; None where there is no line.
    """

    name: ClassVar[str]
    level: ClassVar[Level | None] = "info"


Observer = Callable[[RunEvent], object]
"""Is told each event in the event loop, in order; it must not block."""


class EventStream:
    """Tells observers what happens.

    One that raises is told no more: a display at fault must not end a run.
    """

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = list(observers)

    def add(self, observer: Observer) -> None:
        """Tell one more from now on."""
        self._observers.append(observer)

    def emit(self, event: RunEvent) -> None:
        """Tell all."""
        for observer in tuple(self._observers):
            try:
                observer(event)
            except Exception:  # noqa: BLE001  # logged; whoever watches a run must not end it
                self._observers.remove(observer)
                _log.exception("observer.failed", during=event.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(RunEvent):
    """A run has begun.

    Attributes:
        chosen_by: Who chose the engine: `credentials` or `the user`.
        runs: Runs that had ended without a word.
        submit_unknown: Submissions of those whose answer was lost.
        out_at_service: Documents that they left at the service.
    """

    name = "run.started"
    engine: str
    chosen_by: str
    output: str
    runs: int
    submit_unknown: int
    out_at_service: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryEnded(RunEvent):
    """All sources were walked and compared with the ledger; `found` grows no more."""

    name = "run.planned"
    level = None
    to_convert: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSet(RunEvent):
    """How many billed calls the run may make: what is left of all budgets; None is no limit."""

    name = "budget.set"
    level = None
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress(RunEvent):
    """How far the run is, told now and then where no live display shows it.

    Attributes:
        discovering: Whether `found` may still grow.
        pages: Of the PDFs that were made.
        billed: Calls so far.
        max_billed: Calls that the run may make; None is no limit.
        files_per_minute: None while nobody can know.
        left_s: Seconds that the rest will take; None while nobody can know.
    """

    name = "run.progress"
    found: int
    discovering: bool
    converted: int
    skipped: int
    failed: int
    with_warnings: int
    in_flight: int
    pages: int
    bytes_in: int
    bytes_out: int
    billed: int
    max_billed: int | None
    files_per_minute: float | None
    left_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDeadlinePassed(RunEvent):
    """No new work is taken any more, as the user asked for."""

    name = "run.deadline_passed"
    level = "warning"
    deadline_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFewerAtOnce(RunEvent):
    """The process may open so few files that fewer documents are in flight than wanted."""

    name = "run.fewer_at_once"
    level = "warning"
    documents: int
    wanted: int
    spare_descriptors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunShardChanged(RunEvent):
    """The run takes another part of the archive than the one before it on this ledger."""

    name = "run.shard_changed"
    level = "warning"
    before: str
    now: str | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetExhausted(RunEvent):
    """The next call would cost more than the user allowed."""

    name = "budget.exhausted"
    level = "warning"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStopped(RunEvent):
    """Going on makes no sense for any file."""

    name = "run.stopped"
    level = "error"
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(RunEvent):
    """A run has ended and is recorded."""

    name = "run.finished"
    exit_code: int | None
    found: int
    converted: int
    skipped: int
    failed: int
    remaining: int
    with_warnings: int
    billed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEvent(RunEvent):
    """Something that concerns one file.

    Attributes:
        source: Its path below its source folder.
    """

    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDiscovered(FileEvent):
    """A DjVu by its name; `bytes` is None where it could not be looked at."""

    name = "file.discovered"
    level = "debug"
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePassedOver(FileEvent):
    """Something that is named like a DjVu and is no file: a socket, a dangling link."""

    name = "file.passed_over"
    level = "warning"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVanished(FileEvent):
    """A file that an earlier run knew is not there any more; its PDF stays."""

    name = "file.vanished"
    level = "warning"
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSkipped(FileEvent):
    """The PDF is up to date."""

    name = "file.skipped"
    level = "debug"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAdopted(FileEvent):
    """A PDF that this ledger did not write was taken for the file's own."""

    name = "file.adopted"
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLeftAtService(FileEvent):
    """Its task is another engine's, which was not asked for."""

    name = "file.left_at_service"
    level = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentAdmitted(FileEvent):
    """The document is driven from now on."""

    name = "file.admitted"
    level = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentReleased(FileEvent):
    """The document is driven no more, whatever became of it."""

    name = "file.released"
    level = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsCounted(RunEvent):
    """A billed call is about to leave (1), or one that never left is given back (-1)."""

    name = "call.counted"
    level = None
    kind: str
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSubmitted(FileEvent):
    """The engine has the document; a service has given it a task.

    Attributes:
        attempt: Which submission of this run it is.
    """

    name = "file.submitted"
    task_id: str | None
    attempt: int
    bytes: int
    pages: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResubmitted(FileSubmitted):
    """The same, for a document that was out before."""

    name = "file.resubmitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePolled(FileEvent):
    """The service was asked; `status` is its word."""

    name = "file.polled"
    level = "debug"
    task_id: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRetrying(FileEvent):
    """Something is tried again."""

    name = "file.retrying"
    level = "warning"
    task_id: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileConverted(FileEvent):
    """The PDF is there: the one line that tells all.

    Attributes:
        waited_s: Seconds since the engine had it.
        total_s: Seconds since it was admitted.
    """

    name = "file.converted"
    task_id: str | None
    output: str
    bytes_in: int
    bytes_out: int
    pages: int | None
    attempts: int
    polls: int
    waited_s: float
    total_s: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWarned(FileEvent):
    """The PDF is there, and there is something to say of it: what was lost, or differs."""

    name = "file.warned"
    level = "warning"
    output: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMoved(FileEvent):
    """The source was moved, its PDF being there."""

    name = "file.moved"
    moved_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNotMoved(FileEvent):
    """The source stays where it is, although it was to be moved; the PDF is there."""

    name = "file.not_moved"
    level = "warning"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFailed(FileEvent):
    """The file failed, now or, where `attempts` is 0, in an earlier run or before any call."""

    name = "file.failed"
    level = "error"
    code: str
    message: str
    task_id: str | None = None
    attempts: int = 0
    polls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFailure(FileFailed):
    """The file failed for good in an earlier run, and is not tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenObtained(RunEvent):
    """The service gave a token; `lifetime_s` is how long it is good for."""

    name = "auth.token_obtained"
    lifetime_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceThrottled(RunEvent):
    """The service asked for a pause, and all requests wait."""

    name = "service.throttled"
    level = "warning"
    endpoint: str
    wait_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileArrived(FileEvent):
    """A watch has noticed a file, and waits until nothing of it changes any more."""

    name = "file.arrived"
    level = "debug"
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStarted(RunEvent):
    """A watch has begun: the sources are there, and the state directory is held.

    Attributes:
        settle_s: For how long a file must not have changed before it is taken up.
        rescan_s: How often everything is looked at again.
        poll: Whether it looks now and then, and is not told of changes.
    """

    name = "watch.started"
    sources: tuple[str, ...]
    settle_s: float
    rescan_s: float
    poll: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchWaiting(RunEvent):
    """All that had arrived was taken up; the counts are of the whole watch.

    Attributes:
        folders: How many are watched.
        left: Files that are tried again at the next rescan.
    """

    name = "watch.waiting"
    sources: int
    folders: int
    converted: int
    failed: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRescanned(RunEvent):
    """Everything was looked at again.

    Attributes:
        arrived: Files that had not been noticed before, or are tried again.
    """

    name = "watch.rescanned"
    level = "debug"
    arrived: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPolling(RunEvent):
    """The system does not tell of changes; it is looked for them now and then."""

    name = "watch.polling"
    level = "warning"
    reason: str
    poll_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSourceLost(RunEvent):
    """A source cannot be reached any more; it is looked for now and then."""

    name = "watch.source_lost"
    level = "warning"
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSourceBack(RunEvent):
    """A source that was lost is there again."""

    name = "watch.source_back"
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFinished(RunEvent):
    """A watch has ended; the counts are of the whole of it.

    Attributes:
        batches: Runs that it made.
    """

    name = "watch.finished"
    exit_code: int
    batches: int
    converted: int
    failed: int
    left: int
