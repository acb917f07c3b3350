"""Rows of facsimile group 4: ITU-T T.6, two-dimensional coding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.mmr_codes import (
    HORIZONTAL,
    LENGTH_BITS,
    MODE_BITS,
    MODES,
    PASS,
    RUN_BITS,
    RUNS,
    VERTICAL_ZERO,
)

if TYPE_CHECKING:
    from collections.abc import MutableSequence

PADDING_BYTES: Final = 4
"""How many zeros have to follow a stream: no code begins with so many."""

DAMAGED: Final = -1

_EMPTY_RUNS: Final = 2
"""More changes of colour than pixels; a stream can say any number that lead nowhere."""

_LENGTH_MASK: Final = (1 << LENGTH_BITS) - 1
_MAKE_UP: Final = 64
_WINDOW_BITS: Final = 24


def _window(data: bytes, position: int, bits: int) -> int:
    place = position >> 3
    three = data[place] << 16 | data[place + 1] << 8 | data[place + 2]
    return three >> (_WINDOW_BITS - bits - (position & 7)) & ((1 << bits) - 1)


def decode_row(  # noqa: C901, PLR0912, PLR0915, PLR0917  # one loop over the codes of a row, flat for a compiler
    data: bytes,
    position: int,
    width: int,
    above: MutableSequence[int],
    changes: MutableSequence[int],
    toggles: bytearray,
    row: int,
) -> int:
    """Decode a row; returns the position behind it, in bits, or `DAMAGED`.

    Args:
        data: The stream, padded.
        position: Where the row begins, in bits.
        width: Of the row.
        above: Where the colour changes in the row above; then `width`, four times at least.
        changes: The same of this row, written here: `width` + 8 places.
        toggles: Bytes that are inverted where the colour changes.
        row: The row's first place there.
    """
    last = 8 * (len(data) - PADDING_BYTES)
    at = -1
    black = 0
    other = 0
    count = 0
    while at < width:
        while above[other] <= at:
            other += 2
        if position >= last or count > width + _EMPTY_RUNS:
            return DAMAGED
        code = MODES[_window(data, position, MODE_BITS)]
        if not code:
            return DAMAGED
        position += code & _LENGTH_MASK
        mode = code >> LENGTH_BITS
        if mode == PASS:
            at = above[other + 1]
            continue
        if mode == HORIZONTAL:
            at = max(at, 0)
            for colour in (black, 1 - black):
                run = _MAKE_UP
                while run >= _MAKE_UP:
                    code = RUNS[colour << RUN_BITS | _window(data, position, RUN_BITS)]
                    if not code or position >= last:
                        return DAMAGED
                    position += code & _LENGTH_MASK
                    run = code >> LENGTH_BITS
                    at += run
                if at > width:
                    return DAMAGED
                changes[count] = at
                toggles[row + at] ^= 1
                count += 1
            continue
        change = above[other] + mode - VERTICAL_ZERO
        if change < max(at, 0) or change > width or (change == at and count >= width):
            return DAMAGED
        at = change
        changes[count] = at
        toggles[row + at] ^= 1
        count += 1
        black = 1 - black
        other += 1 if not other else -1
    for place in range(count, count + 4):
        changes[place] = width
    return position
