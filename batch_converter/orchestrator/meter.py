"""Every request passes here before it leaves: budget, ledger, count."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from batch_converter.fault_points import reach
from batch_converter.models import CallKind, CallOutcome

if TYPE_CHECKING:
    from batch_converter.budget import Budget
    from batch_converter.clock import Clock
    from batch_converter.ledger import Ledger
    from batch_converter.models import Document
    from batch_converter.progress import Tally


class LedgerMeter:
    """The engines' `CallMeter`: reserves, records durably, and counts."""

    def __init__(self, *, ledger: Ledger, budget: Budget, clock: Clock, tally: Tally) -> None:
        self._ledger = ledger
        self._clock = clock
        self._tally = tally
        self._open: dict[int, tuple[CallKind, Document | None]] = {}
        self._polls: Counter[int] = Counter()
        self._submissions: Counter[int] = Counter()
        self.budget = budget

    async def begin(self, kind: CallKind, document: Document | None) -> int:
        """Reserve the call and put it on disk; only then may it leave.

        Raises:
            BudgetSpentError: It would exceed the budget.
            LedgerWriteError: It cannot be recorded.
        """
        self._spend(kind, document)
        document_id = None if document is None else document.id
        reach(f"{kind}.recording")
        with anyio.CancelScope(shield=True):
            call_id = await self._ledger.begin_call(kind, document_id, at=self._clock.now())
        reach(f"{kind}.recorded")
        self._open[call_id] = (kind, document)
        self._count(kind, document, 1)
        await self._leave_unless_cancelled(call_id)
        if kind is CallKind.SUBMIT and document is not None:
            self._submissions[document.id] += 1
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
        kind, document = self._open.pop(call_id)
        self._ledger.end_call(call_id, outcome, http_status)
        if outcome is CallOutcome.UNSENT:
            self._count(kind, document, -1)
            if kind is not CallKind.TOKEN:
                self.budget.refund()

    def is_submitting(self, document_id: int) -> bool:
        """Whether a submission of the document is on its way."""
        return any(
            kind is CallKind.SUBMIT and document is not None and document.id == document_id
            for kind, document in self._open.values()
        )

    def submissions(self, document_id: int) -> int:
        """Return how many requests to submit the document were let go in this run."""
        return self._submissions[document_id]

    def polls(self, document_id: int) -> int:
        """Return how often the document was asked for in this run."""
        return self._polls[document_id]

    def forget(self, document_id: int) -> None:
        """Drop what was kept for a document whose outcome is recorded."""
        self._polls.pop(document_id, None)
        self._submissions.pop(document_id, None)
        self.budget.release(document_id)

    def _spend(self, kind: CallKind, document: Document | None) -> None:
        match kind:
            case CallKind.TOKEN:
                return
            case CallKind.SUBMIT if document is not None:
                self.budget.spend_on_submission(document.id)
            case CallKind.POLL if document is not None:
                self.budget.spend_on_fetch(document.id)
            case _:
                self.budget.spend()

    def _count(self, kind: CallKind, document: Document | None, by: int) -> None:
        if kind is not CallKind.TOKEN:
            self._tally.api_calls_billed += by
        if kind is CallKind.POLL and document is not None:
            self._polls[document.id] += by
