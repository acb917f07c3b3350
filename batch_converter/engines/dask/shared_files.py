"""Whether two machines see the same file under the same path.

Nothing is believed of mounts: a source is the same where its length, its time and samples of
its bytes are, and a folder for PDFs where a random word is read that has just been written
there. So a path that means something else on a worker, or a mount that is gone, costs nothing
but the way of the bytes.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SAMPLE_BYTES: Final = 64 << 10
_OPENING: Final = os.O_RDONLY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """A source by which it is known again elsewhere.

    Attributes:
        path: Its absolute path.
        sample: Digest of its first and last bytes.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    sample: str


def facts_of(path: str) -> SourceFacts:
    """Look at a source; blocking.

    Raises:
        OSError: It cannot be read.
    """
    descriptor = os.open(path, _OPENING)
    try:
        status = os.fstat(descriptor)
        head = os.pread(descriptor, _SAMPLE_BYTES, 0)
        end = os.pread(descriptor, _SAMPLE_BYTES, max(0, status.st_size - _SAMPLE_BYTES))
    finally:
        os.close(descriptor)
    return SourceFacts(
        path=path,
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        sample=hashlib.blake2b(head + end, digest_size=16).hexdigest(),
    )


def is_here(source: SourceFacts) -> bool:
    """Whether this machine sees that source, too; blocking."""
    try:
        return facts_of(source.path) == source
    except OSError:
        return False


def write_word(path: str, word: str) -> None:
    """Put a word into a file that others are to look for, made where it is not there; blocking.

    Raises:
        OSError: It cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o666)
    try:
        os.write(descriptor, word.encode("ascii"))
    finally:
        os.close(descriptor)


def make_beside(path: str, word: str, place: str) -> bool:
    """Make an empty file beside the one that holds the word, as its owner would; blocking.

    Returns:
        Whether it is there: false where this machine does not see the word, may not write
        there, or would write as another user, whose files the run could not finish.
    """
    with suppress(OSError):
        descriptor = os.open(path, _OPENING | os.O_NOFOLLOW)
        try:
            status = os.fstat(descriptor)
            has_word = os.read(descriptor, len(word) + 1) == word.encode("ascii")
        finally:
            os.close(descriptor)
        if has_word and status.st_uid == os.geteuid():
            made = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.fchmod(made, status.st_mode & 0o7777)
            finally:
                os.close(made)
            return True
    return False


def are_here(sizes: dict[str, int]) -> bool:
    """Whether this machine sees files of these paths and lengths; blocking."""
    try:
        return all(Path(path).stat().st_size == size for path, size in sizes.items())
    except OSError:
        return False


def remove_beside(path: str) -> None:
    """Remove the files whose names are this one's with something behind a dot; blocking."""
    folder, name = os.path.split(path)
    with suppress(OSError), os.scandir(folder) as entries:
        found = [entry.path for entry in entries if entry.name.startswith(f"{name}.")]
        for beside in found:
            with suppress(OSError):
                os.unlink(beside)  # noqa: PTH108  # a path as str, its bytes kept
