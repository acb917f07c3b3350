"""A page's text chunk as djvu-rs reads it, and read again where it is in no UTF-8."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.read.bzz import BzzError, decompress
from batch_converter.djvu.read.decoder import PageError, decoding, open_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from djvu_rs import TextLayer, TextZone

    from batch_converter.djvu.draw.geometry import Geometry
    from batch_converter.djvu.read.encodings import Letters

_MAX_DEPTH: Final = 16
_MAX_TEXT_BYTES: Final = 16 << 20
_LENGTH_BYTES: Final = 3
_FEW_ODD_LETTERS: Final = 3
_ODD: Final = re.compile(r"[^\x00-\x7f]")
_LATIN_1_LETTER: Final = re.compile("[\u00c0-\u00ff]")
_OTHER_SCRIPT: Final = re.compile("[\u0370-\u1dff\u2e80-\ud7ff\uf900-\ufdff]")
"""Greek and what follows it, without punctuation, symbols and ligatures."""

_HALF_BASE: Final = 0x41
_HALVES: Final = (
    bytes(_HALF_BASE + (byte >> 4) for byte in range(256)),
    bytes(_HALF_BASE + (byte & 15) for byte in range(256)),
)


def read_layer(chunk: tuple[str, bytes], geometry: Geometry, letters: Letters) -> TextLayer | None:
    """Read the text and zones of a `TXTa` or `TXTz` chunk; None where it has none.

    Raises:
        PageError: It is damaged.
    """
    layer = _layer([chunk], geometry)
    if layer is not None and _may_be_no_utf8(layer["text"], letters.encoding):
        return _in_old_encoding(layer, chunk, geometry, letters)
    return layer


def _may_be_no_utf8(text: str, encoding: str) -> bool:
    """Whether a text has to be looked at byte by byte, which costs more than reading it.

    djvu-rs reads each byte that is no UTF-8 as Windows-1252, and says nothing. A named
    encoding counts instead. Where none is named, that is right for western texts; of another
    script it leaves nearly nothing but odd letters, or single ones between those of the script.
    """
    if text.isascii():
        return False
    if encoding:
        return True
    if _OTHER_SCRIPT.search(text):
        return _LATIN_1_LETTER.search(text) is not None
    return len(_ODD.findall(text)) * _FEW_ODD_LETTERS > len(text)


def _layer(chunks: Iterable[tuple[str, bytes]], geometry: Geometry) -> TextLayer | None:
    with decoding("text layer"):
        return open_page(chunks, width=geometry.width, height=geometry.height).text_layer()


def _in_old_encoding(
    layer: TextLayer, chunk: tuple[str, bytes], geometry: Geometry, letters: Letters
) -> TextLayer:
    """Read a layer again whose text is not UTF-8.

    djvu-rs knows which bytes are whose zone's, and is asked twice: for a text of the
    upper halves of the bytes, and for one of the lower halves.
    """
    kind, data = chunk
    try:
        plain = data if kind == "TXTa" else decompress(data, max_bytes=_MAX_TEXT_BYTES)
    except BzzError as error:
        raise PageError("its text layer is damaged") from error
    end = _LENGTH_BYTES + int.from_bytes(plain[:_LENGTH_BYTES], "big")
    raw = plain[_LENGTH_BYTES:end]
    if _is_utf8(raw):
        return layer
    upper, lower = (
        _layer([("TXTa", plain[:_LENGTH_BYTES] + raw.translate(half) + plain[end:])], geometry)
        for half in _HALVES
    )
    if upper is None or lower is None:
        return layer
    read = letters.reader(raw)
    return {
        "text": read(raw),
        "zones": _joined_zones(upper["zones"], lower["zones"], read, _MAX_DEPTH),
    }


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _joined_zones(
    upper: Sequence[TextZone],
    lower: Sequence[TextZone],
    read: Callable[[bytes], str],
    depth: int,
) -> list[TextZone]:
    if not depth:
        return []
    return [
        {
            **one,
            "text": read(_joined(one["text"], other["text"])),
            "children": _joined_zones(one["children"], other["children"], read, depth - 1),
        }
        for one, other in zip(upper, lower, strict=True)
    ]


def _joined(upper: str, lower: str) -> bytes:
    return bytes(
        (ord(u) - _HALF_BASE) << 4 | (ord(v) - _HALF_BASE)
        for u, v in zip(upper, lower, strict=True)
    )
