"""Who waits for whom: the order in which documents are submitted and asked for."""

from __future__ import annotations

import anyio


class Wakeups:
    """Wakes documents that wait for their next poll when their plan moves earlier."""

    def __init__(self) -> None:
        self._events: dict[int, anyio.Event] = {}

    def event(self, document_id: int) -> anyio.Event:
        """Return a fresh event that `wake` sets."""
        event = self._events[document_id] = anyio.Event()
        return event

    def wake(self, document_id: int) -> None:
        """Wake the document if it waits."""
        if event := self._events.get(document_id):
            event.set()

    def forget(self, document_id: int) -> None:
        """Drop a document that waits no more."""
        self._events.pop(document_id, None)


class LeftOut:
    """What an earlier run left at the service: asked for before anything new goes there."""

    def __init__(self) -> None:
        self._unasked: set[int] = set()
        self._all_asked = anyio.Event()

    def add(self, document_id: int) -> None:
        """Hold new submissions back for this document."""
        self._unasked.add(document_id)

    def asked(self, document_id: int) -> None:
        """The document got its first answer, or needs none any more."""
        self._unasked.discard(document_id)
        if not self._unasked:
            self._all_asked.set()

    async def all_asked(self) -> None:
        """Wait until each has been asked for once; one that is not ready holds nobody up."""
        if self._unasked:
            self._all_asked = anyio.Event()
            await self._all_asked.wait()


class Line:
    """New documents are submitted in the order in which they were let in.

    They are read and checked side by side; one that takes long is waited for, so that
    `--order` holds, and a budget goes to those that come first.
    """

    def __init__(self) -> None:
        self._places: dict[int, anyio.Event] = {}

    def join(self, document_id: int) -> None:
        """Take the last place."""
        self._places[document_id] = anyio.Event()
        self._call_first()

    async def turn(self, document_id: int) -> None:
        """Wait until the document is first; one that is not in line need not."""
        if event := self._places.get(document_id):
            await event.wait()

    def leave(self, document_id: int) -> None:
        """Give the place up, wherever it is."""
        self._places.pop(document_id, None)
        self._call_first()

    def _call_first(self) -> None:
        if first := next(iter(self._places.values()), None):
            first.set()
