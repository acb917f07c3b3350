"""The values of a wavelet layer's coefficients: DjVu 3 specification, 10.5.4 and 10.5.5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel, table
from batch_converter.djvu.kernels.iw44_coder import decided, passed_through

if TYPE_CHECKING:
    from collections.abc import MutableSequence

    from batch_converter.djvu.kernels.iw44_coder import Coder

COEFFICIENTS: Final = 16
"""Of a bucket."""

RECENT: Final = 1
VALUES: Final = 2
PLACE: Final = VALUES + COEFFICIENTS
"""What a bucket's place in the pool has behind the bits of the coefficients that are no longer zero
(the first one's is the lowest): the bits of those that were new in the last cycle, the values;
and its length."""

_UNUSED_STEP: Final = 0x8000
# Table 4: of the coefficients of the first band, then of the other bands.
_FIRST_STEPS: Final = table([0x4000, 0x8000, 0x8000, *[0x10000] * 9, *[0x20000] * 4])
_STEPS: Final = table(
    [0, 0x20000, 0x20000, 0x40000, 0x40000, 0x40000, 0x80000, 0x40000, 0x40000, 0x80000]
)


@kernel
def _step(band: int, coefficient: int, cycle: int) -> int:
    """Return a quantization step; it is in use from 1 up to 0x7FFF (10.5.1)."""
    return (_STEPS[band] if band else _FIRST_STEPS[coefficient]) >> cycle


@kernel
def usable_coefficients(band: int, cycle: int) -> int:
    """Return which coefficients of a band's buckets are coded in a cycle, a bit each."""
    usable = 0
    for coefficient in range(COEFFICIENTS):
        if 0 < _step(band, coefficient, cycle) < _UNUSED_STEP:
            usable |= 1 << coefficient
    return usable


@kernel
def put_new(  # noqa: PLR0917  # flat integers, for a compiler
    pool: MutableSequence[int], place: int, new: int, negative: int, band: int, cycle: int
) -> None:
    """Give new coefficients their first values (10.5.4)."""
    for coefficient in range(COEFFICIENTS):
        if new >> coefficient & 1:
            step = _step(band, coefficient, cycle)
            value = step + (step >> 1) - (step >> 3)
            is_negative = negative >> coefficient & 1
            pool[place + VALUES + coefficient] = -value if is_negative else value


@kernel
def decode_values(  # noqa: PLR0917  # flat integers, for a compiler
    coder: Coder,
    data: bytes,
    contexts: MutableSequence[int],
    context: int,
    pool: MutableSequence[int],
    place: int,
    known: int,
    band: int,
    cycle: int,
) -> Coder:
    """Decode how the values of a bucket's coefficients go on (10.5.5)."""
    recent = pool[place + RECENT]
    common = _step(band, 0, cycle)
    for coefficient in range(COEFFICIENTS):
        if known >> coefficient & 1:
            step = common if band else _step(0, coefficient, cycle)
            value = pool[place + VALUES + coefficient]
            size = abs(value)
            if recent >> coefficient & 1:
                coder, bit = decided(coder, data, contexts, context)
                size += step >> 2
            else:
                coder, bit = passed_through(coder, data)
            size += (step >> 1) - (0 if bit else step)
            pool[place + VALUES + coefficient] = -size if value < 0 else size
    return coder
