"""Reading of DjVu files for the process that drives a run, which parses none itself.

A hostile file can keep a reader busy for minutes, or eat its memory; so all reading is done in
a few small processes with limits of both. They are asked by threads that wait.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from batch_converter.djvu.jobs.document_facts import (
    BundleFile,
    DocumentIdentity,
    DocumentOutlook,
    ShownSize,
)
from batch_converter.djvu.jobs.verdicts import OUT_OF_MEMORY, SHORTAGE
from batch_converter.djvu.work.answers import error_of
from batch_converter.djvu.work.inspector_pool import InspectorPool
from batch_converter.errors import EngineError, FileError, RunStoppedError
from batch_converter.machine_limits import inherited_memory_bytes
from batch_converter.shortage import MEMORY_LACK, machine_exhausted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_MEMORY_BYTES: Final = 512 << 20
"""Address space of each process; some tens of MiB are in use."""

HEADERS_S: Final = 20.0
"""Processor time for the headers of a document: a book of 10,000 pages takes one or two."""

_MOST_PROCESSES: Final = 2


class DjvuInspector:
    """Reads DjVu files in processes of its own; they start when they are first needed.

    Its methods block, may be called in any thread but the main one, and raise, all of
    them, `MachineExhaustedError` where the machine starts no process.

    Args:
        max_memory_bytes: Address space of each process.
        headers_s: Processor time for headers, beside what hashing and bundling take.
        bundled_only: Whether indexes are refused before their parts are looked for.
    """

    def __init__(
        self,
        *,
        max_memory_bytes: int = MAX_MEMORY_BYTES,
        headers_s: float = HEADERS_S,
        bundled_only: bool = False,
    ) -> None:
        self._settled = {"headers_s": headers_s, "bundled_only": bundled_only}
        self._max_memory_bytes = max_memory_bytes
        self._pool = InspectorPool(size=_MOST_PROCESSES, max_memory_bytes=max_memory_bytes)

    def identify(
        self, path: str, *, bundle_path: Path | None = None, keep_damaged: bool = False
    ) -> DocumentIdentity:
        """Read a document's headers and hash it; bundle it where it is indirect.

        Args:
            path: Its file; of an indirect document, the index.
            bundle_path: Where the bundled form of an indirect document goes; None for none.
            keep_damaged: Whether pages that are damaged are left for who converts the bundle.

        Raises:
            NotDjvuError: It is none, is cut off, or lacks parts.
            UnreadableError: It cannot be read.
            EngineError: Reading it takes too much time or memory.
            OutputError: The bundled form cannot be written.
        """
        target = None if bundle_path is None else os.fspath(bundle_path)
        answer = self._ask("identify", path, bundle_path=target, keep_damaged=keep_damaged)
        written = answer.get("bundle")
        return DocumentIdentity(
            size_bytes=answer["size_bytes"],
            mtime_ns=answer["mtime_ns"],
            pages=answer["pages"],
            sha256=answer["sha256"],
            parts_fingerprint=answer["parts_fingerprint"],
            warnings=tuple(answer["warnings"]),
            bundle=written and BundleFile(*written),
            outlook=None if (told := answer.get("outlook")) is None else _outlook(told),
        )

    def count_pages(self, path: str) -> int:
        """Count a document's pages by its headers.

        Raises:
            FileError: As `identify`.
        """
        pages: int = self._ask("count_pages", path)["pages"]
        return pages

    def outlook(self, path: str) -> DocumentOutlook:
        """Say what the PDF of a document should be like.

        Raises:
            FileError: As `identify`.
        """
        return _outlook(self._ask("outlook", path))

    def has_words(self, path: str) -> bool:
        """Whether any page has text that is more than white space.

        Raises:
            EngineError: Reading it takes too much time or memory.
        """
        found: bool = self._ask("has_words", path)["has_words"]
        return found

    def parts_fingerprint(self, path: str) -> str | None:
        """Return what differs once a part of an indirect document does.

        None of a bundled document, and where some parts are amiss: what is broken is told
        where the document is converted.

        Raises:
            EngineError: Reading it takes too much time or memory.
        """
        fingerprint: str | None = self._ask("parts_fingerprint", path)["parts_fingerprint"]
        return fingerprint

    def sha256(self, path: str, *, with_parts: bool) -> str:
        """Return the digest of a document's bytes, as `identify` does.

        Args:
            path: Its file.
            with_parts: Whether it may be an index, whose parts count.

        Raises:
            FileError: As `identify`.
        """
        digest: str = self._ask("digest", path, with_parts=with_parts)["sha256"]
        return digest

    def listed_files(self, path: str) -> tuple[str, ...]:
        """Return the files beside an index that it lists, also of one that lacks others.

        None of what is no index, or cannot be read.

        Raises:
            EngineError: Reading it takes too much time or memory.
        """
        return tuple(self._ask("listed_files", path)["listed_files"])

    def listed_components(self, path: str) -> tuple[tuple[str, ...], ...]:
        """Return the names that the file of each component of an index may have, there or not.

        None of what is no index, or cannot be read.

        Raises:
            EngineError: Reading it takes too much time or memory.
        """
        return tuple(map(tuple, self._ask("listed_components", path)["listed_components"]))

    async def aclose(self) -> None:
        """End all processes that have nothing to do."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._pool.close)

    def _ask(self, job: str, path: str, **details: object) -> dict[str, Any]:
        try:
            answer = self._pool.ask({"job": job, "path": path, **self._settled, **details})
        except EngineError as error:
            raise EngineError(f"{_name(path)}: {error}") from error
        if "error" in answer:
            raise self._failure(path, answer)
        return answer

    def _failure(self, path: str, answer: Mapping[str, Any]) -> FileError | RunStoppedError:
        """Return the error that was told: the document's, or the machine's."""
        if answer["error"] == SHORTAGE:
            return machine_exhausted(answer["message"])
        if answer["error"] != OUT_OF_MEMORY:
            return error_of(answer)
        inherited_bytes = inherited_memory_bytes()
        if inherited_bytes is not None and inherited_bytes < self._max_memory_bytes:
            return machine_exhausted(MEMORY_LACK)
        limit_mib = self._max_memory_bytes >> 20
        return EngineError(f"{_name(path)}: to read it takes more than {limit_mib} MiB of memory")


def _outlook(told: Mapping[str, Any]) -> DocumentOutlook:
    return DocumentOutlook(
        pages=told["pages"],
        page_sizes=tuple(size and ShownSize(*size) for size in told["page_sizes"]),
        has_text=told["has_text"],
        warnings=tuple(told["warnings"]),
    )


def _name(path: str) -> str:
    return os.path.basename(path)  # noqa: PTH119  # a path as str, its bytes kept
