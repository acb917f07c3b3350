"""A few processes that read headers, lent to the threads that ask, replaced when they die."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from batch_converter.djvu.work.inspector_process import (
    InspectorEndedError,
    InspectorProcess,
    InspectorStartError,
)
from batch_converter.errors import EngineError
from batch_converter.shortage import machine_exhausted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TRIES: Final = 3
_PAUSES_S: Final = (0.25, 1.0)
_GROW_AFTER_S: Final = 60.0
"""What the machine lacked may be there by then; to look costs a process that ends at once."""


class InspectorPool:
    """At most `size` processes; they start when they are first needed. Thread-safe.

    Args:
        size: Processes at once.
        max_memory_bytes: Address space of each.
    """

    def __init__(self, *, size: int, max_memory_bytes: int) -> None:
        self._max_memory_bytes = max_memory_bytes
        self._places = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._lent = 0
        self._withheld = 0  # places that are not passed on
        self._grow_at_s = 0.0
        self._idle: list[InspectorProcess] = []

    def ask(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Have a job done; blocks, and not in the main thread.

        A job whose process was killed from outside, or that it never reached, goes to
        another.

        Raises:
            EngineError: A process died at it by itself, or three were killed at it.
            MachineExhaustedError: The machine starts no process.
        """
        for number in range(1, _TRIES + 1):
            try:
                with self._process() as process:
                    return process.ask(job)
            except InspectorEndedError as end:
                if end.blames_job:
                    raise EngineError(f"the process that read it {end}") from end
                if number == _TRIES:
                    raise EngineError(f"each of {_TRIES} processes that read it {end}") from end
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        """End all processes that have nothing to do."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    @contextmanager
    def _process(self) -> Iterator[InspectorProcess]:
        process = self._take()
        try:
            yield process
        except BaseException:
            process.end()
            raise
        finally:
            self._give_back(process)

    def _take(self) -> InspectorProcess:
        """Wait for an idle process or start one; done without for a while where others work."""
        pauses_s = iter(_PAUSES_S)
        while True:
            self._places.acquire()
            with self._lock:
                process = self._idle.pop() if self._idle else None
                self._lent += 1
            try:
                return self._fit(process)
            except InspectorStartError as error:
                if self._withhold():
                    continue
                if (pause_s := next(pauses_s, None)) is None:
                    raise machine_exhausted(str(error)) from error
                time.sleep(pause_s)

    def _withhold(self) -> bool:
        """Do without a place while others are at work: those that run have to do."""
        with self._lock:
            self._lent -= 1
            if self._lent:
                self._withheld += 1
                self._grow_at_s = time.monotonic() + _GROW_AFTER_S
                return True
        self._places.release()
        return False

    def _fit(self, process: InspectorProcess | None) -> InspectorProcess:
        if process is not None:
            if process.alive:
                return process
            process.end()
        return InspectorProcess.start(self._max_memory_bytes)

    def _give_back(self, process: InspectorProcess) -> None:
        if process.is_spent:
            process.end()
        with self._lock:
            self._lent -= 1
            if not process.is_spent:
                self._idle.append(process)
            places = 1 + self._regained()
        self._places.release(places)

    def _regained(self) -> int:
        """Return how many of the withheld places, one at most, are tried again by now."""
        if not self._withheld or time.monotonic() < self._grow_at_s:
            return 0
        self._withheld -= 1
        self._grow_at_s = time.monotonic() + _GROW_AFTER_S
        return 1
