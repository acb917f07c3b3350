"""Bytes of a DjVu as letters: UTF-8, or an older encoding that somebody names, or bytes.

The format asks for UTF-8; programs of the 1990s and the systems around them wrote
what their code page gave. Nothing here fails and nothing becomes U+FFFD: a byte that
is no letter in any named encoding keeps its number, as Latin-1 reads it, so that
whoever knows the encoding can still tell what was meant.
"""

from __future__ import annotations

import codecs
from typing import Final

_SHIFTED: Final = {"iso2022": b"\x1b", "hz": b"~{"}
_KEEP_BYTES: Final = "batch_converter.keep_bytes"
_SURROGATES: Final = range(0xD800, 0xE000)


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
    """

    def __init__(self, encoding: str = "") -> None:
        self.encoding = encoding
        self.unsure = 0
        self._shift = next((m for k, m in _SHIFTED.items() if encoding.startswith(k)), b"")

    def text(self, raw: bytes) -> str:
        """Return a text; every byte of it is a letter, or part of one."""
        if self._shift and self._shift in raw:
            return self._in_old_encoding(raw)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return self._in_old_encoding(raw)

    def name(self, escaped: str) -> str:
        """Return the text of a directory's name, which holds undecodable bytes as surrogates."""
        return self.text(escaped.encode("utf-8", "surrogateescape"))

    def warnings(self) -> list[str]:
        """Return what a sentence on a place "holds" that was not sure, or nothing."""
        if not self.unsure:
            return []
        texts = "1 text" if self.unsure == 1 else f"{self.unsure} texts"
        return [f"{texts} in no known encoding, read as Latin-1 (local.encoding can name it)"]

    def _in_old_encoding(self, raw: bytes) -> str:
        if self.encoding:
            try:
                return _without_surrogates(raw.decode(self.encoding))
            except UnicodeDecodeError:
                self.unsure += 1
                return _without_surrogates(raw.decode(self.encoding, _KEEP_BYTES))
        self.unsure += 1
        return raw.decode("latin-1")


def _without_surrogates(text: str) -> str:
    return "".join(c for c in text if ord(c) not in _SURROGATES)
