"""Is there any text in a PDF? The first that is found ends the search.

Only content streams that are stored plainly or by Flate alone are looked into, which is
how nearly all are; no more of each is unpacked than is looked at.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Final

import pikepdf

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAM_BYTES: Final = 1 << 20
_PACKED_BYTES: Final = 4 << 20
_ALL_BYTES: Final = 64 << 20
_LEAST_COST_BYTES: Final = 512
_MAX_DEPTH: Final = 12
_SHOWS: Final = re.compile(rb"[)>\]]\s*(?:T[jJ]|['\"])(?=[\s\[\](<>/%]|$)")
"""The end of an operand and an operator that shows text (ISO 32000-2, 9.4.3)."""

_IMAGE_DATA: Final = re.compile(rb"(?<![^\s/\]>)])ID\s")
_IMAGE_END: Final = re.compile(rb"\sEI(?=\s|$)")
_LETTERS: Final = re.compile(rb"\((?!\))|<\s*[0-9A-Fa-f]")
_LONGEST_OPERAND_BYTES: Final = 1 << 16


class TextSearch:
    """Goes through pages and the forms that they draw, as far as its bounds allow."""

    def __init__(self, pdf: pikepdf.Pdf) -> None:
        self._pdf = pdf
        self._left_bytes = _ALL_BYTES
        self._is_complete = True
        self._seen: set[tuple[int, int]] = set()

    def finds_none(self) -> bool:
        """Whether everything was looked at and there is no text."""
        for page in self._pdf.pages:
            if self._in_page(page.obj):
                return False
            if self._left_bytes <= 0:
                return False
        return self._is_complete

    def _in_page(self, page: pikepdf.Object) -> bool:
        content = b"\n".join(self._data(stream) for stream in _contents(page))
        return shows_text(content) or self._in_forms(page.get("/Resources"), _MAX_DEPTH)

    def _in_forms(self, resources: object, depth: int) -> bool:
        return any(
            shows_text(self._data(form)) or self._in_forms(form.get("/Resources"), depth - 1)
            for form in self._forms(resources, depth)
        )

    def _forms(self, resources: object, depth: int) -> Iterator[pikepdf.Object]:
        objects = resources.get("/XObject") if isinstance(resources, pikepdf.Dictionary) else None
        if not isinstance(objects, pikepdf.Dictionary):
            return
        if depth <= 0:
            self._is_complete = False
            return
        for _, item in objects.items():  # noqa: PERF102  # pikepdf's dictionaries have no values()
            if _is_form(item) and item.objgen not in self._seen:
                self._seen.add(item.objgen)
                yield item

    def _data(self, stream: pikepdf.Object) -> bytes:
        """Return the beginning of a content stream, unpacked; empty where it is out of reach."""
        self._left_bytes -= _LEAST_COST_BYTES
        packed_bytes = int(stream.get("/Length", 0))
        packing = _packing(stream)
        if packing is None or packed_bytes > _PACKED_BYTES or self._left_bytes <= 0:
            self._is_complete = False
            return b""
        raw = stream.read_raw_bytes()
        data, is_all = _inflated(raw) if packing else _beginning(raw)
        self._is_complete &= is_all
        self._left_bytes -= len(data)
        return data


def _is_form(item: pikepdf.Object) -> bool:
    return isinstance(item, pikepdf.Stream) and item.get("/Subtype") == "/Form"


def _contents(page: pikepdf.Object) -> list[pikepdf.Object]:
    contents = page.get("/Contents")
    parts = contents.as_list() if isinstance(contents, pikepdf.Array) else [contents]
    return [part for part in parts if isinstance(part, pikepdf.Stream)]


def _packing(stream: pikepdf.Object) -> str | None:
    """Return the stream's only filter, empty for none; None where there are others."""
    filters = stream.get("/Filter")
    if filters is None:
        return ""
    names = filters.as_list() if isinstance(filters, pikepdf.Array) else [filters]
    if not names:
        return ""
    is_flate = len(names) == 1 and names[0] in ("/FlateDecode", "/Fl")
    return "/FlateDecode" if is_flate and stream.get("/DecodeParms") is None else None


def _beginning(raw: bytes) -> tuple[bytes, bool]:
    return raw[:_STREAM_BYTES], len(raw) <= _STREAM_BYTES


def _inflated(raw: bytes) -> tuple[bytes, bool]:
    """Unpack what is looked at, and say whether that is all; of a damaged stream it is not."""
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(raw, _STREAM_BYTES)
    except zlib.error:
        return b"", False
    return data, unpacking.eof or not raw  # an empty page may be packed as nothing at all


def shows_text(content: bytes) -> bool:
    """Whether a content stream shows at least one character, visible or not.

    What looks so inside an inline image would be taken for text, so those are left out.
    """
    content = b" ".join(_around_images(content))
    return any(_has_letters(content, found.start()) for found in _SHOWS.finditer(content))


def _around_images(content: bytes) -> Iterator[bytes]:
    place = 0
    while begun := _IMAGE_DATA.search(content, place):
        ended = _IMAGE_END.search(content, begun.end())
        if ended is None:
            break
        yield content[place : begun.start()]
        place = ended.end()
    yield content[place:]


def _has_letters(content: bytes, end: int) -> bool:
    """Whether the operand that ends there has a character: `()`, `<>` and `[() -20]` have none."""
    if content[end : end + 1] == b")":
        return content[end - 1 : end] != b"(" or content[end - 2 : end - 1] == b"\\"
    opening = b"<" if content[end : end + 1] == b">" else b"["
    begun = content.rfind(opening, max(0, end - _LONGEST_OPERAND_BYTES), end)
    return begun < 0 or _LETTERS.search(content, begun, end + 1) is not None
