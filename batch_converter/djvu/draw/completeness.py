"""Masks that djvu-rs decodes without an error although most of them is missing.

When a JB2 stream makes no sense any more, djvu-rs stops and shows what it has:
often a blank page. A second decoding tells: if it does not change when the end
of the stream does, the decoder never got there. That costs time, so only masks
with less ink than they should have are decoded twice; and where this tells of a
loss, our own decoder, which sees damage for itself, has the last word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.draw.bilevel import Area
from batch_converter.djvu.draw.images import ink_of, render
from batch_converter.djvu.read.decoder import PageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.djvu.draw.bilevel import Bitmap
    from batch_converter.djvu.draw.geometry import Box, Geometry
    from batch_converter.djvu.draw.text_layer import Word

_SMALL_STREAM_BYTES: Final = 48
_TAIL_SHARE: Final = 5
_TALL_SHARE: Final = 0.7
_SAMPLED_WORDS: Final = 32
_INKLESS_SHARE: Final = 0.1
_MASK_KINDS: Final = frozenset({"Sjbz", "Smmr"})


def may_be_incomplete(
    chunks: Sequence[tuple[str, bytes]],
    ink: Bitmap,
    coded_bytes: int,
    words: Sequence[Box],
    geometry: Geometry,
) -> bool:
    """Whether it seems that a mask's decoder stopped long before the end of its stream.

    Args:
        chunks: The mask's.
        ink: What was decoded.
        coded_bytes: How long it is in CCITT G4; JB2 is rarely longer.
        words: Where the stored page should have ink: some of its words' boxes.
        geometry: The page's.
    """
    stream_bytes = max((len(data) for kind, data in chunks if kind in _MASK_KINDS), default=0)
    if stream_bytes <= _SMALL_STREAM_BYTES:
        return True
    if coded_bytes > stream_bytes and _covers(ink) and _lies_under(words, ink):
        return False
    return not _depends_on_its_end(chunks, ink, geometry)


def _covers(ink: Bitmap) -> bool:
    """Whether there is ink down to the lower part of the page."""
    return ink.inked_area().bottom > ink.height * _TALL_SHARE


def sample(words: Sequence[Word]) -> Sequence[Word]:
    """Pick as many words, all over the page, as are worth a look."""
    return words[:: max(1, len(words) // _SAMPLED_WORDS)]


def _lies_under(words: Sequence[Box], ink: Bitmap) -> bool:
    """Whether nearly all words have ink in their boxes."""
    inkless = sum(not ink.has_ink(_area(box, ink.height)) for box in words)
    return inkless <= len(words) * _INKLESS_SHARE


def _area(box: Box, height: int) -> Area:
    top = max(0, int(height - box.bottom - box.height))
    left = max(0, int(box.left))
    return Area(left, top, left + int(box.width) + 1, top + int(box.height) + 1)


def _depends_on_its_end(
    chunks: Sequence[tuple[str, bytes]], ink: Bitmap, geometry: Geometry
) -> bool:
    changed = [
        (kind, _with_corrupt_tail(data) if kind in _MASK_KINDS else data) for kind, data in chunks
    ]
    try:
        other = render(changed, width=geometry.width, height=geometry.height)
    except PageError:
        return True
    return not ink_of(other).same_as(ink)


def _with_corrupt_tail(data: bytes) -> bytes:
    """Change the last fifth of a stream."""
    cut = len(data) - len(data) // _TAIL_SHARE
    return data[:cut] + bytes(byte ^ 0x5A for byte in data[cut:])
