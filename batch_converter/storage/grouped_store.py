"""One SQLite connection, owned by one thread, with grouped commits.

Operations of one turn of the event loop set out together, queue up while a commit
is on its way to the disk and share the next one, so that durability
(`synchronous=FULL`) costs one flush a group, not one a statement. An awaited
operation is durable when it returns. A cancelled await still executes: operations
must be right to run whether or not anybody waits, and to run again where the group
that they were in was rolled back.

What is raised beside an operation ends the work: a transaction may be open then, so nothing
more is run. The thread goes on to refuse all that comes, and nobody waits for an answer for ever.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio.to_thread

from batch_converter.fault_points import reach
from batch_converter.threads import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch_converter.storage.reserve import Reserve

_MAX_GROUP: Final = 1_000
_GATHER_S: Final = 0.004
"""Waited for others while several are at work: a small file takes a fifth less processor time
(`benchmarks.scale`), as one flush serves more of them; who works alone does not wait."""

_FULL: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
)
_FORBIDDEN: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})
_PRIMARY: Final = 0xFF  # the lower byte of an extended result code

T = TypeVar("T")


@dataclass(slots=True)
class _Job:
    operation: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any] | None
    result: Any = None


def is_full(error: BaseException | None) -> bool:
    """Whether the disk, or what this user may have of it, is full."""
    return getattr(error, "sqlite_errorcode", None) in _FULL


def advice(error: BaseException) -> str:
    """Say what to do about a database that could not be written."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    if isinstance(error, MemoryError):
        return "See that there is memory left"
    if is_full(error):
        return "Free some space"
    if code & _PRIMARY in _FORBIDDEN:
        return "See that this user may write it and its folder (permission, read-only mount)"
    if code & _PRIMARY == sqlite3.SQLITE_CANTOPEN:
        return "See that its folder is there, and that it and open files are within the limits"
    return "See that its disk is well"


class GroupedStore:
    """Runs operations on the connection, in order, in groups.

    Args:
        connection: Closed by `close`.
        name: Of the thread, and of the steps at which a test may kill it.
        lost: Makes what is raised of why it cannot be written and of what to do about that.
        reserve: Given up where the disk is full; a copy in memory needs none.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        name: str,
        lost: Callable[[str, str], Exception],
        reserve: Reserve | None = None,
    ) -> None:
        self._connection = connection
        self._name = name
        self._lost = lost
        self._reserve = reserve
        self._loop = asyncio.get_running_loop()
        self._jobs: Outbox[_Job] = Outbox()
        self._failure: Exception | None = None
        self._group: list[_Job] = []
        """What the thread works at, so that it can be told what ends the work."""
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    async def execute(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run `operation` in a transaction; its effects are on disk at return.

        One that only reads is answered also where its group cannot be written.

        Raises:
            Exception: As `lost` makes it: the disk is full or gone; nothing of the group counts.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(operation, future), self._loop)
        return await future

    def post(self, operation: Callable[[sqlite3.Connection], object]) -> None:
        """Queue `operation` without waiting; it runs before any later one.

        What fails here is raised by the next `execute`.
        """
        self._jobs.put(_Job(operation, None), self._loop)

    async def close(self) -> None:
        """Finish what is queued and close the connection."""
        self._jobs.send()
        self._jobs.sent.put(None)
        await anyio.to_thread.run_sync(self._end)

    def _end(self) -> None:
        self._thread.join()
        self._connection.close()

    def _serve(self) -> None:
        """Commit group after group until `close`; what breaks that off is told to all who ask."""
        try:
            self._keep_reserve()
            while self._take_group():
                self._commit(self._group)
                self._keep_reserve()
        except BaseException as fault:  # noqa: BLE001  # whatever it is, nobody may wait for ever
            self._refuse(fault)

    def _keep_reserve(self) -> None:
        if self._reserve is not None:
            self._reserve.keep()

    def _take_group(self) -> bool:
        """Wait for operations; returns whether there are any: there are until `close`."""
        gathers, self._group = len(self._group) > 1, []
        jobs = self._jobs.sent
        job = jobs.get()
        if gathers:
            time.sleep(_GATHER_S)
        while job is not None:
            self._group.append(job)
            if len(self._group) == _MAX_GROUP or jobs.empty():
                return True
            job = jobs.get()
        if self._group:
            jobs.put(None)  # to be met again once these are done
        return bool(self._group)

    def _refuse(self, fault: BaseException) -> None:
        """Fail what waits and all that comes until `close`."""
        reason = f"{str(fault) or type(fault).__name__}; it is given up until the next start"
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            while True:
                lost = self._lost_to(fault, reason)
                self._loop.call_soon_threadsafe(self._deliver, self._group, lost)
                if not self._take_group():
                    return

    def _commit(self, group: Sequence[_Job]) -> None:
        """Bring a group to the disk and tell who waits; an operation at fault fails alone."""
        error = self._attempt(group)
        if self._reserve is not None and is_full(error) and self._reserve.release():
            error = self._attempt(group)
        if isinstance(error, sqlite3.OperationalError):
            self._end_unwritten(group, error)
        elif error is None or len(group) == 1:
            self._loop.call_soon_threadsafe(self._deliver, group, error)
        else:
            for job in group:
                self._commit([job])

    def _end_unwritten(self, group: Sequence[_Job], error: Exception) -> None:
        """Fail what had something to write, and answer who came to read what is there.

        Whoever reads behind a posted write counts on it, so fails with it.
        """
        is_behind_a_loss = False
        self._connection.execute("PRAGMA query_only = ON")
        for job in group:
            fault = self._fault_in_reading(job)
            if is_behind_a_loss or isinstance(fault, sqlite3.OperationalError):
                fault = error
            is_behind_a_loss = is_behind_a_loss or (job.future is None and fault is not None)
            self._loop.call_soon_threadsafe(self._deliver, [job], fault)
        self._connection.execute("PRAGMA query_only = OFF")

    def _fault_in_reading(self, job: _Job) -> Exception | None:
        """Run an operation where nothing can be written: what it returns is what is there."""
        try:
            job.result = job.operation(self._connection)
        except Exception as error:  # noqa: BLE001  # handed to the awaiting coroutine
            return error
        return None

    def _attempt(self, group: Sequence[_Job]) -> Exception | None:
        """Commit all or nothing; returns why nothing was committed."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in group:
                job.result = job.operation(self._connection)
            reach(f"{self._name}.committing")
            self._connection.execute("COMMIT")
            reach(f"{self._name}.committed")
        except Exception as error:  # noqa: BLE001  # handed to the awaiting coroutine
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return error
        return None

    def _deliver(self, group: Sequence[_Job], error: Exception | None) -> None:
        translated = self._translated(error)
        for job in group:
            if job.future is None:
                self._failure = self._failure or translated
            elif job.future.done():
                continue
            elif translated is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(translated)

    def _translated(self, error: Exception | None) -> Exception | None:
        return self._lost_to(error, str(error)) if isinstance(error, sqlite3.Error) else error

    def _lost_to(self, error: BaseException, reason: str) -> Exception:
        lost = self._lost(reason, advice(error))
        lost.__cause__ = error
        return lost
