"""Handles the signals that end the process, from its first moment to its last.

The interpreter's own handlers would end it with a traceback, or by the signal itself,
wherever it stands: while libraries are loaded, between a run and its report, when
everything is printed already. Nothing here imports a library, so that `install` comes
before all of them.
"""

from __future__ import annotations

import atexit
import os
import signal
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from batch_converter.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_pending: Final[deque[int]] = deque()
_listeners: Final[list[Callable[[int], object]]] = []
_received: Final[list[int]] = []


def install() -> None:
    """Keep a first signal until somebody listens; leave at once at a second one.

    SIGHUP stays ignored where `nohup` had it ignored. Only for the main thread.
    """
    for number in _handled_signals():
        signal.signal(number, _receive)
    atexit.register(_ignore)


def raise_at_once() -> None:
    """Have a signal, also one that was kept, raise an exception in the main thread.

    For commands that have nothing to bring home: KeyboardInterrupt for SIGINT, SystemExit
    for others.
    """
    for number in _handled_signals():
        is_interrupt = number == signal.SIGINT
        signal.signal(number, signal.default_int_handler if is_interrupt else _exit)
    for kept in _pending:
        signal.raise_signal(kept)


@contextmanager
def listen(listener: Callable[[int], object]) -> Iterator[None]:
    """Pass every signal to `listener`, one that was kept first.

    It is called in the main thread, between any two of its instructions, and decides what
    a second signal means.
    """
    _listeners.append(listener)
    _deliver()
    try:
        yield
    finally:
        _listeners.remove(listener)


def leave(number: int) -> NoReturn:
    """End the process at once with the signal's exit code; nothing is cleaned up."""
    os._exit(ExitCode.of_signal(number))


def _handled_signals() -> list[signal.Signals]:
    is_silenced = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in _ENDING if not (is_silenced and number == signal.SIGHUP)]


def _receive(number: int, _: FrameType | None) -> None:
    _received.append(number)
    if len(_received) > 1 and not _listeners:
        leave(number)
    _pending.append(number)
    _deliver()


def _deliver() -> None:
    """Pass pending signals on; one that arrives in between passes itself on."""
    while _listeners:
        try:
            number = _pending.popleft()
        except IndexError:
            return
        _listeners[-1](number)


def _exit(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(ExitCode.of_signal(number))


def _ignore() -> None:
    """Ignore signals from here on: the interpreter is shutting down with its exit code."""
    for number in _handled_signals():
        signal.signal(number, signal.SIG_IGN)
