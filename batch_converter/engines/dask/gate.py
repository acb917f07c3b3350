"""Lets tasks of one worker run together, or one of them alone."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Gate:
    """Who wants to be alone waits for those that are in, and holds up those that come later."""

    def __init__(self) -> None:
        self._changed = anyio.Condition()
        self._inside = 0
        self._hermits = 0

    @asynccontextmanager
    async def entered(self, *, alone: bool) -> AsyncIterator[None]:
        """Be in, from when it is one's turn to the end of the context."""
        if alone:
            await self._enter_alone()
        else:
            await self._enter()
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                async with self._changed:
                    self._inside -= 1
                    self._hermits -= alone
                    self._changed.notify_all()

    async def _enter(self) -> None:
        async with self._changed:
            while self._hermits:
                await self._changed.wait()
            self._inside += 1

    async def _enter_alone(self) -> None:
        async with self._changed:
            self._hermits += 1
            try:
                while self._inside:
                    await self._changed.wait()
            except BaseException:
                self._hermits -= 1
                self._changed.notify_all()
                raise
            self._inside += 1
