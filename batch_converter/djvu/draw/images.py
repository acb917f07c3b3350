"""The layers of a page as encoded images: masks lossless, colours as JPEG.

A DjVu page is a sharp mask over a soft background, each with its own
resolution. They stay apart in the PDF too: nothing is scaled up, nothing
sharp goes through JPEG, and the file stays small.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.draw.bilevel import Bitmap
from batch_converter.djvu.read.decoder import PageError, decoding, open_page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from batch_converter.djvu.jobs.options import ConvertOptions

COLOR_BYTES_A_PIXEL: Final = 8
"""What a wavelet layer takes while it is decoded, and a mask that djvu-rs decodes."""

MASK_BYTES_A_PIXEL: Final = 4 / 8
"""What a mask of ours takes, eight pixels a byte: the page, its shapes, one of them, a part."""

LEVEL_BYTES_A_PIXEL: Final = 4
"""What it takes to tell apart the colours of a mask's shapes."""

_FIXED_BYTES: Final = 200 << 20
_WHITE: Final = 0xFFFFFFFF


class Coding(Enum):
    """How an image's bytes are coded, as PDF has filters for them."""

    G4 = auto()
    JBIG2 = auto()
    JPEG = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedImage:
    """An image ready for a PDF.

    Attributes:
        components: 1 for gray and bilevel, 3 for colour.
        bits: Bits a component; 1 for masks.
    """

    coding: Coding
    width: int
    height: int
    components: int
    bits: int
    data: bytes


def refuse_hostile_size(
    width: int, height: int, options: ConvertOptions, *, bytes_a_pixel: float = COLOR_BYTES_A_PIXEL
) -> None:
    """Raise before anything is allocated for an impossible page or layer.

    Raises:
        PageError: Decoding it would exceed the memory limit, or it has no size.
    """
    if width <= 0 or height <= 0:
        raise PageError("it has no size")
    if not fits_memory(width, height, options, bytes_a_pixel=bytes_a_pixel):
        raise PageError(f"its {width} x {height} pixels exceed the memory limit")


def fits_memory(width: int, height: int, options: ConvertOptions, *, bytes_a_pixel: float) -> bool:
    """Whether so many pixels can be decoded, at what each takes at the most."""
    return width * height * bytes_a_pixel <= options.max_memory_bytes - _FIXED_BYTES


def mask_budget_bytes(options: ConvertOptions) -> int:
    """What the shapes of a mask may take, of which a page has as much again, twice."""
    return max(0, options.max_memory_bytes - _FIXED_BYTES) // 4


def render(
    chunks: Iterable[tuple[str, bytes]], *, width: int, height: int, info: bytes = b""
) -> NDArray[np.uint8]:
    """Decode layers at the given size, without rotation, into rows of RGBA pixels.

    Raises:
        PageError: They are damaged.
    """
    with decoding("image data"):
        page = open_page(chunks, width=width, height=height, info=info)
        pixels = page.render()
    if (pixels.width, pixels.height) != (width, height):
        raise PageError("its image data is damaged")
    return np.frombuffer(memoryview(pixels), np.uint8).reshape(height, width, 4)


def ink_of(pixels: NDArray[np.uint8]) -> Bitmap:
    """Return the pixels that are not white."""
    return Bitmap.of_pixels(whole_pixels(pixels) != _WHITE)


def whole_pixels(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Look at RGBA pixels as one number each: they are compared at once."""
    height, width = pixels.shape[:2]
    return pixels.view(np.uint32).reshape(height, width)
