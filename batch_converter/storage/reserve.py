"""Room on a disk that is given up when nothing else is left.

A run that meets a full disk can so still record the task ids that it has paid for.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

RESERVE_BYTES: Final = 4 << 20
"""Hundreds of commits; a run that has met a full disk makes some dozens."""

RETRY_AFTER: Final = 1_000
"""Commits; a service outlives a full disk, and needs the room again for the next one."""


class Reserve:
    """A file that holds the room; it stays there between runs. Blocks.

    Args:
        path: Of the database; the file lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_suffix(".reserve")
        self._is_held = False
        self._commits_to_wait = 0

    @property
    def is_there(self) -> bool:
        """Whether the room is held."""
        return self._path.exists()

    def keep(self) -> None:
        """Take the room where it is not held; to be called before each commit.

        What the disk did not have, or memory to fill it from, or what was given up, is asked
        for again after `RETRY_AFTER` of them.
        """
        if self._is_held:
            return
        if self._commits_to_wait:
            self._commits_to_wait -= 1
            return
        self._commits_to_wait = RETRY_AFTER
        with suppress(OSError, MemoryError), self._path.open("ab", buffering=0) as file:
            _fill(file)
            self._is_held = True

    def release(self) -> bool:
        """Give the room to others; returns whether there was any."""
        self._is_held, self._commits_to_wait = False, RETRY_AFTER
        try:
            self._path.unlink()
        except OSError:
            return False
        return True


def _fill(file: FileIO) -> None:
    """Take all of the room or none: a part would only be in the others' way.

    Written, not asked for: few systems know `posix_fallocate`, and those that compress
    or copy on write keep no room for it. Noise cannot be packed.
    """
    before = file.tell()
    rest = memoryview(os.urandom(max(0, RESERVE_BYTES - before)))
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError:
        file.truncate(before)
        raise
