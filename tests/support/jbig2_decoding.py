"""A decoder of JBIG2 as PDF embeds it: ITU-T T.88, as far as this project writes it.

Contexts are named by what they are made of: as slow as it is plain, and nothing shared
with what it is to test but the adaptation table.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from batch_converter.djvu.kernels.mq import DOWN, PROBABILITY, UP

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from numpy.typing import NDArray

    Pixels = NDArray[np.bool_]

AROUND = (
    *((column, -2) for column in range(-2, 3)),
    *((column, -1) for column in range(-3, 4)),
    *((column, 0) for column in range(-4, 0)),
)
"""The pixels of template 0, columns and rows from the pixel."""

TYPICAL = tuple(map(int, "1001101100100101"))
"""What stands around a pixel that is none, but tells that a row is typical (figure 8)."""

NOMINAL = bytes((3, 255, 253, 255, 2, 254, 254, 254))
RANGES = ((2, 0), (4, 4), (6, 20), (8, 84), (12, 340), (32, 4436))


class Decoder:
    """The decoder of annex E.3, and of annex A."""

    def __init__(self, data: bytes) -> None:
        self._data = data + b"\xff\xac"
        self._place = 0
        self._states: dict[Hashable, int] = {}
        self._c = self._data[0] << 16
        self._read()
        self._c <<= 7
        self._count -= 7
        self._a = 0x8000

    def _read(self) -> None:
        following = self._data[self._place + 1]
        if self._data[self._place] != 0xFF:
            self._place += 1
            self._c += following << 8
            self._count = 8
        elif following > 0x8F:
            self._c += 0xFF00
            self._count = 8
        else:
            self._place += 1
            self._c += following << 9
            self._count = 7

    @property
    def is_at_end(self) -> bool:
        """Whether all bytes were needed, but for the mark at the end and what is before it."""
        return self._place >= len(self._data) - 8

    def bit(self, context: Hashable) -> int:
        state = self._states.get(context, 0)
        size, bit = PROBABILITY[state], state & 1
        self._a -= size
        lower = self._c >> 16 < size
        if not lower:
            self._c -= size << 16
            if self._a >= 0x8000:
                return bit
        probable = (self._a < size) == lower
        self._states[context] = UP[state] if probable else DOWN[state]
        if lower:
            self._a = size
        while self._a < 0x8000:
            if not self._count:
                self._read()
            self._a <<= 1
            self._c <<= 1
            self._count -= 1
        return bit if probable else 1 - bit

    def number(self, kind: str) -> int | None:
        """A number, or None for "out of band"."""
        before = 1

        def bits(count: int) -> int:
            nonlocal before
            value = 0
            for _ in range(count):
                bit = self.bit((kind, before))
                value = value << 1 | bit
                before = before << 1 | bit
                if before > 511:
                    before = before & 511 | 256
            return value

        negative = bits(1)
        index = 0
        while index < 5 and bits(1):
            index += 1
        count, first = RANGES[index]
        value = first + bits(count)
        return (-value if value else None) if negative else value

    def known(self, kind: str) -> int:
        value = self.number(kind)
        assert value is not None
        return value

    def symbol(self, bits: int) -> int:
        value = 1
        for _ in range(bits):
            value = value << 1 | self.bit(("id", value))
        return value - (1 << bits)

    def bitmap(self, width: int, height: int, *, typical: bool = False) -> Pixels:
        padded = np.zeros((height + 2, width + 8), np.bool_)
        same = 0
        for row in range(2, height + 2):
            if typical:
                same ^= self.bit(TYPICAL)
            if same:
                padded[row] = padded[row - 1]
                continue
            for column in range(4, width + 4):
                around = tuple(int(padded[row + down, column + right]) for right, down in AROUND)
                padded[row, column] = self.bit(around)
        return padded[2:, 4 : width + 4]


def segments(stream: bytes) -> Iterator[tuple[int, int, Sequence[int], int, bytes]]:
    """Number, kind, what it refers to, page and data of each."""
    place = 0
    while place < len(stream):
        number, kind, references = struct.unpack_from(">IBB", stream, place)
        assert references & 31 == 0
        count = references >> 5
        place += 6 + count
        referred = list(stream[place - count : place])
        page, size = struct.unpack_from(">BI", stream, place)
        place += 5 + size
        assert place <= len(stream)
        yield number, kind, referred, page, stream[place - size : place]


def symbols_of(data: bytes) -> list[Pixels]:
    flags, exported, count = struct.unpack(">H8xII", data[:18])
    assert (flags, data[2:10], exported) == (0, NOMINAL, count)
    decoder = Decoder(data[18:])
    found: list[Pixels] = []
    height = 0
    while len(found) < count:
        height += decoder.known("height")
        width = 0
        while (more := decoder.number("width")) is not None:
            width += more
            found.append(decoder.bitmap(width, height))
    assert (decoder.number("export"), decoder.number("export")) == (0, count)
    assert decoder.is_at_end
    return found


def _put(page: Pixels, symbol: Pixels, left: int, top: int) -> None:
    rows, columns = np.nonzero(symbol)
    rows, columns = rows + top, columns + left
    inside = (rows >= 0) & (rows < page.shape[0]) & (columns >= 0) & (columns < page.shape[1])
    page[rows[inside], columns[inside]] = True


def text_of(data: bytes, symbols: Sequence[Pixels], size: tuple[int, int]) -> Pixels:
    flags, count = struct.unpack(">HI", data[:6])
    strip_bits = flags >> 2
    assert flags == strip_bits << 2
    assert strip_bits < 4
    page = np.zeros(size, np.bool_)
    decoder = Decoder(data[6:])
    bits = max(len(symbols) - 1, 0).bit_length()
    strip = -decoder.known("strip")
    first = done = 0
    while done < count:
        strip += decoder.known("strip")
        first += decoder.known("first")
        column = first
        while True:
            bottom = strip << strip_bits
            bottom += decoder.known("row") if strip_bits else 0
            symbol = symbols[decoder.symbol(bits)]
            _put(page, symbol, column, bottom + 1 - symbol.shape[0])
            done += 1
            column += symbol.shape[1] - 1
            if (space := decoder.number("next")) is None:
                break
            column += space
    assert decoder.is_at_end
    return page


def page_of(stream: bytes, shared: bytes = b"") -> Pixels:
    """Draw a page; all its segments must be known, and numbered as they come."""
    page = np.zeros((0, 0), np.bool_)
    symbols: dict[int, list[Pixels]] = {}
    found = [*segments(shared), *segments(stream)]
    assert [number for number, *_ in found] == list(range(len(found))) or not shared
    assert len({number for number, *_ in found}) == len(found)
    for number, kind, referred, owner, data in found:
        assert owner == (0 if number == 0 else 1)
        if kind == 48:
            width, height = struct.unpack(">II8x", data[:16])
            assert data[16:] == b"\x01\0\0"
            page = np.zeros((height, width), np.bool_)
        elif kind == 0:
            symbols[number] = symbols_of(data)
        else:
            assert struct.unpack(">IIIIB", data[:17]) == (*page.shape[::-1], 0, 0, 0)
            page |= _region(kind, data[17:], [s for n in referred for s in symbols[n]], page.shape)
    return page


def _region(kind: int, data: bytes, symbols: Sequence[Pixels], size: tuple[int, ...]) -> Pixels:
    height, width = size
    if kind == 7:
        return text_of(data, symbols, (height, width))
    assert kind == 39
    assert data[0] in {0, 8}
    assert data[1:9] == NOMINAL
    decoder = Decoder(data[9:])
    pixels = decoder.bitmap(width, height, typical=bool(data[0]))
    assert decoder.is_at_end
    return pixels


def drawn(
    symbols: Sequence[Pixels], places: Sequence[tuple[int, int, int]], size: tuple[int, int]
) -> Pixels:
    """Put symbols in their places: what a page has to show."""
    page = np.zeros(size, np.bool_)
    for number, left, top in places:
        _put(page, symbols[number], left, top)
    return page
