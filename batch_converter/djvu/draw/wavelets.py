"""Wavelet layers (`BG44`, `FG44`): decoded by djvu-rs, and refused where they break off.

Where the data ends, decoders go on with ones; whole data need no more than a few bytes of
them. djvu-rs lets any number pass. So a layer is drawn with other bytes behind its end too,
which must not show. Most need not be: a kernel follows the coder and sees that it does not get so
far. Compiled, that takes 8 ns a decision, a fifth of drawing the layer; in plain Python 600 ns,
ten times as long as to draw it again. Either way the same layers are refused.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from batch_converter.djvu.draw.images import refuse_hostile_size
from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.kernels.iw44_layer import overrun_bytes
from batch_converter.djvu.read.decoder import PageError, decoding, open_page

if TYPE_CHECKING:
    import djvu_rs

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


def render_iw44(chunks: list[bytes], info: bytes, options: ConvertOptions) -> Image.Image:
    """Decode a wavelet layer at its own resolution: a gray one as `L`, others as `RGBX`.

    The latter are the decoder's own buffer, for a copy of a large one is hundreds of megabytes.
    For the same reason no two drawings are there at once.

    Raises:
        PageError: It is damaged or too large.
    """
    refuse_hostile_size(*iw44_size(chunks), options)
    longer = [chunk + _BEHIND_THE_END for chunk in chunks]
    expected = _checksum(_drawn(longer, info)) if _may_break_off(chunks) else None
    pixels = _drawn(chunks, info)
    if expected is not None and expected != _checksum(pixels):
        raise PageError("its image data is damaged")
    size = (pixels.width, pixels.height)
    image = Image.frombuffer(
        "RGBX", size, np.frombuffer(memoryview(pixels), np.uint8), "raw", "RGBX", 0, 1
    )
    return image.getchannel(0) if chunks[0][2] & _GRAY_FLAG else image


def _may_break_off(chunks: list[bytes]) -> bool:
    """Whether it takes a second drawing to know that a layer is whole."""
    return not COMPILED or overrun_bytes(chunks) > _TOLERATED_BYTES


def _drawn(chunks: list[bytes], info: bytes) -> djvu_rs.Pixmap:
    width, height = iw44_size(chunks)
    try:
        with decoding("image data"):
            layer = [("BG44", chunk) for chunk in chunks]
            pixels = open_page(layer, width=width, height=height, info=info).render()
    except PageError as error:
        if width * height <= _MAX_PIXELS:
            raise
        raise PageError(
            f"one of its wavelet layers has {width} x {height} pixels, and no more than 64 Mi "
            "can be decoded"
        ) from error
    if (pixels.width, pixels.height) != (width, height):
        raise PageError("its image data is damaged")
    return pixels


def _checksum(pixels: djvu_rs.Pixmap) -> int:
    return zlib.crc32(memoryview(pixels))
