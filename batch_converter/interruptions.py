"""Signals that end the process, heeded from its first moment to its last.

The interpreter's own handlers would end it with a traceback, or by the signal itself,
wherever it stands: while libraries are loaded, between a run and its report, when
all is told already.
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

_untold: Final[deque[int]] = deque()
_listeners: Final[list[Callable[[int], object]]] = []
_taken: Final[list[int]] = []


def catch() -> None:
    """Keep a first signal until somebody listens; a second one leaves at once.

    A hangup that `nohup` silenced stays silent. Only for the main thread.
    """
    for number in _heeded():
        signal.signal(number, _take)
    atexit.register(_ignore)


def raise_at_once() -> None:
    """Have a signal, also one that was kept, end what goes on by an exception."""
    for number in _heeded():
        is_interrupt = number == signal.SIGINT
        signal.signal(number, signal.default_int_handler if is_interrupt else _exit)
    for kept in _untold:
        signal.raise_signal(kept)


@contextmanager
def listening(listener: Callable[[int], object]) -> Iterator[None]:
    """Hand all signals to `listener`, the one that was kept first.

    It is called wherever the main thread stands. What a second one means is its affair.
    """
    _listeners.append(listener)
    _tell()
    try:
        yield
    finally:
        _listeners.remove(listener)


def leave(number: int) -> NoReturn:
    """End the process at once, with the exit code that tells the signal."""
    os._exit(ExitCode.of_signal(number))


def _heeded() -> list[signal.Signals]:
    is_silenced = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in _ENDING if not (is_silenced and number == signal.SIGHUP)]


def _take(number: int, _: FrameType | None) -> None:
    _taken.append(number)
    if len(_taken) > 1 and not _listeners:
        leave(number)
    _untold.append(number)
    _tell()


def _tell() -> None:
    """Pass on what is untold; a signal that comes in between passes itself on."""
    while _listeners:
        try:
            number = _untold.popleft()
        except IndexError:
            return
        _listeners[-1](number)


def _exit(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(ExitCode.of_signal(number))


def _ignore() -> None:
    """Let signals change nothing any more: all is told, and the interpreter takes its leave."""
    for number in _heeded():
        signal.signal(number, signal.SIG_IGN)
