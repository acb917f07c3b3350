"""The few threads in which the disk is asked."""

from __future__ import annotations

import asyncio
import math
import threading
import weakref
from collections import deque
from concurrent import futures
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from batch_converter.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Callable

    _Call = tuple[asyncio.Future[Any], Callable[[], Any]]

T = TypeVar("T")
P = ParamSpec("P")


DISK_THREADS: Final = 4
"""Of a run, for all that it asks of the disk."""


class Outbox(Generic[T]):
    """Sends threads all that one turn of the event loop has for them, when the turn is done.

    A thread that is woken earlier competes with the loop for the interpreter.

    Attributes:
        sent: Where the threads get it; None tells them to end.
    """

    def __init__(self) -> None:
        self.sent: SimpleQueue[T | None] = SimpleQueue()
        self._gathered: list[T] = []

    def put(self, item: T, loop: asyncio.AbstractEventLoop) -> None:
        """Add to what is sent; in the loop's own thread only."""
        if not self._gathered:
            loop.call_soon(self.send)
        self._gathered.append(item)

    def send(self) -> None:
        """Send what has gathered, without waiting for the turn's end."""
        gathered, self._gathered = self._gathered, []
        for item in gathered:
            self.sent.put(item)


class DiskThreads:
    """A pool of few threads: all of them need the interpreter between two system calls.

    Unlike anyio's they can be left to work while nobody waits, and a call costs a
    quarter. aiofiles rides on them (`executor`) where its price does not matter. Parts
    of PDFs and uploads are not its affair: it makes a call of each open, write, fsync and
    close, where one function here does them all. Writing a PDF of 20 kB so took 1.39 ms of
    processor time in place of 0.94 (medians of eight blocks in turn), 48 % more, or 12 %
    of the 3.6 ms that a whole run spends on a file (`benchmarks.scale`, 400 files); for
    one of 4 MB it made no difference.

    Threads start when they are first needed, and end with the object; the process does
    not wait for them to end.
    """

    def __init__(self, size: int = DISK_THREADS) -> None:
        self._size = size
        self._calls: Outbox[_Call] = Outbox()
        self._results: _Results | None = None

    def start(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Call the function as soon as the loop has done its turn and a thread is free."""
        if self._results is None:
            results = _Results(asyncio.get_running_loop())
            self._start_threads(results)
            self._results = results
        future: asyncio.Future[T] = self._results.loop.create_future()
        self._calls.put((future, partial(function, *args, **kwargs)), self._results.loop)
        return future

    def _start_threads(self, results: _Results) -> None:
        """Start as many as the system lets us; one is enough, and without any nobody may wait.

        Raises:
            RuntimeError: Not even one could be started.
        """
        for number in range(self._size):
            try:
                threading.Thread(
                    target=_serve,
                    args=(self._calls.sent, results),
                    name=f"disk-{number}",
                    daemon=True,
                ).start()
            except RuntimeError:
                if not number:
                    raise
                break
        ending = weakref.finalize(self, _end, self._calls.sent, self._size)
        # A daemon thread that wakes while Python ends may touch what is freed already, and
        # crash it (python/cpython#124878): those that wait go on waiting.
        ending.atexit = False

    @property
    def executor(self) -> futures.Executor:
        """These threads for aiofiles, and whatever else asks for an executor, in the loop's own."""
        return _Executor(self)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function; once begun, cancellation waits until it has ended."""
        await checkpoint_if_cancelled()
        future = self.start(function, *args, **kwargs)
        with anyio.CancelScope(shield=True):
            await future
        return future.result()


class LimitedThreads:
    """The same threads for work that may take long: never in more of them than a few at once.

    Args:
        threads: Where it is done.
        at_once: In how many of them.
    """

    def __init__(self, threads: DiskThreads, *, at_once: int) -> None:
        self._threads = threads
        self._limit = anyio.Semaphore(at_once, fast_acquire=True)
        self._waits: set[anyio.CancelScope] = set()
        self._until_s = math.inf

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function; once begun, cancellation waits until it has ended.

        Raises:
            NetworkError: It took longer than `give_up` allows; its thread goes on.
        """
        async with self._limit:
            await checkpoint_if_cancelled()
            future = self._threads.start(function, *args, **kwargs)
            with anyio.CancelScope(shield=True, deadline=self._until_s) as wait:
                self._waits.add(wait)
                try:
                    await future
                finally:
                    self._waits.discard(wait)
        if wait.cancelled_caught:
            await checkpoint_if_cancelled()
            raise NetworkError("no answer came before the run stopped")
        return future.result()

    def give_up(self, *, within_s: float) -> None:
        """Wait for what is under way, and for what begins later, no longer than that from now."""
        self._until_s = min(self._until_s, anyio.current_time() + within_s)
        for wait in self._waits:
            wait.deadline = self._until_s


class _Executor(futures.Executor):
    """Takes what `loop.run_in_executor` gives to the threads; it may only be called by that."""

    def __init__(self, threads: DiskThreads) -> None:
        self._threads = threads

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> futures.Future[T]:
        """Call the function in one of the threads."""
        promise: futures.Future[T] = futures.Future()
        _ = self._threads.start(_keep, promise, partial(fn, *args, **kwargs))
        return promise


def _keep(promise: futures.Future[T], call: Callable[[], T]) -> None:
    if not promise.set_running_or_notify_cancel():
        return
    try:
        promise.set_result(call())
    except BaseException as error:  # noqa: BLE001  # raised again where it is awaited
        promise.set_exception(error)


class _Results:
    """Delivers what calls return to the loop, which is woken once for all that has come by then."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._ended: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_scheduled = False

    def call(self, future: asyncio.Future[T], function: Callable[[], T]) -> None:
        """Call, in a thread; the future gets what comes of it, in the loop."""
        try:
            self._ended.append((future, function(), None))
        except BaseException as error:  # noqa: BLE001  # raised again where it is awaited
            self._ended.append((future, None, error))
        if not self._is_scheduled:
            self._is_scheduled = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self.loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._is_scheduled = False  # before looking: who comes after the last look tells again
        while self._ended:
            future, result, error = self._ended.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


def _serve(calls: SimpleQueue[_Call | None], results: _Results) -> None:
    while (call := calls.get()) is not None:
        results.call(*call)
        del call  # nobody else may hold what it holds


def _end(calls: SimpleQueue[_Call | None], size: int) -> None:
    for _ in range(size):
        calls.put(None)
