"""How many documents are in flight at once, where that number may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Callable


class Room:
    """A semaphore whose size is asked for anew each time that it matters.

    Args:
        size: Returns how many may be in; an engine's capacity may change while it runs.
    """

    def __init__(self, size: Callable[[], int]) -> None:
        self._size = size
        self._taken = 0
        self._changed = anyio.Event()

    async def acquire(self) -> None:
        """Wait for a place and take it; one waiter at a time."""
        await anyio.lowlevel.checkpoint()
        while self._taken >= max(1, self._size()):
            self._changed = anyio.Event()
            await self._changed.wait()
        self._taken += 1

    def release(self) -> None:
        """Give a place up."""
        self._taken -= 1
        self._changed.set()
