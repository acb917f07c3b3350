"""Every request is recorded here before it leaves: budget, ledger, count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from batch_converter.events import CallsCounted
from batch_converter.fault_points import reach
from batch_converter.models import CallKind, CallOutcome

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from batch_converter.budget import Budget
    from batch_converter.clock import Clock
    from batch_converter.events import EventStream
    from batch_converter.ledger import Ledger


class _Recorder:
    """A `CallRecorder` over ledger and budget; what is reserved is the subclass's to say."""

    def __init__(self, book: CallBook, document_id: int | None) -> None:
        self._book = book
        self._document_id = document_id
        self._open: dict[int, CallKind] = {}

    async def begin(self, kind: CallKind) -> int:
        """Reserve the call and put it on disk; only then may it leave.

        Raises:
            BudgetSpentError: It would exceed the budget.
            LedgerWriteError: It cannot be recorded.
        """
        self._reserve(kind)
        reach(f"{kind}.recording")
        with anyio.CancelScope(shield=True):
            call_id = await self._book.record(kind, self._document_id)
        reach(f"{kind}.recorded")
        self._open[call_id] = kind
        self._count(kind, 1)
        await self._leave_unless_cancelled(call_id)
        return call_id

    async def _leave_unless_cancelled(self, call_id: int) -> None:
        """Give a call back that is on record already and whose caller is called off."""
        try:
            await anyio.lowlevel.checkpoint_if_cancelled()
        except anyio.get_cancelled_exc_class():
            self.end(call_id, CallOutcome.UNSENT)
            raise

    def end(self, call_id: int, outcome: CallOutcome, *, http_status: int | None = None) -> None:
        """Record how it ended; one that never left is given back."""
        kind = self._open.pop(call_id)
        self._book.ledger.end_call(call_id, outcome, http_status)
        if outcome is CallOutcome.UNSENT:
            self._count(kind, -1)
            self._give_back(kind)

    def _reserve(self, kind: CallKind) -> None:
        raise NotImplementedError

    def _give_back(self, kind: CallKind) -> None:
        if kind is not CallKind.TOKEN:
            self._book.budget.refund()

    def _count(self, kind: CallKind, by: int) -> None:
        if kind is not CallKind.TOKEN:
            self._book.events.emit(CallsCounted(kind=kind.value, calls=by))


class AccountCalls(_Recorder):
    """Records requests that belong to no document: for tokens, which are not billed."""

    def __init__(self, book: CallBook) -> None:
        super().__init__(book, None)

    def _reserve(self, kind: CallKind) -> None:
        if kind is not CallKind.TOKEN:
            self._book.budget.spend()


class DocumentCalls(_Recorder):
    """Records the requests about one document; leaving it gives back what was promised to it.

    Attributes:
        submissions: Requests to submit it that were let go in this run.
        polls: Requests for its result in this run.
    """

    def __init__(self, book: CallBook, document_id: int) -> None:
        super().__init__(book, document_id)
        self._id = document_id
        self.submissions = 0
        self.polls = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._book.budget.release(self._id)

    async def begin(self, kind: CallKind) -> int:
        """Reserve and record; a submission that may leave is counted as one, sent or not."""
        call_id = await super().begin(kind)
        if kind is CallKind.SUBMIT:
            self.submissions += 1
        return call_id

    @property
    def is_submitting(self) -> bool:
        """Whether a submission is on its way."""
        return CallKind.SUBMIT in self._open.values()

    def promise_fetch(self) -> None:
        """Keep a call for the next fetch, where one is free."""
        self._book.budget.promise_fetch(self._id)

    def _reserve(self, kind: CallKind) -> None:
        budget = self._book.budget
        match kind:
            case CallKind.TOKEN:
                return
            case CallKind.SUBMIT:
                budget.spend_on_submission(self._id)
            case CallKind.POLL:
                budget.spend_on_fetch(self._id)
            case CallKind.CANCEL:
                budget.spend()

    def _count(self, kind: CallKind, by: int) -> None:
        super()._count(kind, by)
        if kind is CallKind.POLL:
            self.polls += by


class CallBook:
    """The requests of one run: gives each document its recorder."""

    def __init__(
        self, *, ledger: Ledger, budget: Budget, clock: Clock, events: EventStream
    ) -> None:
        self.ledger = ledger
        self.budget = budget
        self.events = events
        self._clock = clock

    def of(self, document_id: int) -> DocumentCalls:
        """Return the recorder of a document, to be entered for as long as it is driven."""
        return DocumentCalls(self, document_id)

    def of_account(self) -> AccountCalls:
        """Return the recorder of requests that belong to no document."""
        return AccountCalls(self)

    async def record(self, kind: CallKind, document_id: int | None) -> int:
        """Put a request on disk; a submission moves its document to `submitting` with it.

        Both stand in one transaction: a document that is `submitting` without its own
        request would be taken for one that an older request may have billed.
        """
        return await self.ledger.begin_call(kind, document_id, at=self._clock.now())
