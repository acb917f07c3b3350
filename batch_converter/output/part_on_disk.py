"""A part file as a worker thread sees it: nothing here knows of the event loop."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.errors import BadPdfError, PageMismatchError
from batch_converter.fault_points import reach
from batch_converter.models import StoredPdf
from batch_converter.output.checking import check_pdf, check_pdf_bytes, page_difference
from batch_converter.output.files import hash_file, write_pieces, writing
from batch_converter.output.writability import no_room, probe_room
from batch_converter.storage import nearest_folder, sync_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch_converter.output.checking import CheckedPdf, Verify
    from batch_converter.output.expected import ExpectedPdf
    from batch_converter.output.new_folders import NewFolders

_OPEN_TRIES: Final = 3
"""A folder that another document has just removed, as it was empty, is made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPaths:
    """Where the bytes of a document lie until they have their name.

    Attributes:
        output: The PDF's path below the output folder.
        target: The PDF's absolute path.
        part: The file that is written, in the same folder.
    """

    output: str
    target: Path
    part: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How a part is checked and finished; see `PdfWriter.verify_and_sync`."""

    verify: Verify
    expected: ExpectedPdf
    keeps_other_pages: bool
    mtime_ns: int | None


class PartOnDisk:
    """The bytes go to the file and into the hash together; one thread at a time.

    Attributes:
        paths: Where they lie.
        is_published: Whether the part has its final name, and is no part any more.
    """

    def __init__(self, paths: PartPaths, folders: NewFolders) -> None:
        self.paths = paths
        self._folders = folders
        self._descriptor: int | None = None
        self._hash = hashlib.sha256()  # of what was appended since the file was opened
        self.is_published = False

    @property
    def is_open(self) -> bool:
        """Whether anything was appended."""
        return self._descriptor is not None

    def create(self, source_bytes: int | None) -> None:
        """Make the file, empty, with its folder; the PDF of so long a source is to fit."""
        with writing(self.paths.target):
            try:
                self._create(source_bytes)
            except OSError as error:
                if (full := no_room(error, nearest_folder(self.paths.target.parent))) is not None:
                    raise full from error
                raise

    def _create(self, source_bytes: int | None) -> None:
        descriptor = self._open()
        try:
            if source_bytes is not None:
                probe_room(descriptor, source_bytes=source_bytes)
        finally:
            os.close(descriptor)

    def append(self, pieces: Sequence[bytes | bytearray]) -> None:
        """Write and hash pieces; opens the file with the first ones."""
        with writing(self.paths.target):
            if self._descriptor is None:
                self._descriptor = self._open()
                self._hash = hashlib.sha256()
            write_pieces(self._descriptor, pieces)
        reach("part.written")
        for piece in pieces:
            self._hash.update(piece)

    def _open(self) -> int:
        """Open the part, with the folders that lead to it, but never the output folder itself."""
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        for _ in range(_OPEN_TRIES):
            try:
                return os.open(self.paths.part, flags, 0o666)
            except FileNotFoundError:
                self._folders.make(self.paths.target.parent)
        return os.open(self.paths.part, flags, 0o666)

    def empty(self) -> None:
        """Forget what was appended: the next piece opens the file anew."""
        self._close()
        with writing(self.paths.target):
            os.truncate(self.paths.part, 0)

    def verify_and_sync(self, wanted: Verification, rest: bytes | bytearray) -> StoredPdf:
        """Append the rest, check the part and bring it to the disk, still under its own name.

        A small PDF is all rest: it is checked in memory before it is written.
        """
        if self.is_open and rest:
            self.append([rest])
            rest = b""
        checked = self._checked(wanted, rest)
        differences = self._judged(checked, wanted)
        if rest:
            self.append([rest])
        sha256 = self._hash.hexdigest() if self.is_open else hash_file(self.paths.part)
        with writing(self.paths.target):
            size_bytes = self._sync(wanted.mtime_ns)
        return StoredPdf(
            sha256=sha256,
            size_bytes=size_bytes,
            pages=checked.pages,
            differences=differences,
        )

    def _checked(self, wanted: Verification, in_memory: bytes | bytearray) -> CheckedPdf:
        if not in_memory and not self.is_open and self._is_empty():
            raise BadPdfError(f"no PDF arrived for {self.paths.output}")
        try:
            if in_memory:
                return check_pdf_bytes(in_memory, verify=wanted.verify, expected=wanted.expected)
            return check_pdf(self.paths.part, verify=wanted.verify, expected=wanted.expected)
        except BadPdfError as error:
            raise BadPdfError(f"{self.paths.output}: {error}") from error.__cause__

    def _is_empty(self) -> bool:
        """Whether the part is not there, or was created and nothing else."""
        try:
            return self.paths.part.stat().st_size == 0
        except FileNotFoundError:
            return True

    def _judged(self, checked: CheckedPdf, wanted: Verification) -> tuple[str, ...]:
        difference = page_difference(checked.pages, wanted.expected.pages)
        if difference is None:
            return checked.differences
        if not checked.pages:
            raise PageMismatchError(
                f"{self.paths.output}: {difference}; there is nothing to publish, and the file is"
                " not tried again unless you say so: --retry-failed converts it anew"
            )
        if not wanted.keeps_other_pages:
            raise PageMismatchError(
                f"{self.paths.output}: {difference}; it is not published, and the file is not"
                " tried again unless you say so: --retry-failed converts it anew, and with"
                ' output.page_mismatch = "warn" a PDF with other pages is published too'
            )
        return (difference, *checked.differences)

    def _sync(self, mtime_ns: int | None) -> int:
        """Bring the part to the disk; returns its size."""
        if self._descriptor is None:
            self._descriptor = os.open(self.paths.part, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        if mtime_ns is not None:
            os.utime(self._descriptor, ns=(mtime_ns, mtime_ns))
        sync_file(self._descriptor)
        size_bytes = os.fstat(self._descriptor).st_size
        self._close()
        return size_bytes

    def publish(self) -> None:
        """Give the part its final name, replacing what stands there; not durable yet."""
        with writing(self.paths.target):
            self.paths.part.replace(self.paths.target)
        self.is_published = True
        self._folders.keep(self.paths.target.parent)
        reach("pdf.named")

    def discard(self) -> None:
        """Remove the part, and folders made for it that stay empty, as far as the disk lets."""
        self._close()
        with suppress(OSError):
            self.paths.part.unlink(missing_ok=True)
        self._folders.remove_empty(self.paths.target.parent)

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
