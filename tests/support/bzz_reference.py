"""BZZ decoded plainly, with objects and lists: what the kernels are held to."""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import Final

from batch_converter.djvu.kernels.zp_table import DELTA, DOWN, THETA, UP
from batch_converter.djvu.read.bzz import BzzError, BzzTooLargeError

_CONTEXTS: Final = 300
_SIDE_CONTEXTS: Final = 3
_MAX_BLOCK: Final = 4 << 20
_END_MARKER: Final = 256
_MAX_ADD: Final = 0x10000000


class _ZpDecoder:
    """Binary decisions out of bytes; past the end the stream goes on with ones."""

    __slots__ = ("_a", "_bits", "_buffer", "_code", "_data", "_fence", "_position", "_states")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._buffer = 0
        self._bits = 0
        self._a = 0
        self._states = [0] * _CONTEXTS
        self._fill()
        self._bits -= 16
        self._code = (self._buffer >> self._bits) & 0xFFFF
        self._fence = min(self._code, 0x7FFF)

    def exhausted(self) -> bool:
        """Whether far more was read than there is: no whole stream does that."""
        return self._position > len(self._data) + 32

    def _fill(self) -> None:
        piece = self._data[self._position : self._position + 4]
        self._position += 4
        piece += b"\xff" * (4 - len(piece))
        self._buffer = ((self._buffer & 0xFFFFFFFF) << 32) | int.from_bytes(piece, "big")
        self._bits += 32

    def _shift(self, count: int) -> None:
        if self._bits < count:
            self._fill()
        self._bits -= count
        taken = (self._buffer >> self._bits) & ((1 << count) - 1)
        self._a = (self._a << count) & 0xFFFF
        self._code = ((self._code << count) | taken) & 0xFFFF
        self._fence = min(self._code, 0x7FFF)

    def _take_less_probable(self, z: int) -> None:
        self._a += 0x10000 - z
        self._code += 0x10000 - z
        self._shift(16 - (~self._a & 0xFFFF).bit_length())

    def bit(self, context: int) -> int:
        """Decode one decision and adapt its context."""
        state = self._states[context]
        z = self._a + DELTA[state]
        if z <= self._fence:
            self._a = z
            return state & 1
        z = min(z, 0x6000 + ((z + self._a) >> 2))
        if z > self._code:
            self._take_less_probable(z)
            self._states[context] = DOWN[state]
            return (state & 1) ^ 1
        if self._a >= THETA[state]:
            self._states[context] = UP[state]
        self._a = z
        self._shift(1)
        return state & 1

    def foregone(self, context: int, most: int) -> int:
        """Take decisions that are ones whatever bits follow, up to `most`; returns how many.

        They change no state, so long runs cost one division.
        """
        state = self._states[context]
        if not state & 1 or self._fence <= self._a:
            return 0
        delta = DELTA[state]
        count = min(most, (self._fence - self._a) // delta)
        self._a += count * delta
        return count

    def plain_bit(self) -> int:
        """Decode one decision that has no context."""
        z = 0x8000 + (self._a >> 1)
        if z > self._code:
            self._take_less_probable(z)
            return 1
        self._a = z
        self._shift(1)
        return 0

    def plain_number(self, bits: int) -> int:
        """Decode `bits` contextless bits, the highest first."""
        number = 0
        for _ in range(bits):
            number = (number << 1) | self.plain_bit()
        return number

    def number(self, bits: int, context: int) -> int:
        """Decode `bits` bits through a tree of contexts that begins at `context`."""
        node = 1
        for _ in range(bits):
            node = (node << 1) | self.bit(context + node - 1)
        return node - (1 << bits)


def decompress(data: bytes, *, max_bytes: int) -> bytes:
    """Decode a whole BZZ stream.

    Raises:
        BzzTooLargeError: It yields more than `max_bytes`.
        BzzError: It is damaged.
    """
    decoder = _ZpDecoder(data)
    out = bytearray()
    while (size := decoder.plain_number(24)) != 0:
        if size > _MAX_BLOCK:
            raise BzzError(bytes(out))
        if size > max_bytes - len(out) + 1:
            raise BzzTooLargeError(bytes(out))
        try:
            out += _sorted_back(*_block(decoder, size))
        except _BlockError as error:
            raise BzzError(bytes(out)) from error
    return bytes(out)


class _BlockError(ValueError):
    """A block is damaged."""


def _block(decoder: _ZpDecoder, size: int) -> tuple[bytearray, int]:
    """Decode the symbols of one block and the place of its end marker."""
    decay = 1 + decoder.plain_bit() if decoder.plain_bit() else 0
    ranks = _Ranks(decay)
    symbols = bytearray(size)
    marker = -1
    rank = 3
    i = 0
    looks = 0
    while i < size:
        if rank == 0 and (count := decoder.foregone(0, size - i)):
            symbols[i : i + count] = ranks.repeat(count)
            i += count
            continue
        rank = _rank(decoder, min(_SIDE_CONTEXTS - 1, rank))
        if rank == _END_MARKER:
            marker = i
        else:
            symbols[i] = ranks.take(rank)
        i += 1
        looks += 1
        if not looks & 0xFF and decoder.exhausted():
            raise _BlockError("cut off")
    if not 0 < marker < size:
        raise _BlockError("no end marker")
    return symbols, marker


def _rank(decoder: _ZpDecoder, side: int) -> int:
    """Decode a symbol's rank: unary over the classes 0, 1, 2-3, 4-7, ... 128-255."""
    if decoder.bit(side):
        return 0
    if decoder.bit(_SIDE_CONTEXTS + side):
        return 1
    context = 2 * _SIDE_CONTEXTS
    for bits in range(1, 8):
        if decoder.bit(context):
            return (1 << bits) + decoder.number(bits, context + 1)
        context += 1 << bits
    return _END_MARKER


class _Ranks:
    """Symbols by how often they came lately: move-to-front tempered by frequency."""

    __slots__ = ("_add", "_decay", "_frequencies", "_order")

    def __init__(self, decay: int) -> None:
        self._order = list(range(256))
        self._frequencies = [0, 0, 0, 0]
        self._add = 4
        self._decay = decay

    def take(self, rank: int) -> int:
        """Return the symbol of a rank and move it forward."""
        self._add += self._add >> self._decay
        if self._add > _MAX_ADD:
            self._add >>= 24
            self._frequencies = [f >> 24 for f in self._frequencies]
        if rank == 0:  # by far the most frequent, and already in front
            self._frequencies[0] += self._add
            return self._order[0]
        symbol = self._order.pop(rank)
        self._insert(symbol, rank)
        return symbol

    def repeat(self, count: int) -> bytes:
        """Take rank 0 so many times."""
        add, decay = self._add, self._decay
        first = self._frequencies[0]
        for _ in range(count):
            add += add >> decay
            if add > _MAX_ADD:
                add >>= 24
                first >>= 24
                self._frequencies = [f >> 24 for f in self._frequencies]
            first += add
        self._add = add
        self._frequencies[0] = first
        return bytes([self._order[0]]) * count

    def _insert(self, symbol: int, rank: int) -> None:
        tracked = len(self._frequencies)
        frequency = self._add + (self._frequencies.pop(rank) if rank < tracked else 0)
        del self._frequencies[tracked - 1 :]
        place = len(self._frequencies)
        while place > 0 and frequency >= self._frequencies[place - 1]:
            place -= 1
        self._order.insert(place, symbol)
        self._frequencies.insert(place, frequency)


def _sorted_back(symbols: bytearray, marker: int) -> bytes:
    """Undo the block-sorting transform."""
    counts = [0] * 256
    occurrence = array("I", bytes(4 * len(symbols)))
    for i, symbol in enumerate(symbols):
        if i != marker:
            occurrence[i] = counts[symbol]
            counts[symbol] += 1
    starts = list(accumulate(counts[:-1], initial=1))
    out = bytearray(len(symbols) - 1)
    row = 0
    for i in range(len(out) - 1, -1, -1):
        symbol = symbols[row]
        out[i] = symbol
        row = starts[symbol] + occurrence[row]
    if row != marker:
        raise _BlockError("inconsistent")
    return bytes(out)
