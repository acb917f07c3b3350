"""A bag's tag files: hashed as they are written, for the manifest of tag files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Self

from batch_converter.storage import sync_file

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class TagFile:
    """A new text file in UTF-8, on disk when it is closed without an error."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._file = path.open("xb")
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._file:
            if exc is None:
                self._file.flush()
                sync_file(self._file.fileno())

    @property
    def sha256(self) -> str:
        """Of what was written so far, in hexadecimal digits."""
        return self._hash.hexdigest()

    def write(self, text: str) -> None:
        """Append text."""
        data = text.encode()
        self._hash.update(data)
        self._file.write(data)


def write_tag_file(path: Path, text: str) -> TagFile:
    """Write a whole tag file."""
    with TagFile(path) as file:
        file.write(text)
    return file
