"""Parts of files that are replaced whole: a dead process's is cleared by the next writer.

A part has a name that follows from its target's, so that the next writer finds it without
reading the folder, and is locked (flock(2)) while it is written, so that a dead one is known
from one that lives. All functions block and raise `OSError` as the system does.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_NEW_FILE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_OLD_FILE: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LETTERS: Final = 16
_PARTS: Final = 4
"""Of one target that can be found again: so many may write it at once and be killed."""


def new_part(target: Path, mode: int = 0o666) -> tuple[Path, int]:
    """Make an empty hidden file beside `target`; returns its path and its open descriptor.

    It has to get its name, or to go, before the descriptor is closed: without its lock it is
    taken for a dead process's.

    Args:
        target: A path without links in it.
        mode: What others may do, as far as the umask lets them.
    """
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:_LETTERS]
    parts = [target.with_name(f".batch-converter-{digest}-{n}.part") for n in range(_PARTS)]
    for part in parts:
        _clear_dead(part)
    for part in parts:
        with suppress(FileExistsError):
            descriptor = os.open(part, _NEW_FILE, mode)
            if _is_ours(descriptor):
                return part, descriptor
            os.close(descriptor)
    # More write at this moment, or nothing can be locked here: each has a part all the same.
    part = target.with_name(f".batch-converter-{digest}-{secrets.token_hex(6)}.part")
    return part, os.open(part, _NEW_FILE, mode)


def _clear_dead(part: Path) -> None:
    """Remove a part that nobody writes; what cannot be opened or locked harms nothing."""
    with suppress(OSError):
        descriptor = os.open(part, _OLD_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between the two another may have removed or named it, and a new one be there.
            if os.path.samestat(os.fstat(descriptor), part.lstat()):
                part.unlink()
        finally:
            os.close(descriptor)


def _is_ours(descriptor: int) -> bool:
    """Lock a new part; False where another took it for a dead one's before that.

    A file system without locks has nobody's part cleared.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return os.fstat(descriptor).st_nlink > 0
