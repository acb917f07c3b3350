"""A writer of facsimile group 4 (ITU-T T.6), in stripes or not."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from batch_converter.djvu.kernels.mmr_codes import (
    HORIZONTAL,
    LENGTH_BITS,
    MODES,
    PASS,
    RUN_BITS,
    RUNS,
    VERTICAL_ZERO,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.bool_]


def _codes(table: tuple[int, ...]) -> dict[int, str]:
    bits = len(table).bit_length() - 1
    codes = {}
    for place, entry in enumerate(table):
        length = entry & ((1 << LENGTH_BITS) - 1)
        if entry and entry >> LENGTH_BITS not in codes:
            codes[entry >> LENGTH_BITS] = f"{place >> (bits - length):0{length}b}"
    return codes


_MODE_CODES = _codes(MODES)
_RUN_CODES = _codes(RUNS[: 1 << RUN_BITS]), _codes(RUNS[1 << RUN_BITS :])


def fax_run(length: int, colour: int) -> str:
    """Return the codes of a run of white (0) or black (1), as binary digits."""
    codes = _RUN_CODES[colour]
    text = ""
    while length >= 2560 + 64:
        text += codes[2560]
        length -= 2560
    return text + (codes[length & ~63] if length >= 64 else "") + codes[length & 63]


def _change(line: list[bool], place: int) -> int:
    """The next place where the colour is another than the one before it."""
    while place < len(line) and line[place] == (line[place - 1] if place else False):
        place += 1
    return place


def _end(row: list[bool], place: int, colour: int) -> int:
    """Where the run of a colour ends."""
    while place < len(row) and row[place] == colour:
        place += 1
    return place


def _row(row: list[bool], above: list[bool]) -> str:
    text, at, black = "", -1, 0
    while at < len(row):
        first = _change(above, at + 1)
        if first < len(row) and above[first] == black:
            first = _change(above, first + 1)
        second = _change(above, first + 1)
        start = max(at, 0)
        own = _end(row, start, black)
        if second < own:
            text, at = text + _MODE_CODES[PASS], second
        elif abs(own - first) <= VERTICAL_ZERO:
            text, at = text + _MODE_CODES[own - first + VERTICAL_ZERO], own
            black = 1 - black
        else:
            at = _end(row, own, 1 - black)
            text += (
                _MODE_CODES[HORIZONTAL] + fax_run(own - start, black) + fax_run(at - own, 1 - black)
            )
    return text


def group4(pixels: Pixels) -> bytes:
    """Code rows, the first with regard to a white one."""
    last = [False] * pixels.shape[1]
    text = ""
    for row in pixels.tolist():
        text += _row(row, last)
        last = row
    text += "000000000001" * 2
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))


def smmr(pixels: Pixels, *, rows: int = 0, inverted: bool = False) -> bytes:
    """The data of an `Smmr` chunk, in stripes of so many rows; 0 for no stripes."""
    height, width = pixels.shape
    coded = ~pixels if inverted else pixels
    head = b"MMR" + bytes([2 * bool(rows) + inverted]) + struct.pack(">HH", width, height)
    if not rows:
        return head + group4(coded)
    body = struct.pack(">H", rows)
    for top in range(0, height, rows):
        stripe = group4(coded[top : top + rows])
        body += struct.pack(">I", len(stripe)) + stripe
    return head + body
