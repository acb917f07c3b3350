"""The bytes of a source, wherever they are: read by position, and watched for change.

All of it blocks: run it in a thread. What is amiss is an `OSError`, as of files; what
it means is for the caller to say.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol


class SourceStatus(NamedTuple):
    """What tells that a source is another one than it was.

    Attributes:
        size_bytes: Its length.
        mtime_ns: When it was last changed.
        etag: What its store tells its versions apart by; None where that is the time's affair.
    """

    size_bytes: int
    mtime_ns: int
    etag: str | None = None

    def is_same(self, other: SourceStatus) -> bool:
        """Whether both are of one version: by ETag where both have one, else by time."""
        if self.size_bytes != other.size_bytes:
            return False
        if self.etag is None or other.etag is None:
            return self.mtime_ns == other.mtime_ns
        return self.etag == other.etag


class SourceBytes(Protocol):
    """A source that is open: a read at any place costs no more than one at the next."""

    def at(self, offset: int, count: int) -> bytes:
        """Return at most `count` bytes; none only at the end.

        Raises:
            OSError: They cannot be read.
        """
        ...

    def status(self) -> SourceStatus:
        """Look at what stands under its name now, which may be another one by now.

        Raises:
            OSError: Nothing does, or it cannot be looked at.
        """
        ...

    def close(self) -> None:
        """Close it; reads under way go on."""
        ...


OpenSource = Callable[[str], SourceBytes]
"""Opens a source, given its address; raises `OSError` where it cannot."""


class FileBytes:
    """A file on this disk as `SourceBytes`.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115  # closed by `close`

    def at(self, offset: int, count: int) -> bytes:
        """Return at most `count` bytes; none only at the end."""
        # `pread`: a read that outlives its request moves no other reader's position,
        # even if the file was closed under it and its number given away.
        return os.pread(self._file.fileno(), count, offset)

    def status(self) -> SourceStatus:
        """Look at what stands under its name now."""
        return file_status(self._path)

    def close(self) -> None:
        """Close it; reads under way go on."""
        self._file.close()


def file_status(path: str) -> SourceStatus:
    """Look at a file, or at what a link leads to.

    Raises:
        OSError: It is not there, or cannot be looked at.
    """
    status = os.stat(path)  # noqa: PTH116  # a path as str, its bytes kept
    return SourceStatus(status.st_size, status.st_mtime_ns)
