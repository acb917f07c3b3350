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

REFINED_AROUND = ((0, 0), (1, 0), (2, 0), (0, 1))
"""Pixels of the refined bitmap, from the one above and to the left; template 1 (figure 13)."""

REFERENCE_AROUND = ((0, -1), (-1, 0), (0, 0), (1, 0), (0, 1), (1, 1))
"""Pixels of what it is refined from."""

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

    def refined(self, width: int, height: int, parent: Pixels, right: int, down: int) -> Pixels:
        padded = np.zeros((height + 1, width + 2), np.bool_)
        lower, wider = parent.shape
        for row in range(height):
            for column in range(width):
                around = tuple(int(padded[row + y, column + x]) for x, y in REFINED_AROUND)
                places = [(row - down + y, column - right + x) for x, y in REFERENCE_AROUND]
                other = tuple(
                    int(0 <= y < lower and 0 <= x < wider and parent[y, x]) for y, x in places
                )
                padded[row + 1, column + 1] = self.bit(("refined", around, other))
        return padded[1:, 1:-1]


def segments(stream: bytes) -> Iterator[tuple[int, int, Sequence[int], int, bytes]]:
    """Number, kind, what it refers to, page and data of each."""
    place = 0
    while place < len(stream):
        number, kind, references = struct.unpack_from(">IBB", stream, place)
        count = references >> 5
        assert references & 31 == ((1 << count) - 1 << 1 | (kind == 0))
        place += 6 + count
        referred = list(stream[place - count : place])
        page, size = struct.unpack_from(">BI", stream, place)
        place += 5 + size
        assert place <= len(stream)
        yield number, kind, referred, page, stream[place - size : place]


def symbols_of(data: bytes, known: Sequence[Pixels] = ()) -> list[Pixels]:
    """The symbols of a dictionary whose segment refers to others, which have the known ones."""
    (flags,) = struct.unpack(">H", data[:2])
    refined = flags == 1 << 1 | 3 << 10 | 1 << 12
    assert refined or flags == 0
    size = 2 if refined else 8
    assert refined or data[2:10] == NOMINAL
    exported, count = struct.unpack_from(">II", data, 2 + size)
    assert exported == count
    decoder = Decoder(data[10 + size :])
    found: list[Pixels] = list(known)
    bits = max(len(known) + count - 1, 0).bit_length()
    height = 0
    while len(found) < len(known) + count:
        taller = decoder.known("height")
        assert taller > 0
        height += taller
        width = 0
        while (wider := decoder.number("width")) is not None:
            assert wider >= 0
            width += wider
            if refined:
                assert decoder.known("instances") == 1
                parent = found[decoder.symbol(bits)]
                place = decoder.known("right"), decoder.known("down")
                found.append(decoder.refined(width, height, parent, *place))
            else:
                found.append(decoder.bitmap(width, height))
    assert (decoder.number("export"), decoder.number("export")) == (len(known), count)
    assert decoder.is_at_end
    return found[len(known) :]


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
    assert [number for number, *_ in found] == list(range(len(found)))
    common = len([*segments(shared)])
    for number, kind, referred, owner, data in found:
        assert owner == (0 if number < common else 1)
        known = [symbol for other in referred for symbol in symbols[other]]
        if kind == 48:
            width, height = struct.unpack(">II8x", data[:16])
            assert data[16:] == b"\x01\0\0"
            page = np.zeros((height, width), np.bool_)
        elif kind == 0:
            symbols[number] = symbols_of(data, known)
        else:
            assert struct.unpack(">IIIIB", data[:17]) == (*page.shape[::-1], 0, 0, 0)
            page |= _region(kind, data[17:], known, page.shape)
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
