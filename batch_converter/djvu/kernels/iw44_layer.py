"""The chunks of a wavelet layer, and whether their coder finds enough bytes in them."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.iw44 import (
    ALL_COEFFICIENTS,
    BANDS,
    BUCKETS,
    CONTEXTS,
    decode_band,
)
from batch_converter.djvu.kernels.zp import bytes_used, padded, start

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_HEAD_BYTES: Final = 9
_HEAD_BYTES: Final = 2
_GRAY_FLAG: Final = 0x80
_DELAY_MASK: Final = 0x7F
_DELAYING_VERSION: Final = 2  # minor; earlier ones have no delay, and no octet for it
_BLOCK_PIXELS: Final = 32
_COMPONENTS: Final = 3
_UNUSED_STEP: Final = 0x8000
# Table 4: of the coefficients of the first band, then of the other bands.
_FIRST_STEPS: Final = (0x4000, 0x8000, 0x8000, *[0x10000] * 9, *[0x20000] * 4)
_STEPS: Final = (
    *(0, 0x20000, 0x20000, 0x40000, 0x40000),
    *(0x40000, 0x80000, 0x40000, 0x40000, 0x80000),
)


class _Component:
    """What is known of one colour component, band after band."""

    def __init__(self, blocks: int) -> None:
        self._contexts = bytearray(CONTEXTS)
        self._nonzero = array("H", bytes(2 * BUCKETS * blocks))
        self._recent = array("H", bytes(2 * BUCKETS * blocks))
        self._reached = bytearray(BANDS * blocks)
        self._new = array("H", bytes(2 * 16))
        self._band = 0
        self._cycle = 0

    def decode(self, coder: array[int], data: bytes) -> None:
        """Decode the next band."""
        usable = _usable(self._band, self._cycle)
        if usable:
            decode_band(
                coder,
                data,
                self._contexts,
                self._nonzero,
                self._recent,
                self._reached,
                self._new,
                self._band,
                usable,
            )
        self._band = (self._band + 1) % BANDS
        self._cycle += not self._band


def _usable(band: int, cycle: int) -> int:
    """Return which coefficients of a band's buckets are coded in a cycle, a bit each."""
    if band:
        return ALL_COEFFICIENTS * (0 < _STEPS[band] >> cycle < _UNUSED_STEP)
    steps = enumerate(_FIRST_STEPS)
    return sum(1 << place for place, step in steps if 0 < step >> cycle < _UNUSED_STEP)


def overrun_bytes(chunks: Sequence[bytes]) -> int:
    """Return by how much a layer's coder reads on beyond the end of a chunk, at the most.

    A whole chunk needs two bytes more than there are, or a few: the coder holds 16 bits, and an
    encoder leaves out ones. Memory: 0.3 bytes a pixel and component; look at the size before.

    Args:
        chunks: Of a wavelet layer, in their order, with their heads.
    """
    head = chunks[0][:_FIRST_HEAD_BYTES].ljust(_FIRST_HEAD_BYTES, b"\0")
    width, height = int.from_bytes(head[4:6], "big"), int.from_bytes(head[6:8], "big")
    blocks = -(-width // _BLOCK_PIXELS) * -(-height // _BLOCK_PIXELS)
    components = [_Component(blocks) for _ in range(1 if head[2] & _GRAY_FLAG else _COMPONENTS)]
    has_delay = head[3] >= _DELAYING_VERSION
    delay = head[8] & _DELAY_MASK if has_delay else 0
    first_head_bytes = _FIRST_HEAD_BYTES if has_delay else _FIRST_HEAD_BYTES - 1
    most = 0
    for chunk in chunks:
        data = chunk[_HEAD_BYTES if chunk[:1] > b"\0" else first_head_bytes :]
        stream = padded(data)
        coder = start(stream)
        for _ in range(chunk[1] if len(chunk) > 1 else 0):
            for component in components[: 1 if delay else _COMPONENTS]:
                component.decode(coder, stream)
            delay = max(0, delay - 1)
        most = max(most, bytes_used(coder) - len(data))
    return most
