"""Numbers as decisions of the MQ coder: ITU-T T.88, annex A.

Each kind of number has contexts of its own, `INTEGER_CONTEXTS` of them; what is coded of
a number so far is the context of its next bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel, table

if TYPE_CHECKING:
    from collections.abc import MutableSequence

INTEGER_CONTEXTS: Final = 512

INTEGER_DECISIONS: Final = 38
"""The most that a number takes."""

OUT_OF_BAND: Final = 0b1000
"""The code of what is in place of a number where there are no more: a zero with a minus sign."""

ONE: Final = 0b0001
"""The code of 1."""

_SHORTEST: Final = 4
_PREFIXES: Final = table((0b0, 0b10, 0b110, 0b1110, 0b11110, 0b11111))
_PREFIX_BITS: Final = table((1, 2, 3, 4, 5, 5))
_VALUE_BITS: Final = table((2, 4, 6, 8, 12, 32))
_SMALLEST: Final = table((0, 4, 20, 84, 340, 4436))
_LARGEST_KIND: Final = 5


@kernel
def put_integer(decisions: MutableSequence[int], at: int, first_context: int, value: int) -> int:
    """Append a number of 32 bits; returns the place behind it (annex A.2)."""
    sign = 1 if value < 0 else 0
    size = abs(value)
    kind = 0
    while kind < _LARGEST_KIND and size >= _SMALLEST[kind + 1]:
        kind += 1
    word = sign << _PREFIX_BITS[kind] | _PREFIXES[kind]
    word = word << _VALUE_BITS[kind] | size - _SMALLEST[kind]
    length = 1 + _PREFIX_BITS[kind] + _VALUE_BITS[kind]
    context = 1
    for shift in range(length - 1, -1, -1):
        bit = word >> shift & 1
        decisions[at] = (first_context + context) << 1 | bit
        at += 1
        context = context << 1 | bit
        if context >= INTEGER_CONTEXTS:
            context = context & 0xFF | 0x100
    return at


@kernel
def put_code(decisions: MutableSequence[int], at: int, first_context: int, code: int) -> int:
    """Append one of the shortest codes, `ONE` or `OUT_OF_BAND`; returns the place behind it."""
    context = 1
    for shift in range(_SHORTEST - 1, -1, -1):
        bit = code >> shift & 1
        decisions[at] = (first_context + context) << 1 | bit
        at += 1
        context = context << 1 | bit
    return at


@kernel
def put_symbol_id(
    decisions: MutableSequence[int], at: int, first_context: int, value: int, bits: int
) -> int:
    """Append the ID of a symbol, of so many bits; returns the place behind it (annex A.3)."""
    context = 1
    for shift in range(bits - 1, -1, -1):
        bit = value >> shift & 1
        decisions[at] = (first_context + context) << 1 | bit
        at += 1
        context = context << 1 | bit
    return at
