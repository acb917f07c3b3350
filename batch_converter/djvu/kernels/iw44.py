"""A wavelet layer's decisions, without its picture: DjVu 3 specification, 10.4 and 10.5.

A layer has a block of 1024 coefficients for each 32 x 32 pixels, in 64 buckets of 16. Which
decision comes next hangs on which coefficients are zero, and of the others on whether they
were so in the cycle before (10.5.5.1: only then is the absolute value no more than three steps).
So a bucket is two numbers of 16 bits here, instead of 16 values.

A coder's state is a tuple inside of this module: A, C, how many bits are read ahead, they,
and the next byte, as in `zp`, whose decision is copied here. In local variables it takes
two thirds of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
    from collections.abc import MutableSequence

    Coder = tuple[int, int, int, int, int]

BANDS: Final = 10
"""Of a block's buckets; the first is the coarsest."""

BUCKETS: Final = 64
"""Of a block."""

ALL_COEFFICIENTS: Final = 0xFFFF
"""Of a bucket, a bit each; the first is the lowest."""

CONTEXTS: Final = 98
"""Of a colour component: see 10.4.2.2."""


_SKIPPED_CONTEXT: Final = 0
_BUCKET_CONTEXTS: Final = 1
_COEFFICIENT_CONTEXTS: Final = 81
_VALUE_CONTEXT: Final = 97

_FIRST_BUCKETS: Final = table([0, 1, 2, 3, 4, 8, 12, 16, 32, 48])
_BAND_BUCKETS: Final = table([1, 1, 1, 1, 4, 4, 4, 16, 16, 16])
_SKIPPED_BUCKETS: Final = 16
_ONES: Final = table([byte.bit_count() for byte in range(256)])


@kernel
def _shifted(coder: Coder, data: bytes, shift: int) -> Coder:
    """Bring an interval to its full size, and read as many bits; behind the end are ones."""
    a, c, bits, buffer, position = coder
    if bits < shift:
        more = data[position] * 256 + data[position + 1] if position < len(data) else 0xFFFF
        buffer = (buffer & 0xFFFF) * 0x10000 + more
        position += 2
        bits += 16
    bits -= shift
    read = buffer >> bits & ((1 << shift) - 1)
    return a << shift & 0xFFFF, (c << shift | read) & 0xFFFF, bits, buffer, position


@kernel
def _decided(
    coder: Coder, data: bytes, contexts: MutableSequence[int], context: int
) -> tuple[Coder, int]:
    """Decode one decision and adapt its context, as `zp.decode_bit`."""
    a, c, bits, buffer, position = coder
    state = 0 + contexts[context]
    bit = state & 1
    z = a + DELTA[state]
    if z < 0x8000 and z <= c:  # noqa: PLR2004  # half of the interval
        return (z, c, bits, buffer, position), bit
    z = min(z, 0x6000 + ((z + a) >> 2))
    if z > c:
        contexts[context] = DOWN[state]
        a += 0x10000 - z
        shift = LEADING_ONES[a >> 8]
        if shift == BYTE_BITS:
            shift += LEADING_ONES[a & 0xFF]
        return _shifted((a, c + 0x10000 - z, bits, buffer, position), data, shift), bit ^ 1
    if a >= THETA[state]:
        contexts[context] = UP[state]
    return _shifted((z, c, bits, buffer, position), data, 1), bit


@kernel
def _passed_through(coder: Coder, data: bytes) -> Coder:
    """Decode one decision that has no context (12.4); what it is, nobody wants to know."""
    a, c, bits, buffer, position = coder
    z = 0x8000 + (3 * a >> 3)
    bit = 1 if z > c else 0
    a = z + bit * (0x10000 + a - 2 * z)
    c += bit * (0x10000 - z)
    return _shifted((a, c, bits, buffer, position), data, 1 + (bit & (a >> 14)))


@kernel
def _decode_buckets(  # noqa: PLR0917  # flat integers, for a compiler
    coder: Coder,
    data: bytes,
    contexts: MutableSequence[int],
    nonzero: MutableSequence[int],
    block: int,
    band: int,
    usable: int,
    reached: int,
) -> tuple[Coder, int]:
    """Decode which buckets of a band get new coefficients, a bit each (10.5.3)."""
    first = _FIRST_BUCKETS[band]
    context = _BUCKET_CONTEXTS + 8 * band + 4 * reached
    chosen = 0
    for number in range(_BAND_BUCKETS[band]):
        bucket = first + number
        if nonzero[block + bucket] & usable != usable:
            parents = 0
            if band:
                parents = (0 + nonzero[block + (bucket >> 2)]) >> 4 * (bucket & 3) & 15
            count = min(3, _ONES[parents])
            coder, bit = _decided(coder, data, contexts, context + count)
            chosen += bit << number
    return coder, chosen


@kernel
def _decode_new(
    coder: Coder, data: bytes, contexts: MutableSequence[int], known: int, usable: int
) -> tuple[Coder, int]:
    """Decode which coefficients of a bucket cease to be zero, and their signs (10.5.4)."""
    left = usable & ~known
    count = _ONES[left & 0xFF] + _ONES[left >> 8]
    context = _COEFFICIENT_CONTEXTS + (8 if known else 0)
    new = 0
    while left:
        coefficient = left & -left
        left ^= coefficient
        coder, bit = _decided(coder, data, contexts, context + min(7, count))
        if bit:
            coder = _passed_through(coder, data)
            new |= coefficient
            count = 0
        elif count:
            count -= 1
    return coder, new


@kernel
def _decode_values(
    coder: Coder, data: bytes, contexts: MutableSequence[int], known: int, recent: int
) -> Coder:
    """Decode how the values of a bucket's coefficients go on (10.5.5)."""
    left = known
    while left:
        coefficient = left & -left
        left ^= coefficient
        if recent & coefficient:
            coder, _ = _decided(coder, data, contexts, _VALUE_CONTEXT)
        else:
            coder = _passed_through(coder, data)
    return coder


@kernel
def decode_band(  # noqa: C901, PLR0912, PLR0917  # three passes over a block's buckets, for all blocks
    state: MutableSequence[int],
    data: bytes,
    contexts: MutableSequence[int],
    nonzero: MutableSequence[int],
    recent: MutableSequence[int],
    reached: MutableSequence[int],
    new: MutableSequence[int],
    band: int,
    usable: int,
) -> None:
    """Decode a colour band: one component's part of a slice.

    Args:
        state: Of the Z'-coder.
        data: Its stream, padded.
        contexts: The component's.
        nonzero: Of each bucket of each block, which coefficients are no longer zero.
        recent: The same of those that were zero until the last cycle.
        reached: Of each band of each block, 1 if it has any.
        new: Room for 16 numbers.
        band: Which one.
        usable: Which coefficients of its buckets have a step that is in use (10.5.1).
    """
    coder = (state[INTERVAL], state[CODE], state[BITS], state[BUFFER], state[POSITION])
    first = _FIRST_BUCKETS[band]
    count = _BAND_BUCKETS[band]
    for number in range(len(nonzero) // BUCKETS):
        block = BUCKETS * number
        place = block + first
        was_reached = 0 + reached[BANDS * number + band]
        if count == _SKIPPED_BUCKETS and not was_reached:
            coder, bit = _decided(coder, data, contexts, _SKIPPED_CONTEXT)
            if not bit:
                continue
        coder, chosen = _decode_buckets(
            coder, data, contexts, nonzero, block, band, usable, was_reached
        )
        if not (chosen or was_reached):
            continue
        for bucket in range(count):
            fresh = 0
            if chosen >> bucket & 1:
                known = nonzero[place + bucket] & usable
                coder, fresh = _decode_new(coder, data, contexts, known, usable)
            new[bucket] = fresh
        for bucket in range(count):
            known = nonzero[place + bucket] & usable
            if known:
                coder = _decode_values(coder, data, contexts, known, recent[place + bucket] + 0)
            nonzero[place + bucket] |= new[bucket]
            recent[place + bucket] = new[bucket]
            if new[bucket]:
                reached[BANDS * number + band] = 1
    state[INTERVAL], state[CODE], state[BITS], state[BUFFER], state[POSITION] = coder
