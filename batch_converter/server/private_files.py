"""Files that hold secrets: closed to others from their first byte, replaced whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batch_converter.storage import new_part, sync_file, sync_folder

if TYPE_CHECKING:
    from pathlib import Path


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, durably; who reads it sees the old or the new.

    Where root writes for a service of another user, the file is that user's: the owner of
    the file that it replaces, else of the folder. Blocks.

    Raises:
        OSError: It cannot be written.
    """
    target = path.resolve()  # a link stays one
    part, descriptor = new_part(target, mode=0o600)
    with os.fdopen(descriptor, "wb") as file:  # which keeps the part's lock to its end
        try:
            give_to_owner_of(target, descriptor)
            file.write(data)
            file.flush()
            sync_file(descriptor)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    sync_folder(target.parent)


def give_to_owner_of(place: Path, file: int | Path) -> None:
    """Give a file that root has made to whom `place` belongs, or else the folder around it."""
    if os.geteuid() != 0:
        return
    owner = (place if place.exists() else place.parent).stat()
    os.chown(file, owner.st_uid, owner.st_gid)
