"""Masks that djvu-rs decodes without an error although most of them is missing.

When a JB2 stream makes no sense any more, djvu-rs stops and shows what it has:
often a blank page. A second decoding tells: if it does not change when the end
of the stream does, the decoder never got there. That costs time, so only masks
with less ink than they should have are decoded twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.decoder import PageError
from batch_converter.djvu.images import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from batch_converter.djvu.geometry import Box, Geometry

_SMALL_STREAM_BYTES: Final = 48
_TAIL_SHARE: Final = 5
_TALL_SHARE: Final = 0.7
_SQUARE: Final = 16
_SAMPLED_WORDS: Final = 64
_INKLESS_SHARE: Final = 0.1
_MASK_KINDS: Final = frozenset({"Sjbz", "Smmr"})


def refuse_silent_loss(
    chunks: Sequence[tuple[str, bytes]],
    ink: Image.Image,
    coded_bytes: int,
    words: Sequence[Box],
    geometry: Geometry,
) -> None:
    """Raise if a mask's decoder stopped long before the end of its stream.

    Args:
        chunks: The mask's.
        ink: What was decoded, as a bilevel image.
        coded_bytes: How long it is in CCITT G4; JB2 is rarely longer.
        words: Where the stored page should have ink.
        geometry: The page's.

    Raises:
        PageError: It did.
    """
    stream_bytes = max((len(data) for kind, data in chunks if kind in _MASK_KINDS), default=0)
    if stream_bytes <= _SMALL_STREAM_BYTES:
        return
    if coded_bytes > stream_bytes and _covers(ink) and _lies_under(words, ink):
        return
    if not _depends_on_its_end(chunks, geometry):
        raise PageError("its mask breaks off")


def _covers(ink: Image.Image) -> bool:
    """Whether there is ink down to the lower part of the page."""
    box = ink.getbbox()
    return box is not None and box[3] > ink.height * _TALL_SHARE


def _lies_under(words: Sequence[Box], ink: Image.Image) -> bool:
    """Whether nearly all words, or a sample of them, have ink in their boxes."""
    sample = words[:: max(1, len(words) // _SAMPLED_WORDS)]
    if not sample:
        return True
    coarse = ink.convert("L").reduce(_SQUARE)
    inkless = sum(coarse.crop(_square_box(box, ink.height)).getbbox() is None for box in sample)
    return inkless <= len(sample) * _INKLESS_SHARE


def _square_box(box: Box, height: int) -> tuple[int, int, int, int]:
    top = height - box.bottom - box.height
    left, right = int(box.left) // _SQUARE, int(box.left + box.width) // _SQUARE
    upper, lower = int(top) // _SQUARE, int(top + box.height) // _SQUARE
    return left, upper, right + 1, lower + 1


def _depends_on_its_end(chunks: Sequence[tuple[str, bytes]], geometry: Geometry) -> bool:
    changed = [(kind, _other_end(data) if kind in _MASK_KINDS else data) for kind, data in chunks]
    try:
        other = render(changed, width=geometry.width, height=geometry.height)
    except PageError:
        return True
    whole = render(chunks, width=geometry.width, height=geometry.height)
    return whole.tobytes() != other.tobytes()


def _other_end(data: bytes) -> bytes:
    """Change the last fifth of a stream."""
    cut = len(data) - len(data) // _TAIL_SHARE
    return data[:cut] + bytes(byte ^ 0x5A for byte in data[cut:])
