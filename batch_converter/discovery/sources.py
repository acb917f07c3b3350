"""The sources themselves: those on the command line, and lists of them."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.from_thread

from batch_converter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STDIN: Final = 0
_NAMES_OF_STDIN: Final = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_CHUNK_BYTES: Final = 1 << 16
_GLANCE_S: Final = 0.1
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def check_sources(sources: Iterable[str]) -> None:
    """Make sure that the sources named on the command line are there.

    Raises:
        UsageError: One does not exist or cannot be reached.
    """
    for source in sources:
        try:
            os.stat(source)  # noqa: PTH116  # Path("") would be the current folder
        except (OSError, ValueError) as error:
            raise UsageError(f"the source {source!r} cannot be used: {reason(error)}") from error


def absolute_path(given: str) -> str:
    """Make a source's path absolute; links are resolved only where `..` behind one needs it."""
    path = "/" + os.path.abspath(given).lstrip("/")  # noqa: PTH100  # resolves no links
    if ".." in given.split("/") and not _is_same(path, given):
        return os.path.realpath(given)
    return path


def _is_same(path: str, other: str) -> bool:
    try:
        return Path(path).samefile(other)
    except (OSError, ValueError):
        return False


def reason(error: OSError | ValueError) -> str:
    """Return the system's words for what is wrong with a path, without the path."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "the name holds a NUL byte; is it from a NUL-separated list (--null)?"


def read_files_from(name: str, *, null: bool = False) -> Iterator[str]:
    """Read the names of sources from a file, or from standard input (`-`), as they come.

    Empty names are ignored. In lines, a byte order mark at the start of the list
    and one carriage return at the end of each line are dropped, since lists come
    from Windows too; with `null` every byte but NUL belongs to a name.

    Raises:
        UsageError: The list cannot be opened (at once), or read (while iterating).
    """
    if sys.stdin is None and name in _NAMES_OF_STDIN:
        raise UsageError(f"the list of files {name!r} cannot be read: standard input is closed")
    if name == "-":
        return _listed(_STDIN, name, null=null)
    try:
        return _listed(_open(name), name, null=null)
    except (OSError, ValueError) as error:
        raise _unusable(name, error) from error


def _open(name: str) -> int:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return descriptor


def _unusable(name: str, error: OSError | ValueError) -> UsageError:
    return UsageError(f"the list of files {name!r} cannot be read: {reason(error)}")


def _listed(descriptor: int, name: str, *, null: bool) -> Iterator[str]:
    try:
        for index, raw in enumerate(_pieces(descriptor, b"\0" if null else b"\n")):
            entry = raw if null else _without_line_ending(raw, is_first=index == 0)
            if entry:
                yield os.fsdecode(entry)
    except OSError as error:
        raise _unusable(name, error) from error
    finally:
        if descriptor != _STDIN:
            os.close(descriptor)


def _without_line_ending(raw: bytes, *, is_first: bool) -> bytes:
    return (raw.removeprefix(_BYTE_ORDER_MARK) if is_first else raw).removesuffix(b"\r")


def _pieces(descriptor: int, separator: bytes) -> Iterator[bytes]:
    rest = b""
    while chunk := _read(descriptor):
        *whole, rest = (rest + chunk).split(separator)
        yield from whole
        if len(rest) > _CHUNK_BYTES:
            raise OSError(errno.ENAMETOOLONG, "a name of more than 64 KiB; is it a list of files?")
    yield rest


def _read(descriptor: int) -> bytes:
    """Read what is there; whoever waits for a slow writer can be called off."""
    while not select.select([descriptor], [], [], _GLANCE_S)[0]:
        with suppress(anyio.NoEventLoopError):  # in a plain thread nobody can
            anyio.from_thread.check_cancelled()
    return os.read(descriptor, _CHUNK_BYTES)
