"""A part file as a worker thread sees it: nothing here knows of the event loop."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.errors import BadPdfError, PageMismatchError
from batch_converter.fault_points import reach
from batch_converter.models import StoredPdf
from batch_converter.output.checking import check_pdf, check_pdf_bytes, page_difference
from batch_converter.output.files import hash_file, writing
from batch_converter.output.places import no_room, take_place
from batch_converter.storage import copy_file, make_subfolder, nearest_folder, sync_file

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.output.checking import CheckedPdf, Verify
    from batch_converter.output.expected import ExpectedPdf

_LONGEST_NAMED_BYTES: Final = 120  # the part's name must fit where the PDF's own just does


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where the bytes of a document lie until they have their name.

    Attributes:
        output: The PDF's path below the output folder.
        output_dir: The output folder itself.
        target: The PDF's absolute path.
        part: The file that is written: in the state directory, or `beside` where
            that is on another file system than the target.
        parts_dir: The folder for part files in the state directory.
        name: Of what belongs to this document there, without a suffix.
        is_beside: Whether the part is there.
    """

    output: str
    output_dir: Path
    target: Path
    part: Path
    parts_dir: Path
    name: str
    is_beside: bool

    @property
    def beside(self) -> Path:
        """`.NAME.part` in the target's folder."""
        return part_beside(self.target)

    @property
    def marker(self) -> Path:
        """In the state directory, tells a later run of a file at `beside`."""
        return self.parts_dir / f"{self.name}.beside"

    def mark(self) -> None:
        """Leave word of a part file outside the state directory, before it is made."""
        self.marker.write_bytes(os.fsencode(self.output))


@dataclass(frozen=True, slots=True, kw_only=True)
class SealOptions:
    """How a part is checked and finished; see `PartFile.seal`."""

    verify: Verify
    expected: ExpectedPdf
    keeps_other_pages: bool
    mtime_ns: int | None


class DiskPart:
    """The bytes go to the file and into the hash together; one thread at a time."""

    def __init__(self, spot: Spot) -> None:
        self.spot = spot
        self._descriptor: int | None = None
        self._hash = hashlib.sha256()  # of what was appended since the file was opened
        self._made: list[Path] = []

    def take_place(self, source_bytes: int) -> None:
        """Make the folders and the part before anything is paid for: then it can be stored."""
        folder, root = self.spot.target.parent, self.spot.output_dir
        if root.is_dir():
            self._made = [path for path in (folder, *folder.parents) if not path.is_dir()]
        with writing(self.spot.target):
            try:
                make_subfolder(folder, root=root)
                take_place(self.spot.part, source_bytes=source_bytes)
            except OSError as error:
                if (full := no_room(error, nearest_folder(folder))) is not None:
                    raise full from error
                raise

    @property
    def is_open(self) -> bool:
        """Whether anything was appended."""
        return self._descriptor is not None

    def append(self, data: bytes | bytearray) -> None:
        """Write and hash a piece; opens the file with the first one."""
        with writing(self.spot.target):
            if self._descriptor is None:
                self._descriptor = self._open()
                self._hash = hashlib.sha256()
            _write_all(self._descriptor, data)
        reach("part.written")
        self._hash.update(data)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(self.spot.part, flags, 0o666)

    def empty(self) -> None:
        """Forget what was appended: the next piece opens the file anew."""
        self._close()
        with writing(self.spot.target):
            os.truncate(self.spot.part, 0)

    def seal(self, options: SealOptions, rest: bytearray) -> StoredPdf:
        """Append the rest, check the part and bring it to the disk, still under its own name.

        A small PDF is all rest: it is checked in memory before it is written.
        """
        if self.is_open and rest:
            self.append(rest)
            rest = bytearray()
        checked = self._checked(options, rest)
        differences = self._judged(checked, options)
        if rest:
            self.append(rest)
        sha256 = self._hash.hexdigest() if self.is_open else hash_file(self.spot.part)
        with writing(self.spot.target):
            size_bytes = self._settle(options.mtime_ns)
        return StoredPdf(
            path=self.spot.target,
            sha256=sha256,
            size_bytes=size_bytes,
            pages=checked.pages,
            differences=differences,
        )

    def _checked(self, options: SealOptions, in_memory: bytearray) -> CheckedPdf:
        if not in_memory and not self.is_open and self._is_empty():
            raise BadPdfError(f"no PDF arrived for {self.spot.output}")
        try:
            if in_memory:
                return check_pdf_bytes(in_memory, verify=options.verify, expected=options.expected)
            return check_pdf(self.spot.part, verify=options.verify, expected=options.expected)
        except BadPdfError as error:
            raise BadPdfError(f"{self.spot.output}: {error}") from error.__cause__

    def _judged(self, checked: CheckedPdf, options: SealOptions) -> tuple[str, ...]:
        difference = page_difference(checked.pages, options.expected.pages)
        if difference is None:
            return checked.differences
        if not options.keeps_other_pages:
            raise PageMismatchError(
                f"{self.spot.output}: {difference}; it is not published, and the file is not"
                " tried again unless you say so: --retry-failed converts it anew, and with"
                ' output.page_mismatch = "warn" a PDF with other pages is published too'
            )
        return (difference, *checked.differences)

    def _is_empty(self) -> bool:
        """Whether the part is not there, or nothing but its place was taken."""
        try:
            return self.spot.part.stat().st_size == 0
        except FileNotFoundError:
            return True

    def _settle(self, mtime_ns: int | None) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self.spot.part, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        if mtime_ns is not None:
            os.utime(self._descriptor, ns=(mtime_ns, mtime_ns))
        _take_group(self._descriptor, nearest_folder(self.spot.target.parent))
        sync_file(self._descriptor)
        size_bytes = os.fstat(self._descriptor).st_size
        self._close()
        return size_bytes

    def publish(self) -> None:
        """Give the part its final name, replacing what stands there; not durable yet."""
        with writing(self.spot.target):
            try:
                self._rename()
            except FileNotFoundError:
                make_subfolder(self.spot.target.parent, root=self.spot.output_dir)
                self._rename()
        reach("pdf.named")

    def _rename(self) -> None:
        try:
            self.spot.part.replace(self.spot.target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._cross_over()
        if self.spot.is_beside:
            self.spot.marker.unlink(missing_ok=True)

    def _cross_over(self) -> None:
        """Copy to the target's file system, which only now proves to be another one."""
        self.spot.mark()
        copy_file(self.spot.part, self.spot.beside)
        self.spot.beside.replace(self.spot.target)
        self.spot.part.unlink()
        self.spot.marker.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what is there under any name but the final one, as far as the disk lets."""
        self._close()
        with suppress(OSError):
            self.spot.part.unlink(missing_ok=True)
        with suppress(OSError):
            if self.spot.marker.exists():
                self.spot.beside.unlink(missing_ok=True)
                self.spot.marker.unlink(missing_ok=True)
        for folder in self._made:  # the innermost first; what others have put there stays
            with suppress(OSError):
                folder.rmdir()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _take_group(descriptor: int, folder: Path) -> None:
    """Give a file the group that it would have got in a folder with the setgid bit.

    It was made elsewhere and is renamed, and its group goes with it. Where the system
    does not let us, it stays as readable as the umask has made it.
    """
    status = folder.stat()
    if status.st_mode & stat.S_ISGID and os.fstat(descriptor).st_gid != status.st_gid:
        with suppress(OSError):
            os.fchown(descriptor, -1, status.st_gid)


def part_beside(target: Path) -> Path:
    """Return where the part of a PDF lies that is not in the state directory."""
    name = os.fsencode(target.name)
    if len(name) <= _LONGEST_NAMED_BYTES:
        return target.with_name(f".{target.name}.part")
    return target.with_name(f".{hashlib.sha256(name).hexdigest()}.part")


def _write_all(descriptor: int, data: bytes | bytearray) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
