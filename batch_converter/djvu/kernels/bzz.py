"""A block of BZZ, from its decisions to its bytes: DjVu 3 specification, appendix 4.

Its bytes are sorted by what follows them, and each is coded as its rank among those that
came lately. The rank is a walk through a tree of decisions, each of which has a context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.bzz_ranks import TRACKED, move_forward
from batch_converter.djvu.kernels.compiling import kernel, table
from batch_converter.djvu.kernels.zp import (
    BITS,
    BUFFER,
    BYTE_BITS,
    CODE,
    DELTA,
    DOWN,
    INTERVAL,
    LEADING_ONES,
    POSITION,
    THETA,
    UP,
)

if TYPE_CHECKING:
    from array import array

CONTEXTS: Final = 260
"""Of a stream."""

CUT_OFF: Final = -1
NO_MARKER: Final = -2
INCONSISTENT: Final = -3
"""What is wrong with a block."""

_SIDES: Final = 3
_MARKER_RANK: Final = 256
_DECISIONS_A_LOOK: Final = 256
_FIRST_ADD: Final = 4
_MOST_ADD: Final = 0x10000000
_ADD_SHIFT: Final = 24
_MOST_FENCE: Final = 0x7FFF


def _ways() -> list[int]:
    """Return where each decision of a rank leads: places 2 n and 2 n + 1 are those of context n.

    That is another context or, inverted, the rank. Of the classes 0, 1, 2-3, 4-7, ... 128-255
    the first two have a context for each kind of rank before: 0, 1, and others. Each of the
    rest has one of its own, and behind it a tree: its nodes, from 1 on, end in the ranks.
    """
    ways: list[int] = []
    for side in range(_SIDES):
        ways += _SIDES + side, ~0
    ways += [2 * _SIDES, ~1] * _SIDES
    size = 2
    while len(ways) < 2 * CONTEXTS:
        context = len(ways) // 2
        beyond = context + size
        ways += beyond if beyond < CONTEXTS else ~_MARKER_RANK, context + 1
        ways += [context + node if node < size else ~node for node in range(2, 2 * size)]
        size *= 2
    return ways


_WAYS: Final = table(_ways())


@kernel
def decode_symbols(  # noqa: C901, PLR0912, PLR0915, PLR0917  # one loop over decisions, flat for a compiler
    coder: array[int],
    data: bytes,
    contexts: bytearray,
    order: bytearray,
    frequencies: array[int],
    symbols: bytearray,
    counts: array[int],
    decay: int,
    most_bits: int,
) -> int:
    """Decode the sorted bytes of a block.

    Decisions that are ones whatever bits follow change no context, so long runs of rank 0
    cost one division: what bombs are made of.

    Args:
        coder: State of the Z'-coder.
        data: Its stream, padded.
        contexts: Of the stream.
        order: All bytes, by rank.
        frequencies: Of the tracked ones.
        symbols: Written here; as many as the block has.
        counts: Of each byte, how often it is among them, the marker apart: added here.
        decay: How fast what came earlier loses its weight.
        most_bits: How many may be read before the stream counts as cut off.

    Returns:
        Where the block's end marker stands, or what is wrong.
    """
    a = coder[INTERVAL]
    c = coder[CODE]
    bits = coder[BITS]
    buffer = coder[BUFFER]
    position = coder[POSITION]
    fence = min(c, _MOST_FENCE)
    size = len(symbols)
    end = len(data)
    add = _FIRST_ADD
    marker = NO_MARKER
    rank = _SIDES
    looks = 0
    done = 0
    while done < size:
        if rank == 0:
            state = contexts[0]
            delta = DELTA[state]
            if state & 1 and a + delta <= fence:
                count = min(size - done, (fence - a) // delta)
                a += count * delta
                front = order[0]
                frequency = frequencies[0]
                for place in range(done, done + count):
                    add += add >> decay
                    if add > _MOST_ADD:
                        add >>= _ADD_SHIFT
                        frequency >>= _ADD_SHIFT
                        for tracked in range(TRACKED):
                            frequencies[tracked] >>= _ADD_SHIFT
                    frequency += add
                    symbols[place] = front
                frequencies[0] = frequency
                counts[front] += count
                done += count
                continue
        context = min(_SIDES - 1, rank)
        while context >= 0:
            state = contexts[context]
            bit = state & 1
            z = a + DELTA[state]
            if z <= fence:
                a = z
                context = _WAYS[context + context + bit]
                continue
            z = min(z, 0x6000 + ((z + a) >> 2))
            if z > c:
                bit ^= 1
                contexts[context] = DOWN[state]
                a += 0x10000 - z
                c += 0x10000 - z
                shift = LEADING_ONES[a >> 8]
                if shift == BYTE_BITS:
                    shift += LEADING_ONES[a & 0xFF]
            else:
                if a >= THETA[state]:
                    contexts[context] = UP[state]
                a = z
                shift = 1
            if bits < shift:
                more = data[position] * 256 + data[position + 1] if position < end else 0xFFFF
                buffer = (buffer & 0xFFFF) * 0x10000 + more
                position += 2
                bits += 16
            bits -= shift
            a = a << shift & 0xFFFF
            c = (c << shift | buffer >> bits & ((1 << shift) - 1)) & 0xFFFF
            fence = min(c, _MOST_FENCE)
            context = _WAYS[context + context + bit]
        rank = ~context
        if rank == _MARKER_RANK:
            if marker >= 0:  # that was none, but a zero
                counts[0] += 1
            marker = done
        else:
            add += add >> decay
            if add > _MOST_ADD:
                add >>= _ADD_SHIFT
                for tracked in range(TRACKED):
                    frequencies[tracked] >>= _ADD_SHIFT
            if rank:
                symbol = move_forward(order, frequencies, rank, add)
            else:
                frequencies[0] += add
                symbol = order[0]
            symbols[done] = symbol
            counts[symbol] += 1
        done += 1
        looks += 1
        if not looks % _DECISIONS_A_LOOK and 8 * position - bits > most_bits:
            return CUT_OFF
    coder[INTERVAL] = a
    coder[CODE] = c
    coder[BITS] = bits
    coder[BUFFER] = buffer
    coder[POSITION] = position
    return marker if 0 < marker < size else NO_MARKER


@kernel
def decode_plain_number(coder: array[int], data: bytes, size_bits: int) -> int:
    """Decode a number whose bits have no contexts, the highest first."""
    number = 0
    for _ in range(size_bits):
        a = coder[INTERVAL]
        c = coder[CODE]
        z = 0x8000 + (a >> 1)
        bit = 1 if z > c else 0
        number = 2 * number + bit
        shift = 1
        if bit:
            a += 0x10000 - z
            c += 0x10000 - z
            shift = LEADING_ONES[a >> 8]
            if shift == BYTE_BITS:
                shift += LEADING_ONES[a & 0xFF]
        else:
            a = z
        bits = coder[BITS]
        if bits < shift:
            position = coder[POSITION]
            more = data[position] * 256 + data[position + 1] if position < len(data) else 0xFFFF
            coder[BUFFER] = (coder[BUFFER] & 0xFFFF) * 0x10000 + more
            coder[POSITION] = position + 2
            bits += 16
        bits -= shift
        coder[INTERVAL] = a << shift & 0xFFFF
        coder[CODE] = (c << shift | coder[BUFFER] >> bits & ((1 << shift) - 1)) & 0xFFFF
        coder[BITS] = bits
    return number


@kernel
def sort_back(
    symbols: bytearray, marker: int, counts: array[int], following: array[int], out: bytearray
) -> int:
    """Undo the block-sorting transform.

    Args:
        symbols: As they were decoded.
        marker: Where among them the end marker stands.
        counts: Of each byte; overwritten.
        following: Room for one number a symbol.
        out: Written here; one byte less.

    Returns:
        The marker, or what is wrong.
    """
    size = len(symbols)
    row = 1
    for symbol in range(len(counts)):
        count = counts[symbol]
        counts[symbol] = row
        row += count
    last = symbols[0]
    row = counts[last]
    for place in range(size):
        symbol = symbols[place]
        if symbol != last:  # which is rare: they are sorted
            counts[last] = row
            row = counts[symbol]
            last = symbol
        if place != marker:
            following[place] = row
            row += 1
    following[marker] = 1  # where nothing whole comes by
    row = 0
    for place in range(size - 2, -1, -1):
        out[place] = symbols[row]
        row = following[row]
    return marker if row == marker else INCONSISTENT
