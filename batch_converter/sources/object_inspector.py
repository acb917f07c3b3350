"""What is inside documents of object stores: of copies, made for the length of a question.

An index is copied with the parts that lie beside it, under their own names.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from batch_converter.discovery import HEAD_BYTES, is_head_of_index
from batch_converter.djvu.jobs.document_facts import BundleFile
from batch_converter.errors import UnreadableError
from batch_converter.objects import ObjectAddress, key_fault
from batch_converter.output import temporary_folder, write_all, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batch_converter.djvu.jobs.document_facts import DocumentIdentity, DocumentOutlook
    from batch_converter.djvu.work.inspection import DjvuInspector
    from batch_converter.objects import ObjectClient, ObjectStatus

_LONGEST_NAME_BYTES: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    """A document on this disk, and what its store told of it.

    Attributes:
        parts_fingerprint: Of an index, what differs once one of its parts does.
    """

    path: Path
    status: ObjectStatus
    parts_fingerprint: str | None


class ObjectInspector:
    """Looks inside copies of objects; see `SourceInspector`.

    Args:
        client_of: Returns who is asked for an object.
        files: Reads the copies.
        scratch: Returns where they lie, if that is there; else among the system's temporary files.
    """

    def __init__(
        self,
        client_of: Callable[[ObjectAddress], ObjectClient],
        files: DjvuInspector,
        scratch: Callable[[], Path],
    ) -> None:
        self._client_of = client_of
        self._files = files
        self._scratch = scratch
        self._is_given_up = False

    def give_up(self) -> None:
        """Copy nothing to its end any more: a long object would hold up who is to leave."""
        self._is_given_up = True

    def identify(
        self, path: str, *, bundle_path: Path | None = None, keep_damaged: bool = False
    ) -> DocumentIdentity:
        """Read a document's headers and hash it; its copy stays where a bundle is asked for."""
        with self._copied(path) as copy:
            found = self._files.identify(
                str(copy.path), bundle_path=bundle_path, keep_damaged=keep_damaged
            )
            if bundle_path is not None and found.bundle is None:
                found = replace(found, bundle=_moved(copy.path, bundle_path))
        return replace(
            found,
            size_bytes=copy.status.size_bytes,
            mtime_ns=copy.status.mtime_ns,
            etag=copy.status.etag,
            parts_fingerprint=copy.parts_fingerprint,
        )

    def count_pages(self, path: str) -> int:
        """Count a document's pages by its headers."""
        with self._copied(path) as copy:
            return self._files.count_pages(str(copy.path))

    def outlook(self, path: str) -> DocumentOutlook:
        """Say what the PDF of a document should be like."""
        with self._copied(path) as copy:
            return self._files.outlook(str(copy.path))

    def has_words(self, path: str) -> bool:
        """Whether any page has text that is more than white space."""
        with self._copied(path) as copy:
            return self._files.has_words(str(copy.path))

    def sha256(self, path: str, *, with_parts: bool) -> str:
        """Return the digest of a document's bytes, as `identify` does."""
        with self._copied(path) as copy:
            return self._files.sha256(str(copy.path), with_parts=with_parts)

    def parts_fingerprint(self, path: str) -> str | None:
        """Return what differs once a part does: by looks at the parts, which are not copied."""
        address = ObjectAddress.parse(path)
        with _reading(path):
            head = self._client_of(address).read(address.key, 0, HEAD_BYTES)
        if not is_head_of_index(head):
            return None
        with temporary_folder(self._scratch()) as folder:
            index = self._fetched(address, folder)
            return self._fingerprint(self._parts(address, index.path, None))

    @contextmanager
    def _copied(self, path: str) -> Iterator[_Copy]:
        """Lend a copy under the object's own name, which messages tell.

        Raises:
            UnreadableError: The object, or a part that is there, cannot be read.
            OutputError: There is no room for the copy.
        """
        address = ObjectAddress.parse(path)
        with temporary_folder(self._scratch()) as folder:
            copy = self._fetched(address, folder)
            with copy.path.open("rb") as file:
                is_index = is_head_of_index(file.read(HEAD_BYTES))
            if is_index:
                parts = self._parts(address, copy.path, folder)
                copy = replace(copy, parts_fingerprint=self._fingerprint(parts))
            yield copy

    def _fetched(self, address: ObjectAddress, folder: Path) -> _Copy:
        target = folder / _file_name(address)
        with writing(target):
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with _reading(str(address)), self._client_of(address).opened(address.key) as opened:
                status, pieces = opened
                for piece in pieces:
                    if self._is_given_up:
                        raise UnreadableError(f"{address} was not read to its end: the run stops")
                    with writing(target):
                        write_all(descriptor, piece)
        finally:
            os.close(descriptor)
        return _Copy(path=target, status=status, parts_fingerprint=None)

    def _parts(
        self, index: ObjectAddress, copy: Path, folder: Path | None
    ) -> Iterator[ObjectStatus | None]:
        """Yield the part of each component that the index lists, copied where there is a folder."""
        seen: dict[str, ObjectStatus | None] = {}
        for names in self._files.listed_components(str(copy)):
            for name in names:
                if name not in seen:
                    seen[name] = self._part(index.beside(name), folder)
            yield next((found for name in names if (found := seen[name])), None)

    def _part(self, address: ObjectAddress, folder: Path | None) -> ObjectStatus | None:
        if key_fault(address.key) or len(os.fsencode(address.name)) > _LONGEST_NAME_BYTES:
            return None  # nothing can have that name, here or there: not UTF-8, say
        try:
            if folder is None:
                with _reading(str(address)):
                    return self._client_of(address).head(address.key)
            if (folder / address.name).exists():
                return None  # an index that lists itself
            return self._fetched(address, folder).status
        except UnreadableError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                (folder / address.name).unlink(missing_ok=True) if folder else None
                return None
            raise

    @staticmethod
    def _fingerprint(parts: Iterator[ObjectStatus | None]) -> str | None:
        """Return the digest of what is told of all parts; None where one is not there."""
        digest, count = hashlib.sha256(), 0
        for part in parts:
            if part is None:
                return None
            version = part.etag or part.mtime_ns
            digest.update(f"{part.key}\0{part.size_bytes}\0{version}\n".encode())
            count += 1
        return digest.hexdigest() if count else None


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Map what a store says to an `UnreadableError` about an object."""
    try:
        yield
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}") from error


def _file_name(address: ObjectAddress) -> str:
    name = address.name
    if len(os.fsencode(name)) <= _LONGEST_NAME_BYTES:
        return name
    return hashlib.sha256(os.fsencode(name)).hexdigest() + ".djvu"


def _moved(copy: Path, target: Path) -> BundleFile:
    with writing(target):
        shutil.move(copy, target)
        status = target.stat()
    return BundleFile(status.st_size, status.st_mtime_ns)
