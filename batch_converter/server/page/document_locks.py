"""Who works on which document: one at a time."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class DocumentLocks:
    """Documents that are being worked on, and whose turn is next at each."""

    def __init__(self) -> None:
        self._locks: dict[str, anyio.Lock] = {}
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def holding(self, document_id: str) -> AsyncIterator[None]:
        """Wait until nobody else holds the document; nobody else does until this ends."""
        self._users[document_id] += 1
        lock = self._locks.setdefault(document_id, anyio.Lock())
        try:
            async with lock:
                yield
        finally:
            self._users[document_id] -= 1
            if not self._users[document_id]:
                del self._users[document_id], self._locks[document_id]
