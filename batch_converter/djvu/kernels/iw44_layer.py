"""The chunks of a wavelet layer, decoded, and whether their coder finds enough bytes in them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.iw44 import (
    BANDS,
    BUCKETS,
    CONTEXTS,
    DELAY,
    MOST_BUCKETS,
    PROGRESS,
    SLICES,
    USED,
    decode_slices,
)
from batch_converter.djvu.kernels.iw44_values import PLACE
from batch_converter.djvu.kernels.zp import bytes_used, padded, start

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK_PIXELS: Final = 32
"""Width and height of a block."""

COLORS: Final = 3
"""Components of a layer that is not gray: luminance, blue and red chrominance."""

_FIRST_HEAD_BYTES: Final = 9
_HEAD_BYTES: Final = 2
_GRAY_FLAG: Final = 0x80
_DELAY_MASK: Final = 0x7F
_FULL_FLAG: Final = 0x80
_DELAYING_VERSION: Final = 2  # minor; earlier ones have no delay, and no octet for it
_FIRST_PLACES: Final = 64
_MORE_PLACES: Final = bytes(4096 * PLACE * 2)
"""Made once, as streams are before the pool: with nothing behind it, that can grow where it is."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a layer's first chunk says of the picture; zeros where it breaks off.

    Attributes:
        delay: For how many slices there is no chrominance.
        is_half: Whether two by two pixels share their chrominance.
        size_bytes: Of the head itself.
    """

    width: int
    height: int
    components: int
    delay: int
    is_half: bool
    size_bytes: int

    @classmethod
    def of(cls, chunk: bytes) -> Head:
        """Return the head of a first chunk."""
        head = chunk[:_FIRST_HEAD_BYTES].ljust(_FIRST_HEAD_BYTES, b"\0")
        has_delay = head[3] >= _DELAYING_VERSION
        is_gray = head[2] & _GRAY_FLAG
        return cls(
            width=int.from_bytes(head[4:6], "big"),
            height=int.from_bytes(head[6:8], "big"),
            components=1 if is_gray else COLORS,
            delay=head[8] & _DELAY_MASK if has_delay else 0,
            is_half=has_delay and not is_gray and not head[8] & _FULL_FLAG,
            size_bytes=_FIRST_HEAD_BYTES if has_delay else _FIRST_HEAD_BYTES - 1,
        )

    @property
    def columns(self) -> int:
        """How many blocks lie beside each other."""
        return -(-self.width // BLOCK_PIXELS)

    @property
    def blocks(self) -> int:
        """How many blocks a component has."""
        return self.columns * -(-self.height // BLOCK_PIXELS)


def heads_agree(chunks: Sequence[bytes]) -> bool:
    """Whether these are the chunks of one layer in their order, and it has a size.

    That is what djvu-rs asks for, and all that it refuses.
    """
    head = Head.of(chunks[0])
    return (
        head.width * head.height > 0
        and len(chunks[0]) >= head.size_bytes
        and all(
            len(chunk) >= _HEAD_BYTES and chunk[0] == number for number, chunk in enumerate(chunks)
        )
    )


class Layer:
    """A layer's coefficients.

    Memory: 0.25 bytes a pixel and component, and 36 for each bucket of 16 that has any, so 2.5
    at the most; look at the size before.

    Attributes:
        head: What is known of the picture.
        reached: Of each band of each block of each component, 1 if it has any coefficients.
        slots: Of each bucket of each block of each component, its place in the pool, or 0.
        pool: See `iw44`.
        overrun_bytes: By how much the coder read on beyond the end of a chunk, at the most.
            A whole chunk needs two bytes more than there are, or a few: the coder holds 16
            bits, and an encoder leaves out ones.
    """

    def __init__(self, chunks: Sequence[bytes]) -> None:
        """Decode them all; nothing is refused.

        Args:
            chunks: Of a wavelet layer, in their order, with their heads.
        """
        self.head = Head.of(chunks[0])
        blocks = self.head.components * self.head.blocks
        slices = [chunk[1] if len(chunk) > 1 and blocks else 0 for chunk in chunks]
        bodies = [
            chunk[_HEAD_BYTES if chunk[:1] > b"\0" else self.head.size_bytes :] for chunk in chunks
        ]
        streams = [padded(body) for body in bodies]
        self.reached = bytearray(BANDS * blocks)
        self.slots = array("i", [0]) * (BUCKETS * blocks)
        self.pool = array("h", [0]) * (PLACE * (blocks + _FIRST_PLACES))
        ends = self._decode(streams, slices)
        overruns = (end - len(body) for end, body in zip(ends, bodies, strict=True))
        self.overrun_bytes = max(0, *overruns)

    def _decode(self, streams: list[bytes], slices: list[int]) -> list[int]:
        """Decode all slices; returns how many bytes of each stream that took."""
        ends = []
        contexts = bytearray(CONTEXTS * self.head.components)
        new = array("q", [0]) * MOST_BUCKETS
        progress = array("q", [0]) * PROGRESS
        progress[USED], progress[DELAY] = 1, self.head.delay
        for stream, progress[SLICES] in zip(streams, slices, strict=True):
            coder = start(stream)
            while not decode_slices(
                coder,
                stream,
                contexts,
                self.reached,
                self.slots,
                self.pool,
                new,
                progress,
                self.head.components,
            ):
                self.pool.frombytes(_MORE_PLACES)
            ends.append(bytes_used(coder))
        return ends
