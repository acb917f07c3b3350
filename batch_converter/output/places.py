"""Whether a PDF could be written, found out before it is paid for. Blocks: run it in a thread."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from batch_converter.errors import OutputError
from batch_converter.output.files import writing
from batch_converter.storage import nearest_folder

if TYPE_CHECKING:
    from pathlib import Path

GROWTH: Final = 4
"""A PDF is taken to need so many times the bytes of its DjVu, which packs better."""

MARGIN_BYTES: Final = 8 << 20
"""With less than this a disk counts as full.

It is more than the ledger's reserve, so that giving that up is not taken for room.
"""

_LOST: Final = frozenset(
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


def check_place(target: Path, *, root: Path, state_dir: Path, source_bytes: int) -> None:
    """Make sure, as far as asking can, that a PDF of this source could get its name.

    Raises:
        OutputError: It could not; see `is_lost` for what that means for others.
    """
    with writing(target):
        folder = _existing_folder(target, root)
        status = os.statvfs(folder)
        _check_names(folder, target, longest=status.f_namemax)
        _check_permission(folder, status)
        _check_full(state_dir, os.statvfs(state_dir))
        free_bytes = _check_full(folder, status)
    wanted_bytes = GROWTH * source_bytes + MARGIN_BYTES
    if free_bytes is not None and free_bytes < wanted_bytes:
        raise OutputError(
            f"{target} may need {wanted_bytes >> 20} MiB and {free_bytes >> 20} MiB are free;"
            " nothing was paid for it: free some space and run again"
        )


def is_lost(error: OutputError, root: Path) -> bool:
    """Whether the error says that no other PDF can be written either."""
    cause = error.__cause__
    if not isinstance(cause, OSError):
        return False
    return cause.errno in _LOST or (
        cause.errno == errno.ENOENT and cause.filename == os.fspath(root)
    )


def _existing_folder(target: Path, root: Path) -> Path:
    """Return the folder that is there, nearest to the target; the root must be."""
    if target.parent.is_dir():
        return target.parent
    if not root.is_dir():
        raise _refusal(errno.ENOENT, root)
    return nearest_folder(target.parent)


def _check_names(folder: Path, target: Path, *, longest: int) -> None:
    """Look at what stands in the way, and at names that the file system will not take.

    A folder that was missing a moment ago may be there by now: another document's.
    """
    missing = target.relative_to(folder).parts
    first = folder / missing[0]
    if len(missing) > 1 and os.path.lexists(first) and not first.is_dir():
        raise _refusal(errno.ENOTDIR, first)
    if target.is_dir():
        raise _refusal(errno.EISDIR, target)
    if any(len(os.fsencode(name)) > longest for name in missing):
        raise _refusal(errno.ENAMETOOLONG, target)


def _check_permission(folder: Path, status: os.statvfs_result) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _refusal(errno.EROFS if status.f_flag & os.ST_RDONLY else errno.EACCES, folder)


def _check_full(folder: Path, status: os.statvfs_result) -> int | None:
    """Return the free bytes; None where the file system does not tell."""
    if not status.f_blocks:
        return None
    free_bytes = status.f_bavail * status.f_frsize
    if free_bytes < MARGIN_BYTES:
        raise _refusal(errno.ENOSPC, folder)
    return free_bytes


def _refusal(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), os.fspath(path))
