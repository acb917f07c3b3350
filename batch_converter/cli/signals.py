"""Signals to a run: the first drains it, the second leaves at once."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog

from batch_converter.errors import ExitCode
from batch_converter.interruptions import exit_code, leave, listening
from batch_converter.orchestrator import StopReason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batch_converter.logs import LogSession
    from batch_converter.orchestrator import Run

_REASONS: Final[Mapping[ExitCode, StopReason]] = {
    ExitCode.SIGINT: StopReason.SIGINT,
    ExitCode.SIGTERM: StopReason.SIGTERM,
}

log = structlog.get_logger()


@contextmanager
def stopped_by_signals(run: Run, session: LogSession) -> Iterator[None]:
    """Stop the run at the first signal, also one that came before; leave at the second."""
    loop = asyncio.get_running_loop()
    is_first = True

    def heed(number: int) -> None:
        nonlocal is_first
        if not is_first:
            session.close()
            leave(number)
        is_first = False
        log.warning("run.interrupted", signal=signal.Signals(number).name)
        run.stop(_REASONS[exit_code(number)])

    with listening(lambda number: loop.call_soon_threadsafe(heed, number)):
        yield
