"""Who is told that documents have changed, and which ones are no more."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.server.queue.documents import QueuedDocument

_MAX_REMOVED: Final = 10_000


class Missed(Exception):  # noqa: N818  # no error: who asks has to begin anew
    """What was removed since then is not known any more."""


class Changes:
    """Wakes those who follow an owner's documents; remembers what was removed lately.

    Args:
        since: The sequence number at which the service started: before that nothing is known.
    """

    def __init__(self, since: int) -> None:
        self._known_after = since
        self._removed: deque[tuple[int, str, str]] = deque()
        self._followers: dict[str, set[anyio.Event]] = {}

    @contextmanager
    def following(self, owner: str) -> Iterator[anyio.Event]:
        """Yield what is set at the owner's next change; follow anew for the one after."""
        event = anyio.Event()
        self._followers.setdefault(owner, set()).add(event)
        try:
            yield event
        finally:
            followers = self._followers[owner]
            followers.discard(event)
            if not followers:
                del self._followers[owner]

    def changed(self, owner: str) -> None:
        """Wake those who follow."""
        for event in self._followers.get(owner, ()):
            event.set()

    def removed(self, document: QueuedDocument, sequence: int) -> None:
        """Remember that a document is gone, and wake those who follow."""
        self._removed.append((sequence, document.owner, document.id))
        if len(self._removed) > _MAX_REMOVED:
            self._known_after, _, _ = self._removed.popleft()
        self.changed(document.owner)

    def removed_after(self, owner: str, sequence: int) -> list[str]:
        """Return the ids of the owner's documents that were removed after a change.

        Raises:
            Missed: That is too long ago.
        """
        if sequence < self._known_after:
            raise Missed
        return [name for at, owned_by, name in self._removed if at > sequence and owned_by == owner]
