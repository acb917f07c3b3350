"""A BZZ stream, block by block: DjVu 3 specification, appendix 4."""

from __future__ import annotations

from array import array
from typing import Final

from batch_converter.djvu.kernels import zp
from batch_converter.djvu.kernels.bzz import (
    CONTEXTS,
    CUT_OFF,
    INCONSISTENT,
    NO_MARKER,
    decode_plain_number,
    decode_symbols,
    sort_back,
)
from batch_converter.djvu.kernels.bzz_ranks import TRACKED

_SIZE_BITS: Final = 24
_OVERRUN_BYTES: Final = 32
_UNIT_BYTES: Final = 4
_FAULTS: Final = {CUT_OFF: "cut off", NO_MARKER: "no end marker", INCONSISTENT: "inconsistent"}


class BzzBlockError(ValueError):
    """A block is damaged."""


class BzzStream:
    """Blocks, one after the other; what its contexts have learnt goes on from one to the next."""

    def __init__(self, data: bytes) -> None:
        self._data = zp.padded(data)
        self._coder = zp.start(self._data)
        self._contexts = bytearray(CONTEXTS)
        # Read by fours. No whole stream reads so far beyond its end.
        most_units = (len(data) + _OVERRUN_BYTES) // _UNIT_BYTES
        self._most_bits = 8 * _UNIT_BYTES * most_units

    def size(self) -> int:
        """Decode how many symbols the next block has, its end marker among them; 0: none."""
        return decode_plain_number(self._coder, self._data, _SIZE_BITS)

    def block(self, size: int) -> bytearray:
        """Decode a block of so many symbols; takes five bytes of memory for each.

        Raises:
            BzzBlockError: It is damaged.
        """
        decay = self._bit() and 1 + self._bit()
        symbols = bytearray(size)
        order = bytearray(range(256))
        frequencies = array("q", bytes(8 * TRACKED))
        counts = array("q", bytes(8 * len(order)))
        marker = decode_symbols(
            *(self._coder, self._data, self._contexts, order, frequencies, symbols, counts),
            decay,
            self._most_bits,
        )
        if marker < 0:
            raise BzzBlockError(_FAULTS[marker])
        out = bytearray(size - 1)
        end = sort_back(symbols, marker, counts, array("I", bytes(4 * size)), out)
        if end < 0:
            raise BzzBlockError(_FAULTS[end])
        return out

    def _bit(self) -> int:
        return decode_plain_number(self._coder, self._data, 1)
