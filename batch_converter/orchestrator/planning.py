"""A run's first half: bring the ledger up to date with the folders, decide, line up."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from batch_converter.discovery import Passed, UnreadableSource
from batch_converter.errors import LASTING_CODES, ErrorCode, FileError, OutputError
from batch_converter.events import (
    FileAdopted,
    FileDiscovered,
    FileFailed,
    FileLeftAtService,
    FilePassedOver,
    FileSkipped,
    FileVanished,
    KnownFailure,
)
from batch_converter.ledger import Decision, Verdict
from batch_converter.models import DocumentState, Failure, FileReport, FileStatus, SourceFile
from batch_converter.orchestrator.adoption import examine
from batch_converter.orchestrator.comparison import compare
from batch_converter.output import hash_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_converter.discovery import Found
    from batch_converter.ledger import Planned
    from batch_converter.orchestrator.context import RunContext

_BATCH: Final = 1_000


@dataclass(slots=True, kw_only=True)
class PlanCounts:
    """What planning has found so far.

    Attributes:
        failed: Files that will not be tried, known failures among them.
    """

    found: int = 0
    skipped: int = 0
    failed: int = 0
    known_failures: int = 0


class Planner:
    """Compares what is found with what the ledger knows.

    Args:
        context: What the run shares.
        any_engine: The user did not ask for this engine by name, so what another
            one has converted, or has in hand, stays as it is.

    Attributes:
        counts: What planning has found so far.
    """

    def __init__(self, context: RunContext, *, any_engine: bool) -> None:
        self._settings = context.settings
        self._engine = context.engine
        self._ledger = context.ledger
        self._clock = context.clock
        self._inspector = context.inspector
        self._emit = context.events.emit
        self.counts = PlanCounts()
        self._output_dir = context.output_dir
        self._any_engine = any_engine

    async def plan(self, found: Iterator[Found], roots: Sequence[str]) -> int:
        """Record what is found, decide on each file, and line up the work.

        Args:
            found: The walk; it blocks and is driven in a thread.
            roots: Absolute paths of the source folders, to notice what vanished.

        Returns:
            How many documents are in line.

        Raises:
            UsageError: A list of files cannot be read.
        """
        while batch := await anyio.to_thread.run_sync(lambda: list(islice(found, _BATCH))):
            await self._record(batch)
        await self._ledger.assign_outputs()
        await self._tell_vanished(roots)
        await self._decide()
        return await self._ledger.enqueue(self._engine.name, self._settings.input.order)

    async def _record(self, batch: Sequence[Found]) -> None:
        files = [item for item in batch if isinstance(item, SourceFile)]
        for file in files:
            self._emit(FileDiscovered(source=file.source, bytes=file.size_bytes))
        self.counts.found += len(files)
        await self._ledger.record_found(files)
        for item in batch:
            match item:
                case Passed():
                    self._emit(FilePassedOver(source=item.source, reason=item.reason))
                case UnreadableSource():
                    await self._record_unreadable(item)
                case SourceFile():
                    pass

    async def _record_unreadable(self, item: UnreadableSource) -> None:
        failure = Failure(code=ErrorCode.UNREADABLE, message=item.message)
        report = FileReport(
            source=item.source,
            source_root=item.source_root,
            output=None,
            status=FileStatus.FAILED,
            error=failure,
        )
        self.counts.found += 1
        self._emit(FileDiscovered(source=item.source, bytes=None))
        self._tell_failure(FileFailed, item.source, failure)
        await self._ledger.outcome(None, item.path, report)

    def _tell_failure(self, kind: type[FileFailed], source: str, failure: Failure) -> None:
        self.counts.failed += 1
        self._emit(kind(source=source, code=failure.code.value, message=failure.message))

    async def _tell_vanished(self, roots: Sequence[str]) -> None:
        known = await self._ledger.vanished(roots)
        gone = await anyio.to_thread.run_sync(
            lambda: [item for item in known if not os.path.lexists(item[0])]
        )
        for _, source, output in gone:
            self._emit(FileVanished(source=source, output=output))

    async def _decide(self) -> None:
        after = b""
        while page := await self._ledger.page(after, _BATCH):
            decisions = await anyio.to_thread.run_sync(self._decide_page, page)
            await self._ledger.decide(decisions, at=self._clock.now())
            for decision in decisions:
                self._tell(decision)
            after = page[-1].key

    def _decide_page(self, page: Sequence[Planned]) -> list[Decision]:
        return [self.decide(planned) for planned in page]

    def _tell(self, decision: Decision) -> None:
        source = decision.planned.document.source
        match decision.verdict:
            case Verdict.SKIP | Verdict.ADOPT:
                self.counts.skipped += 1
                if decision.adopted is not None:
                    self._emit(FileAdopted(source=source, sha256=decision.adopted.pdf.sha256))
                self._emit(FileSkipped(source=source))
            case Verdict.KNOWN_FAILURE if decision.failure is not None:
                self.counts.known_failures += 1
                self._tell_failure(KnownFailure, source, decision.failure)
            case Verdict.REFUSE if decision.failure is not None:
                self._tell_failure(FileFailed, source, decision.failure)
            case Verdict.LEAVE:
                self._emit(FileLeftAtService(source=source))
            case _:
                pass

    def decide(self, planned: Planned) -> Decision:
        """Judge one file; looks at its PDF, and at its bytes where size or mtime differ."""
        target = self._output_dir / planned.document.output
        now = compare(planned, self._inspector)
        changed = now.changed
        verdict = self._verdict(planned, target, changed=changed)
        if verdict is Verdict.REFUSE and self._settings.output.adopt and not _obstacle(target):
            return self._adopt(planned, target, changed=changed)
        return Decision(
            planned=planned,
            verdict=verdict,
            changed=changed,
            parts_fingerprint=now.parts_fingerprint,
            abandon_task=changed or self._is_elsewhere(planned),
            failure=_refusal(target) if verdict is Verdict.REFUSE else planned.failure,
        )

    def _adopt(self, planned: Planned, target: Path, *, changed: bool) -> Decision:
        """Take a PDF that this ledger did not write for the file's own, if it fits."""
        refused = Decision(planned=planned, verdict=Verdict.REFUSE, changed=changed)
        try:
            adopted = examine(planned.document, target, self._engine, self._inspector)
        except FileError as error:
            return replace(refused, failure=Failure(code=error.code, message=str(error)))
        return replace(refused, verdict=Verdict.ADOPT, adopted=adopted)

    def _verdict(self, planned: Planned, target: Path, *, changed: bool) -> Verdict:
        overwrite = self._settings.output.overwrite
        pdf_bytes = _size_bytes(target)
        if overwrite == "never" and pdf_bytes is not None:
            return Verdict.SKIP
        if overwrite != "always" and pdf_bytes is not None and not changed:
            if self._is_up_to_date(planned, pdf_bytes):
                return Verdict.SKIP
            if _was_published(planned, target, pdf_bytes):
                return Verdict.ADOPT
        if self._is_known_failure(planned, changed=changed):
            return Verdict.KNOWN_FAILURE
        if overwrite != "always" and pdf_bytes is not None and _is_foreign(planned, target):
            return Verdict.REFUSE
        return self._convert_or_leave(planned, target, changed=changed)

    def _convert_or_leave(self, planned: Planned, target: Path, *, changed: bool) -> Verdict:
        is_out = planned.document.state is DocumentState.SUBMITTED
        if is_out and self._is_elsewhere(planned) and self._any_engine and not changed:
            return Verdict.LEAVE
        return Verdict.REFUSE if _obstacle(target) else Verdict.CONVERT

    def _is_up_to_date(self, planned: Planned, pdf_bytes: int) -> bool:
        return (
            planned.document.state is DocumentState.CONVERTED
            and planned.pdf_bytes == pdf_bytes
            and self._is_as_wanted(planned)
        )

    def _is_as_wanted(self, planned: Planned) -> bool:
        if self._is_elsewhere(planned):
            return self._any_engine
        return planned.options == self._engine.options_digest

    def _is_elsewhere(self, planned: Planned) -> bool:
        return planned.engine not in {None, self._engine.name}

    def _is_known_failure(self, planned: Planned, *, changed: bool) -> bool:
        return (
            planned.document.state is DocumentState.FAILED
            and planned.failure is not None
            and planned.failure.code in LASTING_CODES
            and not changed
            and not self._settings.retry.retry_failed
            and not self._has_its_parts_now(planned)
        )

    def _has_its_parts_now(self, planned: Planned) -> bool:
        """Whether an index that failed for want of its parts may be tried again, unchanged."""
        failure = planned.failure
        if failure is None or failure.code is not ErrorCode.NOT_DJVU:
            return False
        try:
            return self._inspector.parts_fingerprint(planned.document.path) is not None
        except FileError:
            return False


def _is_foreign(planned: Planned, target: Path) -> bool:
    """Whether this ledger put nothing there, nor was about to when its run died."""
    if planned.was_converted:
        return False
    return planned.pdf_sha256 is None or planned.pdf_sha256 != _sha256(os.fspath(target))


def _refusal(target: Path) -> Failure:
    obstacle = _obstacle(target)
    message = (
        f"{target} cannot be written: {obstacle}; move it away"
        if obstacle
        else f"{target} is there already and this ledger did not write it; move it away, or use"
        " --adopt to take it for this file's own, --overwrite always to replace it or"
        " --overwrite never to keep it"
    )
    return Failure(code=ErrorCode.OUTPUT_ERROR, message=message)


def _obstacle(target: Path) -> str | None:
    """Say what will keep the PDF from its name, before it is paid for."""
    try:
        is_folder = stat.S_ISDIR(target.stat().st_mode)
    except NotADirectoryError:
        return "a file stands where its folder should be"
    except OSError:
        return None
    return "a folder stands in its place" if is_folder else None


def _was_published(planned: Planned, target: Path, pdf_bytes: int) -> bool:
    """Whether a run died between naming the PDF and recording it."""
    return (
        planned.document.state is not DocumentState.CONVERTED
        and planned.pdf_sha256 is not None
        and planned.pdf_bytes == pdf_bytes
        and planned.pdf_sha256 == _sha256(os.fspath(target))
    )


def _size_bytes(path: Path) -> int | None:
    """Return the size of the file at `path`; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return None if stat.S_ISDIR(status.st_mode) else status.st_size


def _sha256(path: str) -> str | None:
    """Return the digest of a file's bytes; None where they cannot be read."""
    try:
        return hash_file(Path(path))
    except OutputError:
        return None
