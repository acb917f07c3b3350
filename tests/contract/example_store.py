"""A whole store of sources, to be copied: documents in memory, `memory://…`.

All that a store is stands here: the walk, the look at a source, the bytes of one, and
an inspector that hands copies to the processes that read DjVu files. A store of this
package gets a row in `SOURCE_STORES`.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from batch_converter.discovery import UnreadableSource, wanted_output
from batch_converter.djvu.jobs.document_facts import BundleFile
from batch_converter.errors import UnreadableError, UsageError
from batch_converter.models import SourceFile
from batch_converter.naming import is_djvu_name
from batch_converter.storage import SourceStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from batch_converter.config import Settings
    from batch_converter.discovery import Found, Selection
    from batch_converter.djvu.jobs.document_facts import DocumentIdentity, DocumentOutlook
    from batch_converter.djvu.work.inspection import DjvuInspector

SCHEME: Final = "memory"


@dataclass(slots=True)
class MemoryObjects:
    """What lies in memory, by address.

    Attributes:
        reads: What was read of which object, as address, offset and count.
    """

    held: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    reads: list[tuple[str, int, int]] = field(default_factory=list)

    def put(self, address: str, data: bytes, *, mtime_ns: int = 1) -> None:
        """Put an object in its place."""
        self.held[address] = data, mtime_ns

    def get(self, address: str) -> tuple[bytes, int]:
        """Return an object's bytes and time, or raise as a file that is missing does."""
        try:
            return self.held[address]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), address) from None

    def store(self, _settings: Settings, inspector: DjvuInspector) -> MemorySources:
        """Return a store of them: what a row of the table names."""
        return MemorySources(self, inspector)


class MemoryBytes:
    """An object that is open; see `SourceBytes`."""

    def __init__(self, objects: MemoryObjects, address: str) -> None:
        self._objects = objects
        self._address = address
        self._data, _ = objects.get(address)

    def at(self, offset: int, count: int) -> bytes:
        self._objects.reads.append((self._address, offset, count))
        return self._data[offset : offset + count]

    def status(self) -> SourceStatus:
        data, mtime_ns = self._objects.get(self._address)
        return SourceStatus(len(data), mtime_ns)

    def close(self) -> None:
        """Nothing is held."""


class MemoryWalk:
    """A walk over objects; see `SourceWalk`."""

    def __init__(self, objects: MemoryObjects, selection: Selection) -> None:
        self._objects = objects
        self._selection = selection

    def source(self, given: str) -> Iterator[Found]:
        if given in self._objects.held:
            yield self._file(given, given, PurePosixPath(given).name)
            return
        prefix, below = given.rstrip("/") + "/", 0
        for address in sorted(self._objects.held):
            name = address.removeprefix(prefix)
            if name != address:
                below += 1
                file = self._file(given, address, name)
                if is_djvu_name(name) and self._wants(file):
                    yield file
        if not below:
            yield UnreadableSource(
                path=given, source_root=given, source=given, message=f"{given} is not there"
            )

    def rest(self) -> Iterator[Found]:
        return iter(())

    def _file(self, given: str, address: str, name: str) -> SourceFile:
        data, mtime_ns = self._objects.get(address)
        return SourceFile(
            path=address,
            source_root=given,
            source=name,
            wanted_output=wanted_output(name),
            size_bytes=len(data),
            mtime_ns=mtime_ns,
        )

    def _wants(self, file: SourceFile) -> bool:
        return self._selection.wants(file.source) and self._selection.wants_status(
            size_bytes=file.size_bytes, mtime_ns=file.mtime_ns
        )


class CopyInspector:
    """Looks inside copies that are files; see `SourceInspector`."""

    def __init__(self, objects: MemoryObjects, files: DjvuInspector) -> None:
        self._objects = objects
        self._files = files

    def identify(
        self, path: str, *, bundle_path: Path | None = None, keep_damaged: bool = False
    ) -> DocumentIdentity:
        with self._copy(path) as copy:
            _, mtime_ns = self._objects.get(path)
            found = self._files.identify(copy, keep_damaged=keep_damaged)
            found = replace(found, mtime_ns=mtime_ns)
            if bundle_path is None:
                return found
            shutil.move(copy, bundle_path)
            status = bundle_path.stat()
            return replace(found, bundle=BundleFile(status.st_size, status.st_mtime_ns))

    def count_pages(self, path: str) -> int:
        with self._copy(path) as copy:
            return self._files.count_pages(copy)

    def outlook(self, path: str) -> DocumentOutlook:
        with self._copy(path) as copy:
            return self._files.outlook(copy)

    def has_words(self, path: str) -> bool:
        with self._copy(path) as copy:
            return self._files.has_words(copy)

    def parts_fingerprint(self, path: str) -> str | None:
        with self._copy(path) as copy:
            return self._files.parts_fingerprint(copy)

    def sha256(self, path: str, *, with_parts: bool) -> str:
        with self._copy(path) as copy:
            return self._files.sha256(copy, with_parts=with_parts)

    @contextmanager
    def _copy(self, address: str) -> Iterator[str]:
        """Lend a copy under the object's own name, which messages tell."""
        try:
            data, _ = self._objects.get(address)
        except FileNotFoundError as error:
            raise UnreadableError(f"{address} cannot be read: {error.strerror}") from error
        with TemporaryDirectory(prefix="batch-converter-") as folder:
            copy = Path(folder, PurePosixPath(address).name)
            copy.write_bytes(data)
            yield str(copy)


class MemorySources:
    """Objects in memory; see `SourceStore`."""

    def __init__(self, objects: MemoryObjects, inspector: DjvuInspector) -> None:
        self._objects = objects
        self.inspector = CopyInspector(objects, inspector)

    def check(self, given: str) -> None:
        if not any(address.startswith(given) for address in self._objects.held):
            raise UsageError(f"the source {given!r} cannot be used: nothing has that address")

    def root(self, given: str) -> str | None:
        return None if given in self._objects.held else given

    def walk(self, selection: Selection, *, excluded_dirs: Collection[str]) -> MemoryWalk:
        del excluded_dirs  # none of them is here
        return MemoryWalk(self._objects, selection)

    def exists(self, path: str) -> bool:
        return path in self._objects.held

    def status(self, path: str) -> SourceStatus:
        return self.open(path).status()

    def open(self, path: str) -> MemoryBytes:
        return MemoryBytes(self._objects, path)

    def give_up(self) -> None:
        """Nothing takes long."""
