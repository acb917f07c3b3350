"""Runs and what they did with each file, as reports tell it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from batch_converter.errors import ExitCode
    from batch_converter.models.calls import ApiCalls
    from batch_converter.models.documents import DocumentState, Failure

_SHARD: Final = "input.shard"


class RunKind(StrEnum):
    """What a run was begun for; only `CONVERT` has files to report of."""

    CONVERT = "convert"
    CANCEL = "cancel"


class FileStatus(StrEnum):
    """What a run did with a file, as the report spells it."""

    CONVERTED = "converted"
    SKIPPED = "skipped"
    FAILED = "failed"
    REMAINING = "remaining"


class Phase(StrEnum):
    """What a document was doing, or waiting for, in a run.

    `QUEUED` was taken up and waits to be handed over: its source is read and hashed, others
    are ahead, a refused upload is tried again later. `AT_SERVICE` is from the task's id to
    the first byte of its PDF, `CONVERTING` the same of an engine that has no tasks.
    `CHECKING` is until the PDF has its name.
    """

    QUEUED = "queued"
    UPLOADING = "uploading"
    AT_SERVICE = "at_service"
    CONVERTING = "converting"
    DOWNLOADING = "downloading"
    CHECKING = "checking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A document's time in a run, from when it was taken up, without gaps.

    Attributes:
        phases: In their order, each with its seconds; one may come again.
    """

    began_at: datetime
    phases: tuple[tuple[Phase, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingInForce:
    """A setting that a run had.

    Attributes:
        value: As `config check` tells it; secrets are masked.
        is_default: Whether it was the default then.
    """

    key: str
    value: str
    is_default: bool


def shard_of(settings: Iterable[SettingInForce]) -> str | None:
    """Return the shard (`K/N`) among the settings of a run, where it took one."""
    found = (each.value for each in settings if each.key == _SHARD and not each.is_default)
    return next((value.strip('"') for value in found), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What became of all files of a run, counted.

    Attributes:
        with_warnings: Those of any status with something said beside the result.
        moved: Sources that were moved, their PDFs being there (`--after`).
    """

    found: int = 0
    converted: int = 0
    skipped: int = 0
    failed: int = 0
    remaining: int = 0
    with_warnings: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    pages: int = 0
    moved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What a run did with one file; the entries of the report's `files`.

    Attributes:
        output: The PDF's path below the output folder.
        attempts: Times that an engine was given it in this run.
        polls: Status requests in this run.
        bytes_out: Size of the PDF; 0 where there is none.
        pages: Pages, where they are known.
        source_sha256: Of the source as it was converted; of an indirect document, of the
            digests of all its files.
        warnings: What the engine or a check said beside the result, and why a source was
            not moved.
        moved_to: Where this run moved the source to; an absolute path.
        timeline: When it did what; None where this run did not take it up.
    """

    source: str
    source_root: str
    output: str | None
    status: FileStatus
    attempts: int = 0
    polls: int = 0
    task_id: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    pages: int | None = None
    sha256: str | None = None
    source_sha256: str | None = None
    submitted_at: datetime | None = None
    completed_at: datetime | None = None
    error: Failure | None = None
    warnings: tuple[str, ...] = ()
    moved_to: str | None = None
    timeline: Timeline | None = None

    @property
    def submissions(self) -> int:
        """Requests to submit it in this run; none where an engine without tasks had it."""
        phases = () if self.timeline is None else self.timeline.phases
        has_no_task = any(phase is Phase.CONVERTING for phase, _ in phases)
        return 0 if has_no_task else self.attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """What the ledger knows of a file, over all runs.

    Attributes:
        report: The same in a report's words; attempts and polls of no run.
    """

    state: DocumentState
    report: FileReport


class PlannedAction(StrEnum):
    """What a run would do with a file, in the order of a list of them."""

    SKIP = "skip"
    LEAVE = "leave"
    FETCH = "fetch"
    CONVERT = "convert"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """What a run would do with a file.

    Attributes:
        action: `SKIP` what is up to date, `LEAVE` what is out at another engine's service,
            `FETCH` what is out at this one's, `FAIL` what needs no try to fail.
        report: The same in a report's words.
    """

    action: PlannedAction
    report: FileReport


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run without its files; `finished_at` and `exit_code` are None while it lasts.

    Attributes:
        submit_unknown: Submissions of this run whose answer was lost: each may
            have been billed without a task that we know of.
        unlisted: Sources that failed and whose names hold a line break, so that they
            could not stand in the list of failures.
        causes: Why it took no new work any more, as said by what stopped it.
        settings: Those in force; empty where they were not recorded.
        shards: Of a merged report, the runs that it is of; their files are its files.
        missing_shards: Of a merged report, parts of the archive (`K/N`) that none of them took.
    """

    run_id: str
    started_at: datetime
    finished_at: datetime | None
    engine: str
    exit_code: ExitCode | None
    totals: Totals
    api_calls: ApiCalls
    submit_unknown: int = 0
    unlisted: int = 0
    causes: tuple[str, ...] = ()
    settings: tuple[SettingInForce, ...] = ()
    shards: tuple[ShardRun, ...] = ()
    missing_shards: tuple[str, ...] = ()

    @property
    def took_s(self) -> float | None:
        """Seconds from its start to its end, none where the clock was set back meanwhile."""
        if self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.started_at).total_seconds())

    @property
    def shard(self) -> str | None:
        """The part of the archive that it took (`K/N`); None for all, or where nobody knows."""
        return shard_of(self.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRun:
    """A run that is a part of a merged report.

    Attributes:
        state_dir: The state directory that knows it; an absolute path.
    """

    state_dir: str
    summary: RunSummary

    @property
    def name(self) -> str:
        """What messages call it: the shard, where it is known, and the directory."""
        shard = self.summary.shard
        return self.state_dir if shard is None else f"shard {shard} ({self.state_dir})"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStatus:
    """What the ledger knows, counted over all runs.

    Attributes:
        states: Documents in each state.
        failures: Failed documents by error code.
        totals: The same documents in the words of a report; `remaining` are those
            that are neither converted nor failed.
        api_calls: Requests of all runs.
        out_at_service: Documents whose task the service may still have, failed ones too.
        last_run: The newest run, if there was one.
    """

    states: Mapping[DocumentState, int]
    failures: Mapping[str, int]
    totals: Totals
    api_calls: ApiCalls
    out_at_service: int
    last_run: RunSummary | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run would do: `remaining` would be converted, the rest would not be touched.

    Attributes:
        totals: `failed` are known failures and what is no DjVu.
        api_calls: With each document asked for once.
        files: Each file, by what would be done and by name, where that was asked for.
        moved_to: Where sources would be moved to; None where they stay.
        stays: Why some would not be moved, by source.
    """

    engine: str
    totals: Totals
    api_calls: ApiCalls
    files: tuple[PlannedFile, ...] | None = None
    moved_to: str | None = None
    stays: Mapping[str, str] = field(default_factory=dict)
