"""Text regions, which put symbols in their places: ITU-T T.88, 6.4 and 7.4.3."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel
from batch_converter.djvu.kernels.integers import buffer_of, view_of
from batch_converter.djvu.kernels.jbig2_integers import (
    INTEGER_CONTEXTS,
    INTEGER_DECISIONS,
    OUT_OF_BAND,
    put_code,
    put_integer,
    put_symbol_id,
)
from batch_converter.djvu.kernels.mq import MqEncoder

if TYPE_CHECKING:
    from collections.abc import MutableSequence

_STRIP: Final = 0
_FIRST: Final = _STRIP + INTEGER_CONTEXTS
_NEXT: Final = _FIRST + INTEGER_CONTEXTS
_ROW: Final = _NEXT + INTEGER_CONTEXTS
_ID: Final = _ROW + INTEGER_CONTEXTS
_ID_BITS: Final = 32
_INSTANCE_DECISIONS: Final = 5 * INTEGER_DECISIONS + _ID_BITS
_BUFFERED_INSTANCES: Final = 64
_HEAD: Final = struct.Struct(">HI")
_STRIP_BITS_PLACE: Final = 2
_STRIP_BITS: Final = (0, 1, 2)
_LARGEST_STRIP: Final = 1 << max(_STRIP_BITS)
_COLUMNS: Final = 1 << 32
"""More than any region has; it has fewer rows than a sixteenth of these."""


def _numbers() -> array[int]:
    return array("q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """Symbols in their places.

    Attributes:
        ids: In the dictionaries of the region.
        lefts: Columns of their left edges.
        bottoms: Rows of their last rows, from 0 at the top.
        widths: In pixels.
    """

    ids: array[int] = field(default_factory=_numbers)
    lefts: array[int] = field(default_factory=_numbers)
    bottoms: array[int] = field(default_factory=_numbers)
    widths: array[int] = field(default_factory=_numbers)

    def __len__(self) -> int:
        return len(self.ids)


@kernel
def put_instances(  # noqa: PLR0917  # flat integers, for a compiler
    decisions: MutableSequence[int],
    at: int,
    progress: MutableSequence[int],
    order: MutableSequence[int],
    ids: MutableSequence[int],
    lefts: MutableSequence[int],
    bottoms: MutableSequence[int],
    widths: MutableSequence[int],
    strip_bits: int,
    id_bits: int,
) -> int:
    """Append instances until there are no more, or no more space; returns the place behind.

    Args:
        decisions: They need space for one instance at least.
        at: Where to begin.
        progress: The instance to begin with, its strip's number, the column of the first of the
            strip, and the column behind the last, less one.
        order: Instances by strip, those of a strip by column.
        ids: Of the symbols.
        lefts: Columns of their left edges.
        bottoms: Rows of their last rows.
        widths: In pixels.
        strip_bits: Binary logarithm of a strip's height.
        id_bits: How many an ID has.
    """
    done = progress[0]
    strip = progress[1]
    first = progress[2]
    column = progress[3]
    while done < len(order) and at + _INSTANCE_DECISIONS <= len(decisions):
        instance = order[done]
        left = lefts[instance]
        bottom = bottoms[instance]
        own = bottom >> strip_bits
        if done == 0 or own != strip:
            if done:
                at = put_code(decisions, at, _NEXT, OUT_OF_BAND)
            at = put_integer(decisions, at, _STRIP, own - strip)
            at = put_integer(decisions, at, _FIRST, left - first)
            strip = own
            first = left
        else:
            at = put_integer(decisions, at, _NEXT, left - column)
        if strip_bits:
            at = put_integer(decisions, at, _ROW, bottom - (own << strip_bits))
        at = put_symbol_id(decisions, at, _ID, ids[instance], id_bits)
        column = left + widths[instance] - 1
        done += 1
    progress[0] = done
    progress[1] = strip
    progress[2] = first
    progress[3] = column
    return at


def _order(instances: Instances, strip_bits: int) -> array[int]:
    """Return the numbers of instances by strip, then column, then row.

    One key of all three is sorted in a quarter of the time that three keys take.
    """
    lefts, bottoms = (view_of(n) for n in (instances.lefts, instances.bottoms))
    rows = bottoms & (1 << strip_bits) - 1
    keys = ((bottoms >> strip_bits) * _COLUMNS + lefts) * _LARGEST_STRIP + rows
    return buffer_of(keys.argsort(kind="stable"))


def text_region_data(instances: Instances, symbols: int) -> bytes:
    """Encode instances as the data of a text region segment, what comes before it apart.

    Strips of one, two and four rows are tried with IDs left out, which are the same in all:
    over four documents the pages came out 0.1 % larger than by trying all, and up to
    3.5 % smaller than by any one size.

    Args:
        instances: In any order.
        symbols: How many there are in all dictionaries.
    """
    orders = [_order(instances, strip_bits) for strip_bits in _STRIP_BITS]
    sizes = [
        len(_encoded(instances, order, strip_bits, 0))
        for strip_bits, order in zip(_STRIP_BITS, orders, strict=True)
    ]
    least = sizes.index(min(sizes))
    id_bits = max(symbols - 1, 0).bit_length()
    head = _HEAD.pack(_STRIP_BITS[least] << _STRIP_BITS_PLACE, len(instances))
    return head + _encoded(instances, orders[least], _STRIP_BITS[least], id_bits)


def _encoded(instances: Instances, order: array[int], strip_bits: int, id_bits: int) -> bytes:
    encoder = MqEncoder(_ID + (1 << id_bits))
    decisions = array("i", bytes(4 * _BUFFERED_INSTANCES * _INSTANCE_DECISIONS))
    encoder.encode(decisions, put_integer(decisions, 0, _STRIP, 0))
    progress = array("q", (0, 0, 0, 0))
    while progress[0] < len(order):
        used = put_instances(
            *(decisions, 0, progress, order, instances.ids, instances.lefts, instances.bottoms),
            *(instances.widths, strip_bits, id_bits),
        )
        encoder.encode(decisions, used)
    if order:
        encoder.encode(decisions, put_code(decisions, 0, _NEXT, OUT_OF_BAND))
    return encoder.finish()
