"""Files that a run makes for itself and needs no longer than it lasts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from batch_converter.errors import UsageError
from batch_converter.storage.durable import make_folder

if TYPE_CHECKING:
    from pathlib import Path

_SUFFIX = ".part"


class ScratchFolder:
    """A folder in the state directory, whose lock the caller holds; nothing in it need last.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> int:
        """Make the folder and clear what dead runs left in it; blocks.

        Returns:
            How many files and folders were cleared.

        Raises:
            UsageError: It cannot be created or cleared.
        """
        try:
            make_folder(self.path)
            stale = [path for path in self.path.iterdir() if _SUFFIX in path.suffixes]
            for path in stale:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        except OSError as error:
            raise UsageError(f"{self.path} cannot be used: {error.strerror}") from error
        return len(stale)

    def file(self, name: str) -> Path:
        """Return the path of a file in it; made by the caller, and removed by whoever is done."""
        return self.path / f"{name}{_SUFFIX}"
