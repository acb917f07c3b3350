"""The Z'-coder as the kernels of wavelet layers have it: its state in local variables.

It is a tuple: A, C, how many bits are read ahead, they, and the next byte, as in `zp`, whose
decision is copied here. So decisions take two thirds of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.djvu.kernels.compiling import kernel
from batch_converter.djvu.kernels.zp import BYTE_BITS, DELTA, DOWN, LEADING_ONES, THETA, UP

if TYPE_CHECKING:
    from collections.abc import MutableSequence

    Coder = tuple[int, int, int, int, int]


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
def decided(
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
def passed_through(coder: Coder, data: bytes) -> tuple[Coder, int]:
    """Decode one decision that has no context (12.4)."""
    a, c, bits, buffer, position = coder
    z = 0x8000 + (3 * a >> 3)
    bit = 1 if z > c else 0
    a = z + bit * (0x10000 + a - 2 * z)
    c += bit * (0x10000 - z)
    return _shifted((a, c, bits, buffer, position), data, 1 + (bit & (a >> 14))), bit
