"""Reads lists of sources (`--files-from`), by line or by NUL, in the encodings that tools write."""

from __future__ import annotations

import errno
import os
import re
import select
import stat
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import anyio.from_thread

from batch_converter.discovery.sources import reason
from batch_converter.errors import UsageError
from batch_converter.foreign_text import BYTE_ORDER_MARK, foreign_encoding, marked_encoding, trimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STDIN: Final = 0
_NAMES_OF_STDIN: Final = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_CHUNK_BYTES: Final = 1 << 16
_GLANCE_S: Final = 0.1
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://")


def read_files_from(name: str, *, null: bool = False) -> Iterator[str]:
    """Read the names of sources from a file, or from standard input (`-`), as they come.

    Empty names are ignored. In lines, a byte order mark at the start of the list
    and one carriage return at the end of each line are dropped, since lists come
    from Windows too; white space at the ends of a name is dropped where that makes the
    name of a file, and belongs to the name where not. With `null` every byte but NUL
    belongs to a name.

    Raises:
        UsageError: The list cannot be opened, or is a file that is no such list (at
            once); or it cannot be read, or is no such list (while iterating).
    """
    if sys.stdin is None and name in _NAMES_OF_STDIN:
        raise UsageError(f"the list of files {name!r} cannot be read: standard input is closed")
    try:
        descriptor = _STDIN if name == "-" else _open(name)
    except (OSError, ValueError) as error:
        raise _unusable(name, error) from error
    try:
        _check_form(_peek(descriptor), name, null=null)
    except BaseException:
        _close(descriptor)
        raise
    return _listed(descriptor, name, null=null)


def _open(name: str) -> int:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return descriptor


def _unusable(name: str, error: OSError | ValueError) -> UsageError:
    return UsageError(f"the list of files {name!r} cannot be read: {reason(error)}")


def _peek(descriptor: int) -> bytes:
    """Return the beginning of a file that is to be read from here; of a pipe, nothing yet."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return b""
    with suppress(OSError):  # reading it says what is wrong
        return os.pread(descriptor, _CHUNK_BYTES, os.lseek(descriptor, 0, os.SEEK_CUR))
    return b""


def _check_form(beginning: bytes, name: str, *, null: bool) -> None:
    """Refuse what would be read as garbled names.

    Raises:
        UsageError: It is in another encoding, or its names end otherwise.
    """
    encoding = marked_encoding(beginning) if null else foreign_encoding(beginning)
    if encoding is not None:
        fault = f"it is {encoding} text; save it as UTF-8"
    elif b"\0" in beginning and not null:
        fault = "it holds NUL bytes; if they separate the names, say --null"
    else:
        return
    raise UsageError(f"the list of files {name!r} cannot be read: {fault}")


def _listed(descriptor: int, name: str, *, null: bool) -> Iterator[str]:
    separator = b"\0" if null else b"\n"
    check = partial(_check_form, name=name, null=null)
    try:
        for index, raw in enumerate(_pieces(descriptor, separator, check)):
            entry = _without_byte_order_mark(raw, null=null) if index == 0 else raw
            if wanted := os.fsdecode(entry) if null else _line(entry):
                yield wanted
    except OSError as error:
        raise _unusable(name, error) from error
    finally:
        _close(descriptor)


def _close(descriptor: int) -> None:
    if descriptor != _STDIN:
        os.close(descriptor)


def _without_byte_order_mark(raw: bytes, *, null: bool) -> bytes:
    """Take a byte order mark off the first name; of a name by NUL only where that is a file's."""
    name = raw.removeprefix(BYTE_ORDER_MARK)
    return raw if null and not os.path.lexists(name) else name


def _line(raw: bytes) -> str:
    """Return the name that a line means; the system has the last word on white space.

    It has none on addresses (`s3://…`): those are taken without.
    """
    name = os.fsdecode(raw.removesuffix(b"\r"))
    bare = trimmed(name)
    if _ADDRESS.match(bare):
        return bare
    if bare == name or os.path.lexists(name) or (bare and not os.path.lexists(bare)):
        return name
    return bare


def _pieces(descriptor: int, separator: bytes, check: Callable[[bytes], None]) -> Iterator[bytes]:
    """Cut what is read at each separator; its beginning is checked as soon as it is there."""
    rest, is_first = b"", True
    while chunk := _read(descriptor):
        if is_first:
            check(chunk)
            is_first = False
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
