"""What the disk is asked to do, and what is said when it does not. Blocks: run it in a thread."""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from batch_converter.errors import OutputError
from batch_converter.storage import durable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_PIECE_BYTES: Final = 1 << 20
_PIECES_AT_ONCE: Final = 16
"""POSIX.1-2017, limits.h: IOV_MAX is no less."""

_ADVICE: Final[Mapping[int, str]] = {
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "the disk quota is used up; free some space and run again",
    errno.EROFS: "the file system is read-only; mount it for writing and run again",
    errno.EACCES: "permission denied; check who may write to its folder",
    errno.EPERM: "the system forbids it; check who may write to its folder",
    errno.ENOENT: "its folder has vanished; see that the disk is mounted and run again",
    errno.ENOTDIR: "a file stands where a folder is needed; move it away",
    errno.EEXIST: "a file stands where a folder is needed; move it away",
    errno.EISDIR: "a folder stands where the PDF should go; move it away",
    errno.ENAMETOOLONG: "the file system takes no name as long as that; shorten the source's name",
    errno.EFBIG: "the file system, or a limit on this process, takes no file as large as that",
    errno.EIO: "the disk reports an error; check the disk",
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Map every `OSError` inside to an `OutputError` about `path`; it stays as the cause."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0) or error.strerror or type(error).__name__
        where = "" if error.filename in {None, os.fspath(path)} else f" ({error.filename})"
        raise OutputError(f"{path} could not be written: {advice}{where}") from error


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write a piece, however much of it the system takes at once.

    Raises:
        OSError: It cannot be written.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_pieces(descriptor: int, pieces: Sequence[bytes | bytearray]) -> None:
    """Write pieces one after another, several by one call.

    Raises:
        OSError: They cannot be written.
    """
    for at in range(0, len(pieces), _PIECES_AT_ONCE):
        together = pieces[at : at + _PIECES_AT_ONCE]
        written = os.writev(descriptor, together)
        for piece in together:
            if written < len(piece):
                write_all(descriptor, memoryview(piece)[written:])
            written = max(0, written - len(piece))


@contextmanager
def temporary_folder(scratch: Path) -> Iterator[Path]:
    """Lend a folder for copies of objects, in `scratch` if that is there, else the system's.

    Raises:
        OutputError: None can be made.
    """
    there = scratch if scratch.is_dir() else None
    with writing(scratch):
        folder = TemporaryDirectory(
            prefix="object-", suffix=".part", dir=there, ignore_cleanup_errors=True
        )
    with folder as path:  # what stays in scratch, the next run clears
        yield Path(path)


def file_pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file.

    Raises:
        OutputError: It cannot be read; its `__cause__` is the `OSError`.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise OutputError(f"{path} is no file")  # a pipe waits for whoever writes it
        with path.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror}") from error


def sha256_of(pieces: Iterable[bytes | memoryview]) -> str:
    """Return the digest of bytes that come in pieces, in hexadecimal digits."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def unread_reason(error: OutputError) -> str:
    """Say in a few words why a PDF that is recorded could not be read."""
    is_missing = isinstance(error.__cause__, FileNotFoundError | NotADirectoryError)
    return "missing" if is_missing else str(error)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises:
        OutputError: It cannot be read; its `__cause__` is the `OSError`.
    """
    try:
        return durable.hash_file(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror}") from error
