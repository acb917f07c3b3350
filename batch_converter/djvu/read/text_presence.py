"""Whether a document has words in its text layer, as far as that is cheap to tell.

Many programs write a text chunk for every page, also for those where nothing was
recognised: a chunk that is there says little, what is in it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.read.bzz import BzzError, decompress
from batch_converter.djvu.read.iff import Chunk, open_source, read_top_form, walk
from batch_converter.djvu.read.inspect import inspect
from batch_converter.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.djvu.read.iff import ByteSource

_TEXT_KINDS: Final = frozenset({"TXTa", "TXTz"})
_MAX_CHUNKS: Final = 1_000_000
_TELLING_BYTES: Final = 4096
"""A packed text that is longer is not empty: white space packs to less."""

_MAX_TEXT_BYTES: Final = 1 << 20
_DECODED_BYTES: Final = 64 << 10
"""What is decoded at most, packed: half a second's work. Empty chunks are some 20 bytes each."""


def has_words(path: str, *, bundled_only: bool = False) -> bool:
    """Whether any page has text that is more than white space; blocking.

    A chunk that cannot be decoded says nothing, and so does a document that cannot be read.
    """
    try:
        parts = inspect(path, bundled_only=bundled_only).parts
        return any(_has_words(part) for part in parts or (path,))
    except FileError:
        return False


def _has_words(path: str) -> bool:
    left_bytes = _DECODED_BYTES
    with open_source(path) as source:
        form = read_top_form(source)
        for chunk in _text_chunks(source, form):
            left_bytes -= chunk.end - chunk.start
            if _is_text(source, chunk):
                return True
            if left_bytes < 0:
                break
    return False


def _text_chunks(source: ByteSource, form: Chunk) -> Iterator[Chunk]:
    """Yield the text chunks of the pages: of the document itself, or one level down."""
    for chunk in walk(source, form.start, form.end, max_chunks=_MAX_CHUNKS):
        if chunk.kind == "FORM:DJVU":
            inner = walk(source, chunk.start, chunk.end, max_chunks=_MAX_CHUNKS)
            yield from (part for part in inner if part.kind in _TEXT_KINDS)
        elif chunk.kind in _TEXT_KINDS:
            yield chunk


def _is_text(source: ByteSource, chunk: Chunk) -> bool:
    """Look into a chunk: 3 bytes of length, then the text (DjVu3 spec 8.3.5)."""
    if chunk.end - chunk.start > _TELLING_BYTES:
        return True
    data = source.at(chunk.start, chunk.end - chunk.start)
    if chunk.kind == "TXTz":
        try:
            data = decompress(data, max_bytes=_MAX_TEXT_BYTES)
        except BzzError:
            return False
    length = int.from_bytes(data[:3], "big")
    return bool(data[3 : 3 + length].strip(b"\0\t\n\v\f\r \x1d\x1e\x1f"))
