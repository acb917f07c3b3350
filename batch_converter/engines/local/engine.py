"""The embedded engine: documents, in parts where they are long, to worker processes."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from batch_converter.djvu.jobs.part_files import remove_parts, unfinished_name
from batch_converter.djvu.work.workers import MAX_KILLS, WorkerPool
from batch_converter.engines.base import Ready, StartableConverter
from batch_converter.engines.local.asking import BASE_TIMEOUT_S, Workers, about, capacity_of
from batch_converter.engines.local.conversion import DocumentConversion
from batch_converter.engines.local.limits import NO_LIMITS
from batch_converter.engines.local.options import NAME, digest_of, options_of
from batch_converter.engines.local.programs import check_programs
from batch_converter.engines.local.turns import Turns
from batch_converter.engines.local.work_time import WorkTime
from batch_converter.errors import FileError
from batch_converter.processors import usable_processors
from batch_converter.shortage import stopped_when_exhausted
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from batch_converter.config import LocalSettings
    from batch_converter.engines.base import PdfTarget, SourceDocument
    from batch_converter.engines.local.limits import DocumentLimits

_SHARED_PART_PAGES: Final = 64
"""Where workers are shared: nobody waits for more pages of another document at once."""

_PICTURE_PX: Final = 240


class LocalEngine(StartableConverter):
    """Converts with djvu-rs and pikepdf; no call leaves the machine.

    A long document is shared among the workers.
    """

    def __init__(
        self,
        settings: LocalSettings,
        *,
        workers: int | None = None,
        base_timeout_s: float = BASE_TIMEOUT_S,
        threads: DiskThreads | None = None,
        limits: DocumentLimits = NO_LIMITS,
        bundled_only: bool = False,
        shares_workers: bool = False,
        max_kills: int = MAX_KILLS,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            settings: The `[local]` section.
            workers: Overrides `settings.workers`; 0 is one for each core.
            base_timeout_s: Patience for each job, before its pages are counted.
            threads: Where files are looked at; its own where absent.
            limits: Bounds of each document.
            bundled_only: Whether files beside a document are nothing to it: an index is
                refused before its parts are looked for.
            shares_workers: Whether documents take turns, part by part; else each is done
                as early as it can be.
            max_kills: A document fails when so many workers were killed at the same job.
        """
        self._settings = settings
        self._part_pages = _SHARED_PART_PAGES if shares_workers else None
        wanted = settings.workers if workers is None else workers
        self._pool = WorkerPool(
            size=wanted or usable_processors(),
            max_memory_bytes=settings.max_memory_bytes,
            max_kills=max_kills,
        )
        self._workers = Workers(
            self._pool,
            replace(
                options_of(settings), max_pdf_bytes=limits.max_pdf_bytes, bundled_only=bundled_only
            ),
            limits,
            base_timeout_s=base_timeout_s,
            page_timeout_s=settings.page_timeout_s,
        )
        self._turns = Turns(are_shared=shares_workers)
        self._pictures = anyio.Semaphore(1)
        self._threads = threads or DiskThreads()

    @property
    def name(self) -> str:
        """`local`."""
        return NAME

    @property
    def capacity(self) -> int:
        """A few more documents than workers, which keep those busy."""
        return capacity_of(self._pool.size)

    @property
    def keeps_damaged(self) -> bool:
        """As `local.on_damage` says."""
        return self._workers.options.keep_damaged

    @property
    def options_digest(self) -> str:
        """Changes with every option, and with every version, that changes the PDF."""
        return digest_of(self._workers.options)

    async def __aenter__(self) -> Self:
        """Look for the programs that are wanted; workers start with `start_for`, or when needed.

        Raises:
            ConfigError: Something that OCR or PDF/A needs is missing; the message names it.
        """
        look = partial(check_programs, ocr=self._settings.ocr, pdfa=self._settings.pdfa)
        await anyio.to_thread.run_sync(look)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the workers."""
        await self._pool.aclose()

    async def start_for(self, documents: int) -> None:
        """Start a worker for each of so many documents, as far as there may be workers."""
        await self._pool.start_for(documents)

    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:
        """Convert the document into `target.path`; cancelling kills the workers at it.

        Raises:
            NotDjvuError: It is no DjVu, is cut off, or is an index.
            UnreadableError: It cannot be read.
            TooLargeError: It has too many pages, or its PDF would be too long.
            EngineError: It cannot be converted; a worker died, or took too long.
            OutputError: The PDF cannot be written, or the machine or a limit on it is in the
                way; its cause is the `OSError` that told so.
            MachineExhaustedError: The machine starts no worker that converts anything, or
                has no thread or memory for this process.
        """
        try:
            with stopped_when_exhausted(), self._turns.of_document() as turns:
                warnings = await DocumentConversion(
                    source.path,
                    os.fspath(target.path),
                    self._workers,
                    turns=turns,
                    time=WorkTime(self._workers.limits.max_seconds),
                    max_part_pages=self._part_pages,
                    threads=self._threads,
                ).run()
        except FileError as error:
            told = about(source.name, error)
            raise told from told.__cause__
        return Ready(warnings=tuple(warnings))

    async def picture(
        self, source_path: str, target_path: str, max_side_px: int = _PICTURE_PX
    ) -> None:
        """Draw a document's first page as a small JPEG: one at a time, behind all conversions.

        Args:
            source_path: The document.
            target_path: Where the picture goes; replaced when all of it is written, not synced.
            max_side_px: Its longer side; smaller pages are not enlarged.

        Raises:
            FileError: There is none; as `convert`, the page beyond a limit being no reason.
            MachineExhaustedError: The machine starts no worker.
        """
        job = {
            "job": "picture",
            "source": source_path,
            "target": target_path,
            "max_side_px": max_side_px,
        }
        async with self._pictures:
            with stopped_when_exhausted():
                await self._draw(job, unfinished_name(target_path))

    async def _draw(self, job: Mapping[str, Any], unfinished: str) -> None:
        try:
            await self._workers.ask(job, self._turns.of_picture(), pages=1)
        except BaseException:  # a worker that was killed has left its own
            with anyio.CancelScope(shield=True):
                await self._threads.start(remove_parts, [unfinished])
            raise
