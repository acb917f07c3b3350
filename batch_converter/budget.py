"""How many billed calls may be made: reserved before each, so that none is overrun.

A submission is only worth its price with the fetch that follows, so it reserves
that one too. Pure: nothing here knows time, files or the network.
"""

from __future__ import annotations

from datetime import UTC, datetime

from batch_converter.errors import BudgetSpentError


class Budget:
    """Counts what was spent and what is promised against a limit.

    Not for several threads; the event loop's order makes each method atomic.

    Args:
        limit: Billed calls that may be made; None is no limit.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._spent = 0
        self._promised: set[int] = set()

    @property
    def limit(self) -> int | None:
        """Billed calls that may be made; None where there is no limit."""
        return self._limit

    @property
    def free(self) -> int | None:
        """Calls that are neither spent nor promised; None where there is no limit."""
        if self._limit is None:
            return None
        return self._limit - self._spent - len(self._promised)

    def spend_on_submission(self, document_id: int) -> None:
        """Take one call, and promise one for the document's fetch.

        Raises:
            BudgetSpentError: Both together are more than is left; nothing was taken.
        """
        self._take(1 if document_id in self._promised else 2)
        self._promised.add(document_id)
        self._spent += 1

    def spend_on_fetch(self, document_id: int) -> None:
        """Take the call promised to the document, else a free one.

        Raises:
            BudgetSpentError: It would eat another document's fetch.
        """
        if document_id in self._promised:
            self._promised.remove(document_id)
        else:
            self._take(1)
        self._spent += 1

    def spend(self) -> None:
        """Take a free call for anything else.

        Raises:
            BudgetSpentError: None is free.
        """
        self._take(1)
        self._spent += 1

    def refund(self) -> None:
        """Give back a call that never reached the service."""
        self._spent -= 1

    def promise_fetch(self, document_id: int) -> None:
        """Keep a call for the document's next fetch, where one is free."""
        if self.free is None or self.free >= 1:
            self._promised.add(document_id)

    def release(self, document_id: int) -> None:
        """Take back what was promised to a document that needs it no more."""
        self._promised.discard(document_id)

    def _take(self, calls: int) -> None:
        if self.free is not None and self.free < calls:
            left = max(self.free, 0)
            msg = f"the next step takes {calls} billed calls, and the budget has {left} left"
            raise BudgetSpentError(msg)


def month_start(now: datetime, *, starts_on: int) -> datetime:
    """Return when the billing month that holds `now` began, in UTC.

    Args:
        now: The present, aware.
        starts_on: The first day of the billing month, 1 to 28.
    """
    first = datetime(now.year, now.month, starts_on, tzinfo=UTC)
    if first <= now:
        return first
    year, month = (now.year, now.month - 1) if now.month > 1 else (now.year - 1, 12)
    return first.replace(year=year, month=month)
