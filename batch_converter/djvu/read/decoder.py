"""djvu-rs, one layer at a time.

It is handed small documents built from a page's own chunks, never the file: so
memory is that of a page, a damaged page harms no other, and each layer (mask,
background, foreground, text) is decoded by itself at its own resolution.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import djvu_rs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_UPRIGHT_INFO_TAIL: Final = b"\x1a\x00\x2c\x01\x16\x01"

_WAVELETS: Final = frozenset({"BG44", "FG44"})
_OLD_HEAD_BYTES: Final = 8
_MINOR_AT: Final = 3
_DELAYING_VERSION: Final = 2
_NO_DELAY: Final = b"\x80"


class PageError(Exception):
    """A page, or a layer of it, cannot be decoded; the message names no content."""


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Turn djvu-rs's errors, and a Rust panic, into `PageError`.

    A panic arrives as a `BaseException` whose class cannot be imported.
    """
    try:
        yield
    except djvu_rs.Error as error:
        raise PageError(f"its {what} is damaged") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise PageError(f"its {what} breaks the decoder") from error


def open_page(
    chunks: Iterable[tuple[str, bytes]], *, width: int, height: int, info: bytes = b""
) -> djvu_rs.Page:
    """Open the only page of a document made from these chunks; see `open_document`."""
    return open_document(chunks, width=width, height=height, info=info).page(0)


def open_document(
    chunks: Iterable[tuple[str, bytes]], *, width: int, height: int, info: bytes = b""
) -> djvu_rs.Document:
    """Build a single-page document of given size, upright, and open it.

    The gamma is taken over from `info`, the data of the page's own `INFO`.
    """
    gamma = info[8:9] or _UPRIGHT_INFO_TAIL[4:5]
    head = struct.pack(">HH", width, height) + _UPRIGHT_INFO_TAIL[:4] + gamma + b"\x01"
    layers = ((kind, _current(data) if kind in _WAVELETS else data) for kind, data in chunks)
    body = b"DJVU" + _packed("INFO", head) + b"".join(_packed(k, d) for k, d in layers)
    return djvu_rs.Document.from_bytes(b"AT&T" + _packed("FORM", body))


def _current(wavelets: bytes) -> bytes:
    """Return a chunk of wavelets with the head that djvu-rs takes all to have.

    Before version 1.2 the first had no octet for a delay of chrominance, which there was
    not. That is DjVuLibre's reading; the specification knows 1.2 alone (10.3).
    """
    is_first = wavelets[:1] == b"\0" and len(wavelets) >= _OLD_HEAD_BYTES
    if not is_first or wavelets[_MINOR_AT] >= _DELAYING_VERSION:
        return wavelets
    head = wavelets[:_MINOR_AT] + bytes([_DELAYING_VERSION]) + wavelets[4:_OLD_HEAD_BYTES]
    return head + _NO_DELAY + wavelets[_OLD_HEAD_BYTES:]


def _packed(kind: str, data: bytes) -> bytes:
    return kind.encode("ascii") + struct.pack(">I", len(data)) + data + b"\0" * (len(data) & 1)
