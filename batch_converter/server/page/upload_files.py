"""The file that an upload grows in, piece by piece; everything here blocks."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_converter.discovery import MAGIC
from batch_converter.output import write_all
from batch_converter.server.files import disk_errors
from batch_converter.storage import sync_file

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeUpload:
    """A document that is on the disk to its last byte, its name aside."""

    mtime_ns: int
    sha256: str


def make_upload(path: Path) -> None:
    """Make the empty file.

    Raises:
        OutputError: The disk does not do its part.
    """
    with disk_errors():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def share_upload(known: Path, path: Path) -> bool:
    """Make a file of the bytes of another, which is whole; False where that cannot be.

    A whole upload is never written to again, so that both may be one file.
    """
    try:
        os.link(known, path)
    except OSError:
        return False
    return True


def write_piece(path: Path, offset: int, piece: bytes) -> bytes:
    """Write a piece where it belongs; returns how the document begins, as far as it is known.

    What stands behind it is of a piece that was never acknowledged, and is cut off. A file that
    is gone, as its document was removed, is not made anew.

    Raises:
        OutputError: The disk does not do its part.
    """
    with disk_errors(), path.open("r+b", buffering=0) as file:
        file.seek(offset)
        write_all(file.fileno(), piece)
        file.truncate()
        return os.pread(file.fileno(), len(MAGIC), 0)


def seal(path: Path) -> WholeUpload:
    """Bring the file to the disk, and read what it holds.

    Raises:
        OutputError: The disk does not do its part.
    """
    with disk_errors(), path.open("rb") as file:
        sync_file(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return WholeUpload(mtime_ns=os.fstat(file.fileno()).st_mtime_ns, sha256=digest)


def found_bytes(path: Path) -> int:
    """Return how much of an upload is there after a restart; a file that is gone is made anew.

    Raises:
        OutputError: The disk does not do its part.
    """
    with disk_errors():
        if not path.exists():
            make_upload(path)
        return path.stat().st_size
