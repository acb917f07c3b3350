"""How long workers are at one document, whoever of them and however long it waits between."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch_converter.errors import EngineError


class WorkTime:
    """Ends what runs in `limited` once workers have been at it for so long, all together.

    Time in the queue costs the machine nothing, and is the fault of other documents. The
    end comes sooner the more workers there are: a deadline is set anew whenever one begins
    or ends.

    Args:
        max_seconds: Of work; 0 is no limit.
        now_s: Tells the time of the event loop.
    """

    def __init__(
        self, max_seconds: float, *, now_s: Callable[[], float] = anyio.current_time
    ) -> None:
        self._left_s = max_seconds or math.inf
        self._now_s = now_s
        self._at_work = 0
        self._counted_until_s = 0.0
        self._scope = anyio.CancelScope()

    @contextmanager
    def limited(self, error: Callable[[], EngineError]) -> Iterator[None]:
        """Call off what runs in here when the time is up; only once.

        Raises:
            EngineError: `error` tells that it is.
        """
        with self._scope:
            yield
        if self._scope.cancelled_caught:
            raise error()

    @contextmanager
    def spent(self) -> Iterator[None]:
        """Count the time of one worker that is at it."""
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, workers: int) -> None:
        now_s = self._now_s()
        self._left_s -= self._at_work * (now_s - self._counted_until_s)
        self._counted_until_s = now_s
        self._at_work += workers
        rest_s = self._left_s / self._at_work if self._at_work else math.inf
        self._scope.deadline = now_s + rest_s
