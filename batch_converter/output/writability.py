"""Whether a PDF could be written, found out before it is paid for. Blocks: run it in a thread."""

from __future__ import annotations

import errno
import math
import os
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

from batch_converter.errors import NoRoomError, OutputError
from batch_converter.machine_limits import are_spare
from batch_converter.output.files import writing
from batch_converter.storage import check_takes_names, nearest_folder

if TYPE_CHECKING:
    from pathlib import Path

GROWTH: Final = 4
"""A PDF is taken to need so many times the bytes of its DjVu, which packs better."""

MARGIN_BYTES: Final = 8 << 20
"""With less than this a disk counts as full.

It is more than the ledger's reserve, so that giving that up is not taken for room.
"""

_DISK_FAILURES: Final = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.ESTALE,
        errno.ENODEV,
        errno.ENXIO,
        errno.ENOTCONN,
        errno.EHOSTDOWN,
    }
)


_SPARE_DESCRIPTORS: Final = 4
"""A connection, the part file, its folder, and one for what nobody has thought of."""

_PROBE_BYTES: Final = 1 << 20
_CANNOT_ALLOCATE: Final = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EFBIG})
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def check_writable(target: Path, *, root: Path, state_dir: Path, source_bytes: int) -> float:
    """Make sure, as far as asking can, that a PDF of this source could get its name.

    Args:
        target: The PDF's path.
        root: The output folder.
        state_dir: Where ledger and part files lie.
        source_bytes: Of the DjVu.

    Returns:
        How many bytes PDFs may take; infinite where the file system does not tell.

    Raises:
        OutputError: It could not; see `is_disk_failure` for what that means for others.
    """
    with writing(target):
        _check_descriptors(target)
        folder = _existing_folder(target, root)
        status = os.statvfs(folder)
        _check_names(folder, target, longest=status.f_namemax)
        check_takes_names(folder)
        _check_full(state_dir, os.statvfs(state_dir))
        free_bytes = _check_full(folder, status)
    needed_bytes = wanted_bytes(source_bytes) + MARGIN_BYTES
    if free_bytes < needed_bytes:
        raise OutputError(
            f"{target} may need {needed_bytes >> 20} MiB and {int(free_bytes) >> 20} MiB are free;"
            " nothing was paid for it: free some space and run again"
        )
    return free_bytes - MARGIN_BYTES


def check_takes_files(folder: Path) -> float:
    """Make sure that files get into a folder, which may have to be made; none stays there.

    One is made, without a name where the file system can do that: looking alone sees neither
    quotas nor that the likes of `/proc` take none.

    Returns:
        How many bytes are free; infinite where the file system does not tell.

    Raises:
        OutputError: None can be made.
    """
    try:
        there = nearest_folder(folder)
        _check_way(there, folder, longest=os.statvfs(there).f_namemax)
        check_takes_names(there)
        return _try(there)
    except OSError as error:
        where = "" if error.filename == os.fspath(folder) else f" ({error.filename})"
        raise OutputError(f"{folder} takes no files: {error.strerror}{where}") from error


def wanted_bytes(source_bytes: int) -> int:
    """Return what a PDF is taken to need, for a promise."""
    return GROWTH * source_bytes


def probe_room(descriptor: int, *, source_bytes: int) -> None:
    """See that some of the room for a PDF is to be had; the file is left empty.

    What statistics do not tell, a quota above all, is found out so.

    Raises:
        OSError: There is no quota or no block left.
    """
    _allocate(descriptor, min(_PROBE_BYTES, GROWTH * source_bytes or 1))


def no_room(error: OSError, folder: Path) -> NoRoomError | None:
    """Return what an error means for more PDFs below a folder, where it means that none fits."""
    return NoRoomError(_told(folder, error)) if error.errno in _NO_ROOM else None


def _allocate(descriptor: int, size_bytes: int) -> None:
    """Reserve blocks and give them back; where a system cannot reserve, write them."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size_bytes)
        else:
            os.write(descriptor, bytes(size_bytes))
    except OSError as error:
        if error.errno not in _CANNOT_ALLOCATE:
            raise
    finally:
        os.ftruncate(descriptor, 0)


def _told(folder: Path, error: OSError) -> str:
    """Say what is used up: a disk with bytes to spare may have no inodes."""
    status = os.statvfs(folder)
    what = f"there is no room in {folder} for one more PDF"
    if error.errno == errno.EDQUOT:
        return f"{what}: the disk quota is used up; free some space or files and run again"
    if status.f_files and not status.f_favail:
        return f"{what}: the file system has no inodes left (df -i); remove some files, run again"
    return f"{what}: the disk is full; free some space and run again"


def _check_descriptors(target: Path) -> None:
    if not are_spare(_SPARE_DESCRIPTORS):
        raise _refusal(errno.EMFILE, target)


def is_disk_failure(error: OutputError, root: Path) -> bool:
    """Whether the error says that no other PDF can be written either."""
    cause = error.__cause__
    if not isinstance(cause, OSError):
        return False
    return cause.errno in _DISK_FAILURES or (
        cause.errno == errno.ENOENT and cause.filename == os.fspath(root)
    )


def _try(folder: Path) -> float:
    """Make a file of some size in a folder that is there; returns the free bytes."""
    try:
        free_bytes = _check_full(folder, os.statvfs(folder))
        with TemporaryFile(dir=folder, buffering=0) as file:
            probe_room(file.fileno(), source_bytes=_PROBE_BYTES)
    except OSError as error:
        raise no_room(error, folder) or _refusal(error.errno or 0, folder) from error
    return free_bytes


def _existing_folder(target: Path, root: Path) -> Path:
    """Return the folder that is there, nearest to the target; the root must be."""
    if target.parent.is_dir():
        return target.parent
    if not root.is_dir():
        raise _refusal(errno.ENOENT, root)
    return nearest_folder(target.parent)


def _check_names(folder: Path, target: Path, *, longest: int) -> None:
    """Look at what stands in the way, and at names that the file system will not take."""
    _check_way(folder, target.parent, longest=longest)
    if target.is_dir():
        raise _refusal(errno.EISDIR, target)
    if len(os.fsencode(target.name)) > longest:
        raise _refusal(errno.ENAMETOOLONG, target)


def _check_way(there: Path, folder: Path, *, longest: int) -> None:
    """Look at what is missing between a folder that is there and one below it.

    What was missing a moment ago may be there by now: another document's.
    """
    missing = folder.relative_to(there).parts
    if missing and os.path.lexists(first := there / missing[0]) and not first.is_dir():
        raise _refusal(errno.ENOTDIR, first)
    if any(len(os.fsencode(name)) > longest for name in missing):
        raise _refusal(errno.ENAMETOOLONG, folder)


def _check_full(folder: Path, status: os.statvfs_result) -> float:
    """Return the free bytes; infinitely many where the file system does not tell."""
    if not status.f_blocks:
        return math.inf
    free_bytes = status.f_bavail * status.f_frsize
    if free_bytes < MARGIN_BYTES:
        raise _refusal(errno.ENOSPC, folder)
    return free_bytes


def _refusal(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), os.fspath(path))
