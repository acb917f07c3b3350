"""The container of DjVu: `AT&T`, then chunks in chunks, each with its length.

Everything reads through `ByteSource`: a few bytes at a place, never a whole
file, and nothing outside of what is there. What a header claims is bounded by
what its parent holds, so a hostile length leads nowhere.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.errors import NotDjvuError, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC: Final = b"AT&TFORM"
_WHOLE_BYTES: Final = 64 << 10
_PIECE_BYTES: Final = 1 << 20
_HEADER_BYTES: Final = 8
FORM_BYTES: Final = 12
"""The head of a form: `FORM`, its length and its type."""

_KIND: Final = re.compile(rb"[\x20-\x7e]{4}")


class ByteSource:
    """A file or a buffer that is read piecewise by position; a small file only once.

    Attributes:
        size: Its length in bytes.
        mtime_ns: When the file was last changed; 0 of a buffer.
    """

    def __init__(
        self, name: str, size: int, fd: int = -1, data: bytes = b"", *, mtime_ns: int = 0
    ) -> None:
        self.name = name
        self.size = size
        self.mtime_ns = mtime_ns
        self._fd = fd
        self._data = data

    @classmethod
    def of_file(cls, fd: int, name: str, *, whole_bytes: int = _WHOLE_BYTES) -> ByteSource:
        """Read from an open file; all of it at once, where it is no longer than `whole_bytes`.

        Raises:
            UnreadableError: The disk failed, or it is no file.
        """
        status = os.fstat(fd)
        source = cls(name, status.st_size, fd, mtime_ns=status.st_mtime_ns)
        if source.size <= whole_bytes:
            source._data = source.at(0, source.size)
        return source

    def at(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes; fewer at the end.

        Raises:
            UnreadableError: The disk failed.
        """
        if self._fd < 0 or self._data:
            return self._data[offset : offset + count]
        try:
            return _pread_whole(self._fd, offset, count)
        except OSError as error:
            raise _unreadable(self.name, error) from error

    def sha256(self) -> str:
        """Return the digest of all bytes in hexadecimal digits.

        Raises:
            UnreadableError: The disk failed.
        """
        digest = hashlib.sha256()
        for offset in range(0, self.size, _PIECE_BYTES):
            digest.update(self.at(offset, _PIECE_BYTES))
        return digest.hexdigest()


def _pread_whole(fd: int, offset: int, count: int) -> bytes:
    piece = os.pread(fd, count, offset)
    while 0 < len(piece) < count and (
        more := os.pread(fd, count - len(piece), offset + len(piece))
    ):
        piece += more
    return piece


def _unreadable(name: str, error: OSError) -> UnreadableError:
    return UnreadableError(f"{name} cannot be read: {error.strerror or error}")


@contextmanager
def open_source(
    path: str | os.PathLike[str], *, whole_bytes: int = _WHOLE_BYTES
) -> Iterator[ByteSource]:
    """Open a regular file for reading by position; see `ByteSource.of_file`.

    Raises:
        UnreadableError: It is missing, forbidden or no regular file.
    """
    name = os.path.basename(path)  # noqa: PTH119  # surrogates and PathLike alike
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(name, error) from error
    try:
        yield ByteSource.of_file(fd, name, whole_bytes=whole_bytes)
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A chunk's place: `start` is its first data byte, `end` the one behind its last.

    Attributes:
        kind: Four letters; of a `FORM`, `FORM:` and its type.
        whole: False where the parent ends before the chunk claims to.
    """

    kind: str
    start: int
    end: int
    whole: bool = True


def read_top_form(source: ByteSource) -> Chunk:
    """Find the file's outermost `FORM`.

    Raises:
        NotDjvuError: There is none, or the file ends before it does.
    """
    head = source.at(0, 4 + FORM_BYTES)
    if source.size == 0:
        raise NotDjvuError(f"{source.name} is empty")
    if not head.startswith(MAGIC) or len(head) < 4 + FORM_BYTES:
        raise NotDjvuError(f"{source.name} is no DjVu file: it does not begin with AT&TFORM")
    form = read_chunk(source, 4, source.size)
    if form is None or not form.whole:
        claimed = FORM_BYTES + int.from_bytes(head[8:12], "big")
        raise NotDjvuError(
            f"{source.name} is cut off: {claimed} bytes long by its header, {source.size} are there"
        )
    return form


def read_chunk(source: ByteSource, offset: int, limit: int) -> Chunk | None:
    """Read the header at `offset`; None where no chunk stands before `limit`."""
    if offset + _HEADER_BYTES > limit:
        return None
    head = source.at(offset, FORM_BYTES)
    if len(head) < _HEADER_BYTES or not _KIND.fullmatch(head[:4]):
        return None
    size = int.from_bytes(head[4:8], "big")
    start = offset + _HEADER_BYTES
    kind = head[:4].decode("ascii")
    if kind == "FORM":
        kind = f"FORM:{head[8:12].decode('ascii', 'replace')}"
        start += 4
        size -= 4
    end = start + max(size, 0)
    return Chunk(kind=kind, start=start, end=min(end, limit), whole=end <= limit and size >= 0)


def chunk_data(source: ByteSource, chunk: Chunk) -> bytes:
    """Read what a chunk holds.

    Raises:
        UnreadableError: The disk failed.
    """
    return source.at(chunk.start, chunk.end - chunk.start)


def walk(source: ByteSource, start: int, end: int, *, max_chunks: int) -> Iterator[Chunk]:
    """Yield the chunks between two places; stops at the first that is not whole.

    The broken one is yielded too, under the name `?` where its header is none.
    Chunks begin at even places.
    """
    offset = start
    for _ in range(max_chunks):
        if offset >= end:
            return
        chunk = read_chunk(source, offset, end)
        if chunk is None:
            yield Chunk(kind="?", start=offset, end=end, whole=False)
            return
        yield chunk
        if not chunk.whole:
            return
        offset = chunk.end + (chunk.end & 1)
