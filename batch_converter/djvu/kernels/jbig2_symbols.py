"""Symbol dictionaries: ITU-T T.88, 6.5 and 7.4.2."""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel
from batch_converter.djvu.kernels.jbig2_bitmaps import (
    ADAPTIVE_PIXELS,
    BITMAP_CONTEXTS,
    BUFFERED_DECISIONS,
    put_row,
)
from batch_converter.djvu.kernels.jbig2_integers import (
    INTEGER_CONTEXTS,
    INTEGER_DECISIONS,
    OUT_OF_BAND,
    put_integer,
)
from batch_converter.djvu.kernels.mq import MqEncoder

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

    from batch_converter.djvu.kernels.shapes import Shapes

_HEIGHT_DIFFERENCE: Final = BITMAP_CONTEXTS
_WIDTH_DIFFERENCE: Final = _HEIGHT_DIFFERENCE + INTEGER_CONTEXTS
_EXPORT: Final = _WIDTH_DIFFERENCE + INTEGER_CONTEXTS
_CONTEXTS: Final = _EXPORT + INTEGER_CONTEXTS
_SPARE: Final = 3 * INTEGER_DECISIONS
_HEAD: Final = struct.Struct(">H8sII")


@kernel
def put_symbols(  # noqa: PLR0915, PLR0917  # flat integers, for a compiler
    decisions: MutableSequence[int],
    progress: MutableSequence[int],
    order: MutableSequence[int],
    bits: Sequence[int],
    offsets: MutableSequence[int],
    widths: MutableSequence[int],
    heights: MutableSequence[int],
) -> int:
    """Append symbols until there are no more, or no more space; returns the number of decisions.

    Args:
        decisions: Filled from its beginning; at least one row of a symbol and three numbers.
        progress: The symbol and the row to begin with, and the last height and width.
        order: The shapes by height, those of a height by width.
        bits: Of `Shapes`, as what follows.
        offsets: In bytes.
        widths: In pixels.
        heights: In pixels.
    """
    count = len(order)
    done = progress[0]
    row = progress[1]
    last_height = progress[2]
    last_width = progress[3]
    at = 0
    while done < count:
        shape = order[done]
        width = widths[shape]
        height = heights[shape]
        if at + width + _SPARE > len(decisions):
            break
        if row == 0:
            if height != last_height:
                if done:
                    at = put_integer(decisions, at, _WIDTH_DIFFERENCE, OUT_OF_BAND)
                at = put_integer(decisions, at, _HEIGHT_DIFFERENCE, height - last_height)
                last_height = height
                last_width = 0
            at = put_integer(decisions, at, _WIDTH_DIFFERENCE, width - last_width)
            last_width = width
        stride = (width + 7) // 8
        at = put_row(decisions, at, bits, offsets[shape] + row * stride, width, row)
        row += 1
        if row == height:
            row = 0
            done += 1
    progress[0] = done
    progress[1] = row
    progress[2] = last_height
    progress[3] = last_width
    return at


def symbol_order(shapes: Shapes, numbers: Sequence[int]) -> array[int]:
    """Return the numbers of shapes as a dictionary has them, by height, then width."""
    widths, heights = shapes.widths, shapes.heights
    return array("q", sorted(numbers, key=lambda number: (heights[number], widths[number], number)))


def dictionary_data(shapes: Shapes, order: array[int]) -> bytes:
    """Encode shapes as the data of a symbol dictionary segment, which exports all of them.

    Args:
        shapes: Each of one pixel at least.
        order: Which of them, as from `symbol_order`.
    """
    widest = max((shapes.widths[number] for number in order), default=0)
    decisions = array("i", bytes(4 * max(BUFFERED_DECISIONS, widest + _SPARE)))
    progress = array("q", (0, 0, 0, 0))
    encoder = MqEncoder(_CONTEXTS)
    while progress[0] < len(order):
        used = put_symbols(
            *(decisions, progress, order, shapes.bits),
            *(shapes.offsets, shapes.widths, shapes.heights),
        )
        encoder.encode(decisions, used)
    used = put_integer(decisions, 0, _WIDTH_DIFFERENCE, OUT_OF_BAND) if order else 0
    used = put_integer(decisions, used, _EXPORT, 0)
    used = put_integer(decisions, used, _EXPORT, len(order))
    encoder.encode(decisions, used)
    return _HEAD.pack(0, ADAPTIVE_PIXELS, len(order), len(order)) + encoder.finish()
