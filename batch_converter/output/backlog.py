"""Pieces on their way to a file: written in order, in a thread, while more arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from batch_converter.threads import DiskThreads

TURN_BYTES: Final = 3 << 19
"""For less no thread is bothered before the end; as much may wait while one writes.

Turns of a MiB took about a twentieth more of a processor; longer ones take more memory.
"""

_SMALL_BYTES: Final = 16 << 10
"""Smaller pieces are copied into one, or a PDF cut every few bytes were mostly objects."""


class Backlog:
    """Writes pieces to one file in their order, in threads; what waits is bounded.

    All state is the event loop's; a thread is only ever given the pieces of a turn.

    Args:
        write: Appends the pieces of a turn to the file; blocking.
        threads: Where it is called.
    """

    def __init__(
        self, write: Callable[[Sequence[bytes | bytearray]], None], threads: DiskThreads
    ) -> None:
        self._write = write
        self._threads = threads
        self._waiting: list[bytes | bytearray] = []
        self._waiting_bytes = 0
        self._turn: asyncio.Future[None] | None = None
        self._turned = anyio.Event()
        self._failure: BaseException | None = None

    async def put(self, piece: bytes | bytearray) -> None:
        """Take a piece; returns when few enough are waiting.

        Raises:
            OutputError: A piece, this one or one before, could not be written.
        """
        self._check()
        if self._waiting_bytes + len(piece) < TURN_BYTES:
            self._keep(piece)
            return
        await checkpoint_if_cancelled()
        self._keep(piece)
        if self._turn is None:
            self._begin_turn()
        while self._waiting_bytes > TURN_BYTES:
            await self._turned.wait()
        self._check()

    def _keep(self, piece: bytes | bytearray) -> None:
        self._waiting_bytes += len(piece)
        if len(piece) >= _SMALL_BYTES:
            self._waiting.append(piece)
        elif self._ends_small() and isinstance(last := self._waiting[-1], bytearray):
            last += piece
        elif piece:
            self._waiting.append(bytearray(piece))

    def _ends_small(self) -> bool:
        return bool(self._waiting) and len(self._waiting[-1]) < _SMALL_BYTES

    async def rest(self) -> bytes | bytearray:
        """Wait until no thread is at the file; return what still waits, for the caller to write.

        Raises:
            OutputError: Something before it could not be written.
        """
        while self._turn is not None:
            await self._turned.wait()
        self._check()
        rest = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._forget_waiting()
        return rest

    async def drop(self) -> None:
        """Forget what waits and what failed; cancellation waits for the thread at the file."""
        self._forget_waiting()
        while self._turn is not None:
            with anyio.CancelScope(shield=True):
                await self._turned.wait()
        self._failure = None

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _forget_waiting(self) -> None:
        self._waiting = []
        self._waiting_bytes = 0

    def _begin_turn(self) -> None:
        pieces, self._waiting = self._waiting, []
        self._waiting_bytes = 0
        self._turn = self._threads.start(self._write, pieces)
        self._turn.add_done_callback(self._end_turn)

    def _end_turn(self, turn: asyncio.Future[None]) -> None:
        self._turn = None
        self._failure = turn.exception()
        if self._failure is not None:
            self._forget_waiting()
        elif self._waiting_bytes >= TURN_BYTES:
            self._begin_turn()
        turned, self._turned = self._turned, anyio.Event()
        turned.set()
