"""The records of JB2 that bring shapes and put them on the page: 11.5.6 to 11.5.8 of the format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.djvu.kernels.compiling import kernel
from batch_converter.djvu.kernels.jb2_kinds import (
    BRINGS_SHAPE,
    COLUMN_OFFSETS,
    COLUMNS,
    COPY,
    HEIGHT_DIFFERENCES,
    HEIGHTS,
    IN_LIBRARY,
    LARGEST,
    LINE_COLUMNS,
    LINE_ROWS,
    MATCHES,
    MATCHES_SHAPE,
    NEW_LINE,
    NO_RECORD,
    NON_SYMBOL,
    ON_PAGE,
    ROW_OFFSETS,
    ROWS,
    SMALLEST,
    TRAITS,
    WIDTH_DIFFERENCES,
    WIDTHS,
)
from batch_converter.djvu.kernels.jb2_layout import (
    BITS_LIMIT,
    BITS_USED,
    BLIT_BOTTOM,
    BLIT_LEFT,
    BLIT_SHAPE,
    BLIT_SIZE,
    BLITS,
    BOTTOMS,
    GOES_ON,
    HEIGHT,
    IMPOSSIBLE_SIZE,
    INK_BOTTOM,
    INK_HEIGHT,
    INK_LEFT,
    INK_WIDTH,
    IS_UNCROPPED,
    LIBRARY,
    LINE_BOTTOM,
    LINE_LEFT,
    MATCHED,
    NEW_HEIGHT,
    NEW_WIDTH,
    NO_MATCH,
    NO_SUCH_SHAPE,
    NOT_LOOKED,
    PENDING,
    RIGHT,
    SHAPE_HEIGHT,
    SHAPE_OFFSET,
    SHAPE_SIZE,
    SHAPE_WIDTH,
    SHAPES,
    TOO_LARGE,
    WIDTH,
)
from batch_converter.djvu.kernels.jb2_rows import row_bytes
from batch_converter.djvu.kernels.jb2_shapes import (
    decode_direct_shape,
    decode_refined_shape,
    look_for_ink,
)
from batch_converter.djvu.kernels.zp import decode_bit, decode_number

if TYPE_CHECKING:
    from array import array


@kernel
def begin_symbol(  # noqa: PLR0917  # as above
    state: array[int],
    coder: array[int],
    data: bytes,
    numbers: memoryview[int],
    shapes: array[int],
    library: array[int],
    bits: bytearray,
) -> int:
    """Decode which shape is matched, and the size of a new one; returns a status."""
    traits = TRAITS[state[PENDING]]
    state[MATCHED] = NO_MATCH
    width = height = 0
    if traits & MATCHES_SHAPE:
        if not state[LIBRARY]:
            return NO_SUCH_SHAPE
        most = state[LIBRARY] - 1
        number = library[decode_number(coder, data, numbers, MATCHES, 0, most)]
        state[MATCHED] = number
        look_for_ink(bits, shapes, number)
        if traits & BRINGS_SHAPE:
            width = shapes[number * SHAPE_SIZE + INK_WIDTH]
            width += decode_number(coder, data, numbers, WIDTH_DIFFERENCES, SMALLEST, LARGEST)
            height = shapes[number * SHAPE_SIZE + INK_HEIGHT]
            height += decode_number(coder, data, numbers, HEIGHT_DIFFERENCES, SMALLEST, LARGEST)
            if min(width, height) < 0:
                return IMPOSSIBLE_SIZE
    else:
        width = decode_number(coder, data, numbers, WIDTHS, 0, LARGEST)
        height = decode_number(coder, data, numbers, HEIGHTS, 0, LARGEST)
    state[NEW_WIDTH], state[NEW_HEIGHT] = width, height
    if row_bytes(width) * height > state[BITS_LIMIT] - state[BITS_USED]:
        return TOO_LARGE
    return GOES_ON


@kernel
def add_shape(  # noqa: PLR0917  # as above
    state: array[int],
    coder: array[int],
    data: bytes,
    direct: bytearray,
    refined: bytearray,
    bits: bytearray,
    shapes: array[int],
) -> int:
    """Decode and add the shape that a record brings, if it does; returns a status."""
    if not TRAITS[state[PENDING]] & BRINGS_SHAPE:
        return GOES_ON
    width, height, like = state[NEW_WIDTH], state[NEW_HEIGHT], state[MATCHED]
    if like == NO_MATCH:
        status = decode_direct_shape(state, coder, data, direct, bits, width, height)
    else:
        status = decode_refined_shape(
            state, coder, data, refined, bits, shapes, like, width, height
        )
    place = state[SHAPES] * SHAPE_SIZE
    shapes[place + SHAPE_OFFSET] = state[BITS_USED]
    shapes[place + SHAPE_WIDTH] = width
    shapes[place + SHAPE_HEIGHT] = height
    shapes[place + INK_LEFT] = NOT_LOOKED
    state[BITS_USED] += row_bytes(width) * height
    state[SHAPES] += 1
    return status


@kernel
def finish_symbol(  # noqa: PLR0917  # as above
    state: array[int],
    coder: array[int],
    data: bytes,
    numbers: memoryview[int],
    flags: bytearray,
    shapes: array[int],
    library: array[int],
    blits: array[int],
) -> None:
    """Decode where a shape is put, and end its record."""
    record = state[PENDING]
    state[PENDING] = NO_RECORD
    traits = TRAITS[record]
    number = state[SHAPES] - 1 if traits & BRINGS_SHAPE else state[MATCHED]
    shape = number * SHAPE_SIZE
    if traits & ON_PAGE:
        width, height = shapes[shape + SHAPE_WIDTH], shapes[shape + SHAPE_HEIGHT]
        spare_left = spare_bottom = 0
        if record == COPY:
            spare_left, spare_bottom = shapes[shape + INK_LEFT], shapes[shape + INK_BOTTOM]
            if not state[IS_UNCROPPED]:
                width, height = shapes[shape + INK_WIDTH], shapes[shape + INK_HEIGHT]
        _move(state, coder, data, numbers, flags, width, height)
        left = state[RIGHT] + 1 - width
        _add_blit(state, blits, number, left - spare_left, state[BOTTOMS] - spare_bottom)
    elif record == NON_SYMBOL:
        left = decode_number(coder, data, numbers, COLUMNS, 1, state[WIDTH]) - 1
        top = decode_number(coder, data, numbers, ROWS, 1, state[HEIGHT]) - 1
        _add_blit(state, blits, number, left, top + 1 - shapes[shape + SHAPE_HEIGHT])
    if traits & IN_LIBRARY:
        library[state[LIBRARY]] = number
        state[LIBRARY] += 1


@kernel
def _add_blit(state: array[int], blits: array[int], number: int, left: int, bottom: int) -> None:
    place = state[BLITS] * BLIT_SIZE
    blits[place + BLIT_SHAPE] = number
    blits[place + BLIT_LEFT] = left
    blits[place + BLIT_BOTTOM] = bottom
    state[BLITS] += 1


@kernel
def _move(  # noqa: PLR0917  # as above
    state: array[int],
    coder: array[int],
    data: bytes,
    numbers: memoryview[int],
    flags: bytearray,
    width: int,
    height: int,
) -> None:
    """Decode the place of a shape of this size (11.5.8 of the specification).

    It is `BOTTOMS`, the lowermost row of the last shape, and `RIGHT`, its rightmost column.
    """
    if decode_bit(coder, data, flags, NEW_LINE):
        left = state[LINE_LEFT]
        left += decode_number(coder, data, numbers, LINE_COLUMNS, SMALLEST, LARGEST)
        top = state[LINE_BOTTOM]
        top += decode_number(coder, data, numbers, LINE_ROWS, SMALLEST, LARGEST)
        bottom = top + 1 - height
        state[LINE_LEFT] = left
        state[LINE_BOTTOM] = bottom
        state[BOTTOMS + 1] = state[BOTTOMS + 2] = bottom
    else:
        left = state[RIGHT]
        left += decode_number(coder, data, numbers, COLUMN_OFFSETS, SMALLEST, LARGEST)
        last, second, third = state[BOTTOMS], state[BOTTOMS + 1], state[BOTTOMS + 2]
        middle = max(min(last, second), min(max(last, second), third))
        bottom = middle + decode_number(coder, data, numbers, ROW_OFFSETS, SMALLEST, LARGEST)
        state[BOTTOMS + 1], state[BOTTOMS + 2] = last, second
    state[BOTTOMS] = bottom
    state[RIGHT] = left + width - 1
