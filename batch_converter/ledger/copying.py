"""A copy of the ledger, for what must not touch the ledger itself."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

from batch_converter.ledger.permissions import check_permission
from batch_converter.ledger.store import connect

if TYPE_CHECKING:
    from pathlib import Path


def copy_ledger(path: Path, folder: Path) -> None:
    """Copy the ledger, as it is at this moment, into a folder; a missing one is left out.

    Nothing beside it is touched, not even the files that SQLite's readers share, unless
    a run writes at this moment: only SQLite can tell then what belongs together.

    Raises:
        LedgerError: It cannot be used.
    """
    check_permission(path, path, read_only=True)
    if not path.exists():
        return
    copy = folder / path.name
    if _copy_at_rest(path, copy):
        connect(copy, read_only=False, told=path).close()
    else:
        _back_up(path, copy)


def _copy_at_rest(path: Path, copy: Path) -> bool:
    """Copy the ledger's files; says whether nobody changed them meanwhile."""
    files = {path: copy, _wal(path): _wal(copy)}
    before = [_look(file) for file in files]
    try:
        for file, target in files.items():
            if file.exists():
                shutil.copyfile(file, target)
    except OSError:
        return False
    return before == [_look(file) for file in files]


def _look(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file does; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _wal(path: Path) -> Path:
    """Return where SQLite keeps what is not in the database itself yet."""
    return path.with_name(path.name + "-wal")


def _back_up(path: Path, copy: Path) -> None:
    """Copy a ledger that is being written to."""
    for file in (copy, _wal(copy)):
        file.unlink(missing_ok=True)
    source = connect(path, read_only=True)
    target = sqlite3.connect(copy)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
