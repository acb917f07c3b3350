"""Files and folders of this machine as a `SourceStore`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batch_converter.discovery import DiskWalk, absolute_path, check_sources
from batch_converter.storage import FileBytes, file_status

if TYPE_CHECKING:
    from collections.abc import Collection

    from batch_converter.discovery import Selection
    from batch_converter.sources.store import SourceInspector, SourceWalk
    from batch_converter.storage import SourceBytes, SourceStatus


class DiskSources:
    """The disk; see `SourceStore`.

    Args:
        inspector: Reads files by their paths.

    Attributes:
        inspector: The same: a document here has a path already.
    """

    def __init__(self, inspector: SourceInspector) -> None:
        self.inspector = inspector

    def check(self, given: str) -> None:
        """Make sure that a file or folder is there."""
        check_sources((given,))

    def root(self, given: str) -> str | None:
        """Return the absolute path of a folder."""
        return absolute_path(given) if os.path.isdir(given) else None  # noqa: PTH112  # bytes kept

    def walk(self, selection: Selection, *, excluded_dirs: Collection[str]) -> SourceWalk:
        """Begin a search through files and folders."""
        return DiskWalk(selection, excluded_dirs)

    def exists(self, path: str) -> bool:
        """Whether there is a file, or a link, wherever that leads."""
        return os.path.lexists(path)

    def status(self, path: str) -> SourceStatus:
        """Look at a file."""
        return file_status(path)

    def open(self, path: str) -> SourceBytes:
        """Open a file."""
        return FileBytes(path)

    def give_up(self) -> None:
        """Nothing takes long."""
