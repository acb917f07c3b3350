"""Pictures of one bit a pixel, eight pixels a byte, as fax coders take them.

Pillow keeps a byte a pixel and packs them one by one, which takes as long as the
coding itself; numpy packs them while it reads the decoder's own buffer.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from PIL import Image, _imaging

from batch_converter.djvu.read.decoder import PageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SIDE: Final = 65_535
"""Pixels: pdfium shows no bilevel image that is wider or higher, and says nothing."""

_BITS: Final = 8
_BEHIND_FIRST_PIXEL: Final = 0x7F
_PIECE_BYTES: Final = 1 << 20
_IFD_PLACE: Final = 4
_IFD_COUNT: Final = struct.Struct("=H")
_IFD_ENTRY: Final = struct.Struct("=HHI4s")
_SHORT: Final = 3
_STRIP_OFFSETS: Final = 273
_STRIP_BYTES: Final = 279


class Area(NamedTuple):
    """A rectangle in pixels from the upper left corner; the last column and row are not in it."""

    left: int
    top: int
    right: int
    bottom: int


_ONE_PIXEL: Final = Area(0, 0, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitmap:
    """A bilevel picture; set bits are ink.

    Attributes:
        width: In pixels.
        rows: One row of bytes for each row; the leftmost pixel is the topmost bit, and
            what stands behind the last pixel is clear.
    """

    width: int
    rows: NDArray[np.uint8]

    @classmethod
    def of_pixels(cls, set_pixels: NDArray[np.bool_]) -> Bitmap:
        """Pack a truth value a pixel."""
        return cls(width=set_pixels.shape[1], rows=np.packbits(set_pixels, axis=1))

    @classmethod
    def clear(cls, width: int, height: int) -> Bitmap:
        """Return one without ink."""
        return cls(width=width, rows=np.zeros((height, -(-width // _BITS)), np.uint8))

    @property
    def height(self) -> int:
        """In pixels."""
        return len(self.rows)

    def same_as(self, other: Bitmap) -> bool:
        """Whether both show the same."""
        return self.width == other.width and np.array_equal(self.rows, other.rows)

    def inked_area(self) -> Area:
        """Where there is ink, with up to seven columns at its left; of a clear one, a corner."""
        lines = np.flatnonzero(np.bitwise_or.reduce(self.rows, axis=1))
        if not lines.size:
            return _ONE_PIXEL
        columns = np.bitwise_or.reduce(self.rows, axis=0)
        (used,) = columns.nonzero()
        last = int(columns[used[-1]])
        spare = (last & -last).bit_length() - 1
        right = (int(used[-1]) + 1) * _BITS - spare
        return Area(int(used[0]) * _BITS, int(lines[0]), right, int(lines[-1]) + 1)

    def cropped(self, area: Area) -> Bitmap:
        """Cut an `inked_area` out."""
        first, last = area.left // _BITS, -(-area.right // _BITS)
        rows = self.rows[area.top : area.bottom, first:last]
        return Bitmap(width=area.right - area.left, rows=np.ascontiguousarray(rows))

    def without_margins(self) -> tuple[Bitmap, int]:
        """Leave out the clear columns on both sides of some ink; returns how many at its left."""
        columns = np.bitwise_or.reduce(self.rows, axis=0)
        (used,) = columns.nonzero()
        first, end = int(used[0]), int(used[-1]) + 1
        shift = _BITS - int(columns[first]).bit_length()
        rows: NDArray[np.uint8] = np.left_shift(self.rows[:, first:end], shift, dtype=np.uint8)
        rows[:, :-1] |= self.rows[:, first + 1 : end] >> (_BITS - shift)
        left = first * _BITS + shift
        width = min(end * _BITS, self.width) - left
        return Bitmap(width=width, rows=rows[:, : -(-width // _BITS)]), left

    def with_room_below(self) -> Bitmap:
        """Add a clear row, if the last one has ink in columns that pdf.js leaves out.

        Of a bilevel image that is no stencil it draws the last row only as far as the first
        pixel of the last byte (seen in 2.14; what is no last row is whole). One of
        `MOST_SIDE` rows gets none: pdfium would show nothing of it.
        """
        if self.height >= MOST_SIDE or not self.rows[-1, -1] & _BEHIND_FIRST_PIXEL:
            return self
        clear = np.zeros((1, self.rows.shape[1]), np.uint8)
        return Bitmap(width=self.width, rows=np.concatenate([self.rows, clear]))

    def extended(self, width: int, height: int) -> Bitmap:
        """Add clear columns at the right and clear rows above."""
        rows = np.zeros((height, -(-width // _BITS)), np.uint8)
        rows[height - self.height :, : self.rows.shape[1]] = self.rows
        return Bitmap(width=width, rows=rows)


def g4_data(bitmap: Bitmap) -> bytes:
    """Code without loss as CCITT G4; ink becomes the fax's black.

    libtiff is given the packed bytes as if each were a gray pixel, with the tags of
    what they are: Pillow's own way would unpack and pack them again.

    Raises:
        PageError: libtiff failed, most likely for want of memory.
    """
    height, stride = bitmap.rows.shape
    image = Image.frombuffer("L", (stride, height), bitmap.rows, "raw", "L", 0, 1)
    encoder = _imaging.libtiff_encoder("L", "L", 0, "", _tags(bitmap.width, height), {})
    encoder.setimage(image.im, (0, 0, stride, height))
    data = bytearray()
    status = 0
    try:
        while not status:
            _, status, piece = encoder.encode(_PIECE_BYTES)
            data += piece
    finally:
        encoder.cleanup()
    if status < 0:
        raise PageError("its mask cannot be coded")
    return _strip(bytes(data))


def _tags(width: int, height: int) -> list[tuple[int, int]]:
    """A TIFF's: one strip, one bit, G4, white is 0."""
    return [
        *((256, width), (257, height), (258, 1), (259, 4), (262, 0)),
        *((277, 1), (278, height), (284, 1)),
    ]


def _strip(tiff: bytes) -> bytes:
    """Return the only strip of a TIFF in this machine's byte order."""
    (place,) = struct.unpack_from("=I", tiff, _IFD_PLACE)
    (count,) = _IFD_COUNT.unpack_from(tiff, place)
    end = place + _IFD_COUNT.size + count * _IFD_ENTRY.size
    entries = _IFD_ENTRY.iter_unpack(tiff[place + _IFD_COUNT.size : end])
    values = {
        tag: int.from_bytes(value[: 2 if kind == _SHORT else 4], sys.byteorder)
        for tag, kind, _, value in entries
    }
    start = values[_STRIP_OFFSETS]
    return tiff[start : start + values[_STRIP_BYTES]]
