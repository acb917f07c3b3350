"""A run: plan, admit while there is room, drive each document, end cleanly."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, TypedDict

import anyio

from batch_converter.engines.base import StartableConverter, TaskService
from batch_converter.errors import (
    BudgetSpentError,
    LedgerWriteError,
    MachineExhaustedError,
    ServiceUnavailableError,
)
from batch_converter.events import (
    BudgetExhausted,
    BudgetSet,
    DiscoveryEnded,
    DocumentAdmitted,
    DocumentReleased,
    RunDeadlinePassed,
    RunStarted,
    RunStopped,
)
from batch_converter.fault_points import reach
from batch_converter.orchestrator.capacity import Capacity
from batch_converter.orchestrator.conversion import SUBMIT_GRACE_S
from batch_converter.orchestrator.direct_conversion import DirectConversion
from batch_converter.orchestrator.ending import record_end, run_finished, sum_up
from batch_converter.orchestrator.keeping import SourceKeeper
from batch_converter.orchestrator.room import Room
from batch_converter.orchestrator.stopping import DEADLINE, MAX_ERRORS, StopReason, exit_code
from batch_converter.orchestrator.task_conversion import TaskConversion
from batch_converter.task_groups import unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from anyio.abc import TaskGroup

    from batch_converter.discovery import Found
    from batch_converter.errors import ExitCode, RunStoppedError
    from batch_converter.ledger import Recovered
    from batch_converter.models import Document, RunSummary, Totals
    from batch_converter.orchestrator.admission import AdmissionTicket
    from batch_converter.orchestrator.calls import DocumentCalls
    from batch_converter.orchestrator.context import RunContext
    from batch_converter.orchestrator.conversion import Conversion
    from batch_converter.orchestrator.planner import Planner

DEADLINE_GRACE_S: Final = 600.0
"""What is out at a deadline is given until the task timeout, at most this long."""

_PAGE: Final = 256


class _Told(TypedDict):
    """Who hears of what happens to a document."""

    on_stop: Callable[[RunStoppedError], None]
    on_failure: Callable[[], None]


class Run:
    """One run over the ledger; `stop` may be called at any time from the event loop.

    Args:
        context: The parts it was wired from.
        planner: Decides what is to be done.
        recovered: What the ledger found of dead runs.
        obstacle: Why it cannot even begin: it ends in order, with what it means.
    """

    def __init__(
        self,
        context: RunContext,
        planner: Planner,
        recovered: Recovered,
        *,
        obstacle: RunStoppedError | None = None,
    ) -> None:
        self._context = context
        self._planner = planner
        self._recovered = recovered
        self._obstacle = obstacle
        self._emit = context.events.emit
        self._failures = 0
        self._reasons: set[StopReason] = set()
        self._causes: list[str] = []
        self._active: set[Conversion] = set()
        # Asked once: to look whether an object keeps a Protocol costs as much as a log line.
        engine = context.engine
        self._service = engine if isinstance(engine, TaskService) else None
        self._converter = None if isinstance(engine, TaskService) else engine
        self._capacity = Capacity(context)
        self._room = Room(lambda: self._capacity.documents)
        self._planning = anyio.CancelScope()
        self._admission = anyio.CancelScope()

    def stop(self, reason: StopReason) -> None:
        """Stop admission and polling, as after a first signal."""
        self._stop_admission(reason)
        self._planning.cancel()
        self._context.give_up(within_s=SUBMIT_GRACE_S)
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
        if self._obstacle is not None:
            self._on_stop(self._obstacle)
        with unwrapped():
            async with anyio.create_task_group() as watchers:
                watchers.start_soon(self._watch_deadline)
                await self._convert(await self._plan(found, roots))
                await self._move_sources()
                watchers.cancel_scope.cancel()
        summary = await self._finish()
        self._emit(run_finished(summary))
        return summary

    def _tell_started(self) -> None:
        settings = self._context.settings
        self._emit(
            RunStarted(
                engine=self._context.engine.name,
                chosen_by="credentials" if settings.engine == "auto" else "the user",
                output=self._context.pdfs.location,
                **asdict(self._recovered),
            )
        )
        self._emit(BudgetSet(limit=self._context.calls.budget.limit))

    async def _plan(self, found: Iterator[Found], roots: Sequence[str]) -> int:
        reach("run.begun")
        length = 0
        with self._planning, self._noticing_loss():
            length = await self._planner.plan(found, roots)
        reach("run.planned")
        self._emit(DiscoveryEnded(to_convert=length))
        self._check_errors()
        return length

    async def _convert(self, length: int) -> None:
        """Convert what is in line; the engine's processes start while the first is looked at."""
        async with anyio.create_task_group() as starting:
            if length and not self._reasons and isinstance(self._converter, StartableConverter):
                starting.start_soon(self._converter.start_for, length)
            async with anyio.create_task_group() as conversions:
                if not self._reasons:
                    with self._admission, self._noticing_loss():
                        await self._capacity.look_at_limits()
                        await self._admit(conversions, length)
            starting.cancel_scope.cancel()

    async def _move_sources(self) -> None:
        """Move the sources whose PDF is there, where the user wants that; last of all."""
        folder = self._context.move_dir
        if folder is not None:
            with self._noticing_loss():
                await SourceKeeper(self._context, folder).move_all(is_stopped=self._must_leave)

    def _must_leave(self) -> bool:
        return any(not reason.lets_finish for reason in self._reasons)

    async def _admit(self, conversions: TaskGroup, length: int) -> None:
        """Admit documents in line, a page at a time, while there is room."""
        position = 0
        polling = self._context.polling
        polling.remaining(length)
        while page := await self._context.ledger.take(position, _PAGE):
            for _, document in page:
                conversion = await self._let_in(document)
                length -= 1
                polling.remaining(length)
                conversions.start_soon(self._drive, conversion)
            position, _ = page[-1]

    async def _let_in(self, document: Document) -> Conversion:
        """Wait for room; what is out comes first in line, and its fetch is kept a call."""
        order, calls = self._context.order, self._context.calls.of(document.id)
        if document.task is None:
            await order.wait_resumed()
            await self._room.acquire()
            return self._conversion(document, calls, order.enter())
        ticket = order.resume()
        with ExitStack() as unless_let_in:
            unless_let_in.enter_context(calls)
            calls.promise_fetch()  # before the wait: those who are in may spend what is free
            await self._room.acquire()
            unless_let_in.pop_all()
        return self._conversion(document, calls, ticket)

    def _conversion(
        self, document: Document, calls: DocumentCalls, ticket: AdmissionTicket
    ) -> Conversion:
        """Return the way of a document through the kind of engine that there is."""
        told: _Told = {"on_stop": self._on_stop, "on_failure": self._on_failure}
        context = self._context
        if self._converter is not None:
            return DirectConversion(context, self._converter, document, calls, ticket, **told)
        if self._service is not None:
            return TaskConversion(context, self._service, document, calls, ticket, **told)
        raise TypeError(f"{context.engine.name} keeps neither contract of engines")

    async def _drive(self, conversion: Conversion) -> None:
        self._active.add(conversion)
        self._emit(DocumentAdmitted(source=conversion.source))
        try:
            self._catch_up(conversion)
            await conversion.drive()
        finally:
            self._active.discard(conversion)
            self._emit(DocumentReleased(source=conversion.source))
            self._room.release()

    def _catch_up(self, conversion: Conversion) -> None:
        """Tell a document that was admitted in the same instant as the stop."""
        if self._must_leave():
            conversion.interrupt()
        elif any(reason.withdraws for reason in self._reasons):
            conversion.withdraw()

    @contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        """Without a ledger, processes or a store the run stops; what is out still ends in order."""
        try:
            yield
        except (LedgerWriteError, MachineExhaustedError, ServiceUnavailableError) as error:
            self._on_stop(error)

    def _on_stop(self, error: RunStoppedError) -> None:
        reason = StopReason.of(error)
        if reason in self._reasons:
            return
        self._causes.append(str(error))
        if isinstance(error, BudgetSpentError):
            self._emit(BudgetExhausted(message=str(error)))
            self._stop_admission(reason)
        else:
            self._emit(RunStopped(code=error.code.value, message=str(error)))
            (self._stop_admission if reason.lets_finish else self.stop)(reason)

    def _on_failure(self) -> None:
        self._failures += 1
        self._check_errors()

    def _check_errors(self) -> None:
        limits, counts = self._context.settings.budget, self._planner.counts
        limit = 1 if limits.fail_fast else limits.max_errors
        failures = counts.failed - counts.known_failures + self._failures
        if limit is not None and failures >= limit:
            if MAX_ERRORS not in self._reasons:
                self._causes.append(f"{failures} failures, as many as the limit on them allows")
            self._stop_admission(MAX_ERRORS)

    def _stop_admission(self, reason: StopReason) -> None:
        self._reasons.add(reason)
        self._admission.cancel()
        if reason.withdraws:
            for conversion in tuple(self._active):
                conversion.withdraw()

    async def _watch_deadline(self) -> None:
        deadline_s = self._context.settings.budget.deadline
        if deadline_s is None:
            return
        await self._sleep(deadline_s)
        self._causes.append(f"the deadline passed, {deadline_s:g} s after the start")
        self._emit(RunDeadlinePassed(deadline_s=deadline_s))
        self._stop_admission(DEADLINE)
        await self._sleep(min(self._context.settings.polling.task_timeout_s, DEADLINE_GRACE_S))
        self.stop(DEADLINE)

    async def _sleep(self, seconds: float) -> None:
        clock = self._context.clock
        await clock.wait_until(clock.monotonic_s() + seconds, anyio.Event())

    async def _finish(self) -> RunSummary:
        with anyio.CancelScope(shield=True):
            try:
                summary = await record_end(self._context, self._exit_code, self._causes)
            except LedgerWriteError as error:
                self._on_stop(error)
                found = self._planner.counts.found
                summary = await sum_up(self._context, found, self._exit_code, self._causes)
        return summary

    def _exit_code(self, totals: Totals) -> ExitCode:
        failures = self._counted_failures(totals)
        return exit_code(self._reasons, remaining=totals.remaining, failures=failures)

    def _counted_failures(self, totals: Totals) -> int:
        ignored = self._context.settings.report.ignore_known_failures
        return totals.failed - (self._planner.counts.known_failures if ignored else 0)
