"""A bag's payload: PDFs copied below `data`, each compared with its digest on the way.

All functions block.
"""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING, Final

from batch_converter.errors import OutputError
from batch_converter.output import unread_reason
from batch_converter.storage import sync_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from batch_converter.output import OutputStore

_NAME_REFUSED: Final = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ})


class NotBaggedError(Exception):
    """This PDF cannot be in the bag, others can; says why."""


class Payload:
    """The folder `data`, and what is in it by now.

    Attributes:
        n_bytes: Of all files.
        n_files: Their number.
    """

    def __init__(self, bag: Path) -> None:
        self.n_bytes = 0
        self.n_files = 0
        self._folder = bag / "data"
        self._folder.mkdir()
        self._incoming = bag / "incoming"

    def add(self, output: str, pdfs: OutputStore, sha256: str) -> None:
        """Copy a PDF to where it belongs; the copy is on disk, though not its name.

        Args:
            output: Its path in `pdfs`, and below `data`.
            pdfs: Where it is.
            sha256: What it must be, in hexadecimal digits.

        Raises:
            NotBaggedError: It is not what it was, or the bag's file system takes no such name.
            ServiceUnavailableError: The store does not answer any more.
            OSError: The bag cannot be written.
        """
        with self._incoming.open("wb") as copy:
            found = _copied(pdfs.pieces(output), copy)
            copy.flush()
            sync_file(copy.fileno())
            n_bytes = copy.tell()
        if found != sha256:
            raise NotBaggedError("differs from what was recorded")
        mtime_ns = pdfs.look(output).mtime_ns
        os.utime(self._incoming, ns=(mtime_ns, mtime_ns))
        self._place(output)
        self.n_bytes += n_bytes
        self.n_files += 1

    def _place(self, output: str) -> None:
        target = self._folder / output
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._incoming.rename(target)
        except OSError as error:
            if error.errno not in _NAME_REFUSED:
                raise
            reason = f"the bag's file system takes no such name ({error.strerror})"
            raise NotBaggedError(reason) from error

    def end(self) -> None:
        """Remove what is no payload; nothing can be added any more."""
        self._incoming.unlink(missing_ok=True)


def _copied(pieces: Iterator[bytes | memoryview], copy: BinaryIO) -> str:
    """Copy all bytes; returns their SHA-256."""
    digest = hashlib.sha256()
    while piece := _next(pieces):
        digest.update(piece)
        copy.write(piece)
    return digest.hexdigest()


def _next(pieces: Iterator[bytes | memoryview]) -> bytes | memoryview:
    """Return the next piece, an empty one at the end."""
    try:
        return next(pieces, b"")
    except OutputError as error:
        raise NotBaggedError(unread_reason(error)) from error
