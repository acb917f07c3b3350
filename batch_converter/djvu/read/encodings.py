"""Bytes of a DjVu as letters: UTF-8, or an older encoding that somebody names, or bytes.

The format asks for UTF-8; programs of the 1990s and the systems around them wrote
what their code page gave. Nothing here fails and nothing becomes U+FFFD: a byte that
is no letter in any named encoding keeps its number, as Latin-1 reads it, so that
whoever knows the encoding can still tell what was meant.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_SHIFTED: Final = {"iso2022": b"\x1b", "hz": b"~{"}
_KEEP_BYTES: Final = "batch_converter.keep_bytes"
_SURROGATES: Final = range(0xD800, 0xE000)
_SEQUENCE: Final = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_HIGH: Final = re.compile(rb"[\x80-\xff]")
_SEQUENCES_A_STRAY_BYTE: Final = 4


def _kept(error: UnicodeError) -> tuple[str, int]:
    """Read one undecodable byte as Latin-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return chr(error.object[error.start]), error.start + 1


codecs.register_error(_KEEP_BYTES, _kept)


class Letters:
    """Reads the texts of one place of a document, and counts the ones it was not sure of.

    Attributes:
        encoding: What texts are in that are not UTF-8; empty where nobody has said.
        unsure: How many texts hold bytes that are letters in no known encoding.
        damaged: How many are UTF-8 but for single bytes.
    """

    def __init__(self, encoding: str = "") -> None:
        self.encoding = encoding
        self.unsure = 0
        self.damaged = 0
        self._shift = next((m for k, m in _SHIFTED.items() if encoding.startswith(k)), b"")

    def text(self, raw: bytes) -> str:
        """Return a text; every byte of it is a letter, or part of one."""
        return self.reader(raw)(raw)

    def reader(self, raw: bytes) -> Callable[[bytes], str]:
        """Return how a text is read, for who has to read pieces of it alike."""
        if self._shift and self._shift in raw:
            return self._old_reader(raw)
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            if not _is_damaged_utf8(raw):
                return self._old_reader(raw)
            self.damaged += 1
        return _utf8

    def name(self, escaped: str) -> str:
        """Return the text of a directory's name, which holds undecodable bytes as surrogates."""
        return self.text(escaped.encode("utf-8", "surrogateescape"))

    def warnings(self) -> list[str]:
        """Return what a sentence on a place "holds" that was not sure, or nothing."""
        told = []
        if self.unsure:
            how = "in no known encoding, read as Latin-1 (local.encoding can name it)"
            told.append(f"{_counted(self.unsure)} {how}")
        if self.damaged:
            told.append(f"{_counted(self.damaged)} with bytes that are no UTF-8, read as Latin-1")
        return told

    def _old_reader(self, raw: bytes) -> Callable[[bytes], str]:
        try:
            raw.decode(self.encoding or "ascii")
        except UnicodeDecodeError:
            self.unsure += 1
        return self._in_old_encoding

    def _in_old_encoding(self, raw: bytes) -> str:
        return _without_surrogates(raw.decode(self.encoding or "latin-1", _KEEP_BYTES))


def _utf8(raw: bytes) -> str:
    return raw.decode("utf-8", _KEEP_BYTES)


def _is_damaged_utf8(raw: bytes) -> bool:
    """Whether what is no UTF-8 was that: an older text has few sequences of it, by chance."""
    others, sequences = _SEQUENCE.subn(b"", raw)
    return sequences >= _SEQUENCES_A_STRAY_BYTE * max(1, len(_HIGH.findall(others)))


def _counted(texts: int) -> str:
    return "1 text" if texts == 1 else f"{texts} texts"


def _without_surrogates(text: str) -> str:
    return "".join(c for c in text if ord(c) not in _SURROGATES)
