"""Why a source stays where it is although it was to be moved. Blocks."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batch_converter.errors import FileError
from batch_converter.naming import is_djvu_name
from batch_converter.storage import is_same_place

if TYPE_CHECKING:
    from batch_converter.djvu.work.inspection import DjvuInspector
    from batch_converter.ledger import Keepable, Move
    from batch_converter.orchestrator.moving_groups import FolderView, MovingGroup
    from batch_converter.output import OutputStore

_KINDS: Final = {
    stat.S_IFREG: "is empty",
    stat.S_IFLNK: "is a link",
    stat.S_IFDIR: "is a folder",
    stat.S_IFIFO: "is a named pipe",
}


class Obstacles:
    """Looks at files that are to be moved together.

    Args:
        pdfs: Where their PDFs are.
        sharded: Whether files that this ledger does not know may be another machine's.
    """

    THERE: Final = "it lies there already"
    """Of a source that was named and is where it would go: nothing need be said."""

    def __init__(self, pdfs: OutputStore, *, sharded: bool) -> None:
        self._pdfs = pdfs
        self._sharded = sharded
        self._given: set[str] = set()

    def forget(self) -> None:
        """Forget which names were given away: all of them are taken by now, or free again."""
        self._given.clear()

    def of(self, group: MovingGroup, view: FolderView, inspector: DjvuInspector) -> str | None:
        """Return the first thing that keeps files from being moved, in words; None for nothing.

        Where nothing does, their new names are given away: whoever comes second stays.
        """
        reason = self._of_relatives(group, view)
        for item in group.documents:
            reason = reason or self._of_document(item, inspector)
        for move in group.moves:
            reason = reason or self._of_file(move)
        if reason is None:
            self._given |= {move.target for move in group.moves}
        return reason

    def _of_relatives(self, group: MovingGroup, view: FolderView) -> str | None:
        """An index and its parts are not torn apart, and none goes that is yet to be converted."""
        if group.kin is None:
            return None
        waiting = (group.kin.indexes | (view.documents & group.kin.files)) - view.keepable.keys()
        if self._sharded:
            known = view.documents | view.keepable.keys()
            waiting |= {path for path in group.kin.files - known if is_djvu_name(path)}
        if not waiting:
            return None
        names = ", ".join(sorted(os.path.basename(path) for path in waiting)[:3])  # noqa: PTH119  # bytes kept
        return f"it belongs to an indirect document of which {names} is not converted here"

    def _of_document(self, item: Keepable, inspector: DjvuInspector) -> str | None:
        if not item.is_converted:
            return None
        if _has_changed(item, inspector):
            return "it has changed since it was converted"
        if self._pdfs.look(item.output).size_bytes != item.pdf_bytes:
            return f"{self._pdfs.address(item.output)} is not the PDF that was made of it"
        return None

    def _of_file(self, move: Move) -> str | None:
        source, target = Path(move.source), Path(move.target)
        try:
            status = source.lstat()
        except OSError as error:
            return f"{source} cannot be looked at: {error.strerror}"
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "is no file")
            return f"{source} {kind}; only files with contents are moved"
        return self._of_target(source, target)

    def _of_target(self, source: Path, target: Path) -> str | None:
        if is_same_place(source, target):
            return self.THERE
        if os.fspath(target) in self._given:
            return f"another source goes to {target}"
        if os.path.lexists(target):
            return f"{target} is there already; move it away, or give another folder"
        return None


def _has_changed(item: Keepable, inspector: DjvuInspector) -> bool:
    try:
        status = os.stat(item.path)  # noqa: PTH116  # a path as str, its bytes kept
        if (status.st_size, status.st_mtime_ns) != (item.size_bytes, item.mtime_ns):
            return True
        if item.parts_fingerprint is None:
            return False
        return inspector.parts_fingerprint(item.path) != item.parts_fingerprint
    except (OSError, FileError):
        return True
