"""MMR, the facsimile coding of bilevel pages: DjVu 3 specification, 8.3.15."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from batch_converter.djvu.kernels.mmr_rows import DAMAGED, PADDING_BYTES, decode_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_MAGIC: Final = b"MMR"
_INVERTED: Final = 1
_STRIPED: Final = 2
_HEAD_BYTES: Final = 8
_BAND_PIXELS: Final = 1 << 20
_BITS: Final = 8


class MmrError(ValueError):
    """An MMR stream breaks off or makes no sense; the message follows "the mask"."""


class MmrHead(NamedTuple):
    """What a stream says of itself.

    Attributes:
        inverted: Whether ink is coded as white.
        striped: Whether it is cut into stripes, each coded by itself.
    """

    width: int
    height: int
    inverted: bool
    striped: bool


def read_head(data: bytes) -> MmrHead:
    """Read what an `Smmr` chunk begins with.

    Raises:
        MmrError: It begins otherwise.
    """
    if len(data) < _HEAD_BYTES or not data.startswith(_MAGIC):
        raise MmrError("makes no sense")
    return MmrHead(
        width=int.from_bytes(data[4:6], "big"),
        height=int.from_bytes(data[6:8], "big"),
        inverted=bool(data[3] & _INVERTED),
        striped=bool(data[3] & _STRIPED),
    )


def decode_rows(data: bytes) -> NDArray[np.uint8]:
    """Decode an `Smmr` chunk into rows of eight pixels a byte; what is behind the last is clear.

    Raises:
        MmrError: It is damaged.
    """
    head = read_head(data)
    rows = np.zeros((head.height, -(-head.width // _BITS)), np.uint8)
    top = 0
    for stream, count in _stripes(data[_HEAD_BYTES:], head):
        _decode_stripe(stream, head, rows[top : top + count])
        top += count
    return rows


def _stripes(data: bytes, head: MmrHead) -> Iterator[tuple[bytes, int]]:
    """Yield each stripe's stream and number of rows; the last has those that are left."""
    if not head.striped:
        yield data, head.height
        return
    rows = int.from_bytes(data[:2], "big")
    place = 2
    for top in range(0, head.height, max(1, rows)):
        size = int.from_bytes(data[place : place + 4], "big")
        place += 4
        if not rows or place >= len(data):
            raise MmrError("breaks off")
        # of the last stripe what ends it may be missing, as it may where there is but one
        yield data[place : place + size], min(rows, head.height - top)
        place += size


def _decode_stripe(stream: bytes, head: MmrHead, rows: NDArray[np.uint8]) -> None:
    """Decode as many rows as there are to fill."""
    width = head.width
    data = stream + bytes(PADDING_BYTES)
    stride = width + 1
    above, changes = [width] * (width + 8), [width] * (width + 8)
    position = 0
    for top in range(0, len(rows), band := max(1, _BAND_PIXELS // stride)):
        count = min(band, len(rows) - top)
        toggles = bytearray(count * stride)
        for row in range(0, count * stride, stride):
            position = decode_row(data, position, width, above, changes, toggles, row)
            if position == DAMAGED:
                raise MmrError("breaks off")
            above, changes = changes, above
        pixels = np.frombuffer(toggles, np.uint8).reshape(count, stride)
        pixels = np.bitwise_xor.accumulate(pixels[:, :width], axis=1)
        rows[top : top + count] = np.packbits(pixels ^ head.inverted, axis=1)
