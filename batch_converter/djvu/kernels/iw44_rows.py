"""Rows of a wavelet layer's component at one scale, out of those at the coarser: 10.6.

A scale has four kinds of pixels. Those in even rows and columns are what the coarser scale is
of; for the three others there are coefficients. Rows are rebuilt with all even columns in front
and the odd ones behind, each with a margin that stays zero: so neighbours are a fixed distance
apart, and all loops run along rows. numba makes vectors of them where it can see that no index is
negative, which is what the conditions at the heads of kernels are for: 0.4 ns a value instead of 5.

Values have 16 bits and wrap, as djvu-rs's do: only damage makes any that do not fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel, table
from batch_converter.djvu.kernels.iw44 import BANDS, BUCKETS
from batch_converter.djvu.kernels.iw44_values import COEFFICIENTS, PLACE, VALUES

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

MARGIN: Final = 8
"""Behind the even columns of a row, and behind the odd ones; two are looked at."""

ODD_REACH: Final = 6
EVEN_REACH: Final = 3
"""How many rows below and above take part in a row: odd ones, and even ones."""

_BUCKET_SIDE: Final = 4
# Bands of scales where a block has 4, 8 or 16 columns; there are three for each scale.
_BANDS: Final = table([0] * 8 + [3] * 8 + [6])
# Of 1, 2, 4, 8 and 16 columns, one behind the other: the bits of each column's number backwards,
# in the even places of a coefficient's number. Those of a row's are in the odd places.
_COLUMN_BITS: Final = table(
    [0]
    + [
        sum((column >> bit & 1) << 2 * (size - 1 - bit) for bit in range(size))
        for size in range(5)
        for column in range(1 << size)
    ]
)


@kernel
def _wrapped(value: int) -> int:
    return ((value + 0x8000) & 0xFFFF) - 0x8000


@kernel
def _put_coefficients(  # noqa: PLR0917  # buffers and integers, for a compiler
    reached: Sequence[int],
    slots: Sequence[int],
    pool: Sequence[int],
    first_block: int,
    columns: int,
    side: int,
    kind: int,
    row: int,
    window: MutableSequence[int],
    start: int,
) -> None:
    """Put one kind of coefficients into their columns of a row that is all zeros.

    Args:
        reached: As in `iw44`.
        slots: As in `iw44`.
        pool: As in `iw44`.
        first_block: Of the component.
        columns: How many blocks lie beside each other.
        side: How many coefficients of the kind a block has in a row, and rows of them.
        kind: 0 for even rows and columns, 1 for odd columns, 2 for odd rows, 3 for both.
        row: Counted in rows of that kind.
        window: Where they are put.
        start: Their first place there.
    """
    band = _BANDS[side] + kind if side >= _BUCKET_SIDE else 0
    coarsest = kind * side * side + 2 * _COLUMN_BITS[side + row % side]
    apart = max(1, side // _BUCKET_SIDE)
    for number in range(columns):
        block = first_block + row // side * columns + number
        if not reached[BANDS * block + band]:
            continue
        for low in range(apart):
            coefficient = coarsest + _COLUMN_BITS[side + low]
            place = PLACE * slots[BUCKETS * block + coefficient // COEFFICIENTS]
            if place:
                place += VALUES + coefficient % COEFFICIENTS
                at = start + side * number + low
                for column in range(0, side, apart):
                    window[at + column] = pool[place + _COLUMN_BITS[side + column]]


@kernel
def _lift(  # noqa: PLR0917  # buffers and integers, for a compiler
    window: MutableSequence[int], at: int, p3: int, p1: int, n1: int, n3: int, count: int
) -> None:
    """Take from values what the four odd neighbours of each make of them."""
    if at < 0 or p3 < 0 or p1 < 0 or n1 < 0 or n3 < 0:
        return
    for x in range(count):
        near = window[p1 + x] + window[n1 + x]
        far = window[p3 + x] + window[n3 + x]
        window[at + x] = _wrapped(window[at + x] - ((9 * near - far + 16) >> 5))


@kernel
def _predict(  # noqa: PLR0917  # buffers and integers, for a compiler
    window: MutableSequence[int], at: int, p3: int, p1: int, n1: int, n3: int, count: int
) -> None:
    """Add to values what the four even neighbours of each let expect."""
    if at < 0 or p3 < 0 or p1 < 0 or n1 < 0 or n3 < 0:
        return
    for x in range(count):
        near = window[p1 + x] + window[n1 + x]
        far = window[p3 + x] + window[n3 + x]
        window[at + x] = _wrapped(window[at + x] + ((9 * near - far + 8) >> 4))


@kernel
def _predict_at_edge(window: MutableSequence[int], at: int, p1: int, n1: int, count: int) -> None:
    """Add to values the mean of the two even neighbours of each; twice the same for one."""
    if at < 0 or p1 < 0 or n1 < 0:
        return
    for x in range(count):
        mean = (window[p1 + x] + window[n1 + x] + 1) >> 1
        window[at + x] = _wrapped(window[at + x] + mean)


@kernel
def _raise_column_pairs(window: MutableSequence[int], even: int, odd: int, width: int) -> None:
    """Rebuild a row out of its even and its odd columns, both of which stay apart."""
    odds = width // 2
    window[odd + odds] = 0
    window[odd + odds + 1] = 0
    # In rows of four to seven, DjVuLibre takes the last odd column for those behind it, too.
    if 4 <= width <= 7:  # noqa: PLR2004  # as said
        window[odd + odds] = window[odd + odds - 1]
        if odds == 2:  # noqa: PLR2004  # as said
            window[odd + odds + 1] = window[odd + odds - 1]
    _lift(window, even, odd - 2, odd - 1, odd, odd + 1, width - odds)
    inner = max(0, (width - 5) // 2)
    _predict(window, odd + 1, even, even + 1, even + 2, even + 3, inner)
    for column in range(odds):
        if not 1 <= column <= inner:
            is_last = 2 * column + 2 >= width
            behind = even + column + (0 if is_last else 1)
            _predict_at_edge(window, odd + column, even + column, behind, 1)


@kernel
def _interleave(  # noqa: PLR0917  # buffers and integers, for a compiler
    window: Sequence[int], even: int, odd: int, pairs: int, rows: MutableSequence[int], at: int
) -> None:
    """Put even and odd columns where they belong."""
    if even < 0 or odd < 0 or at < 0:
        return
    for pair in range(pairs):
        rows[at + 2 * pair] = window[even + pair]
        rows[at + 2 * pair + 1] = window[odd + pair]


@kernel
def _place(row: int, low: int, height: int, pitch: int) -> int:
    """Return where a row of a window is; of what is not in the picture, the one of zeros."""
    return pitch * (1 + row - low) if 0 <= row < height else 0


@kernel
def _copy(
    values: Sequence[int], start: int, window: MutableSequence[int], at: int, count: int
) -> None:
    if start < 0 or at < 0:
        return
    for x in range(count):
        window[at + x] = values[start + x]


@kernel
def _clear(window: MutableSequence[int], at: int, count: int) -> None:
    if at < 0:
        return
    for x in range(count):
        window[at + x] = 0


@kernel
def _raise_columns(  # noqa: PLR0917  # a buffer and integers, for a compiler
    window: MutableSequence[int], low: int, height: int, pitch: int, top: int, bottom: int
) -> None:
    """Rebuild rows out of those that take part in them, from the first of these on."""
    first = max(0, top - EVEN_REACH)
    for row in range(first + (first & 1), min(height, bottom + EVEN_REACH), 2):
        _lift(
            window,
            _place(row, low, height, pitch),
            _place(row - 3, low, height, pitch),
            _place(row - 1, low, height, pitch),
            _place(row + 1, low, height, pitch),
            _place(row + 3, low, height, pitch),
            pitch,
        )
    for row in range(top | 1, bottom, 2):
        at = _place(row, low, height, pitch)
        above = _place(row - 1, low, height, pitch)
        below = _place(row + 1, low, height, pitch) if row + 1 < height else above
        if 3 <= row < height - 3:  # noqa: PLR2004  # how far away a neighbour is
            before = _place(row - 3, low, height, pitch)
            behind = _place(row + 3, low, height, pitch)
            _predict(window, at, before, above, below, behind, pitch)
        else:
            _predict_at_edge(window, at, above, below, pitch)


@kernel
def raise_rows(  # noqa: PLR0917  # buffers and integers, for a compiler
    reached: Sequence[int],
    slots: Sequence[int],
    pool: Sequence[int],
    first_block: int,
    columns: int,
    side: int,
    width: int,
    height: int,
    coarser: Sequence[int],
    coarser_top: int,
    window: MutableSequence[int],
    top: int,
    bottom: int,
    rows: MutableSequence[int],
) -> None:
    """Rebuild rows of a scale.

    Args:
        reached: As in `iw44`.
        slots: As in `iw44`.
        pool: As in `iw44`.
        first_block: Of the component.
        columns: How many blocks lie beside each other.
        side: How many rows and columns of the coarser scale a block has.
        width: Of the picture at this scale.
        height: Of the picture at this scale.
        coarser: Rows of the coarser scale, `columns * side` values each; not looked at where
            `side` is 1, for there is none.
        coarser_top: Which row is the first of them.
        window: Room for the rows that take part, and for one of zeros before them.
        top: The first row wanted.
        bottom: The row behind the last.
        rows: Where they are put, `2 * columns * side` values each.
    """
    length = columns * side
    pitch = 2 * (length + MARGIN)
    odd = length + MARGIN
    low = max(0, top - ODD_REACH)
    _clear(window, 0, pitch)
    for row in range(low, min(height, bottom + ODD_REACH)):
        is_odd = row & 1
        half = row // 2
        kind = 2 * is_odd
        at = _place(row, low, height, pitch)
        if is_odd or top - EVEN_REACH <= row < bottom + EVEN_REACH:
            _clear(window, at, pitch)
            if is_odd or side == 1:
                _put_coefficients(
                    reached, slots, pool, first_block, columns, side, kind, half, window, at
                )
            else:
                _copy(coarser, length * (half - coarser_top), window, at, length)
            kind += 1
            at += odd
            _put_coefficients(
                reached, slots, pool, first_block, columns, side, kind, half, window, at
            )
    _raise_columns(window, low, height, pitch, top, bottom)
    for row in range(top, bottom):
        at = _place(row, low, height, pitch)
        _raise_column_pairs(window, at, at + odd, width)
        _interleave(window, at, at + odd, length, rows, 2 * length * (row - top))
