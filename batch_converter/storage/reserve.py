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


class Reserve:
    """A file that holds the room; it stays there between runs. Blocks.

    Args:
        path: Of the database; the file lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_suffix(".reserve")

    @property
    def is_there(self) -> bool:
        """Whether the room is held."""
        return self._path.exists()

    def fill(self) -> None:
        """Take the room, as far as the disk has it."""
        with suppress(OSError), self._path.open("ab", buffering=0) as file:
            _fill(file)

    def release(self) -> bool:
        """Give the room to others; returns whether there was any."""
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
