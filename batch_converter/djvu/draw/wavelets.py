"""Wavelet layers (`BG44`, `FG44`): decoded by djvu-rs, and refused where they break off.

Where the data ends, decoders go on with ones; whole data need no more than a few bytes of
them. djvu-rs lets any number pass. So a layer is drawn with other bytes behind its end too,
which must not show. Most need not be: a kernel follows the coder and sees that it does not get so
far. Compiled, that takes 8 ns a decision, a fifth of drawing the layer; in plain Python 600 ns,
ten times as long as to draw it again. Either way the same layers are refused.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from batch_converter.djvu.draw.images import refuse_hostile_size
from batch_converter.djvu.draw.rasters import LARGE_PIXELS, HeldRaster
from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.kernels.iw44_layer import overrun_bytes
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

    A large one is drawn as its rows are asked for, and may turn out to be damaged only then.

    Raises:
        PageError: It is damaged or too large.
    """
    refuse_hostile_size(*iw44_size(chunks), options)
    drawing = _Drawing(chunks, info)
    return drawing if drawing.is_large else HeldRaster(drawing.rows(0, drawing.size[1]))


class _Drawing:
    """A layer as djvu-rs draws it: a part in a third of the memory that all of it takes at once.

    Part by part it takes half as much time again, so small layers are not drawn so.
    """

    def __init__(self, chunks: list[bytes], info: bytes) -> None:
        self.size = iw44_size(chunks)
        self.is_large = math.prod(self.size) > LARGE_PIXELS
        self._is_gray = bool(chunks[0][2] & _GRAY_FLAG)
        self._page = self._opened(chunks, info)
        self._longer = None
        if _may_break_off(chunks):
            self._longer = self._opened([chunk + _BEHIND_THE_END for chunk in chunks], info)

    def _opened(self, chunks: list[bytes], info: bytes) -> djvu_rs.Page:
        width, height = self.size
        layer = [("BG44", chunk) for chunk in chunks]
        with decoding("image data"):
            return open_page(layer, width=width, height=height, info=info)

    def rows(self, top: int, bottom: int) -> Image.Image:
        """Draw some of its rows, in the decoder's own buffer: Pillow makes no copy of it."""
        expected = self._longer and _checksum(self._drawn(self._longer, top, bottom))
        pixels = self._drawn(self._page, top, bottom)
        if expected is not None and expected != _checksum(pixels):
            raise PageError("its image data is damaged")
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
            raise PageError(
                f"one of its wavelet layers has {width} x {height} pixels, and no more than 64 Mi "
                "can be decoded"
            ) from error
        if (pixels.width, pixels.height) != (width, bottom - top):
            raise PageError("its image data is damaged")
        return pixels


def _may_break_off(chunks: list[bytes]) -> bool:
    """Whether it takes a second drawing to know that a layer is whole."""
    return not COMPILED or overrun_bytes(chunks) > _TOLERATED_BYTES


def _checksum(pixels: djvu_rs.Pixmap) -> int:
    return zlib.crc32(memoryview(pixels))
