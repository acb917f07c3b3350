"""A run: plan, admit while there is room, drive each document, end cleanly."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
import structlog

from batch_converter.errors import (
    BudgetSpentError,
    ExitCode,
    LedgerWriteError,
    RunStoppedError,
)
from batch_converter.fault_points import reach
from batch_converter.machine_limits import spare_descriptors
from batch_converter.orchestrator.conversion import Conversion
from batch_converter.orchestrator.stopping import (
    LETS_FINISH,
    WITHDRAWS,
    StopReason,
    exit_code,
    reason_of,
)
from batch_converter.task_groups import unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anyio.abc import TaskGroup

    from batch_converter.discovery import Found
    from batch_converter.ledger import Recovered
    from batch_converter.models import Document, RunSummary, Totals
    from batch_converter.orchestrator.context import RunContext
    from batch_converter.orchestrator.planning import Planner

DEADLINE_GRACE_S: Final = 600.0
"""What is out at a deadline is given until the task timeout, at most this long."""

_PAGE: Final = 256
_DESCRIPTORS_EACH: Final = 3
"""Of a document at work: its source or part, and a connection, or a worker's two pipes."""
_DESCRIPTORS_BESIDE: Final = 12
"""Of the run: a worker that is being started, folders that are synced, a report."""

log = structlog.get_logger()


class Run:
    """One run over the ledger; `stop` may be called at any time from the event loop.

    Args:
        context: The parts it was wired from.
        planner: Decides what is to be done.
        recovered: What the ledger found of dead runs.
    """

    def __init__(self, context: RunContext, planner: Planner, recovered: Recovered) -> None:
        self._context = context
        self._planner = planner
        self._recovered = recovered
        self._reasons: set[StopReason] = set()
        self._active: set[Conversion] = set()
        self._room = anyio.Semaphore(1)
        self._planning = anyio.CancelScope()
        self._admission = anyio.CancelScope()

    def stop(self, reason: StopReason) -> None:
        """Stop admission and polling, as after a first signal."""
        self._stop_admission(reason)
        self._planning.cancel()
        for conversion in tuple(self._active):
            conversion.interrupt()

    async def execute(self, found: Iterator[Found], roots: Sequence[str]) -> RunSummary:
        """Convert what is to be converted; returns when everything has its outcome.

        Args:
            found: The walk over the sources.
            roots: Absolute paths of the source folders.

        Raises:
            UsageError: A list of files cannot be read.
            LedgerWriteError: The ledger cannot even be read any more.
        """
        self._tell_started()
        with unwrapped():
            async with anyio.create_task_group() as watchers:
                watchers.start_soon(self._watch_deadline)
                await self._convert(await self._plan(found, roots))
                watchers.cancel_scope.cancel()
        summary = await self._finish()
        _tell_finished(summary)
        return summary

    def _tell_started(self) -> None:
        settings = self._context.settings
        log.info(
            "run.started",
            engine=self._context.engine.name,
            chosen_by="credentials" if settings.engine == "auto" else "the user",
            output=str(self._context.output_dir),
            **asdict(self._recovered),
        )

    async def _plan(self, found: Iterator[Found], roots: Sequence[str]) -> int:
        reach("run.begun")
        length = 0
        with self._planning, self._noticing_loss():
            length = await self._planner.plan(found, roots)
        reach("run.planned")
        self._context.tally.discovering = False
        self._check_errors()
        return length

    async def _convert(self, length: int) -> None:
        async with anyio.create_task_group() as conversions:
            if not self._reasons:
                with self._admission, self._noticing_loss():
                    places = await anyio.to_thread.run_sync(_places, self._context)
                    self._room = anyio.Semaphore(places)
                    await self._admit(conversions, length)

    async def _admit(self, conversions: TaskGroup, length: int) -> None:
        """Admit documents in line, a page at a time, while there is room."""
        position = 0
        self._context.policy.remaining(length)
        while page := await self._context.ledger.take(position, _PAGE):
            for _, document in page:
                await self._let_in(document)
                length -= 1
                self._context.policy.remaining(length)
                conversions.start_soon(self._drive, document)
            position, _ = page[-1]

    async def _let_in(self, document: Document) -> None:
        """Wait for room; what is out comes first in line, and its fetch is kept a call."""
        if document.task is None:
            await self._context.left_out.all_asked()
        else:
            self._context.left_out.add(document.id)
            self._context.meter.budget.promise_fetch(document.id)
        await self._room.acquire()
        if document.task is None:
            self._context.line.join(document.id)

    async def _drive(self, document: Document) -> None:
        conversion = Conversion(
            self._context, document, on_stop=self._on_stop, on_failure=self._check_errors
        )
        self._active.add(conversion)
        self._context.tally.in_flight += 1
        try:
            self._catch_up(conversion)
            await conversion.drive()
        finally:
            self._active.discard(conversion)
            self._context.tally.in_flight -= 1
            self._room.release()

    def _catch_up(self, conversion: Conversion) -> None:
        """Tell a document that was admitted in the same instant as the stop."""
        if self._reasons - LETS_FINISH:
            conversion.interrupt()
        elif self._reasons & WITHDRAWS:
            conversion.withdraw()

    @contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        """Without a ledger the run stops, and what is under way still ends in order."""
        try:
            yield
        except LedgerWriteError as error:
            self._on_stop(error)

    def _on_stop(self, error: RunStoppedError) -> None:
        reason = reason_of(error)
        if reason in self._reasons:
            return
        if isinstance(error, BudgetSpentError):
            log.warning("budget.exhausted", message=str(error))
            self._stop_admission(reason)
        else:
            log.error("run.stopped", code=error.code.value, message=str(error))
            self.stop(reason)

    def _check_errors(self) -> None:
        limits = self._context.settings.budget
        limit = 1 if limits.fail_fast else limits.max_errors
        if limit is not None and self._context.tally.newly_failed >= limit:
            self._stop_admission(StopReason.MAX_ERRORS)

    def _stop_admission(self, reason: StopReason) -> None:
        self._reasons.add(reason)
        self._admission.cancel()
        if reason in WITHDRAWS:
            for conversion in tuple(self._active):
                conversion.withdraw()

    async def _watch_deadline(self) -> None:
        deadline_s = self._context.settings.budget.deadline
        if deadline_s is None:
            return
        await self._sleep(deadline_s)
        log.warning("run.deadline_passed", deadline_s=deadline_s)
        self._stop_admission(StopReason.DEADLINE)
        await self._sleep(min(self._context.settings.polling.task_timeout_s, DEADLINE_GRACE_S))
        self.stop(StopReason.DEADLINE)

    async def _sleep(self, seconds: float) -> None:
        clock = self._context.clock
        await clock.wait_until(clock.monotonic_s() + seconds, anyio.Event())

    async def _finish(self) -> RunSummary:
        with anyio.CancelScope(shield=True):
            try:
                summary = await self._record_end()
            except LedgerWriteError as error:
                self._on_stop(error)
                summary = await self._sum_up()
        return summary

    async def _record_end(self) -> RunSummary:
        ledger = self._context.ledger
        await ledger.remember(self._context.service, self._context.policy.observations())
        summary = await ledger.finish_run(at=self._context.clock.now())
        reach("run.counted")
        code = self._exit_code(summary.totals)
        await ledger.end_run(code)
        reach("run.recorded")
        return replace(summary, exit_code=code)

    async def _sum_up(self) -> RunSummary:
        """Sum up a run whose end cannot be recorded; to the next one it will have died."""
        summary, tally = await self._context.ledger.summary(), self._context.tally
        known = summary.totals
        ended = known.converted + known.skipped + known.failed
        found = max(tally.found, ended)
        totals = replace(known, found=found, remaining=found - ended)
        return replace(
            summary,
            finished_at=self._context.clock.now(),
            totals=totals,
            exit_code=self._exit_code(totals),
        )

    def _exit_code(self, totals: Totals) -> ExitCode:
        failures = self._counted_failures(totals)
        return exit_code(self._reasons, remaining=totals.remaining, failures=failures)

    def _counted_failures(self, totals: Totals) -> int:
        ignored = self._context.settings.report.ignore_known_failures
        return totals.failed - (self._context.tally.known_failures if ignored else 0)


def _tell_finished(summary: RunSummary) -> None:
    totals = summary.totals
    log.info(
        "run.finished",
        exit_code=None if summary.exit_code is None else summary.exit_code.value,
        found=totals.found,
        converted=totals.converted,
        skipped=totals.skipped,
        failed=totals.failed,
        remaining=totals.remaining,
        with_warnings=totals.with_warnings,
        billed=summary.api_calls.billed,
    )


def _places(context: RunContext) -> int:
    """Return how many documents may be let in at once; blocks: open files are counted."""
    concurrency, traits = context.settings.concurrency, context.engine.traits
    wanted = min(concurrency.max_in_flight, traits.at_once or concurrency.max_in_flight)
    at_work = concurrency.max_submissions + concurrency.max_pollers if traits.polled else wanted
    spare = spare_descriptors()
    if spare is None or spare >= _DESCRIPTORS_EACH * at_work + _DESCRIPTORS_BESIDE:
        return wanted
    places = min(wanted, max(1, (spare - _DESCRIPTORS_BESIDE) // _DESCRIPTORS_EACH))
    if places < wanted:
        log.warning("run.fewer_at_once", documents=places, wanted=wanted, spare_descriptors=spare)
    return places
