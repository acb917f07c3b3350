"""The few threads in which the disk is asked."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
P = ParamSpec("P")


class DiskThreads:
    """Few threads, since all of them want the interpreter between two looks at the disk.

    Unlike anyio's they can be left to work while nobody waits, and a trip costs a
    third. They end with the object.
    """

    def __init__(self, size: int) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="disk")

    def start(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Call the function as soon as a thread is free."""
        return asyncio.wrap_future(self._pool.submit(function, *args, **kwargs))

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function; once begun, cancellation waits until it has ended."""
        await checkpoint_if_cancelled()
        future = self.start(function, *args, **kwargs)
        with anyio.CancelScope(shield=True):
            await future
        return future.result()
