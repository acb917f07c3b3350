"""The records of a JB2 stream, one after the other: DjVu 3 specification, appendix 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.djvu.kernels.compiling import kernel
from batch_converter.djvu.kernels.jb2_kinds import (
    BEFORE_START,
    COMMENT,
    COMMENT_LENGTHS,
    COMMENT_OCTETS,
    DICTIONARY_OR_RESET,
    DICTIONARY_SIZES,
    END,
    IMAGE_SIZES,
    IN_DICTIONARIES,
    LARGEST,
    MATCHES,
    NO_RECORD,
    RECORD_KINDS,
    REFINEMENT,
    START,
    TRAITS,
)
from batch_converter.djvu.kernels.jb2_layout import (
    BEGINS_TWICE,
    BITS_USED,
    BLIT_SIZE,
    BLITS,
    BOTTOMS,
    BREAKS_OFF,
    DICTIONARY_SIZE,
    DONE,
    FORGETS_NUMBERS,
    GOES_ON,
    HEIGHT,
    IS_DICTIONARY,
    LAST_BYTE,
    LIBRARY,
    LINE_BOTTOM,
    LINE_LEFT,
    NEEDS_DICTIONARY,
    NEEDS_ROOM,
    NEW_HEIGHT,
    NEW_WIDTH,
    NO_SENSE,
    NUMBER_BOTTOMS,
    PENDING,
    RIGHT,
    SHAPE_SIZE,
    SHAPES,
    STARTED,
    WIDTH,
)
from batch_converter.djvu.kernels.jb2_rows import row_bytes
from batch_converter.djvu.kernels.jb2_symbols import add_shape, begin_symbol, finish_symbol
from batch_converter.djvu.kernels.zp import NUMBER_CONTEXTS, bytes_used, decode_bit, decode_number

if TYPE_CHECKING:
    from array import array


@kernel
def number_contexts(library: int) -> int:
    """Return how many contexts of numbers a stream needs whose library has so many shapes."""
    return MATCHES + max(NUMBER_CONTEXTS, 2 * library)


@kernel
def decode_records(  # noqa: PLR0917  # buffers, for a compiler
    state: array[int],
    coder: array[int],
    data: bytes,
    numbers: memoryview[int],
    flags: bytearray,
    direct: bytearray,
    refined: bytearray,
    bits: bytearray,
    shapes: array[int],
    library: array[int],
    blits: array[int],
) -> int:
    """Decode records until the last one, or until something is needed.

    Args:
        state: Of the stream, as `jb2_layout` has it.
        coder: Of the Z'-coder.
        data: The stream, padded.
        numbers: Contexts of numbers: `number_contexts` of them at least.
        flags: `FLAG_CONTEXTS`.
        direct: `DIRECT_CONTEXTS`.
        refined: `REFINED_CONTEXTS`.
        bits: Of shapes; gets those of new ones.
        shapes: `SHAPE_SIZE` integers of each.
        library: The numbers of those that may be matched.
        blits: `BLIT_SIZE` integers of each.

    Returns:
        A status of `jb2_layout`.
    """
    while True:
        if bytes_used(coder) > state[LAST_BYTE]:
            return BREAKS_OFF
        if state[PENDING] == NO_RECORD:
            status = _begin(state, coder, data, numbers, flags, shapes, library, bits)
        elif _is_full(state, numbers, bits, shapes, library, blits):
            status = NEEDS_ROOM
        else:
            status = add_shape(state, coder, data, direct, refined, bits, shapes)
            if status == GOES_ON:
                finish_symbol(state, coder, data, numbers, flags, shapes, library, blits)
        if status != GOES_ON:
            return status


@kernel
def _is_full(  # noqa: PLR0917  # as above
    state: array[int],
    numbers: memoryview[int],
    bits: bytearray,
    shapes: array[int],
    library: array[int],
    blits: array[int],
) -> bool:
    """Whether the buffers have no room for one more record."""
    return (
        len(shapes) < (state[SHAPES] + 1) * SHAPE_SIZE
        or len(library) < state[LIBRARY] + 1
        or len(blits) < (state[BLITS] + 1) * BLIT_SIZE
        or len(bits) < state[BITS_USED] + row_bytes(state[NEW_WIDTH]) * state[NEW_HEIGHT]
        or len(numbers) < number_contexts(state[LIBRARY] + 1)
    )


@kernel
def _begin(  # noqa: PLR0911, PLR0917  # as above; a return for each kind
    state: array[int],
    coder: array[int],
    data: bytes,
    numbers: memoryview[int],
    flags: bytearray,
    shapes: array[int],
    library: array[int],
    bits: bytearray,
) -> int:
    """Decode a record as far as it needs no room; returns a status."""
    record = decode_number(coder, data, numbers, RECORD_KINDS, 0, END)
    traits = TRAITS[record]
    if not traits & (BEFORE_START if not state[STARTED] else ~0):
        return NO_SENSE
    if state[IS_DICTIONARY] and not traits & IN_DICTIONARIES:
        return NO_SENSE
    if record == END:
        return BREAKS_OFF if bytes_used(coder) > state[LAST_BYTE] else DONE
    if record == START:
        return _start(state, coder, data, numbers, flags)
    if record == DICTIONARY_OR_RESET:
        return _dictionary_or_reset(state, coder, data, numbers)
    if record == COMMENT:
        for _ in range(decode_number(coder, data, numbers, COMMENT_LENGTHS, 0, LARGEST)):
            decode_number(coder, data, numbers, COMMENT_OCTETS, 0, 255)
        return GOES_ON
    state[PENDING] = record
    return begin_symbol(state, coder, data, numbers, shapes, library, bits)


@kernel
def _start(
    state: array[int], coder: array[int], data: bytes, numbers: memoryview[int], flags: bytearray
) -> int:
    if state[STARTED]:
        return BEGINS_TWICE
    state[STARTED] = 1
    state[WIDTH] = decode_number(coder, data, numbers, IMAGE_SIZES, 0, LARGEST)
    state[HEIGHT] = decode_number(coder, data, numbers, IMAGE_SIZES, 0, LARGEST)
    decode_bit(coder, data, flags, REFINEMENT)
    state[LINE_LEFT] = state[RIGHT] = -1
    state[LINE_BOTTOM] = state[HEIGHT] - 1
    for place in range(BOTTOMS, BOTTOMS + NUMBER_BOTTOMS):
        state[place] = -1
    return GOES_ON


@kernel
def _dictionary_or_reset(
    state: array[int], coder: array[int], data: bytes, numbers: memoryview[int]
) -> int:
    if state[STARTED]:
        return FORGETS_NUMBERS
    state[DICTIONARY_SIZE] = decode_number(coder, data, numbers, DICTIONARY_SIZES, 0, LARGEST)
    return NEEDS_DICTIONARY if state[DICTIONARY_SIZE] else GOES_ON
