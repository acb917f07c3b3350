"""Files moved to another folder so that they outlast a power loss: all of a group, or none.

Within a file system that is a rename; across file systems a copy that is flushed, read
again and compared before its source goes. No file is ever replaced: a name is taken by an
empty file of our own (`O_EXCL`) before anything gets it, so at each moment there is under
it nothing, that empty file, or all bytes.

All functions block: run them in a thread.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from batch_converter.fault_points import reach
from batch_converter.storage.durable import hash_file, make_folder, sync_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocation:
    """A file to be moved.

    Attributes:
        source: Where it is; no link.
        target: Where it goes.
        sha256: Of its bytes, where that is known: a copy that differs is none.
    """

    source: Path
    target: Path
    sha256: str | None = None


class Stage(Enum):
    """How far a move has come, by what the disk says."""

    WAITING = auto()
    COPIED = auto()
    MOVED = auto()
    OTHER = auto()
    """Both files are there, and they differ."""


class SourceChangedError(OSError):
    """A file is not what it was any more; nothing was moved."""


def relocate(files: Sequence[Relocation]) -> None:
    """Move files, all or none.

    Args:
        files: Of different names; none is empty, for that is what holds a name.

    Raises:
        FileExistsError: A name is taken; `filename` is that.
        SourceChangedError: One has changed while it was copied, or is not what was expected.
        OSError: One cannot be moved. What was moved has been moved back; where the disk
            did not let that happen either, `finish` goes on from there.
    """
    reserved: list[Path] = []
    try:
        for file in files:
            make_folder(file.target.parent)
            _reserve(file.target)
            reserved.append(file.target)
        reach("source.reserved")
        if not _are_renamed(files):
            _copy_and_remove(files)
    except BaseException:
        for target in reserved:
            _release(target)
        raise


def stage(file: Relocation) -> Stage:
    """Look how far a move has come that a process has died in, or has not begun yet.

    Raises:
        OSError: A file cannot be looked at.
    """
    if not os.path.lexists(file.source):
        return Stage.MOVED
    try:
        target_bytes = file.target.lstat().st_size
    except FileNotFoundError:
        return Stage.WAITING
    if not target_bytes:
        return Stage.WAITING
    return Stage.COPIED if _are_equal(file) else Stage.OTHER


def finish(files: Sequence[Relocation]) -> bool:
    """Bring to its end what a process that died had begun.

    Where it had moved nothing, nothing is moved: its empty files and copies go, and whoever
    calls decides anew. A source that differs from what stands in its place stays.

    Returns:
        Whether the files are where they belong.

    Raises:
        OSError: A file cannot be moved, or a disk is away.
    """
    stages = [stage(file) for file in files]
    for file in files:
        if _is_reserved(file.target):
            _part(file.target).unlink(missing_ok=True)
    if not {Stage.MOVED, Stage.COPIED} & set(stages):
        for file in files:
            _release(file.target)
        return False
    for file, found in zip(files, stages, strict=True):
        if found is Stage.WAITING:
            _release(file.target)
            relocate([file])
        elif found is Stage.COPIED:
            sync_folder(file.target.parent)
            file.source.unlink()
            sync_folder(file.source.parent)
    return True


def is_same_place(path: Path, other: Path) -> bool:
    """Whether two paths lead to one name in one folder, by whatever links or mounts."""
    if path.name != other.name:
        return False
    try:
        return path.parent.samefile(other.parent)
    except OSError:
        return False


def _reserve(target: Path) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))


def _release(target: Path) -> None:
    """Remove the empty file that held a name, if that is all there is."""
    if _is_reserved(target):
        target.unlink(missing_ok=True)


def _is_reserved(target: Path) -> bool:
    try:
        return not target.lstat().st_size
    except FileNotFoundError:
        return False


def _are_renamed(files: Sequence[Relocation]) -> bool:
    """Rename the files; False where they would have to go to another file system."""
    moved: list[Relocation] = []
    try:
        for file in files:
            file.source.rename(file.target)
            moved.append(file)
            reach("source.renamed")
    except OSError as error:
        if error.errno == errno.EXDEV and not moved:
            return False
        for file in reversed(moved):
            if not os.path.lexists(file.source):
                file.target.rename(file.source)
        raise
    _sync_folders(files)
    return True


def _copy_and_remove(files: Sequence[Relocation]) -> None:
    """Copy the files, give the copies their names, and only then remove the files."""
    placed: list[Path] = []
    parts = [_part(file.target) for file in files]
    try:
        statuses = [_copy(file, part) for file, part in zip(files, parts, strict=True)]
        reach("source.copied")
        for file, part in zip(files, parts, strict=True):
            part.replace(file.target)
            placed.append(file.target)
        for folder in {file.target.parent for file in files}:
            sync_folder(folder)
        reach("source.placed")
        _check_unchanged(files, statuses)
        files[0].source.unlink()
    except OSError:
        for path in (*parts, *placed):
            path.unlink(missing_ok=True)  # each is a copy: all sources are there
        raise
    reach("source.removed")
    for file in files[1:]:
        file.source.unlink()
    _sync_folders(files)


def _part(target: Path) -> Path:
    """Return where the copy is written: whoever holds the target's name, holds this one."""
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()
    return target.with_name(f".{digest[:32]}.part")


def _copy(file: Relocation, part: Path) -> os.stat_result:
    """Copy a file and read the copy again; returns what the file looked like before."""
    part.unlink(missing_ok=True)
    digest = hashlib.sha256()
    with file.source.open("rb") as source, part.open("xb") as copy:
        before = os.fstat(source.fileno())
        while piece := source.read(_PIECE_BYTES):
            digest.update(piece)
            copy.write(piece)
        reach("source.copying")
        copy.flush()
        with suppress(OSError):  # a file system that keeps no modes keeps the bytes all the same
            shutil.copystat(file.source, part)
        sync_file(copy.fileno())
    if file.sha256 not in {None, digest.hexdigest()}:
        raise SourceChangedError(errno.ESTALE, "its bytes are not those that were converted")
    if hash_file(part) != digest.hexdigest():
        raise OSError(errno.EIO, "the copy reads otherwise than it was written", os.fspath(part))
    return before


def _check_unchanged(files: Sequence[Relocation], before: Sequence[os.stat_result]) -> None:
    for file, then in zip(files, before, strict=True):
        now = file.source.stat()
        if (now.st_size, now.st_mtime_ns) != (then.st_size, then.st_mtime_ns):
            raise SourceChangedError(errno.ESTALE, "it changed while it was copied")


def _sync_folders(files: Sequence[Relocation]) -> None:
    """Bring the new names to the disk before the old ones are gone from it."""
    for folder in dict.fromkeys(
        [file.target.parent for file in files] + [file.source.parent for file in files]
    ):
        sync_folder(folder)


def _are_equal(file: Relocation) -> bool:
    same_size = file.source.stat().st_size == file.target.stat().st_size
    return same_size and hash_file(file.source) == hash_file(file.target)
