"""Pictures coded as JPEG, large ones strip by strip.

Where a file has restart markers, what lies between two of them is coded by itself (ISO/IEC
10918-1, E.1.4). So the strips of a picture, each coded as if it were all, make up the file of the
whole, and readers show the same pixels.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.draw.images import Coding, EncodedImage
from batch_converter.djvu.draw.rasters import STRIP_ROWS, strips
from batch_converter.djvu.read.decoder import PageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from batch_converter.djvu.draw.rasters import Raster

_START_OF_FRAME: Final = 0xC0
_START_OF_SCAN: Final = 0xDA
_RESTART_INTERVAL: Final = b"\xff\xdd\0\4"
_RESTART: Final = 0xD0
_RESTARTS: Final = 8
_END_OF_IMAGE: Final = b"\xff\xd9"
_BLOCK: Final = 8
MOST_SIDE_PX: Final = 65500
"""libjpeg's limit, and that of readers built on it, whatever the format itself can say."""


def encode_jpeg(raster: Raster, quality: int) -> EncodedImage:
    """Code a gray or colour picture as JPEG.

    Raises:
        PageError: Its data are damaged, or it is longer than readers of JPEG take.
    """
    width, height = raster.size
    if max(width, height) > MOST_SIDE_PX:
        raise PageError(
            f"its picture has {width} x {height} pixels, and a JPEG has no more than "
            f"{MOST_SIDE_PX} a side"
        )
    pieces = []
    components = 1
    for strip in strips(raster, STRIP_ROWS if raster.is_large else height):
        pieces.append(_coded(strip, quality))
        components = 1 if strip.mode == "L" else 3
    return EncodedImage(
        coding=Coding.JPEG,
        width=width,
        height=height,
        components=components,
        bits=8,
        data=pieces[0] if len(pieces) == 1 else _joined(pieces, height),
    )


def _coded(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _joined(pieces: Sequence[bytes], height: int) -> bytes:
    """Make one file of those of strips, all but the last of which have `STRIP_ROWS`."""
    frame, scan = _segment(pieces[0], _START_OF_FRAME), _segment(pieces[0], _START_OF_SCAN)
    head = bytearray(pieces[0][: _end(pieces[0], scan)])
    interval = _restart_interval(head, frame)
    head[frame + 5 : frame + 7] = height.to_bytes(2, "big")
    head[scan:scan] = _RESTART_INTERVAL + interval.to_bytes(2, "big")
    parts = [bytes(head)]
    for number, piece in enumerate(pieces):
        start = _end(piece, _segment(piece, _START_OF_SCAN))
        parts += [piece[start : -len(_END_OF_IMAGE)], bytes([0xFF, _RESTART + number % _RESTARTS])]
    return b"".join([*parts[:-1], _END_OF_IMAGE])


def _segment(data: bytes, marker: int) -> int:
    """Return where a header segment begins; libjpeg writes no fill bytes before any."""
    at = 2
    while data[at + 1] != marker:
        at = _end(data, at)
    return at


def _end(data: bytes, segment: int) -> int:
    return segment + 2 + int.from_bytes(data[segment + 2 : segment + 4], "big")


def _restart_interval(head: bytearray, frame: int) -> int:
    """Return how many units, coded together, a strip has: a block, or several of each component."""
    width, components, sampling = head[frame + 7 : frame + 9], head[frame + 9], head[frame + 11]
    across, down = (sampling >> 4, sampling & 0xF) if components > 1 else (1, 1)
    columns = -(-int.from_bytes(width, "big") // (_BLOCK * across))
    return columns * (STRIP_ROWS // (_BLOCK * down))
