"""The pixels of JB2 shapes in plain Python: DjVu 3 specification, 11.5.9 and 11.5.10.

A pixel is one decision, whose context are the pixels around it that are known. What
of it comes from the rows above is stored as the row above is decoded, one number a
pixel (its *feed*), so that a decision takes one look at it. Which bit of a context
stands for which pixel is of no consequence to the format.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

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

MARGIN: Final = 3
"""Clear columns at the right of a row of feeds."""

FEED_INK: Final = 4
"""The bit of a feed that is the pixel itself; bit 7 is the one above it and to the left."""

DIRECT_CONTEXTS: Final = 1 << 10
REFINED_CONTEXTS: Final = 1 << 11

_WORTH_SKIPPING: Final = 16
_FIRST_INK: Final = re.compile(rb"[^\x00]")


def _clear_feeds(feeds: bytearray, start: int, end: int) -> int:
    """Return how many feeds from `start` on, before `end`, are zero."""
    found = _FIRST_INK.search(feeds, start, end)
    return (found.start() if found else end) - start


def decode_direct(  # noqa: C901, PLR0912, PLR0915, PLR0917  # a decision is written out: a call costs more than it does
    coder: array[int],
    data: bytes,
    states: bytearray,
    feeds: bytearray,
    width: int,
    rows: int,
) -> None:
    """Decode rows of a shape that is coded by itself, from the top down.

    Where all around is clear, many decisions are one and the same: they are taken at
    once, so that a wide shape costs what its ink costs.

    Args:
        coder: The state of the Z'-coder.
        data: Its stream, padded.
        states: Of the 1024 contexts.
        feeds: `rows` + 1 rows of `width` + `MARGIN`, of which the first is known, the others 0.
        width: Of the shape.
        rows: How many to decode.
    """
    a, c, bits = coder[INTERVAL], coder[CODE], coder[BITS]
    buffer, position = coder[BUFFER], coder[POSITION]
    delta = DELTA
    fence = min(c, 0x7FFF)
    above = 0
    for _ in range(rows):
        own = above + width + MARGIN
        context = feeds[above] * 4 | feeds[above + 1] * 2 | feeds[above + 2]
        place = own
        end = own + width
        ahead = above + MARGIN - own
        while place < end:
            if not context and place < end - _WORTH_SKIPPING and not states[0] & 1:
                step = delta[states[0]]
                clear = _clear_feeds(feeds, place + ahead, own) + 1
                clear = min(clear, (fence - a) // step, end - place)
                a += clear * step
                place += clear
                context = feeds[place + ahead - 1]
            for place in range(place, end):  # noqa: B020  # goes on from there
                state = states[context]
                bit = state & 1
                z = a + delta[state]
                if z <= fence:
                    a = z
                else:
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
                    if bits < shift:
                        more = (
                            data[position] * 256 + data[position + 1]
                            if position < len(data)
                            else 0xFFFF
                        )
                        buffer = (buffer & 0xFFFF) << 16 | more
                        position += 2
                        bits += 16
                    bits -= shift
                    a = a << shift & 0xFFFF
                    c = (c << shift | buffer >> bits & ((1 << shift) - 1)) & 0xFFFF
                    fence = min(c, 0x7FFF)
                feeds[place] = (context & 32 | bit) << 2
                context = (context & 0x1BD) << 1 | bit | feeds[place + ahead]
                if not context and place < end - _WORTH_SKIPPING:
                    break
            place += 1
        feeds[end] = (context & 32) << 2
        above = own
    coder[INTERVAL], coder[CODE] = a, c
    coder[BITS], coder[BUFFER], coder[POSITION] = bits, buffer, position


def decode_refined(  # noqa: PLR0912, PLR0915, PLR0917  # as above
    coder: array[int],
    data: bytes,
    states: bytearray,
    labels: bytes,
    pixels: bytearray,
    width: int,
    rows: int,
) -> None:
    """Decode rows of a shape that is coded by how it differs from another, from the top down.

    Args:
        coder: The state of the Z'-coder.
        data: Its stream, padded.
        states: Of the 2048 contexts.
        labels: `rows` of `width`: what the other shape looks like around each pixel, in 7 bits.
        pixels: `rows` + 1 rows of `width` + 1, 0 or 1, of which the first is known, the others 0.
        width: Of the shape.
        rows: How many to decode.
    """
    a, c, bits = coder[INTERVAL], coder[CODE], coder[BITS]
    buffer, position = coder[BUFFER], coder[POSITION]
    delta = DELTA
    fence = min(c, 0x7FFF)
    above = 0
    place = 0
    for _ in range(rows):
        own = above + width + 1
        over = pixels[above] * 128
        bit = 0
        for x in range(width):
            over = over << 1 & 0x300 | pixels[above + x + 1] * 128
            context = labels[place] | over | bit << 10
            place += 1
            state = states[context]
            bit = state & 1
            z = a + delta[state]
            if z <= fence:
                a = z
            else:
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
                if bits < shift:
                    more = (
                        data[position] * 256 + data[position + 1]
                        if position < len(data)
                        else 0xFFFF
                    )
                    buffer = (buffer & 0xFFFF) << 16 | more
                    position += 2
                    bits += 16
                bits -= shift
                a = a << shift & 0xFFFF
                c = (c << shift | buffer >> bits & ((1 << shift) - 1)) & 0xFFFF
                fence = min(c, 0x7FFF)
            pixels[own + x] = bit
        above = own
    coder[INTERVAL], coder[CODE] = a, c
    coder[BITS], coder[BUFFER], coder[POSITION] = bits, buffer, position
