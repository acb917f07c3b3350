"""Text from other programs: its encoding recognised, stray characters taken off.

Editors put byte order marks in front, shells and secret stores put line ends behind,
web pages put spaces between that are none. Settings, secrets and lists of files come
through here, so that all of them forgive the same things.
"""

from __future__ import annotations

import codecs
import os
from typing import TYPE_CHECKING, Final

from batch_converter.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

BYTE_ORDER_MARK: Final = codecs.BOM_UTF8
_MARKS: Final = (  # the longer ones first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_INVISIBLE: Final = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"
_SPACES_THAT_ARE_NONE: Final = "\u00a0\u2007\u202f\u3000" + _INVISIBLE
_MANY: Final = 0.4  # of the bytes at even, or at odd, places


def marked_encoding(beginning: bytes) -> str | None:
    """Name the encoding other than UTF-8 that a byte order mark tells."""
    return next((name for mark, name in _MARKS if beginning.startswith(mark)), None)


def foreign_encoding(beginning: bytes) -> str | None:
    """Name the encoding of text that is not of single bytes; None where nothing says so.

    Windows' tools write UTF-16, with a byte order mark or without; Latin letters then
    have a NUL at every other place. NULs alone say nothing: they may separate names.
    """
    if marked := marked_encoding(beginning):
        return marked
    even, odd = beginning[::2], beginning[1::2]
    halves = sorted((half.count(0) / max(1, len(half)) for half in (even, odd)), reverse=True)
    return "UTF-16" if halves[0] > _MANY and not halves[1] else None


def decoded(data: bytes) -> str:
    """Return UTF-8 text without its byte order mark.

    Raises:
        ValueError: It is something else; the message says what, and what to do.
    """
    if name := foreign_encoding(data):
        msg = f"it is {name} text; save it as UTF-8"
        raise ValueError(msg)
    try:
        return data.removeprefix(BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = f"it is not UTF-8 text (line {line}); save it as UTF-8"
        # `from None`: the cause holds the text, and the text may be a secret.
        raise ValueError(msg) from None


def read_text(path: Path, what: str, *, max_bytes: int) -> str:
    """Read a small file of UTF-8 text; a pipe is read to its end.

    Args:
        path: The file.
        what: How a message calls it, such as "the configuration file".
        max_bytes: More is refused: somebody named the wrong file, or a device.

    Raises:
        ConfigError: It cannot be read, is too long or not UTF-8.
    """
    try:
        return decoded(_whole(path, max_bytes))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"cannot read {what} {path}: {reason}") from error


def read_lines_of_names(path: Path, what: str, *, max_bytes: int) -> list[str]:
    """Read a small file of names, or of patterns for names, by lines; a pipe to its end.

    Names are bytes: those that are not UTF-8 come as `os.fsdecode` gives them. Of each
    line the carriage return at its end is dropped, of the first one the byte order mark.

    Args:
        path: The file.
        what: How a message calls it, such as "the patterns to exclude".
        max_bytes: More is refused: somebody named the wrong file, or a device.

    Raises:
        ConfigError: It cannot be read, is too long or no text of single bytes.
    """
    try:
        data = _of_single_bytes(_whole(path, max_bytes))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"cannot read {what} {path}: {reason}") from error
    lines = data.removeprefix(BYTE_ORDER_MARK).split(b"\n")
    return [os.fsdecode(line.removesuffix(b"\r")) for line in lines]


def _of_single_bytes(data: bytes) -> bytes:
    if name := foreign_encoding(data):
        msg = f"it is {name} text; save it as UTF-8"
        raise ValueError(msg)
    if b"\0" in data:
        raise ValueError("it holds NUL bytes; is it the right file?")
    return data


def _whole(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        msg = f"it has more than {max_bytes} bytes; is it the right file?"
        raise ValueError(msg)
    return data


def trimmed(text: str) -> str:
    """Take off white space and invisible characters at both ends, line ends among them."""
    kept = text.strip()
    while (less := kept.strip(_INVISIBLE + "\0").strip()) != kept:
        kept = less
    return kept


def odd_space(text: str) -> tuple[int, str] | None:
    """Find the first space that looks like one and is none: its line, and its code point."""
    for number, line in enumerate(text.split("\n"), 1):
        for char in line:
            if char in _SPACES_THAT_ARE_NONE:
                return number, f"U+{ord(char):04X}"
    return None
