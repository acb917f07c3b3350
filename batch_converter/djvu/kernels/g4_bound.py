"""What CCITT G4 needs at least for a bitmap, by two forms of one result.

numpy goes over a page a dozen times, which takes 1.5 to 4 ns a byte; compiled code lays it out in
words and goes over these once, in 0.5.
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.kernels.compiling import COMPILED, kernel
from batch_converter.djvu.kernels.ink import count_ink

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS: Final = 8
_WORD_BYTES: Final = 8
_WORD_BITS: Final = 64
_TOP: Final = -(1 << 63)
_BELOW_TOP: Final = (1 << 63) - 1
_ROWS_ABOVE: Final = 2


def least_bits_by_numpy(packed: NDArray[np.uint8], width: int) -> int:
    """Count the bits that G4 needs at least for packed rows, clear behind their last pixels.

    A change of colour takes one bit where one of the same kind stands above it, else three or
    more, and the end of a row takes a bit (ITU-T T.6, 2.2).
    """
    height, stride = packed.shape
    padded = np.zeros((height, -(-stride // _WORD_BYTES) * _WORD_BYTES), np.uint8)
    padded[:, :stride] = packed
    rows: NDArray[np.uint64] = padded.view(">u8").astype(np.uint64)
    changes: NDArray[np.uint64] = np.right_shift(rows, 1, dtype=np.uint64)
    changes[:, 1:] |= rows[:, :-1] << (_WORD_BITS - 1)
    changes ^= rows
    if spare := -width % _WORD_BITS:
        changes[:, -1] &= (1 << _WORD_BITS) - (1 << spare)
    same = changes[1:] & changes[:-1]
    same &= ~(rows[1:] ^ rows[:-1])
    return 3 * _ink_pixels(changes) - 2 * _ink_pixels(same) + len(packed)


def _ink_pixels(rows: NDArray[np.uint64]) -> int:
    return int(np.bitwise_count(rows).sum(dtype=np.int64))


def least_bits_by_loops(packed: NDArray[np.uint8], width: int) -> int:
    """Do the same."""
    height, stride = packed.shape
    row_words = width // _WORD_BITS + 1
    words = array("q", [0]) * ((_ROWS_ABOVE + height) * row_words)
    padded = np.frombuffer(words, np.uint8).reshape(_ROWS_ABOVE + height, -1)
    padded[_ROWS_ABOVE:, :stride] = packed
    if sys.byteorder == "little":
        np.frombuffer(words, np.int64).byteswap(inplace=True)
    ends = packed[:, -1] & 1 << -width % _BITS  # words know a change behind the last pixel, too
    behind = int(3 * np.count_nonzero(ends) - 2 * np.count_nonzero(ends[1:] & ends[:-1]))
    return count_least_bits(words, row_words) - behind + len(packed)


@kernel
def count_least_bits(words: array[int], row_words: int) -> int:
    """Count the bits that changes of colour take at least.

    Args:
        words: Two clear rows, then those of the picture; the topmost bit is the leftmost pixel,
            and one behind the last is clear.
        row_words: How many are a row.
    """
    found = 0
    for place in range(_ROWS_ABOVE * row_words, len(words)):
        changes = changes_of(words, place)
        same = changes & changes_of(words, place - row_words)
        same &= ~(words[place] ^ words[place - row_words])
        found += 3 * count_ink(changes) - 2 * count_ink(same)
    return found


@kernel
def changes_of(words: array[int], place: int) -> int:
    """Tell which of a word's pixels have another colour than their left neighbours."""
    word = words[place]
    return word ^ (word >> 1 & _BELOW_TOP | (words[place - 1] & 1) * _TOP)


least_bits = least_bits_by_loops if COMPILED else least_bits_by_numpy
