"""Signals to a run: the first drains it, the second leaves at once."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from batch_converter.errors import ExitCode
from batch_converter.orchestrator import StopReason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

    from anyio.abc import TaskStatus

    from batch_converter.logs import LogSession
    from batch_converter.orchestrator import Run

_REASONS: Final[Mapping[int, StopReason]] = {
    signal.SIGINT: StopReason.SIGINT,
    signal.SIGTERM: StopReason.SIGTERM,
    signal.SIGHUP: StopReason.SIGTERM,
}

log = structlog.get_logger()


async def watch_signals(
    run: Run, session: LogSession, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Stop the run at the first signal; leave at the second.

    It has started when signals are caught: what is told before can be interrupted.
    """
    first = True
    with anyio.open_signal_receiver(*_heeded()) as signals:
        task_status.started()
        async for signum in signals:
            if not first:
                session.close()
                _leave(signum)
            first = False
            log.warning("run.interrupted", signal=signal.Signals(signum).name)
            run.stop(_REASONS[signum])


@contextmanager
def unhurried(*, interrupted: bool) -> Iterator[None]:
    """Let the end of a run be told although a signal comes; the second leaves at once.

    Args:
        interrupted: A signal has ended the run: the next is the second.
    """
    seen = int(interrupted)

    def handle(signum: int, _: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            _leave(signum)

    before = {signum: signal.signal(signum, handle) for signum in _heeded()}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _heeded() -> list[signal.Signals]:
    """Return the signals that mean something; a hangup that `nohup` silenced does not."""
    is_silenced = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signals = [signal.SIGINT, signal.SIGTERM]
    return signals if is_silenced else [*signals, signal.SIGHUP]


def _leave(signum: int) -> None:
    os._exit(ExitCode.SIGINT if signum == signal.SIGINT else ExitCode.SIGTERM)
