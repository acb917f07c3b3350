"""Files and names that outlast a power loss, as far as the file system can promise that.

All functions block: run them in a thread. They raise `OSError` as the system does;
what it means is for the caller to say.

File systems that have no such promise to give (network and user-space ones, for
folders above all) answer with an error of its own kind. That is no failure: what was
written is there, as with every other program. An error of the disk (EIO, ENOSPC,
EDQUOT, ESTALE) is one, always.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_CANNOT_SYNC: Final = frozenset(
    {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY}
)
"""fsync(2): the file system has no such call. ENOTTY is what some of macOS's say."""

_CANNOT_SYNC_FOLDERS: Final = _CANNOT_SYNC | {errno.EBADF, errno.EISDIR}
"""Some want a descriptor that may write, which a folder never has."""

_CANNOT_OPEN_FOLDERS: Final = frozenset({errno.EACCES, errno.EISDIR, errno.EINVAL})
"""A folder that may be written and not read is one: names get in, and nobody may look."""

_FULL_SYNC: Final[int | None] = getattr(fcntl, "F_FULLFSYNC", None)
"""On macOS fsync(2) leaves the bytes in the drive's cache; this does not."""


def sync_file(descriptor: int) -> None:
    """Bring an open file's bytes and size to the disk."""
    try:
        _sync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in _CANNOT_OPEN_FOLDERS:
            raise
        return
    try:
        _sync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC_FOLDERS:
            raise
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    if _FULL_SYNC is not None:
        try:
            fcntl.fcntl(descriptor, _FULL_SYNC)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC_FOLDERS:
                raise
        else:
            return
    os.fsync(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder with all that leads to it, durably.

    Raises:
        FileExistsError: A file stands in its place.
        NotADirectoryError: One stands on the way to it.
    """
    for path in missing_folders(folder):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def missing_folders(folder: Path) -> list[Path]:
    """Return what has to be made so that a folder is there, in the order of making."""
    lineage = [folder, *folder.parents]
    return lineage[: lineage.index(nearest_folder(folder))][::-1]


def make_subfolder(folder: Path, *, root: Path) -> None:
    """Create what is missing between a folder and `root`, but never `root` itself.

    Where that is gone, its disk is: what is made in its place would lie on another.

    Raises:
        FileNotFoundError: The root is no folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(root))
    make_folder(folder)


def nearest_folder(path: Path) -> Path:
    """Return the path if it is a folder, else the nearest above it that is one."""
    return next(place for place in (path, *path.parents) if place.is_dir())


def check_takes_names(folder: Path) -> None:
    """Make sure, as far as looking can, that new names get into a folder; nothing is changed.

    Raises:
        OSError: It may not be written, or its file system may not.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        is_read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
        number = errno.EROFS if is_read_only else errno.EACCES
        raise OSError(number, os.strerror(number), os.fspath(folder))


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
