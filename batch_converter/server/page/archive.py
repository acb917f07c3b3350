"""All PDFs as one ZIP that is made while it is sent: a piece in memory, never a document."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Final

from batch_converter.server.files import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from datetime import datetime

    from batch_converter.server.files import PdfReader

_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_MODE: Final = 0o100644 << 16


async def whole(reader: PdfReader) -> AsyncIterator[bytes]:
    """Give a file's pieces.

    Raises:
        OSError: It cannot be read, or has become shorter.
    """
    left = reader.size_bytes
    while left:
        piece = await reader.read(min(left, PIECE_BYTES))
        if not piece:
            raise OSError("a PDF has become shorter while it was read")
        left -= len(piece)
        yield piece


class _Outlet:
    """A file that cannot be sought in, whose bytes are taken out as they come."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """What was written is still there to be taken."""

    def take(self) -> bytes:
        taken, self._bytes = bytes(self._bytes), bytearray()
        return taken


class StreamedZip:
    """A ZIP archive in pieces: PDFs are stored as they are, as deflating gains nothing.

    Beyond 4 GiB or 65,535 entries it is a ZIP64; names are UTF-8.

    Args:
        made_at: The time of all entries.
    """

    def __init__(self, made_at: datetime) -> None:
        self._outlet = _Outlet()
        self._zip = zipfile.ZipFile(self._outlet, "w")
        self._made_at = max(_EARLIEST, made_at.timetuple()[:6])

    async def entry(self, path: str, reader: PdfReader) -> AsyncGenerator[bytes]:
        """Give the pieces of a file.

        Raises:
            OSError: It cannot be read, or has become shorter.
        """
        with self._zip.open(self._info(path, reader.size_bytes), "w") as entry:
            async for piece in whole(reader):
                entry.write(piece)
                yield self._outlet.take()
        yield self._outlet.take()

    def text(self, path: str, text: str) -> bytes:
        """Return a small text file's pieces as one."""
        data = text.encode()
        self._zip.writestr(self._info(path, len(data)), data)
        return self._outlet.take()

    def end(self) -> bytes:
        """Return the list of all entries, which is an archive's end."""
        self._zip.close()
        return self._outlet.take()

    def _info(self, path: str, size_bytes: int) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(path, self._made_at)
        info.file_size = size_bytes  # decides whether this entry needs the longer form
        info.create_system = _UNIX
        info.external_attr = _MODE
        return info
