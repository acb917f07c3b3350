"""Who writes to which upload: one at a time."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Writers:
    """Uploads that are being written to, and whose turn is next."""

    def __init__(self) -> None:
        self._locks: dict[str, anyio.Lock] = {}
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def writing(self, upload_id: str) -> AsyncIterator[None]:
        """Wait until nobody else writes to it; nobody else does until this ends."""
        self._users[upload_id] += 1
        lock = self._locks.setdefault(upload_id, anyio.Lock())
        try:
            async with lock:
                yield
        finally:
            self._users[upload_id] -= 1
            if not self._users[upload_id]:
                del self._users[upload_id], self._locks[upload_id]
