"""The embedded engine: DjVu to PDF in worker processes on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, replace
from importlib.metadata import version
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.jobs.part_files import part_names, remove_parts
from batch_converter.djvu.jobs.parts import parts_of
from batch_converter.djvu.jobs.verdicts import OUT_OF_MEMORY
from batch_converter.djvu.work.answers import error_of
from batch_converter.djvu.work.ocr_tools import missing_tools
from batch_converter.djvu.work.workers import Priority, WorkerPool
from batch_converter.engines.base import Converter, Ready
from batch_converter.engines.spec import EngineResources, EngineSpec, Finding
from batch_converter.errors import (
    ConfigError,
    EngineError,
    FileError,
    OutputError,
    RunStoppedError,
)
from batch_converter.machine_limits import inherited_memory_bytes
from batch_converter.processors import usable_processors
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from batch_converter.config import LocalSettings, Settings
    from batch_converter.engines.base import PdfTarget, SourceDocument
    from batch_converter.redaction import Redactor

NAME: Final = "local"
_BASE_TIMEOUT_S: Final = 60
_FORMAT_VERSION: Final = 2
_SPARE_DOCUMENTS: Final = 4  # being read, checked or recorded
_PRESETS: Final = {"archive": (0, 92), "balanced": (300, 80), "small": (200, 60)}
_FIRST: Final = 0
_SECOND: Final = 1


class LocalEngine(Converter):
    """Converts with djvu-rs and pikepdf; no call leaves the machine.

    A long document is shared among the workers.
    """

    def __init__(
        self,
        settings: LocalSettings,
        *,
        workers: int | None = None,
        base_timeout_s: float = _BASE_TIMEOUT_S,
        threads: DiskThreads | None = None,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            settings: The `[local]` section.
            workers: Overrides `settings.workers`; 0 is one for each core.
            base_timeout_s: Patience for each job, before its pages are counted.
            threads: Where files are looked at; its own where absent.
        """
        self._settings = settings
        self._base_timeout_s = base_timeout_s
        self._options = options_of(settings)
        wanted = settings.workers if workers is None else workers
        self._pool = WorkerPool(
            size=wanted or usable_processors(),
            max_memory_bytes=self._options.max_memory_bytes,
        )
        self._order = count()
        self._threads = threads or DiskThreads()

    @property
    def name(self) -> str:
        """`local`."""
        return NAME

    @property
    def capacity(self) -> int:
        """A few more documents than workers, which keep those busy.

        Any more would only have been admitted to queue here, beyond the reach of a
        deadline or of `--fail-fast`.
        """
        return 2 * self._pool.size + _SPARE_DOCUMENTS

    @property
    def keeps_damaged(self) -> bool:
        """As `local.on_damage` says."""
        return self._options.keep_damaged

    @property
    def options_digest(self) -> str:
        """Changes with every option, and with every version, that changes the PDF."""
        told = {"format": _FORMAT_VERSION, **asdict(self._options)}
        del told["max_memory_bytes"]
        told["jbig2"] = self._settings.jbig2
        text = json.dumps(told, sort_keys=True)
        return f"local:{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    async def __aenter__(self) -> Self:
        """Look for the programs that are wanted; workers start when they are first needed.

        Raises:
            ConfigError: Something that OCR needs is missing; the message names it.
        """
        await anyio.to_thread.run_sync(self._look_for_programs)
        return self

    def _look_for_programs(self) -> None:
        languages = self._settings.ocr
        if languages and (lacking := missing_tools(languages)):
            raise ConfigError(f"local.ocr = {languages!r}: {lacking}")
        if self._settings.jbig2 == "auto":
            self._options = replace(self._options, jbig2=shutil.which("jbig2") or "")

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the workers."""
        await self._pool.aclose()

    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:
        """Convert the document into `target.path`; cancelling kills the workers at it.

        Raises:
            NotDjvuError: It is no DjVu, is cut off, or is an index.
            UnreadableError: It cannot be read.
            EngineError: It cannot be converted; a worker died, or took too long.
            OutputError: The PDF cannot be written, or memory is limited from outside.
            MachineExhaustedError: The machine starts no worker that converts anything.
        """
        order = next(self._order)
        try:
            job = {"job": "inspect", "source": source.path}
            pages = (await self._ask(job, (_SECOND, order), pages=0))["pages"]
            warnings = await self._convert(source.path, os.fspath(target.path), pages, order)
        except FileError as error:
            told = _about(source, error)
            raise told from told.__cause__
        return Ready(warnings=tuple(warnings))

    async def _convert(self, source: str, target: str, pages: int, order: int) -> Sequence[str]:
        """Convert a document at once or in parts; returns its warnings."""
        parts = parts_of(pages)
        names = part_names(target, len(parts))
        try:
            if len(parts) == 1:
                job = {"job": "convert", "source": source, "target": target}
                answer = await self._ask(job, (_SECOND, order), pages=pages)
            else:
                answer = await self._convert_parts(source, target, names, parts, order)
        finally:  # a worker that was killed has left its own
            with anyio.CancelScope(shield=True):
                await self._threads.start(remove_parts, names)
        warnings: Sequence[str] = answer["warnings"]
        return warnings

    async def _convert_parts(
        self, source: str, target: str, names: Sequence[str], parts: Sequence[range], order: int
    ) -> dict[str, Any]:
        results = await self._ask_all(
            [
                {
                    "job": "part",
                    "source": source,
                    "target": name,
                    "start": pages.start,
                    "stop": pages.stop,
                }
                for name, pages in zip(names, parts, strict=True)
            ],
            order,
        )
        job = {
            "job": "assemble",
            "source": source,
            "target": target,
            "parts": names,
            "results": results,
        }
        return await self._ask(job, (_FIRST, order), pages=parts[-1].stop)

    async def _ask_all(self, jobs: Sequence[dict[str, Any]], order: int) -> list[dict[str, Any]]:
        """Ask for all parts at once; the first failure calls the others off."""
        results: list[dict[str, Any]] = [{}] * len(jobs)
        failures: list[FileError | RunStoppedError] = []

        async def ask(number: int, job: dict[str, Any]) -> None:
            pages = job["stop"] - job["start"]
            try:
                results[number] = await self._ask(job, (_SECOND, order, number), pages=pages)
            except (FileError, RunStoppedError) as error:
                failures.append(error)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for number, job in enumerate(jobs):
                group.start_soon(ask, number, job)
        if failures:
            raise failures[0]
        return results

    async def _ask(self, job: dict[str, Any], priority: Priority, *, pages: int) -> dict[str, Any]:
        limit_s = self._base_timeout_s + pages * self._settings.page_timeout_s
        job |= {"options": asdict(self._options), "cpu_limit_s": limit_s}
        try:
            answer = await self._pool.run(job, priority=priority, timeout_s=limit_s)
        except EngineError as error:
            raise self._blamed(error) from error
        if "error" in answer:
            raise self._failure(answer)
        return answer

    def _failure(self, answer: Mapping[str, Any]) -> FileError:
        """Return the error that a worker has told; of a disk's, the cause is told too."""
        error = error_of(answer)
        return self._blamed(error) if answer["error"] == OUT_OF_MEMORY else error

    def _blamed(self, error: FileError) -> FileError:
        """Take the blame off a document where a lower limit than ours is on our memory."""
        limit_bytes = inherited_memory_bytes()
        if limit_bytes is None or limit_bytes >= self._options.max_memory_bytes:
            return error
        return OutputError(
            f"{error}; a limit on this process (ulimit -v) of {limit_bytes >> 20} MiB is below"
            " local.max_memory_bytes: raise it and run again"
        )


def _about(source: SourceDocument, error: FileError) -> FileError:
    """Name the file, where the message does not yet."""
    message = str(error)
    told = type(error)(message if source.name in message else f"{source.name}: {message}")
    told.__cause__ = error.__cause__
    return told


def options_of(settings: LocalSettings) -> ConvertOptions:
    """Pick what changes the conversion out of the `[local]` section; looks for no program."""
    color_dpi, jpeg_quality = _PRESETS[settings.preset]
    return ConvertOptions(
        color_dpi=color_dpi if settings.color_dpi is None else settings.color_dpi,
        jpeg_quality=jpeg_quality if settings.jpeg_quality is None else settings.jpeg_quality,
        ocr=settings.ocr,
        encoding=settings.encoding,
        keep_damaged=settings.on_damage == "keep",
        max_memory_bytes=settings.max_memory_bytes,
    )


def _build(settings: Settings, resources: EngineResources) -> Converter:
    return LocalEngine(settings.local, threads=resources.threads)


async def _diagnose(_settings: Settings, _redactor: Redactor) -> Sequence[Finding]:
    return [Finding(is_good=True, text=f"embedded engine: djvu-rs {version('djvu-rs')}")]


SPEC: Final = EngineSpec(
    name=NAME,
    is_configured=lambda _: True,
    validate=lambda _: None,
    build=_build,
    diagnose=_diagnose,
)
