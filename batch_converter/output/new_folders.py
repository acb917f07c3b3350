"""Folders that a run makes below its output folder: those in which no PDF comes to lie go again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from batch_converter.storage import make_subfolder, missing_folders

if TYPE_CHECKING:
    from pathlib import Path


class NewFolders:
    """Remembers what it has made until a PDF stands there; for threads. All methods block.

    Args:
        root: The output folder, which is neither made nor removed here.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: set[Path] = set()
        self._lock = threading.Lock()

    def make(self, folder: Path) -> None:
        """Create a folder with what is missing on the way to it, durably.

        Raises:
            FileNotFoundError: The root is gone, and its disk perhaps with it.
            OSError: The folder cannot be made.
        """
        with self._lock:
            below = {path for path in missing_folders(folder) if self._root in path.parents}
            self._made |= below  # before: of several some may be made, and the next not
            make_subfolder(folder, root=self._root)

    def keep(self, folder: Path) -> None:
        """A PDF stands in the folder: neither it nor what leads to it is removed any more."""
        if folder in self._made:
            with self._lock:
                self._made -= {folder, *folder.parents}

    def remove_empty(self, folder: Path) -> None:
        """Remove the folder and those above it that were made here, as far as they are empty."""
        if folder not in self._made:
            return
        with self._lock:
            while folder in self._made and _is_removed(folder):
                self._made.discard(folder)
                folder = folder.parent


def _is_removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False  # another document's part is there, or somebody's file
    return True
