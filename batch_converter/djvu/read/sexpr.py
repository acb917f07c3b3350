r"""The parenthesised language of DjVu annotations: lists, strings, bare words.

djvu-rs reads it too, but loses octal escapes, in which DjVuLibre writes every
letter that is not ASCII. A text in which some string has an escape that does not
exist, or a control character, is of a program that knew no escape but that of a
quote, and is read so, as DjVuLibre does: `"C:\docs"` means what it says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Expression = str | list["Expression"]

_TOKEN: Final = re.compile(
    rb"(?P<blank>(?:[\s\0]|;[^\n]*)++)"
    rb"|(?P<mark>[()])"
    rb'|"(?P<string>(?:[^"\\]|\\.)*+)"'
    rb'|"(?P<open>.*)'
    rb'|\|(?P<quoted>[^|()"\n]*+)\|'
    rb'|(?P<word>[^\s\0()"]++)',
    re.DOTALL,
)
_ESCAPE: Final = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_QUOTE: Final = re.compile(rb'\\(")')
_FOREIGN: Final = re.compile(rb'\A(?:[^\\\x00-\x1f\x7f]|\\[0-7abtnvfr"\\])*+.', re.DOTALL)
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
_MAX_TOKENS: Final = 1_000_000


class ExpressionError(ValueError):
    """The text is not well formed; `found` is what could be read, unclosed lists included."""

    def __init__(self, found: list[Expression]) -> None:
        super().__init__("not well formed")
        self.found = found


class TooManyExpressionsError(ExpressionError):
    """The text has more words and lists than are held; `found` is its beginning."""


def parse(data: bytes, text: Callable[[bytes], str]) -> list[Expression]:
    """Read all expressions; words and strings alike become `str`, by way of `text`.

    Raises:
        TooManyExpressionsError: There are more than a million words and parentheses.
        ExpressionError: A list or a string does not end, or ends twice.
    """
    nesting = _Nesting()
    escape = _QUOTE if _is_without_escapes(data) else _ESCAPE
    for count, (kind, token) in enumerate(_tokens(data)):
        if count >= _MAX_TOKENS:
            raise TooManyExpressionsError(nesting.top)
        if kind == "mark":
            nesting.mark(token)
        else:
            plain = escape.sub(_unescaped, token) if kind == "string" else token
            nesting.open_lists[-1].append(text(plain))
    if not nesting.balanced or len(nesting.open_lists) > 1:
        raise ExpressionError(nesting.top)
    return nesting.top


class _Nesting:
    """Lists within lists, as far as they are open."""

    def __init__(self) -> None:
        self.top: list[Expression] = []
        self.open_lists = [self.top]
        self.balanced = True

    def mark(self, parenthesis: bytes) -> None:
        """Open or close a list; one that was never opened is passed over."""
        if parenthesis == b"(":
            opened: list[Expression] = []
            self.open_lists[-1].append(opened)
            self.open_lists.append(opened)
            if len(self.open_lists) > _MAX_DEPTH:
                raise ExpressionError(self.top)
        elif len(self.open_lists) > 1:
            self.open_lists.pop()
        else:
            self.balanced = False


def _tokens(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what stands there and its kind; a string without an end ends the text."""
    for match in _TOKEN.finditer(data):
        kind = match.lastgroup or ""
        if kind == "open":
            yield "mark", b"("  # a list that nothing closes: that is what the flaw is told by
        elif kind != "blank":
            yield kind, match[kind]


def _is_without_escapes(data: bytes) -> bool:
    return b"\\" in data and any(
        kind == "string" and _FOREIGN.match(token) for kind, token in _tokens(data)
    )


def _unescaped(match: re.Match[bytes]) -> bytes:
    escaped = match[1]
    if escaped.isdigit() and escaped < b"8":
        return bytes([int(escaped, 8) & 0xFF])
    return _NAMED_ESCAPES.get(escaped, escaped)
