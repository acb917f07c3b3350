"""Signals to a run: the first drains it, the second leaves at once."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from batch_converter.interruptions import leave, listening
from batch_converter.orchestrator import StopReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.logs import LogSession
    from batch_converter.orchestrator import Run

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
        run.stop(StopReason.of_signal(number))

    with listening(lambda number: loop.call_soon_threadsafe(heed, number)):
        yield
