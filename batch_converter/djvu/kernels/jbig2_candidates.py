"""Shapes laid out to be compared: those of a size side by side, their middles in one column.

Around each are clear pixels, so that it is moved over another, by a pixel or two, without
looking where either ends.
"""

from __future__ import annotations

from array import array
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.kernels.compiling import kernel
from batch_converter.djvu.kernels.ink import count_ink
from batch_converter.djvu.kernels.integers import buffer_of, view_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.djvu.kernels.shapes import Shapes

MARGIN: Final = 2
"""Clear pixels around each shape; two may differ as much in width and in height."""

HEIGHTS: Final = 1 << 8
"""Keys of a step of widths: the height of any candidate, and `MARGIN` more, is less."""

_BITS: Final = 8
_ITEM_BYTES: Final = 8
_ROW_BITS: Final = 64
_CLASSES: Final = 4
_LARGEST: Final = _CLASSES * _ROW_BITS - 2 * MARGIN
_LOWEST: Final = 3
"""pdfium takes a parent that is moved by as many rows as it has for one that is not moved."""

WORD_BITS: Final = 63
"""Without a sign, so that plain Python computes with words what compiled code does."""

WORD: Final = (1 << WORD_BITS) - 1
QUARTERS: Final = 4
"""Above and below the row, left and right of the column, that lie on each other in all."""

_LEFT: Final = (1 << WORD_BITS) - (1 << 33)

_ENDS: Final = 2
"""Words in front of all and behind all, which a move by a pixel reads."""


class Candidates:
    """Shapes that others may be refined from, by a size's key, then in the order given.

    The key is the height, and `HEIGHTS` for each 64 pixels that the width exceeds 60 by. Only
    shapes of as many such steps are compared. Their pixels are laid out when first asked for.

    Args:
        shapes: All there are.
        numbers: Which of them, by height, then width.

    Attributes:
        numbers: Of the shapes.
        widths: Of each, which ascend where the key is the same.
        heights: Of each.
        bounds: By key, before which shape those of that key begin; those of the last end there.
    """

    def __init__(self, shapes: Shapes, numbers: Sequence[int]) -> None:
        chosen = np.asarray(numbers, np.int64)
        widths = view_of(shapes.widths)[chosen]
        heights = view_of(shapes.heights)[chosen]
        fits = (heights >= _LOWEST) & (np.maximum(widths, heights) <= _LARGEST)
        keys = (widths + 2 * MARGIN - 1) // _ROW_BITS * HEIGHTS + heights
        places = np.flatnonzero(fits)
        places = places[np.argsort(keys[places], kind="stable")]
        self.numbers = buffer_of(chosen[places])
        self.widths = buffer_of(widths[places])
        self.heights = buffer_of(heights[places])
        self.bounds = buffer_of(np.searchsorted(keys[places], np.arange(_CLASSES * HEIGHTS + 1)))
        self._shapes = shapes

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def starts(self) -> array[int]:
        """At which of the words each begins, with its first row; then what they are together."""
        widths, heights = np.array(self.widths, np.int64), np.array(self.heights, np.int64)
        row_bits = ((widths + 2 * MARGIN - 1) // _ROW_BITS + 1) * _ROW_BITS
        counts = -(-(row_bits - MARGIN) // WORD_BITS)
        sizes = (heights + 2 * MARGIN) * counts
        starts = np.cumsum(sizes) - sizes + MARGIN * counts + _ENDS // 2
        return buffer_of(np.append(starts, sizes.sum() + _ENDS))

    @cached_property
    def words(self) -> array[int]:
        """Their pixels, of each row after row, with clear rows above and below.

        The topmost of a word's 63 bits is its leftmost pixel; `row_words` tells how many a row has.
        """
        words = array("q", bytes(_ITEM_BYTES * self.starts[-1]))
        shapes = self._shapes
        fill_words(
            *(shapes.bits, shapes.offsets, self.numbers, self.widths, self.heights),
            *(self.starts, words),
        )
        return words

    @cached_property
    def inks(self) -> array[int]:
        """Of each, the pixels of ink in its quarters."""
        inks = array("q", bytes(_ITEM_BYTES * QUARTERS * len(self)))
        count_inks(self.words, self.starts, self.widths, self.heights, inks)
        return inks

    @cached_property
    def integers(self) -> list[int]:
        """Their pixels, all the rows of each as one integer, with clear rows below.

        Its lowest bit is the rightmost pixel of the last row; `row_bits` tells the length of one.
        """
        found = []
        for number, width in zip(self.numbers, self.widths, strict=True):
            bits = row_bits(width)
            stride = -(-width // _BITS)
            rows = self._shapes.rows(number)
            filler = bytes(bits // _BITS - stride)
            whole = b"".join(rows[at : at + stride] + filler for at in range(0, len(rows), stride))
            middle = bits // 2 - (width - 1) // 2
            found.append(int.from_bytes(whole) << MARGIN * bits >> middle)
        return found


@kernel
def row_bits(width: int) -> int:
    """Return how many bits a row of an integer has: whole 64, with a margin on both sides."""
    return ((width + 2 * MARGIN - 1) // _ROW_BITS + 1) * _ROW_BITS


@kernel
def row_words(width: int) -> int:
    """Return how many words a row has: the pixels of an integer's but for its first two."""
    return (row_bits(width) - MARGIN + WORD_BITS - 1) // WORD_BITS


@kernel
def size_key(width: int, height: int) -> int:
    """Return by what shapes are looked up that are compared with each other."""
    return (width + 2 * MARGIN - 1) // _ROW_BITS * HEIGHTS + height


@kernel
def rows_above(height: int, other_height: int) -> int:
    """Return how far above another's last row one's own is, where their middles are in one row."""
    return (other_height + 1) // 2 - (height + 1) // 2


@kernel
def fill_words(  # noqa: PLR0917  # buffers, for a compiler
    bits: bytearray,
    offsets: array[int],
    numbers: array[int],
    widths: array[int],
    heights: array[int],
    starts: array[int],
    words: array[int],
) -> None:
    """Lay out shapes in words that are clear."""
    for place in range(len(numbers)):
        width = widths[place]
        stride = (width + _BITS - 1) // _BITS
        count = row_words(width)
        left = row_bits(width) // 2 - (width - 1) // 2 - MARGIN
        source = offsets[numbers[place]]
        for row in range(heights[place]):
            target = starts[place] + row * count
            for byte in range(stride):
                pixels = bits[source + row * stride + byte] + 0
                word = target + (left + _BITS * byte) // WORD_BITS
                shift = WORD_BITS - _BITS - (left + _BITS * byte) % WORD_BITS
                if shift >= 0:
                    words[word] |= pixels << shift
                else:
                    words[word] |= pixels >> -shift
                    words[word + 1] |= pixels << (WORD_BITS + shift) & WORD


@kernel
def count_inks(
    words: array[int], starts: array[int], widths: array[int], heights: array[int], inks: array[int]
) -> None:
    """Count the pixels of ink in the quarters of each shape; `inks` is clear.

    The left ones are the left half of each word: whichever pixels they are, they lie on the
    other's, as the middles of both are in one column and in one row.
    """
    for place in range(len(widths)):
        count = row_words(widths[place])
        for row in range(heights[place]):
            quarter = place * QUARTERS + (QUARTERS // 2 if row >= heights[place] // 2 else 0)
            first = starts[place] + row * count
            for at in range(first, first + count):
                inks[quarter] += count_ink(words[at] & _LEFT)
                inks[quarter + 1] += count_ink(words[at] & ~_LEFT)
