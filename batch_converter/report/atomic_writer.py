"""Writes files that appear whole or not at all, in the place of an older one."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from batch_converter.errors import OutputError, UsageError
from batch_converter.fault_points import reach
from batch_converter.storage import (
    check_takes_names,
    make_folder,
    nearest_folder,
    new_part,
    sync_file,
    sync_folder,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STANDARD_STREAMS: Final = frozenset({"/dev/stdout", "/dev/stderr"})
_DESCRIPTORS: Final = ("/proc/", "/dev/fd")  # Linux, and where there is no /proc


@contextmanager
def replacing(path: Path, what: str) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends without an error.

    It is on disk before it gets its name, and the name is before this returns;
    after an error the old file stands as it was. What a process that was killed left of
    the same file goes. Missing folders are made. A link
    stays a link to the new file; a pipe or a device is written as it comes.

    Raises:
        OutputError: It cannot be written; the message names `what` and the path.
    """
    try:
        with _directly(path) if _is_stream(path) else _beside(path) as file:
            yield file
    except OSError as error:
        msg = f"cannot write the {what} {path}: {error.strerror}"
        raise OutputError(msg) from error


def ensure_writable(path: Path, what: str, *, changes_nothing: bool = False) -> None:
    """Check that `replacing` will be able to write `path`, before a run depends on it.

    Args:
        path: Where the file goes.
        what: How messages name it.
        changes_nothing: Whether to look alone, for a dry run: no folder is made, and
            no file is tried out.

    Raises:
        UsageError: It will not.
    """
    try:
        if path.is_dir():
            os.open(path, os.O_WRONLY)  # asks the system for its own words
        if not _is_stream(path):
            (_look_at if changes_nothing else _try_out)(Path(os.path.realpath(path)))
    except OSError as error:
        msg = f"cannot write the {what} {path}: {error.strerror}"
        raise UsageError(msg) from error


def _try_out(target: Path) -> None:
    part, descriptor = _new_part(target)
    try:
        part.unlink()
    finally:
        os.close(descriptor)


def _look_at(target: Path) -> None:
    folder = nearest_folder(target.parent)
    missing = target.relative_to(folder).parts
    if len(missing) > 1 and os.path.lexists(folder / missing[0]):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    check_takes_names(folder)


def ensure_apart(files: Iterable[tuple[Path, str]]) -> None:
    """Check that no two files are to be written at one place: the second would replace the first.

    Args:
        files: Where each goes, and how messages name it.

    Raises:
        UsageError: Two are; pipes and devices may take several.
    """
    taken: dict[str, str] = {}
    for path, what in files:
        if _is_stream(path):
            continue
        other = taken.setdefault(os.path.realpath(path), what)
        if other != what:
            raise UsageError(f"{path} is to be the {what} and the {other}: give each its own file")


def _is_stream(path: Path) -> bool:
    """Whether the path leads to something that cannot be replaced by a file."""
    if str(path) in _STANDARD_STREAMS or os.path.realpath(path.parent).startswith(_DESCRIPTORS):
        return True  # a descriptor, whatever is behind it
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode)


@contextmanager
def _directly(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        yield file


@contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    target = Path(os.path.realpath(path))
    part, descriptor = _new_part(target)
    with os.fdopen(descriptor, "wb") as file:  # which keeps the part's lock to its end
        try:
            yield file
            file.flush()
            sync_file(file.fileno())
            reach("report.written")
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    reach("report.named")
    sync_folder(target.parent)


def _new_part(target: Path) -> tuple[Path, int]:
    try:
        make_folder(target.parent)
    except FileExistsError:  # the system's word for a file in a folder's place
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    return new_part(target)
