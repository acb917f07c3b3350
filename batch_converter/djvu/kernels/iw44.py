"""A wavelet layer's decisions and coefficients: DjVu 3 specification, 10.4 and 10.5.

A layer has a block of 1024 coefficients for each 32 x 32 pixels and component, in 64 buckets
of 16. Of most buckets all coefficients stay zero: of the finest ones of a scan, 70 % in luminance
and 99 in chrominance. So the others have places in a pool, given out as they are needed; `slots`
has the number of each bucket's, 0 where there is none. The pool's first place stays empty, so
what is not there reads as zeros.

Which decision comes next hangs on which coefficients are zero, and of the others on whether they
were so in the cycle before (10.5.5.1: only then is the absolute value no more than three steps).
So a place has these two as bits, in front of the values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel, table
from batch_converter.djvu.kernels.iw44_coder import decided, passed_through
from batch_converter.djvu.kernels.iw44_values import (
    PLACE,
    RECENT,
    decode_values,
    put_new,
    usable_coefficients,
)
from batch_converter.djvu.kernels.zp import BITS, BUFFER, CODE, INTERVAL, POSITION

if TYPE_CHECKING:
    from collections.abc import MutableSequence

    from batch_converter.djvu.kernels.iw44_coder import Coder

BANDS: Final = 10
"""Of a block's buckets; the first is the coarsest."""

BUCKETS: Final = 64
"""Of a block."""

MOST_BUCKETS: Final = 16
"""Of a band of a block."""

CONTEXTS: Final = 98
"""Of a colour component: see 10.4.2.2."""

USED: Final = 0
BLOCK: Final = 1
COMPONENT: Final = 2
SLICES: Final = 3
DELAY: Final = 4
BAND: Final = 5
CYCLE: Final = 8
PROGRESS: Final = 11
"""What is known between two calls: places given out, the next block and component, how many
slices the chunk still has, for how many there is no chrominance, each component's band and
cycle; and how many numbers that are."""

_SKIPPED_CONTEXT: Final = 0
_BUCKET_CONTEXTS: Final = 1
_COEFFICIENT_CONTEXTS: Final = 81
_VALUE_CONTEXT: Final = 97

_FIRST_BUCKETS: Final = table([0, 1, 2, 3, 4, 8, 12, 16, 32, 48])
_BAND_BUCKETS: Final = table([1, 1, 1, 1, 4, 4, 4, 16, 16, 16])
_ONES: Final = table([byte.bit_count() for byte in range(256)])
_LAST_CYCLE: Final = 31  # by then all steps are zero


@kernel
def _signed(bits: int) -> int:
    """Return 16 bits as the pool has them."""
    return (bits ^ 0x8000) - 0x8000


@kernel
def _decode_buckets(  # noqa: PLR0917  # flat integers, for a compiler
    coder: Coder,
    data: bytes,
    contexts: MutableSequence[int],
    slots: MutableSequence[int],
    pool: MutableSequence[int],
    block: int,
    band: int,
    usable: int,
    context: int,
) -> tuple[Coder, int]:
    """Decode which buckets of a band get new coefficients, a bit each (10.5.3)."""
    first = _FIRST_BUCKETS[band]
    chosen = 0
    for number in range(_BAND_BUCKETS[band]):
        bucket = first + number
        if pool[PLACE * slots[block + bucket]] & usable != usable:
            parents = 0
            if band:
                parents = pool[PLACE * slots[block + (bucket >> 2)]] >> 4 * (bucket & 3) & 15
            count = min(3, _ONES[parents])
            coder, bit = decided(coder, data, contexts, context + count)
            chosen += bit << number
    return coder, chosen


@kernel
def _decode_new(
    coder: Coder,
    data: bytes,
    contexts: MutableSequence[int],
    context: int,
    left: int,
) -> tuple[Coder, int, int]:
    """Decode which coefficients of a bucket cease to be zero, and which are negative (10.5.4)."""
    count = _ONES[left & 0xFF] + _ONES[left >> 8]
    new = 0
    negative = 0
    while left:
        coefficient = left & -left
        left ^= coefficient
        coder, bit = decided(coder, data, contexts, context + min(7, count))
        if bit:
            coder, sign = passed_through(coder, data)
            new |= coefficient
            negative |= coefficient * sign
            count = 0
        elif count:
            count -= 1
    return coder, new, negative


@kernel
def _decode_band(  # noqa: C901, PLR0912, PLR0915, PLR0917  # three passes over buckets, in one loop
    state: MutableSequence[int],
    data: bytes,
    contexts: MutableSequence[int],
    reached: MutableSequence[int],
    slots: MutableSequence[int],
    pool: MutableSequence[int],
    new: MutableSequence[int],
    progress: MutableSequence[int],
    blocks: int,
) -> bool:
    """Decode a colour band: one component's part of a slice; False where the pool is full."""
    component = progress[COMPONENT]
    band = progress[BAND + component]
    cycle = progress[CYCLE + component]
    usable = usable_coefficients(band, cycle)
    if not usable:
        return True
    coder = (state[INTERVAL], state[CODE], state[BITS], state[BUFFER], state[POSITION])
    context = CONTEXTS * component
    count = _BAND_BUCKETS[band]
    used = progress[USED]
    room = len(pool) // PLACE - MOST_BUCKETS
    number = progress[BLOCK]
    while number < blocks and used <= room:
        block = BUCKETS * (blocks * component + number)
        first = block + _FIRST_BUCKETS[band]
        mark = BANDS * (blocks * component + number) + band
        number += 1
        was_reached = 0 + reached[mark]
        if not band:  # the only one of which some coefficients are in use and others are not
            was_reached = 1 if pool[PLACE * slots[first]] & usable else 0
        if count == MOST_BUCKETS and not was_reached:
            coder, bit = decided(coder, data, contexts, context + _SKIPPED_CONTEXT)
            if not bit:
                continue
        coder, chosen = _decode_buckets(
            coder,
            data,
            contexts,
            slots,
            pool,
            block,
            band,
            usable,
            context + _BUCKET_CONTEXTS + 8 * band + 4 * was_reached,
        )
        if not (chosen or was_reached):
            continue
        for bucket in range(count):
            fresh = 0
            if chosen >> bucket & 1:
                place = PLACE * slots[first + bucket]
                known = pool[place] & usable
                coder, fresh, negative = _decode_new(
                    coder,
                    data,
                    contexts,
                    context + _COEFFICIENT_CONTEXTS + (8 if known else 0),
                    usable & ~known,
                )
                if fresh:
                    reached[mark] = 1
                    if not place:
                        slots[first + bucket] = used
                        place = PLACE * used
                        used += 1
                    put_new(pool, place, fresh, negative, band, cycle)
            new[bucket] = fresh
        for bucket in range(count):
            place = PLACE * slots[first + bucket]
            if place:
                fresh = new[bucket]
                known = pool[place] & usable
                if known:
                    coder = decode_values(
                        coder,
                        data,
                        contexts,
                        context + _VALUE_CONTEXT,
                        pool,
                        place,
                        known,
                        band,
                        cycle,
                    )
                pool[place] |= _signed(fresh)
                pool[place + RECENT] = _signed(fresh)
    state[INTERVAL], state[CODE], state[BITS], state[BUFFER], state[POSITION] = coder
    progress[USED] = used
    progress[BLOCK] = number % blocks
    return number == blocks


@kernel
def decode_slices(  # noqa: PLR0917  # buffers and integers, for a compiler
    state: MutableSequence[int],
    data: bytes,
    contexts: MutableSequence[int],
    reached: MutableSequence[int],
    slots: MutableSequence[int],
    pool: MutableSequence[int],
    new: MutableSequence[int],
    progress: MutableSequence[int],
    components: int,
) -> bool:
    """Decode the slices that a chunk has left.

    Args:
        state: Of the Z'-coder.
        data: Its stream, padded.
        contexts: Of all components.
        reached: Of each band of each block of each component, 1 if it has any coefficients.
        slots: Of each bucket, the number of its place in the pool, or 0.
        pool: The places.
        new: Room for `MOST_BUCKETS` numbers.
        progress: What is known between two calls.
        components: How many there are.

    Returns:
        Whether all are decoded; if not, there are too few places: call again with more.
    """
    blocks = len(slots) // (BUCKETS * components)
    while progress[SLICES]:
        present = 1 if progress[DELAY] else components
        while progress[COMPONENT] < present:
            if not _decode_band(state, data, contexts, reached, slots, pool, new, progress, blocks):
                return False
            component = progress[COMPONENT]
            band = progress[BAND + component] + 1
            progress[BAND + component] = band % BANDS
            progress[CYCLE + component] = min(
                _LAST_CYCLE, progress[CYCLE + component] + band // BANDS
            )
            progress[COMPONENT] += 1
        progress[COMPONENT] = 0
        progress[DELAY] = max(0, progress[DELAY] - 1)
        progress[SLICES] -= 1
    return True
