"""The order in which documents are let in, submitted and asked for."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class AdmissionOrder:
    """Old tasks are asked for before new documents are submitted, and those go in order.

    New documents are read and checked side by side; one that takes long is waited for,
    so that `--order` holds, and a budget goes to those that come first.
    """

    def __init__(self) -> None:
        self._unpolled: set[AdmissionTicket] = set()
        self._all_polled = anyio.Event()
        self._queue: OrderedDict[AdmissionTicket, anyio.Event] = OrderedDict()

    def resume(self) -> AdmissionTicket:
        """Let a document in whose task an earlier run left at the service."""
        ticket = AdmissionTicket(self)
        self._unpolled.add(ticket)
        return ticket

    def enter(self) -> AdmissionTicket:
        """Let a new document in, behind those that are in already."""
        ticket = AdmissionTicket(self)
        self._queue[ticket] = anyio.Event()
        self._call_first()
        return ticket

    async def wait_resumed(self) -> None:
        """Wait until each resumed task was asked for once; it need not be ready."""
        if self._unpolled:
            self._all_polled = anyio.Event()
            await self._all_polled.wait()

    async def wait_first(self, ticket: AdmissionTicket) -> None:
        """Wait until nobody is ahead; one that has left the queue need not."""
        if event := self._queue.get(ticket):
            await event.wait()

    def mark_polled(self, ticket: AdmissionTicket) -> None:
        """The task got its first answer, or needs none any more."""
        self._unpolled.discard(ticket)
        if not self._unpolled:
            self._all_polled.set()

    def leave_queue(self, ticket: AdmissionTicket) -> None:
        """Let those behind go ahead."""
        self._queue.pop(ticket, None)
        self._call_first()

    def _call_first(self) -> None:
        if first := next(iter(self._queue.values()), None):
            first.set()


class AdmissionTicket:
    """One document's place in the order; leaving it holds nobody up any more."""

    def __init__(self, order: AdmissionOrder) -> None:
        self._order = order

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.mark_polled()
        self.leave_queue()

    async def wait_first(self) -> None:
        """Wait until no document that was let in before is still to be submitted."""
        await self._order.wait_first(self)

    def mark_polled(self) -> None:
        """The document's task was asked for, or it has none."""
        self._order.mark_polled(self)

    def leave_queue(self) -> None:
        """The document is being submitted, or never will be."""
        self._order.leave_queue(self)
