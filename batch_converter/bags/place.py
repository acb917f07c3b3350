"""Where a bag appears: a new folder, which has its name only when all of it is on disk.

Until then it grows in a hidden folder beside, which a lock in it tells from those of
processes that have died. All functions block.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from batch_converter.errors import UsageError
from batch_converter.fault_points import reach
from batch_converter.output import writing
from batch_converter.storage import make_folder, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import BaseFileLock

_PREFIX: Final = ".batch-converter-bag-"
_LOCK_NAME: Final = "lock"
_BAG_NAME: Final = "bag"
_DIGEST_LETTERS: Final = 16


def free_place(folder: Path) -> Path:
    """Return the real path of a folder that is still to be made, or is empty.

    Raises:
        UsageError: Something stands there.
    """
    real = Path(os.path.realpath(folder))
    try:
        reason = _obstacle(real)
    except OSError as error:
        raise UsageError(f"{folder} cannot be looked at: {error.strerror}") from error
    if reason is not None:
        raise UsageError(f"{folder} {reason}")
    return real


def _obstacle(real: Path) -> str | None:
    if not os.path.lexists(real):
        return None
    if not real.is_dir():
        return "is no folder: name a new one for the bag"
    if any(real.iterdir()):
        return (
            "is there already, and not empty: a bag is never changed or replaced; name a new"
            " folder, or remove this one first"
        )
    if os.path.ismount(real):
        return "is where a disk is mounted: name a folder on it for the bag"
    return None


@contextmanager
def appearing(place: Path) -> Iterator[Path]:
    """Give a folder to be filled, which gets its name when the block ends without an error.

    Args:
        place: An absolute path where nothing is but perhaps an empty folder.

    After an error nothing is left of it, as far as the disk lets.

    Raises:
        OutputError: It cannot be made, or got no name.
    """
    with ExitStack() as stack:
        with writing(place):
            make_folder(place.parent)
            _clear_dead(place)
            hidden = _hidden_folder(place, stack)
        growing = hidden / _BAG_NAME
        try:
            yield growing
            with writing(place):
                _sync_folders(growing)
                reach("bag.complete")
                growing.rename(place)
                reach("bag.named")
                sync_folder(place.parent)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)  # what stays, the next one clears


def _hidden_folder(place: Path, stack: ExitStack) -> Path:
    """Make and lock the folder in which the bag grows."""
    while True:
        hidden = place.with_name(f"{_prefix(place)}{token_hex(4)}.part")
        hidden.mkdir()
        # Before it has its lock and its bag, another process may take it for a dead one's.
        with suppress(Timeout, FileNotFoundError):
            stack.enter_context(_lock(hidden))
            (hidden / _BAG_NAME).mkdir()
            return hidden


def _prefix(place: Path) -> str:
    """Return how the hidden folders of a bag of this name begin, however long that is."""
    digest = hashlib.sha256(os.fsencode(place.name)).hexdigest()
    return f"{_PREFIX}{digest[:_DIGEST_LETTERS]}-"


def _clear_dead(place: Path) -> None:
    """Remove what processes have left that died; what cannot be removed harms nothing.

    Of bags of other names only what has no bag in it any more, since that has got its name:
    no bag of that name is begun again, which would clear it.
    """
    for hidden in place.parent.glob(f"{_PREFIX}*.part"):
        if not hidden.name.startswith(_prefix(place)) and (hidden / _BAG_NAME).exists():
            continue
        with (
            suppress(Timeout, OSError),  # at work, or another user's
            _lock(hidden),
        ):
            shutil.rmtree(hidden)


def _lock(hidden: Path) -> BaseFileLock:
    return FileLock(hidden / _LOCK_NAME, blocking=False, thread_local=False)


def _sync_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        sync_folder(Path(folder))
