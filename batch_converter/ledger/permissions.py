"""Who may use a ledger: several users may share one, where modes and umask let them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from batch_converter.errors import LedgerError

if TYPE_CHECKING:
    from pathlib import Path

_SHARED: Final = ("-wal", "-shm")
"""SQLite's own files beside it; they are there while somebody has it open."""


def check_permission(path: Path, *, read_only: bool) -> None:
    """Tell a missing permission from damage, which is what SQLite's words would make of it.

    It opens for reading what it may not write, and complains of the first statement.

    Args:
        path: Of the ledger, which need not be there.
        read_only: Whether it is only to be read.

    Raises:
        LedgerError: This user may not; the message says who may and what to do.
    """
    wanted = os.R_OK if read_only else os.R_OK | os.W_OK
    for file in (path, *(path.with_name(path.name + suffix) for suffix in _SHARED)):
        if os.access(file, os.F_OK) and not os.access(file, wanted):
            raise LedgerError(_forbidden(file, path, "read" if read_only else "written"))
    way_in = os.X_OK if read_only else os.W_OK | os.X_OK
    if os.access(path.parent, os.F_OK) and not os.access(path.parent, way_in):
        raise LedgerError(_forbidden(path.parent, path, "read" if read_only else "written"))


def _forbidden(place: Path, ledger: Path, verb: str) -> str:
    wish, deed = ("g+r", "read") if verb == "read" else ("g+w", "write")
    if place == ledger.parent:
        wish += "x"
    return (
        f"the ledger {ledger} may not be {verb} by this user: permission denied on {place}"
        f"{_owner(place)}; nothing was touched. Run as its owner, or let a group that both users"
        f" are in {deed} it (chgrp, then chmod {wish} on the folder and all in it; umask 002"
        " keeps it so)"
    )


def _owner(place: Path) -> str:
    """Say whose it is, where that is known and has a name."""
    try:
        return f", which belongs to {place.owner()}"
    except (OSError, KeyError):
        return ""


def create(path: Path) -> None:
    """Make the file with the mode that the umask wants.

    SQLite's own is 0644 at most; it gives its other files the mode of this one.

    Raises:
        LedgerError: It cannot be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
    except OSError as error:
        raise LedgerError(f"the ledger {path} cannot be made: {error.strerror}") from error
