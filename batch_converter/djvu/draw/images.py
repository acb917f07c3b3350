"""The layers of a page as encoded images: masks lossless, colours as JPEG.

A DjVu page is a sharp mask over a soft background, each with its own
resolution. They stay apart in the PDF too: nothing is scaled up, nothing
sharp goes through JPEG, and the file stays small.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

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
_LARGE_PIXELS: Final = 1_500_000
_WAVELET_PIXELS: Final = 64 << 20  # djvu-rs's limit
_BEHIND_THE_END: Final = b"\xff" * 24 + b"\x00\x5a" * 16
_WHITE: Final = 0xFFFFFFFF
_GRAY_FLAG: Final = 0x80


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


def iw44_size(chunks: list[bytes]) -> tuple[int, int]:
    """Return the pixel size that a wavelet layer's first chunk states.

    Raises:
        PageError: The chunk is too short to say.
    """
    head = chunks[0][4:8]
    if len(head) < 4:  # noqa: PLR2004  # two 16-bit numbers
        raise PageError("its image data is cut off")
    return int.from_bytes(head[:2], "big"), int.from_bytes(head[2:], "big")


def render_iw44(chunks: list[bytes], info: bytes, options: ConvertOptions) -> Image.Image:
    """Decode a wavelet layer at its own resolution; gray ones come as `L`.

    Raises:
        PageError: It is damaged or too large.
    """
    width, height = iw44_size(chunks)
    refuse_hostile_size(width, height, options)
    try:
        pixels = render(_iw44_layer(chunks), width=width, height=height, info=info)
    except PageError as error:
        if width * height <= _WAVELET_PIXELS:
            raise
        raise PageError(
            f"one of its wavelet layers has {width} x {height} pixels, and no more than 64 Mi "
            "can be decoded"
        ) from error
    _refuse_overrun(chunks, pixels, info)
    image = Image.frombuffer("RGBA", (width, height), pixels, "raw", "RGBA", 0, 1)
    return image.getchannel(0) if chunks[0][2] & _GRAY_FLAG else image.convert("RGB")


def _iw44_layer(chunks: list[bytes], tail: bytes = b"") -> list[tuple[str, bytes]]:
    return [("BG44", data + tail) for data in chunks]


def _refuse_overrun(chunks: list[bytes], pixels: NDArray[np.uint8], info: bytes) -> None:
    """Raise if a wavelet decoder needed more bytes than there are, as damaged data makes it.

    Where the data ends, decoders go on with ones; whole data need no more than
    a few. djvu-rs lets any number pass, so other bytes are put there: they must
    not show. Large pictures are looked at in half the size.
    """
    height, width = pixels.shape[:2]
    small = width * height <= _LARGE_PIXELS
    scale = 1 if small else 2
    size = (max(1, width // scale), max(1, height // scale))

    def scaled(layer: list[tuple[str, bytes]]) -> NDArray[np.uint8]:
        page = open_page(layer, width=width, height=height, info=info)
        return np.frombuffer(memoryview(page.render(size=size)), np.uint8)

    with decoding("image data"):
        other = scaled(_iw44_layer(chunks, _BEHIND_THE_END))
        usual = pixels.reshape(-1) if small else scaled(_iw44_layer(chunks))
    if not np.array_equal(other, usual):
        raise PageError("its image data is damaged")


def ink_of(pixels: NDArray[np.uint8]) -> Bitmap:
    """Return the pixels that are not white."""
    return Bitmap.of_pixels(whole_pixels(pixels) != _WHITE)


def whole_pixels(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Look at RGBA pixels as one number each: they are compared at once."""
    height, width = pixels.shape[:2]
    return pixels.view(np.uint32).reshape(height, width)


def encode_jpeg(image: Image.Image, quality: int) -> EncodedImage:
    """Code a gray or colour image as JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return EncodedImage(
        coding=Coding.JPEG,
        width=image.width,
        height=image.height,
        components=len(image.getbands()),
        bits=8,
        data=file.getvalue(),
    )


def reduced(image: Image.Image, *, dpi: float, target_dpi: int) -> Image.Image:
    """Average an image down to about `target_dpi`; never up, never by less than a half more."""
    if not target_dpi or dpi < target_dpi * 1.25:
        return image
    size = (
        max(1, round(image.width * target_dpi / dpi)),
        max(1, round(image.height * target_dpi / dpi)),
    )
    return image.resize(size, Image.Resampling.BOX)


def uniform_color(image: Image.Image) -> tuple[int, int, int] | None:
    """Return the one colour of an image that has only one."""
    first = image.getpixel((0, 0))
    histogram = image.histogram()
    levels = (first,) if isinstance(first, (int, float)) else first or ()
    pixels = image.width * image.height
    if any(histogram[256 * band + int(level)] != pixels for band, level in enumerate(levels)):
        return None
    red, green, blue = levels * 3 if len(levels) == 1 else levels
    return int(red), int(green), int(blue)
