"""How workers are asked: with what options and patience, and who is to blame for a failure."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from batch_converter.djvu.jobs.verdicts import OUT_OF_MEMORY
from batch_converter.djvu.work.answers import error_of
from batch_converter.engines.local.limits import NO_LIMITS
from batch_converter.errors import EngineError, FileError, OutputError
from batch_converter.machine_limits import inherited_memory_bytes
from batch_converter.shortage import machine_trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.djvu.work.workers import Priority, WorkerPool
    from batch_converter.engines.local.limits import DocumentLimits


BASE_TIMEOUT_S: Final = 60
"""Patience for each job, before its pages are counted."""

_SPARE_DOCUMENTS: Final = 4
"""Being read, checked or recorded."""


def capacity_of(workers: int) -> int:
    """Return how many documents keep so many workers busy.

    Any more would only have been admitted to queue for them, beyond the reach of a
    deadline or of `--fail-fast`.
    """
    return 2 * workers + _SPARE_DOCUMENTS


class Workers:
    """A pool of workers that is asked for parts of documents.

    Args:
        pool: The processes.
        options: How documents are converted.
        limits: Bounds of each document.
        base_timeout_s: Patience for each job, before its pages are counted.
        page_timeout_s: And for each page.

    Attributes:
        options: The same; they may change until the first job.
        limits: The same.
    """

    def __init__(
        self,
        pool: WorkerPool,
        options: ConvertOptions,
        limits: DocumentLimits = NO_LIMITS,
        *,
        base_timeout_s: float = BASE_TIMEOUT_S,
        page_timeout_s: float,
    ) -> None:
        self._pool = pool
        self._base_timeout_s = base_timeout_s
        self._page_timeout_s = page_timeout_s
        self.options = options
        self.limits = limits

    async def ask(
        self,
        job: Mapping[str, Any],
        priority: Priority,
        *,
        pages: int,
        at_work: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> dict[str, Any]:
        """Have a job done that concerns so many pages; see `WorkerPool.run`.

        Raises:
            FileError: It failed.
            MachineExhaustedError: No worker can be started.
        """
        limit_s = self._base_timeout_s + pages * self._page_timeout_s
        told = {**job, "options": asdict(self.options), "cpu_limit_s": limit_s}
        try:
            answer = await self._pool.run(
                told, priority=priority, timeout_s=limit_s, at_work=at_work
            )
        except EngineError as error:
            raise self._blamed(error) from error
        if "error" in answer:
            raise self._failure(answer)
        return answer

    def _failure(self, answer: Mapping[str, Any]) -> FileError:
        """Return the error that a worker has told; of a disk's, the cause is told too."""
        error = error_of(answer)
        if answer["error"] == OUT_OF_MEMORY:
            return self._blamed(error)
        return self.limits.blamed(error)

    def _blamed(self, error: FileError) -> FileError:
        """Take the blame off a document where a lower limit than ours is on our memory."""
        limit_bytes = inherited_memory_bytes()
        if limit_bytes is None or limit_bytes >= self.options.max_memory_bytes:
            return error
        lack = f"a limit on this process (ulimit -v) of {limit_bytes >> 20} MiB"
        blamed = OutputError(
            f"{error}; {lack} is below local.max_memory_bytes: raise it and run again"
        )
        blamed.__cause__ = machine_trouble(lack)
        return blamed


def about(name: str, error: FileError) -> FileError:
    """Name the file, where the message does not yet."""
    message = str(error)
    told = type(error)(message if name in message else f"{name}: {message}")
    told.__cause__ = error.__cause__
    return told
