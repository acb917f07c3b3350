"""The chunks of one page, and what a broken one costs.

Behind a chunk whose length is wrong nobody knows what was there. Where a text layer or
annotations have it, and nothing of the picture can be behind, the page is kept and the loss
is told; else the page is lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.read.iff import walk

if TYPE_CHECKING:
    from batch_converter.djvu.read.iff import ByteSource, Chunk

CUT_OFF: Final = "it is cut off"
TOO_MANY_CHUNKS: Final = "it has more chunks than any page needs"
MAX_CHUNKS: Final = 1 << 16
PICTURE_KINDS: Final = frozenset(
    {"Sjbz", "Smmr", "BG44", "FG44", "BGjp", "FGjp", "BG2k", "FG2k", "BM44", "PM44"}
)
"""Chunks that draw something by themselves."""

_ASKS_FOR_SHAPES: Final = range(0x10, 0x18)
_MAX_SEARCHED_BYTES: Final = 16 << 20
_BESIDE_THE_PICTURE: Final = {
    "TXTa": "text layer",
    "TXTz": "text layer",
    "ANTa": "annotations",
    "ANTz": "annotations",
}
_OF_THE_PICTURE: Final = re.compile(b"INFO|INCL|Djbz|Sjbz|Smmr|FGbz|[BF]G(?:44|jp|2k)|[BP]M44")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageForm:
    """A page's chunks by their headers.

    Attributes:
        chunks: In order; without a broken one that was beside the picture.
        fault: Why nothing can be drawn from them; empty where it can.
        loss: What is lost although it can; may be empty.
    """

    chunks: tuple[Chunk, ...]
    fault: str = ""
    loss: str = ""


def read_page_form(source: ByteSource, form: Chunk, *, max_chunks: int = MAX_CHUNKS) -> PageForm:
    """Read the headers of a page's chunks, up to `max_chunks` of them.

    Raises:
        UnreadableError: The disk failed.
    """
    chunks = tuple(walk(source, form.start, form.end, max_chunks=max_chunks))
    if not chunks or chunks[-1].whole:
        return PageForm(chunks=chunks, fault="" if form.whole else CUT_OFF)
    *before, broken = chunks
    suspect = before[-1] if broken.kind == "?" and before else broken
    layer = _BESIDE_THE_PICTURE.get(suspect.kind)
    draws = any(chunk.kind in PICTURE_KINDS for chunk in before)
    if not (form.whole and layer and draws) or _holds_picture(source, suspect.start, form.end):
        return PageForm(chunks=chunks, fault=CUT_OFF)
    return PageForm(chunks=tuple(before), loss=f"its {layer} cannot be read: {CUT_OFF}")


def _holds_picture(source: ByteSource, start: int, end: int) -> bool:
    """Whether a chunk of the picture may lie in what a broken chunk swallows."""
    if end - start > _MAX_SEARCHED_BYTES:
        return True
    swallowed = source.at(start, end - start)
    return any(
        int.from_bytes(swallowed[found.end() : found.end() + 4], "big")
        <= len(swallowed) - found.end() - 4
        for found in _OF_THE_PICTURE.finditer(swallowed)
    )


def included_name(data: bytes) -> str:
    """Return what an `INCL` chunk names: up to a zero byte, without line ends around it."""
    return data.partition(b"\0")[0].strip(b"\n").decode("utf-8", "surrogateescape")


def asks_for_shapes(mask_start: bytes) -> bool:
    """Whether a JB2 stream may need a dictionary of shapes, by its first byte.

    The kind of its first record stands in the highest bits, for the coder begins with even
    odds (DjVu 3 specification, 11.2.5 and 12): 9 asks for a dictionary; a comment, 10, may
    stand before one.
    """
    return bool(mask_start) and mask_start[0] in _ASKS_FOR_SHAPES
