"""Stops what runs in the event loop by signals: gently at the first, at once at the second."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from batch_converter.cli.signals import leave, listen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def stopped_by_signals(
    stop: Callable[[int], object],
    *,
    before_leaving: Callable[[], object] | None = None,
    passes_over: Callable[[int], bool] = lambda _: False,
) -> Iterator[None]:
    """Call `stop` in the event loop at the first signal, also at one that came before.

    Args:
        stop: Is given the signal's number.
        before_leaving: Called at the second signal, before the process ends at once.
        passes_over: Whether a signal, by its number, counts as none.
    """
    loop = asyncio.get_running_loop()
    is_first = True

    def react(number: int) -> None:
        nonlocal is_first
        if passes_over(number):
            return
        if not is_first:
            if before_leaving is not None:
                before_leaving()
            leave(number)
        is_first = False
        stop(number)

    with listen(lambda number: loop.call_soon_threadsafe(react, number)):
        yield
