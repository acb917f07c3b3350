"""Wavelet layers (`BG44`, `FG44`): decoded as they are shown, and refused where they break off.

Where kernels are compiled they decode them, in half of djvu-rs's time and a fifth of its memory. In
plain Python they take 200 times as long, so there djvu-rs draws them. The pixels are the same.

Where the data ends, decoders go on with ones; whole data need no more than a few bytes of
them. The kernel tells how many its coder took; djvu-rs lets any number pass. What may break off
is made with other bytes behind its end too, which must not show. So either way the same layers
are refused.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from batch_converter.djvu.draw.gamma import corrected_image
from batch_converter.djvu.draw.images import refuse_hostile_size
from batch_converter.djvu.draw.rasters import LARGE_PIXELS, STRIP_ROWS, HeldRaster
from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.kernels.iw44_layer import heads_agree
from batch_converter.djvu.kernels.iw44_picture import WaveletPicture
from batch_converter.djvu.read.decoder import PageError, decoding, open_page

if TYPE_CHECKING:
    import djvu_rs

    from batch_converter.djvu.draw.rasters import Raster
    from batch_converter.djvu.jobs.options import ConvertOptions

_MAX_PIXELS: Final = 64 << 20  # djvu-rs's limit
_TOLERATED_BYTES: Final = 24
"""Beyond the end: DjVuLibre's own limit. Whole layers of all encoders tried need one to five."""

_BEHIND_THE_END: Final = b"\xff" * _TOLERATED_BYTES + b"\x00\x5a" * 16
_GRAY_FLAG: Final = 0x80
_DAMAGED: Final = "its image data is damaged"


def iw44_size(chunks: list[bytes]) -> tuple[int, int]:
    """Return the pixel size that a wavelet layer's first chunk states.

    Raises:
        PageError: The chunk is too short to say.
    """
    head = chunks[0][4:8]
    if len(head) < 4:  # noqa: PLR2004  # two 16-bit numbers
        raise PageError("its image data is cut off")
    return int.from_bytes(head[:2], "big"), int.from_bytes(head[2:], "big")


def render_iw44(chunks: list[bytes], info: bytes, options: ConvertOptions) -> Raster:
    """Decode a wavelet layer at its own resolution: a gray one as `L`, others as `RGBX`.

    Of a large one, rows are made as they are asked for; it may turn out to be damaged only then.

    Raises:
        PageError: It is damaged or too large.
    """
    refuse_hostile_size(*iw44_size(chunks), options)
    layer = (_Decoding if COMPILED else _Drawing)(chunks, info)
    return layer if layer.is_large else HeldRaster(layer.rows(0, layer.size[1]))


class _Decoding:
    """A layer as kernels decode it; what breaks off is refused at once."""

    def __init__(self, chunks: list[bytes], info: bytes) -> None:
        self.size = iw44_size(chunks)
        self.is_large = math.prod(self.size) > LARGE_PIXELS
        self._info = info
        if math.prod(self.size) > _MAX_PIXELS:
            raise _too_large(*self.size)
        if not heads_agree(chunks):
            raise PageError(_DAMAGED)
        self._picture = _whole_picture(chunks)

    def rows(self, top: int, bottom: int) -> Image.Image:
        """Make some of its rows."""
        pixels = np.frombuffer(self._picture.rows(top, bottom), np.uint8)
        size = (self.size[0], bottom - top)
        mode = "L" if self._picture.is_gray else "RGBX"
        image = Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1)
        return corrected_image(image, self._info)


def _whole_picture(chunks: list[bytes]) -> WaveletPicture:
    """Decode a layer, if need be thrice: two pictures at once may take too much memory.

    Raises:
        PageError: It breaks off.
    """
    picture = WaveletPicture(chunks)
    if picture.overrun_bytes > _TOLERATED_BYTES:
        found = _sum_of_rows(picture)
        del picture
        if found != _sum_of_rows(WaveletPicture(_longer(chunks))):
            raise PageError(_DAMAGED)
        picture = WaveletPicture(chunks)
    return picture


def _sum_of_rows(picture: WaveletPicture) -> int:
    found = 0
    for top in range(0, picture.height, STRIP_ROWS):
        found = zlib.crc32(picture.rows(top, min(top + STRIP_ROWS, picture.height)), found)
    return found


class _Drawing:
    """A layer as djvu-rs draws it: a part in a third of the memory that all of it takes at once.

    Part by part it takes half as much time again, so small layers are not drawn so.
    """

    def __init__(self, chunks: list[bytes], info: bytes) -> None:
        self.size = iw44_size(chunks)
        self.is_large = math.prod(self.size) > LARGE_PIXELS
        self._is_gray = bool(chunks[0][2] & _GRAY_FLAG)
        self._page = self._opened(chunks, info)
        self._longer = self._opened(_longer(chunks), info)

    def _opened(self, chunks: list[bytes], info: bytes) -> djvu_rs.Page:
        width, height = self.size
        layer = [("BG44", chunk) for chunk in chunks]
        with decoding("image data"):
            return open_page(layer, width=width, height=height, info=info)

    def rows(self, top: int, bottom: int) -> Image.Image:
        """Draw some of its rows, in the decoder's own buffer: Pillow makes no copy of it."""
        expected = _checksum(self._drawn(self._longer, top, bottom))
        pixels = self._drawn(self._page, top, bottom)
        if expected != _checksum(pixels):
            raise PageError(_DAMAGED)
        size = (pixels.width, pixels.height)
        image = Image.frombuffer(
            "RGBX", size, np.frombuffer(memoryview(pixels), np.uint8), "raw", "RGBX", 0, 1
        )
        return image.getchannel(0) if self._is_gray else image

    def _drawn(self, page: djvu_rs.Page, top: int, bottom: int) -> djvu_rs.Pixmap:
        width, height = self.size
        is_whole = (top, bottom) == (0, height)
        try:
            with decoding("image data"):
                pixels = page.render(region=None if is_whole else (0, top, width, bottom - top))
        except PageError as error:
            if width * height <= _MAX_PIXELS:
                raise
            raise _too_large(width, height) from error
        if (pixels.width, pixels.height) != (width, bottom - top):
            raise PageError(_DAMAGED)
        return pixels


def _longer(chunks: list[bytes]) -> list[bytes]:
    return [chunk + _BEHIND_THE_END for chunk in chunks]


def _too_large(width: int, height: int) -> PageError:
    return PageError(
        f"one of its wavelet layers has {width} x {height} pixels, and no more than 64 Mi "
        "can be decoded"
    )


def _checksum(pixels: djvu_rs.Pixmap) -> int:
    return zlib.crc32(memoryview(pixels))
