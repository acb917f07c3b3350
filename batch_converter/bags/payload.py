"""A bag's payload: PDFs copied below `data`, each compared with its digest on the way.

All functions block.
"""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING, Final

from batch_converter.storage import sync_file

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_PIECE_BYTES: Final = 1 << 20
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

    def add(self, output: str, pdf: Path, sha256: str) -> None:
        """Copy a PDF to where it belongs; the copy is on disk, though not its name.

        Args:
            output: Its path below `data`.
            pdf: Where it is.
            sha256: What it must be, in hexadecimal digits.

        Raises:
            NotBaggedError: It is not what it was, or the bag's file system takes no such name.
            OSError: The bag cannot be written.
        """
        with _opened(pdf) as source, self._incoming.open("wb") as copy:
            found = _copied(source, copy)
            status = os.fstat(source.fileno())
            copy.flush()
            sync_file(copy.fileno())
        if found != sha256:
            raise NotBaggedError("differs from what was recorded")
        os.utime(self._incoming, ns=(status.st_atime_ns, status.st_mtime_ns))
        n_bytes = self._incoming.stat().st_size
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


def _opened(pdf: Path) -> BinaryIO:
    try:
        if not pdf.is_file() and pdf.exists():  # a pipe would have us wait for whoever writes it
            raise NotBaggedError("is no file any more")
        return pdf.open("rb", buffering=0)
    except (FileNotFoundError, NotADirectoryError):
        raise NotBaggedError("missing") from None
    except OSError as error:
        raise NotBaggedError(f"cannot be read: {error.strerror}") from error


def _copied(source: BinaryIO, copy: BinaryIO) -> str:
    """Copy all bytes; returns their SHA-256."""
    digest = hashlib.sha256()
    while piece := _read(source):
        digest.update(piece)
        copy.write(piece)
    return digest.hexdigest()


def _read(source: BinaryIO) -> bytes:
    try:
        return source.read(_PIECE_BYTES)
    except OSError as error:
        raise NotBaggedError(f"cannot be read: {error.strerror}") from error
