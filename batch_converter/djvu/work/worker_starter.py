"""Workers as a pool starts them: with compiled kernels, if those can be had."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from batch_converter.djvu.work.kernel_folder import NoKernelFolderError, make_kernel_folder
from batch_converter.djvu.work.spawning import describe_end
from batch_converter.djvu.work.statuses import KERNELS_MADE
from batch_converter.djvu.work.worker_process import WorkerProcess, WorkerStartError
from batch_converter.shortage import shortage_of

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.threads import DiskThreads

_log = structlog.get_logger()
_COMPILES_AFTER_S: Final = 5.0
"""Loading takes a second."""

_MOST_PATIENCE_S: Final = 1800.0
"""Compiling takes half a minute of an idle processor."""


class WorkerStarter:
    """Starts workers; kernels that one could not compile the others do not try to.

    Args:
        max_memory_bytes: Address space of each.
        max_jobs: After so many a process is replaced, so that nothing piles up.
        threads: Each starts or ends a process.
    """

    def __init__(self, *, max_memory_bytes: int, max_jobs: int, threads: DiskThreads) -> None:
        self._max_memory_bytes = max_memory_bytes
        self._max_jobs = max_jobs
        self._threads = threads
        self._looking = anyio.Lock()
        self._has_looked = False
        self._has_told = False
        self._folder: Path | None = None

    async def start(self) -> WorkerProcess:
        """Start one that takes jobs; compiling is no part of any.

        Raises:
            WorkerStartError: The system starts no process.
        """
        are_made = False
        while (folder := await self._kernel_folder()) is not None:
            worker = await self._process(folder)
            try:
                await self._wait_until_ready(worker)
            except (EOFError, TimeoutError) as error:
                status = await worker.end()
                if status != KERNELS_MADE or are_made:
                    took_long = isinstance(error, TimeoutError)
                    self._do_without("took too long" if took_long else describe_end(status))
                are_made = True
            except BaseException:
                await worker.end()
                raise
            else:
                return worker
        return await self._process(None)

    async def _process(self, folder: Path | None) -> WorkerProcess:
        return await WorkerProcess.start(
            max_memory_bytes=self._max_memory_bytes,
            max_jobs=self._max_jobs,
            threads=self._threads,
            kernel_folder=folder,
        )

    async def _kernel_folder(self) -> Path | None:
        async with self._looking:
            if not self._has_looked:
                with suppress(NoKernelFolderError):  # `doctor` tells why
                    self._folder = await self._look()
                self._has_looked = True
        return self._folder

    async def _look(self) -> Path:
        try:
            return await self._threads.run(make_kernel_folder, os.environ)
        except (OSError, RuntimeError, MemoryError) as error:  # no thread for it
            raise WorkerStartError(shortage_of(error) or str(error)) from error

    async def _wait_until_ready(self, worker: WorkerProcess) -> None:
        with anyio.move_on_after(_COMPILES_AFTER_S):
            await worker.ready()
            return
        if not self._has_told:
            self._has_told = True
            _log.info("kernels.compiling", folder=os.fspath(self._folder or ""))
        with anyio.fail_after(_MOST_PATIENCE_S):
            await worker.ready()

    def _do_without(self, how: str) -> None:
        if self._folder is not None:
            _log.warning("kernels.not_compiled", reason=f"the process that was to do it {how}")
        self._folder = None
