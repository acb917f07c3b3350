"""The log file: opened anew where it was moved away, rotated where it has grown.

Several processes may write one log file: each looks at the file's place before each line, and
where the file is rotated by size, each holds the system's lock of it while it writes. So no
line goes into a file that another process is about to delete, and none is cut in two.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from batch_converter.logs.writing import DescriptorSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class LogFile:
    """A sink that follows its path: what was moved away is left, and begun anew.

    `FILE.1` is the latest that was rotated, `FILE.2` the one before. Devices and pipes are
    written to as they are.

    Args:
        path: Its folder is made if need be.
        max_bytes: It is rotated before a line that would make it longer; a line that is longer
            by itself has a file of its own. 0 is never.
        backups: So many rotated files are kept.
        on_trouble: Told an event's name and why the file could not be opened anew, or rotated:
            lines go where they went before then.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = 0,
        backups: int = 5,
        on_trouble: Callable[[str, OSError], None],
    ) -> None:
        self._path = path.absolute()
        self._max_bytes = max_bytes
        self._backups = backups
        self._on_trouble = on_trouble
        self._told: set[str] = set()
        self._mode: int | None = None
        self._take(_opened(self._path))

    def write(self, line: str) -> None:
        """Write the line, of ASCII alone, to the file that stands at the path by now."""
        if not self._is_file:
            self._sink.write(line)
            return
        self._hold(len(line) + 1)
        try:
            self._sink.write(line)
        finally:
            self._lock(fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        self._sink.close()

    def _take(self, descriptor: int) -> None:
        self._descriptor = descriptor
        found = os.fstat(descriptor)
        self._identity = (found.st_dev, found.st_ino)
        self._is_file = stat.S_ISREG(found.st_mode)
        cut = self._is_file and _ends_in_mid_line(self._path, found.st_size)
        self._sink = DescriptorSink(descriptor, owned=True, cut=cut)

    def _hold(self, more_bytes: int) -> None:
        """Lock the file that stands at the path and has room for so much more.

        Raises:
            OSError: The file was deleted, and none can be made in its place.
        """
        while True:
            self._lock(fcntl.LOCK_EX)
            if self._was_moved():
                if not self._reopened():
                    return
            elif not (self._is_full(more_bytes) and self._rotated()):
                return

    def _lock(self, operation: int) -> None:
        """Lock or unlock it, where the file system can: network mounts may not."""
        if self._max_bytes:
            with suppress(OSError):
                fcntl.flock(self._descriptor, operation)

    def _was_moved(self) -> bool:
        try:
            there = self._path.stat()
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != self._identity

    def _is_full(self, more_bytes: int) -> bool:
        size = os.fstat(self._descriptor).st_size
        return 0 < self._max_bytes < size + more_bytes and size > 0

    def _reopened(self) -> bool:
        """Whether the file at the path, made if need be, is ours now."""
        try:
            descriptor = _opened(self._path)
        except OSError as error:
            if os.fstat(self._descriptor).st_nlink == 0:
                raise
            self._tell("log.not_reopened", error)
            return False
        if self._mode is not None:
            with suppress(OSError):
                os.fchmod(descriptor, self._mode)
            self._mode = None
        self._sink.close()  # and with it goes the lock
        self._take(descriptor)
        return True

    def _rotated(self) -> bool:
        """Whether the file was moved out of the way; the new one gets its permissions."""
        self._mode = stat.S_IMODE(os.fstat(self._descriptor).st_mode)
        try:
            _shift(self._path.resolve(), self._backups)
        except OSError as error:
            self._mode = None
            self._tell("log.not_rotated", error)
            return False
        return True

    def _tell(self, event: str, error: OSError) -> None:
        if event not in self._told:
            self._told.add(event)
            self._on_trouble(event, error)


def _opened(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _ends_in_mid_line(path: Path, size_bytes: int) -> bool:
    """Whether a process ended, or another is, in the middle of a line: the disk was full.

    One that may be written and not read is taken for whole.
    """
    if size_bytes == 0:
        return False
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(size_bytes - 1)
            return file.read(1) != b"\n"
    except OSError:
        return False


def _shift(path: Path, backups: int) -> None:
    """Make the file the first of its backups, and delete those beyond their number."""
    with suppress(OSError):  # ends at the first number that is not there
        for number in count(backups + 1):
            _numbered(path, number).unlink()
    if backups == 0:
        path.unlink()
        return
    numbers = range(1, backups)
    free = next((n for n in numbers if not os.path.lexists(_numbered(path, n))), backups)
    for number in range(free, 1, -1):
        _numbered(path, number - 1).replace(_numbered(path, number))
    path.replace(_numbered(path, 1))


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
