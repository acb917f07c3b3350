"""Which shapes look the same, by two forms of one result.

Plain Python makes an object of each and asks a dictionary, in 1.1 µs a letter, and its collector
of garbage goes through them all; compiled code looks into the buffer that they lie in, in 0.07.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.kernels.compiling import COMPILED, kernel
from batch_converter.djvu.kernels.integers import view_of
from batch_converter.djvu.kernels.shapes import BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from batch_converter.djvu.kernels.shapes import Shapes

_NONE: Final = -1
_MOST_PROBES: Final = 64
"""Of a shape: of 50,000 with a quarter of the slots taken, the worst needed 10."""

_WORD_BYTES: Final = 4
_WORD: Final = (1 << 32) - 1
_FACTOR: Final = 0x2545F491
"""Odd, and of 30 bits: its product with a word has 62, whose upper half is mixed into the lower."""

_FOLD: Final = 29


def numbers_by_dictionary(shapes: Shapes) -> array[int]:
    """Number shapes as they come; one that looks like an earlier one has its number."""
    known: dict[tuple[int, int, bytes], int] = {}
    return array("q", [known.setdefault(one, len(known)) for one in shapes.pictures()])


def numbers_by_hash(shapes: Shapes) -> array[int]:
    """Do the same.

    Whoever knows the hash can make shapes that share one, so that each would be looked for among
    all before it. Such go to the dictionary, whose hash has a secret key.
    """
    slots = array("q", (_NONE,)) * (4 << len(shapes).bit_length())
    hashes, numbers = (array("q", bytes(8 * len(shapes))) for _ in range(2))
    laid_out = shapes.bits, shapes.offsets, shapes.widths, shapes.heights
    if not number_equal(*laid_out, slots, hashes, numbers):
        return numbers_by_dictionary(shapes)
    return numbers


@kernel
def number_equal(  # noqa: PLR0917  # buffers, for a compiler
    bits: bytearray,
    offsets: array[int],
    widths: array[int],
    heights: array[int],
    slots: array[int],
    hashes: array[int],
    numbers: array[int],
) -> int:
    """Number shapes by a table of hashes; returns 0 where too many of them come together.

    Args:
        bits: Of `Shapes`, as what follows.
        offsets: In bytes.
        widths: In pixels.
        heights: In pixels.
        slots: All -1; a power of two of them, more than there are shapes.
        hashes: Room for one a shape.
        numbers: Get those of the shapes.
    """
    last_slot = len(slots) - 1
    found = 0
    for shape in range(len(offsets)):
        size = (widths[shape] + BITS - 1) // BITS * heights[shape]
        mixed = hash_of(bits, offsets[shape], size, widths[shape], heights[shape])
        hashes[shape] = mixed
        slot = mixed & last_slot
        probes = 0
        other = slots[slot]
        while other != _NONE:
            if (
                hashes[other] == mixed
                and widths[other] == widths[shape]
                and heights[other] == heights[shape]
                and are_equal(bits, offsets[other], offsets[shape], size)
            ):
                break
            probes += 1
            if probes == _MOST_PROBES:
                return 0
            slot = (slot + 1) & last_slot
            other = slots[slot]
        if other == _NONE:
            slots[slot] = shape
            numbers[shape] = found
            found += 1
        else:
            numbers[shape] = numbers[other]
    return 1


@kernel
def hash_of(bits: bytearray, start: int, size: int, width: int, height: int) -> int:
    """Return 32 bits of what a shape looks like."""
    mixed = mix(mix(0, width), height)
    end = start + size
    words_end = end - size % _WORD_BYTES
    for place in range(start, words_end, _WORD_BYTES):
        word = bits[place] + bits[place + 1] * 256
        word += bits[place + 2] * 65536 + bits[place + 3] * 16777216
        mixed = mix(mixed, word)
    for place in range(words_end, end):
        mixed = mix(mixed, bits[place] + 0)
    return mixed


@kernel
def mix(mixed: int, word: int) -> int:
    """Return a hash with another word in it."""
    product = (mixed ^ word) * _FACTOR
    return (product ^ (product >> _FOLD)) & _WORD


@kernel
def are_equal(bits: bytearray, one: int, other: int, size: int) -> int:
    """Whether two pieces of a buffer are the same."""
    for place in range(size):
        if bits[one + place] != bits[other + place]:
            return 0
    return 1


_numbers_of = numbers_by_hash if COMPILED else numbers_by_dictionary


def distinct(shapes: Shapes) -> tuple[Shapes, NDArray[np.int64]]:
    """Return shapes each once, in the order in which they first come, and the new numbers."""
    numbers = view_of(_numbers_of(shapes))
    firsts = np.flatnonzero(np.diff(np.maximum.accumulate(numbers), prepend=_NONE))
    return (shapes if len(firsts) == len(shapes) else shapes.chosen(firsts)), numbers
