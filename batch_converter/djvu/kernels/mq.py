"""The MQ coder, which writes decisions in fractions of a bit: ITU-T T.88, annex E.

What is to be coded is told beforehand, as a list of decisions: twice a context plus the bit,
or, below zero, how many zeros follow each other in context 0. So bitmaps and numbers
are taken apart by functions that know nothing of the coder, and white paper costs next to nothing.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel, table

if TYPE_CHECKING:
    from collections.abc import MutableSequence

# fmt: off
_QE: Final = (
    0x5601, 0x3401, 0x1801, 0x0AC1, 0x0521, 0x0221, 0x5601, 0x5401, 0x4801, 0x3801, 0x3001, 0x2401,
    0x1C01, 0x1601, 0x5601, 0x5401, 0x5101, 0x4801, 0x3801, 0x3401, 0x3001, 0x2801, 0x2401, 0x2201,
    0x1C01, 0x1801, 0x1601, 0x1401, 0x1201, 0x1101, 0x0AC1, 0x09C1, 0x08A1, 0x0521, 0x0441, 0x02A1,
    0x0221, 0x0141, 0x0111, 0x0085, 0x0049, 0x0025, 0x0015, 0x0009, 0x0005, 0x0001, 0x5601,
)
_NEXT_PROBABLE: Final = (
    1, 2, 3, 4, 5, 38, 7, 8, 9, 10, 11, 12, 13, 29, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
    27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 45, 46,
)
_NEXT_IMPROBABLE: Final = (
    1, 6, 9, 12, 29, 33, 6, 14, 14, 14, 17, 18, 20, 21, 14, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22,
    23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 46,
)
_SWITCHING: Final = frozenset({0, 6, 14})
# fmt: on

PROBABILITY: Final = table([_QE[state >> 1] for state in range(2 * len(_QE))])
"""Of the less probable bit, by state; a state's parity is the more probable bit (table E.1)."""

UP: Final = table(
    [2 * _NEXT_PROBABLE[state >> 1] + (state & 1) for state in range(2 * len(_NEXT_PROBABLE))]
)
"""The state after a more probable bit that made the interval too small."""

DOWN: Final = table(
    [
        2 * _NEXT_IMPROBABLE[state >> 1] + (state & 1 ^ (state >> 1 in _SWITCHING))
        for state in range(2 * len(_NEXT_IMPROBABLE))
    ]
)
"""The state after a less probable bit."""

INTERVAL: Final = 0
CODE: Final = 1
ROOM: Final = 2
LAST: Final = 3
POSITION: Final = 4

_HALF: Final = 0x8000
_FIRST_ROOM: Final = 12
_NO_BYTE: Final = -1
_STUFFED: Final = 0xFF
_END: Final = b"\xff\xac"
_OUTPUT_BYTES: Final = 1 << 14
_SPARE_BYTES: Final = 8


@kernel
def shift_out(coder: MutableSequence[int], output: bytearray, shift: int) -> None:
    """Shift the code to the left, by 15 bits at most; writes up to three bytes.

    A byte waits until the next one is known, for a carry; after 0xFF a byte has seven bits
    only, so no carry goes further.
    """
    code = coder[CODE]
    room = coder[ROOM]
    last = coder[LAST]
    position = coder[POSITION]
    while shift >= room:
        code <<= room
        shift -= room
        if last != _STUFFED:
            last += code >> 27
            code &= 0x7FFFFFF
        if last >= 0:
            output[position] = last
            position += 1
        if last == _STUFFED:
            last = code >> 20
            code &= 0xFFFFF
            room = 7
        else:
            last = code >> 19
            code &= 0x7FFFF
            room = 8
    coder[CODE] = code << shift
    coder[ROOM] = room - shift
    coder[LAST] = last
    coder[POSITION] = position


@kernel
def encode(  # noqa: C901, PLR0912, PLR0915, PLR0917  # a decision is written out: a call costs more than it does
    coder: MutableSequence[int],
    output: bytearray,
    states: bytearray,
    decisions: MutableSequence[int],
    start: int,
    end: int,
) -> int:
    """Encode decisions; returns the number of the first that is not, as `output` is full.

    Args:
        coder: The state of the coder.
        output: Filled from the coder's position on.
        states: Of the contexts.
        decisions: A run that is broken off is shortened in its place.
        start: The first to encode.
        end: Behind the last.
    """
    limit = len(output) - _SPARE_BYTES
    a = coder[INTERVAL]
    code = coder[CODE]
    room = coder[ROOM]
    place = start
    while place < end:
        decision = decisions[place]
        if decision < 0:
            if coder[POSITION] >= limit:
                break
            state = states[0]
            if state % 2 == 0:
                step = PROBABILITY[state]
                count = min((a - _HALF) // step, -decision)
                a -= count * step
                code += count * step
                decision += count
                if decision == 0:
                    place += 1
                    continue
            decision += 1
            decisions[place] = decision
            if decision == 0:
                place += 1
            decision = 0
        else:
            place += 1
        context = decision >> 1
        state = states[context]
        step = PROBABILITY[state]
        a -= step
        if (decision + state) & 1:
            if a < step:
                code += step
            else:
                a = step
            states[context] = DOWN[state]
            shift = 0
            while a < _HALF:
                a <<= 1
                shift += 1
        else:
            if a >= _HALF:
                code += step
                continue
            if a < step:
                a = step
            else:
                code += step
            states[context] = UP[state]
            a <<= 1
            shift = 1
        if shift < room:
            code <<= shift
            room -= shift
        else:
            coder[CODE] = code
            coder[ROOM] = room
            shift_out(coder, output, shift)
            code = coder[CODE]
            room = coder[ROOM]
            if coder[POSITION] >= limit:
                break
    coder[INTERVAL] = a
    coder[CODE] = code
    coder[ROOM] = room
    return place


class MqEncoder:
    """A stream of decisions on its way to bytes.

    Args:
        contexts: How many there are.
    """

    def __init__(self, contexts: int) -> None:
        self._states = bytearray(contexts)
        self._coder = array("q", (_HALF, 0, _FIRST_ROOM, _NO_BYTE, 0))
        self._output = bytearray(_OUTPUT_BYTES)
        self._written = bytearray()

    def encode(self, decisions: MutableSequence[int], count: int) -> None:
        """Encode the first decisions of a list, which it may use up."""
        done = 0
        while done < count:
            done = encode(self._coder, self._output, self._states, decisions, done, count)
            self._take()

    def finish(self) -> bytes:
        """Return all that was encoded, with its end mark; it encodes no more."""
        code = self._coder[CODE]
        highest = code + self._coder[INTERVAL]
        code |= 0xFFFF
        self._coder[CODE] = code - _HALF if code >= highest else code
        for _ in range(2):
            shift_out(self._coder, self._output, self._coder[ROOM])
        self._take()
        last = self._coder[LAST]
        if last != _STUFFED:
            self._written.append(last)
        return bytes(self._written + _END)

    def _take(self) -> None:
        self._written += self._output[: self._coder[POSITION]]
        self._coder[POSITION] = 0
