"""Pixels of ink in packed rows, counted."""

from __future__ import annotations

from typing import Final

from batch_converter.djvu.kernels.compiling import kernel

_PAIRS: Final = 0x5555555555555555
_FOURS: Final = 0x3333333333333333
_BYTES: Final = 0x0F0F0F0F0F0F0F0F
_SUM: Final = 0x0101010101010101


@kernel
def count_ink(word: int) -> int:
    """Count the bits that are set in a word of 64, signed or not.

    In a way that compilers know a machine's instruction for.
    """
    word -= word >> 1 & _PAIRS
    word = (word & _FOURS) + (word >> 2 & _FOURS)
    word = word + (word >> 4) & _BYTES
    return word * _SUM >> 56 & 0x7F
