"""The Z'-coder, decoding: DjVu 3 specification, appendix 3.

Its state are five integers in an `array`, so that loops which decode many decisions can
hold it in local variables: in plain Python a call costs more than a decision.
Whoever does that copies the decision of `decode_bit`, and names it.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels import zp_table
from batch_converter.djvu.kernels.compiling import kernel, table

if TYPE_CHECKING:
    Contexts = bytearray | memoryview[int]

INTERVAL: Final = 0
CODE: Final = 1
BITS: Final = 2
BUFFER: Final = 3
POSITION: Final = 4
"""Places in a coder's state: A, C, how many bits are read ahead, they, and the next byte."""

NUMBER_CONTEXTS: Final = 1 << 19
"""Contexts of one kind of number: two halves, one a sign, of 2 to the 18th each."""

DELTA: Final = table(zp_table.DELTA)
THETA: Final = table(zp_table.THETA)
UP: Final = table(zp_table.UP)
DOWN: Final = table(zp_table.DOWN)

BYTE_BITS: Final = 8
LEADING_ONES: Final = table([BYTE_BITS - (~byte & 0xFF).bit_length() for byte in range(256)])
"""Of a byte: how far an interval is to be shifted until its highest bit is clear."""

_HALF: Final = 0x8000
_HALF_CONTEXTS: Final = 1 << 18


def padded(data: bytes) -> bytes:
    """Return a stream as the functions here take it: of even length, two bytes at least.

    Behind its end a stream is all ones.
    """
    return data + b"\xff" * (2 if not data else len(data) & 1)


def start(data: bytes) -> array[int]:
    """Return the state before the first decision of a padded stream."""
    return array("q", [0, data[0] << 8 | data[1], 0, 0, 2])


@kernel
def bytes_used(coder: array[int]) -> int:
    """Return how many bytes decisions have needed so far: more than there are, past the end."""
    return coder[POSITION] - (coder[BITS] >> 3)


@kernel
def decode_bit(  # noqa: PLR0915  # flat, as its copies are
    coder: array[int], data: bytes, states: Contexts, context: int
) -> int:
    """Decode one decision and adapt its context."""
    a = coder[INTERVAL]
    c = coder[CODE]
    state = states[context]
    bit = state & 1
    z = a + DELTA[state]
    if z < _HALF and z <= c:
        coder[INTERVAL] = z
        return bit
    z = min(z, 0x6000 + ((z + a) >> 2))
    if z > c:
        bit ^= 1
        states[context] = DOWN[state]
        z = 0x10000 - z
        a += z
        c += z
        shift = LEADING_ONES[a >> 8]
        if shift == BYTE_BITS:
            shift += LEADING_ONES[a & 0xFF]
    else:
        if a >= THETA[state]:
            states[context] = UP[state]
        a = z
        shift = 1
    bits = coder[BITS]
    if bits < shift:
        position = coder[POSITION]
        more = data[position] * 256 + data[position + 1] if position < len(data) else 0xFFFF
        coder[BUFFER] = (coder[BUFFER] & 0xFFFF) << 16 | more
        coder[POSITION] = position + 2
        bits += 16
    bits -= shift
    coder[INTERVAL] = a << shift & 0xFFFF
    coder[CODE] = (c << shift | coder[BUFFER] >> bits & ((1 << shift) - 1)) & 0xFFFF
    coder[BITS] = bits
    return bit


@kernel
def settled(  # noqa: PLR0917  # flat integers, for a compiler
    a: int, c: int, bits: int, buffer: int, position: int, data: bytes, state: int, z: int
) -> tuple[int, int, int, int, int, int, int]:
    """Return the coder after a decision that is not settled by z, its bit, and its context's state.

    For compiled loops, which hold the coder in local variables. Which of both bits it is, and
    whether a state moves, are chosen and not branched upon: what nobody can foresee costs more
    than to work out both, 5 % of decoding masks.
    """
    z = min(z, 0x6000 + ((z + a) >> 2))
    is_less = z > c
    up = UP[state]
    kept = up if a >= THETA[state] else state
    down = DOWN[state]
    bit = state & 1 ^ is_less
    rest = 0x10000 - z
    c += rest * is_less
    a = a + rest if is_less else z
    state = down if is_less else kept
    shift = LEADING_ONES[a >> 8 & 0xFF]  # 1 for the more probable bit: its z is below 0xC000
    if shift == BYTE_BITS:
        shift += LEADING_ONES[a & 0xFF]
    if bits < shift:
        more = data[position] * 256 + data[position + 1] if position < len(data) else 0xFFFF
        buffer = (buffer & 0xFFFF) << 16 | more
        position += 2
        bits += 16
    bits -= shift
    a = a << shift & 0xFFFF
    c = (c << shift | buffer >> bits & ((1 << shift) - 1)) & 0xFFFF
    return a, c, bits, buffer, position, bit, state


@kernel
def decode_number(  # noqa: PLR0917  # flat integers, for a compiler
    coder: array[int],
    data: bytes,
    states: Contexts,
    first: int,
    low: int,
    high: int,
) -> int:
    """Decode an integer of a known range: DjVu 3 specification, 11.2.5.

    Its tree of contexts lies flat in `states`, from `first` on: of each half the place
    2**k asks whether the number is beyond range k, and 2**k + n are the nodes n of the
    range's own tree. What the range leaves no choice about is not coded.
    """
    negative = False
    if low < 0:
        negative = high < 0 or decode_bit(coder, data, states, first) == 0
    if negative:
        first += _HALF_CONTEXTS
        most = -low - 1
        low = -high - 1
        high = most
    size = 1
    while high >= 2 * size - 1:
        if low < 2 * size - 1 and not decode_bit(coder, data, states, first + size):
            break
        size *= 2
    value = size - 1
    node = 1
    half = size >> 1
    while half:
        middle = value + half
        if low >= middle or (
            high >= middle and decode_bit(coder, data, states, first + size + node)
        ):
            value = middle
            node = 2 * node + 1
        else:
            node *= 2
        half >>= 1
    return -value - 1 if negative else value
