"""The Z'-coder as the kernels of wavelet layers have it: its state in local variables.

It is a tuple: A, C, how many bits are read ahead, they, and the next byte, as in `zp`. So decisions
take two thirds of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.djvu.kernels.compiling import kernel
from batch_converter.djvu.kernels.zp import DELTA, settled

if TYPE_CHECKING:
    from collections.abc import MutableSequence

    Coder = tuple[int, int, int, int, int]


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
    a, c, bits, buffer, position, bit, state = settled(a, c, bits, buffer, position, data, state, z)
    contexts[context] = state
    return (a, c, bits, buffer, position), bit


@kernel
def passed_through(coder: Coder, data: bytes) -> tuple[Coder, int]:
    """Decode one decision that has no context (12.4)."""
    a, c, bits, buffer, position = coder
    z = 0x8000 + (3 * a >> 3)
    bit = 1 if z > c else 0
    a = z + bit * (0x10000 + a - 2 * z)
    c += bit * (0x10000 - z)
    shift = 1 + (bit & (a >> 14))
    if bits < shift:
        more = data[position] * 256 + data[position + 1] if position < len(data) else 0xFFFF
        buffer = (buffer & 0xFFFF) * 0x10000 + more
        position += 2
        bits += 16
    bits -= shift
    read = buffer >> bits & ((1 << shift) - 1)
    return (a << shift & 0xFFFF, (c << shift | read) & 0xFFFF, bits, buffer, position), bit
