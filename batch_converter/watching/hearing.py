"""Keeps a watch's ear at the folders that there are, and what was heard until it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.events import WatchPolling
from batch_converter.watching.listening import CannotListenError, FolderGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anyio.abc import TaskGroup

    from batch_converter.events import RunEvent
    from batch_converter.watching.listening import Change, Listen, Listener

_MOST_WALKS: Final = 3
"""So often a folder may have gone between walk and ear; then it is the system that refuses."""


class Hearing:
    """What was heard, and from where.

    Args:
        listen: Opens a listener; None where nobody is to be listened to.
        on_heard: Called when there is something.
        emit: Told that the system does not tell of changes.
        poll_s: How often is looked then.
    """

    def __init__(
        self,
        listen: Listen | None,
        on_heard: Callable[[], object],
        emit: Callable[[RunEvent], object],
        *,
        poll_s: float,
    ) -> None:
        self._listen = listen
        self._on_heard = on_heard
        self._emit = emit
        self._poll_s = poll_s
        self._tasks: TaskGroup | None = None
        self._listener: Listener | None = None
        self._followed: Mapping[str, object] = {}
        self._is_refused = False
        self._is_stale = False
        self._walks = 0
        self._changes: set[Change] = set()

    @property
    def hears(self) -> bool:
        """Whether the system tells of changes."""
        return self._listener is not None

    @property
    def is_stale(self) -> bool:
        """Whether something may have been missed: all must be looked at."""
        return self._is_stale

    @property
    def has_changes(self) -> bool:
        """Whether something was heard and not asked for."""
        return bool(self._changes)

    def begin(self, tasks: TaskGroup) -> None:
        """Listen in this task group from now on."""
        self._tasks = tasks

    async def end(self) -> None:
        """Listen no more."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.aclose()

    def take(self) -> frozenset[Change]:
        """Return what was heard since the last time."""
        changes, self._changes = frozenset(self._changes), set()
        return changes

    def doubt(self) -> None:
        """Have all be looked at, and listened to anew."""
        self._is_stale = True
        self._on_heard()

    def compare(self, folders: Mapping[str, object]) -> None:
        """Look whether these are the folders that are listened to; else all is looked at again."""
        if self.hears and folders != self._followed:
            self.doubt()

    async def follow(self, folders: Mapping[str, object], *, retry: bool) -> bool:
        """Listen to these folders, where that is not done already.

        Args:
            folders: By their paths, with what tells one from another under the same path.
            retry: Whether to try again where the system had refused.

        Returns:
            Whether it has begun anew: what happened before was not heard.
        """
        is_stale, self._is_stale = self._is_stale, False
        if self._listen is None or (self._is_refused and not retry):
            return False
        if self.hears and not is_stale and folders == self._followed:
            return False
        return await self._listen_to(folders, self._listen)

    async def _listen_to(self, folders: Mapping[str, object], listen: Listen) -> bool:
        await self.end()  # two at once would be twice as near to the system's limit
        listener = None
        try:
            if folders:
                listener = await listen(tuple(folders))
        except FolderGoneError as error:
            self._walks += 1
            if self._walks < _MOST_WALKS:  # the next one goes without it
                self._is_stale = True
                return False
            self._refuse(error)
        except CannotListenError as error:
            self._refuse(error)
        else:
            self._is_refused, self._walks = False, 0
        if listener is None or self._tasks is None:
            return False
        self._listener, self._followed = listener, dict(folders)
        self._tasks.start_soon(self._hear, listener)
        return True

    def _refuse(self, error: Exception) -> None:
        if not self._is_refused:
            self._emit(WatchPolling(reason=str(error), poll_s=self._poll_s))
        self._is_refused, self._walks = True, 0

    async def _hear(self, listener: Listener) -> None:
        while (changes := await listener.changes()) is not None:
            self._changes |= changes
            self._on_heard()
        if listener is self._listener:
            self.doubt()
