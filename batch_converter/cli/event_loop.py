"""Runs what a command awaits where a signal is heard at once, whatever the loop waits for."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

T = TypeVar("T")


def run(function: Callable[..., Awaitable[T]], *args: object) -> T:
    """Call the function in an event loop that a signal wakes.

    The interpreter only notes a signal, and calls its handler between two instructions of the
    main thread. One that comes just before the loop begins to wait, or to another thread,
    would be heard when something else happens: where a large file is hashed, in an hour.
    """
    return anyio.run(_run, function, args)


async def _run(function: Callable[..., Awaitable[T]], args: tuple[object, ...]) -> T:
    with _woken_by_signals(asyncio.get_running_loop()):
        return await function(*args)


@contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # which hears no signals
        yield
        return
    hearing, telling = socket.socketpair()
    with hearing, telling:
        for end in (hearing, telling):
            end.settimeout(0)
        loop.add_reader(hearing, _forget, hearing)
        before = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(hearing)


def _forget(hearing: socket.socket) -> None:
    """Take what was told: that it woke the loop is all that was wanted of it."""
    with suppress(BlockingIOError):
        hearing.recv(4096)
