"""The parenthesised language of DjVu annotations: lists, strings, bare words.

djvu-rs reads it too, but loses octal escapes, in which DjVuLibre writes every
letter that is not ASCII.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

Expression = str | list["Expression"]

_TOKEN: Final = re.compile(rb'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s()"]+))', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_NAMED_ESCAPES: Final = {
    b"n": b"\n",
    b"t": b"\t",
    b"r": b"\r",
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"v": b"\v",
}
_MAX_DEPTH: Final = 64


class ExpressionError(ValueError):
    """The text is not well formed; `found` is what stood before the flaw."""

    def __init__(self, found: list[Expression]) -> None:
        super().__init__("not well formed")
        self.found = found


def parse(data: bytes) -> list[Expression]:
    """Read all expressions; words and strings alike become `str`.

    Raises:
        ExpressionError: A list or a string does not end, or ends twice.
    """
    top: list[Expression] = []
    open_lists = [top]
    for piece in _tokens(data, top):
        if piece == ")":
            open_lists.pop()
            if not open_lists:
                raise ExpressionError(top)
        elif isinstance(piece, bytes):
            open_lists[-1].append(piece.decode("utf-8", "replace"))
        else:
            opened: list[Expression] = []
            open_lists[-1].append(opened)
            open_lists.append(opened)
            if len(open_lists) > _MAX_DEPTH:
                raise ExpressionError(top)
    if len(open_lists) > 1:
        raise ExpressionError(top[:-1])
    return top


def _tokens(data: bytes, found: list[Expression]) -> Iterator[str | bytes]:
    """Yield parentheses as `str`, everything else as `bytes` without escapes."""
    place = 0
    end = len(data.rstrip(b"\0 \t\r\n\v\f"))
    while place < end:
        match = _TOKEN.match(data, place, end)
        if match is None:
            raise ExpressionError(found)
        place = match.end()
        parenthesis, string, word = match.groups()
        if parenthesis:
            yield cast("bytes", parenthesis).decode("ascii")
        else:
            yield _ESCAPE.sub(_unescaped, string) if string is not None else word


def _unescaped(match: re.Match[bytes]) -> bytes:
    escaped = match[1]
    if escaped.isdigit() and escaped < b"8":
        return bytes([int(escaped, 8) & 0xFF])
    return _NAMED_ESCAPES.get(escaped, escaped)
