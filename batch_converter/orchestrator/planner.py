"""A run's first half: bring the ledger up to date with the folders, decide, line up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from batch_converter.discovery import Passed, UnreadableSource
from batch_converter.errors import ErrorCode, FileError
from batch_converter.events import (
    FileAdopted,
    FileDiscovered,
    FileFailed,
    FileLeftAtService,
    FilePassedOver,
    FileSkipped,
    FileVanished,
    KnownFailure,
    RunShardChanged,
)
from batch_converter.ledger import Decision, Verdict
from batch_converter.models import Failure, FileReport, FileStatus, SourceFile
from batch_converter.orchestrator.adoption import examine
from batch_converter.orchestrator.found_facts import gather_facts
from batch_converter.orchestrator.verdict import PlanOptions, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batch_converter.discovery import Found
    from batch_converter.ledger import Planned
    from batch_converter.orchestrator.context import RunContext
    from batch_converter.sources import SourceInspector

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
        self._order = context.settings.input.order
        self._shard = context.settings.input.shard
        self._preserves_times = context.settings.output.preserve_times
        self._engine = context.engine
        self._ledger = context.ledger
        self._clock = context.clock
        self._sources = context.sources
        self._emit = context.events.emit
        self.counts = PlanCounts()
        self._pdfs = context.pdfs
        self._options = PlanOptions.of(context.settings, context.engine, any_engine=any_engine)

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
        await self._tell_other_shard()
        while batch := await anyio.to_thread.run_sync(lambda: list(islice(found, _BATCH))):
            await self._record(batch)
        if self._shard is not None:
            await self._ledger.forget_other_shards()
        for source in await self._ledger.pass_over_moved():
            self._tell_skipped(source)
        await self._ledger.assign_outputs(self._sources.exists)
        await self._tell_vanished(roots)
        await self._decide()
        return await self._ledger.enqueue(self._engine.name, self._order)

    async def _tell_other_shard(self) -> None:
        before = await self._ledger.shard_before()
        if before is not None and before != self._shard:
            self._emit(
                RunShardChanged(
                    before=before,
                    now=self._shard,
                    message="what other shards' ledgers have written is foreign to this one:"
                    " --adopt takes it for the files' own",
                )
            )

    async def _record(self, batch: Sequence[Found]) -> None:
        files = [item for item in batch if isinstance(item, SourceFile)]
        meant = [file for file in files if file.in_shard]
        for file in meant:
            self._emit(FileDiscovered(source=file.source, bytes=file.size_bytes))
        self.counts.found += len(meant)
        await self._ledger.record_found(files)
        for item in batch:
            match item:
                case Passed():
                    self._emit(FilePassedOver(source=item.source, reason=item.reason))
                case UnreadableSource():
                    await self._record_absent(item)
                case SourceFile():
                    pass

    async def _record_absent(self, item: UnreadableSource) -> None:
        """A source that was named and is away may have been moved, its PDF being there."""
        moved = await self._ledger.moved_document(item.path)
        if moved is None or self._sources.exists(item.path):
            await self._record_unreadable(item)
            return
        document, source = moved
        self.counts.found += 1
        self._emit(FileDiscovered(source=source, bytes=None))
        await self._ledger.skipped_as_moved(document)
        self._tell_skipped(source)

    def _tell_skipped(self, source: str) -> None:
        self.counts.skipped += 1
        self._emit(FileSkipped(source=source))

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
        for root in roots:
            after = ""
            while known := await self._ledger.vanished(root, after, _BATCH):
                gone = await anyio.to_thread.run_sync(self._gone, known)
                for _, source, output in gone:
                    self._emit(FileVanished(source=source, output=output))
                after = known[-1][0]

    def _gone(self, known: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
        """Leave out what is there, and was left out by a filter; blocks."""
        return [item for item in known if not self._sources.exists(item[0])]

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
                if decision.adopted is not None:
                    self._emit(FileAdopted(source=source, sha256=decision.adopted.pdf.sha256))
                self._tell_skipped(source)
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
        inspector = self._sources.inspector(planned.document.path)
        facts = gather_facts(planned, self._pdfs, inspector, self._options)
        chosen = verdict(facts, self._options)
        decision = Decision(
            planned=planned,
            verdict=chosen,
            changed=facts.changed,
            parts_fingerprint=facts.parts_fingerprint,
            abandon_task=facts.changed or self._options.is_other_engine(planned.engine),
            failure=facts.refusal if chosen is Verdict.REFUSE else planned.failure,
            pdf_etag=facts.pdf_etag if facts.is_announced else None,
        )
        if chosen is Verdict.REFUSE and self._options.adopt and not facts.obstacle:
            return self._adopted(decision, inspector)
        return decision

    def _adopted(self, refused: Decision, inspector: SourceInspector) -> Decision:
        """Take a PDF that this ledger did not write for the file's own, if it fits."""
        try:
            adopted = examine(
                refused.planned.document,
                self._pdfs,
                self._engine,
                inspector,
                has_preserved_time=self._preserves_times,
            )
        except FileError as error:
            return replace(refused, failure=Failure(code=error.code, message=str(error)))
        return replace(refused, verdict=Verdict.ADOPT, adopted=adopted, failure=None)
