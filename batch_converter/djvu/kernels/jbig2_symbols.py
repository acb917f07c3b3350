"""Symbol dictionaries: ITU-T T.88, 6.5 and 7.4.2."""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.kernels.compiling import kernel
from batch_converter.djvu.kernels.integers import buffer_of, view_of
from batch_converter.djvu.kernels.jbig2_bitmaps import (
    ADAPTIVE_PIXELS,
    BITMAP_CONTEXTS,
    BUFFERED_DECISIONS,
    put_row,
)
from batch_converter.djvu.kernels.jbig2_integers import (
    INTEGER_CONTEXTS,
    INTEGER_DECISIONS,
    ONE,
    OUT_OF_BAND,
    put_code,
    put_integer,
    put_symbol_id,
)
from batch_converter.djvu.kernels.jbig2_refinement import REFINEMENT_CONTEXTS, put_refined_row
from batch_converter.djvu.kernels.mq import MqEncoder

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

    from numpy.typing import NDArray

    from batch_converter.djvu.kernels.jbig2_parents import Refinements
    from batch_converter.djvu.kernels.shapes import Shapes

_HEIGHT_DIFFERENCE: Final = max(BITMAP_CONTEXTS, REFINEMENT_CONTEXTS)
_WIDTH_DIFFERENCE: Final = _HEIGHT_DIFFERENCE + INTEGER_CONTEXTS
_EXPORT: Final = _WIDTH_DIFFERENCE + INTEGER_CONTEXTS
_INSTANCES: Final = _EXPORT + INTEGER_CONTEXTS
_RIGHT: Final = _INSTANCES + INTEGER_CONTEXTS
_DOWN: Final = _RIGHT + INTEGER_CONTEXTS
_ID: Final = _DOWN + INTEGER_CONTEXTS
_SPARE: Final = 7 * INTEGER_DECISIONS
_SIZE_BITS: Final = 31
_HEAD: Final = struct.Struct(">H8sII")
_REFINED_HEAD: Final = struct.Struct(">H2sII")
_REFINED: Final = 1 << 1 | 3 << 10 | 1 << 12
_UNUSED_ADAPTIVE_PIXEL: Final = bytes((2, 0xFF))
"""Of template 3, told although no symbol is coded by it: the other templates tell more of them."""


@kernel
def put_size(
    decisions: MutableSequence[int],
    at: int,
    progress: MutableSequence[int],
    width: int,
    height: int,
) -> int:
    """Append the size of a symbol, by how it differs from that of the last one."""
    if height != progress[2]:
        if progress[0]:
            at = put_code(decisions, at, _WIDTH_DIFFERENCE, OUT_OF_BAND)
        at = put_integer(decisions, at, _HEIGHT_DIFFERENCE, height - progress[2])
        progress[2] = height
        progress[3] = 0
    at = put_integer(decisions, at, _WIDTH_DIFFERENCE, width - progress[3])
    progress[3] = width
    return at


@kernel
def put_symbols(  # noqa: PLR0917  # flat integers, for a compiler
    decisions: MutableSequence[int],
    at: int,
    progress: MutableSequence[int],
    order: MutableSequence[int],
    bits: Sequence[int],
    offsets: MutableSequence[int],
    widths: MutableSequence[int],
    heights: MutableSequence[int],
) -> int:
    """Append symbols until there are no more, or no more space; returns the place behind them.

    Args:
        decisions: They need space for one row of a symbol and three numbers at least.
        at: Where to begin.
        progress: The symbol and the row to begin with, and the last height and width.
        order: The shapes by height, those of a height by width.
        bits: Of `Shapes`, as what follows.
        offsets: In bytes.
        widths: In pixels.
        heights: In pixels.
    """
    while progress[0] < len(order):
        shape = order[progress[0]]
        width = widths[shape]
        height = heights[shape]
        if at + width + _SPARE > len(decisions):
            break
        row = progress[1]
        if row == 0:
            at = put_size(decisions, at, progress, width, height)
        place = offsets[shape] + row * ((width + 7) // 8)
        at = put_row(decisions, at, bits, place, width, row)
        if row + 1 < height:
            progress[1] = row + 1
        else:
            progress[1] = 0
            progress[0] += 1
    return at


@kernel
def put_refined_symbols(  # noqa: PLR0917  # flat integers, for a compiler
    decisions: MutableSequence[int],
    at: int,
    progress: MutableSequence[int],
    order: MutableSequence[int],
    parents: MutableSequence[int],
    ids: MutableSequence[int],
    rights: MutableSequence[int],
    downs: MutableSequence[int],
    bits: Sequence[int],
    offsets: MutableSequence[int],
    widths: MutableSequence[int],
    heights: MutableSequence[int],
    id_bits: int,
) -> int:
    """Append refined symbols until there are no more, or no more space; returns the place behind.

    Args:
        decisions: They need space for one row of a symbol and seven numbers at least.
        at: Where to begin.
        progress: The symbol and the row to begin with, and the last height and width.
        order: The shapes.
        parents: For each of them, which shape it is refined from.
        ids: Of those.
        rights: Columns of their left edges in the refined symbols.
        downs: Rows of their first rows in the refined symbols.
        bits: Of `Shapes`, as what follows.
        offsets: In bytes.
        widths: In pixels.
        heights: In pixels.
        id_bits: How many an ID has.
    """
    while progress[0] < len(order):
        done = progress[0]
        shape = order[done]
        parent = parents[done]
        width = widths[shape]
        height = heights[shape]
        if at + width + _SPARE + id_bits > len(decisions):
            break
        row = progress[1]
        if row == 0:
            at = put_size(decisions, at, progress, width, height)
            at = put_code(decisions, at, _INSTANCES, ONE)
            at = put_symbol_id(decisions, at, _ID, ids[done], id_bits)
            at = put_integer(decisions, at, _RIGHT, rights[done])
            at = put_integer(decisions, at, _DOWN, downs[done])
        at = put_refined_row(
            decisions,
            at,
            bits,
            offsets[shape],
            width,
            row,
            offsets[parent],
            widths[parent],
            heights[parent],
            rights[done],
            downs[done],
        )
        if row + 1 < height:
            progress[1] = row + 1
        else:
            progress[1] = 0
            progress[0] = done + 1
    return at


def symbol_order(shapes: Shapes, numbers: Sequence[int] | NDArray[np.int64]) -> array[int]:
    """Return the numbers of shapes as a dictionary has them, by height, then width.

    Each once, and none without any pixel: decoders refuse such.
    """
    is_chosen = np.zeros(len(shapes), np.bool_)
    is_chosen[np.asarray(numbers, np.int64)] = True
    widths, heights = (view_of(n) for n in (shapes.widths, shapes.heights))
    chosen = np.flatnonzero(is_chosen & (widths > 0) & (heights > 0))
    sizes = heights[chosen] << _SIZE_BITS | widths[chosen]
    order = sizes.argsort(kind="stable")  # of equal ones the first stays the first
    return buffer_of(chosen[order])


def dictionary_data(shapes: Shapes, order: array[int]) -> bytes:
    """Encode shapes as the data of a symbol dictionary segment, which exports all of them.

    Args:
        shapes: Each of one pixel at least.
        order: Which of them, as from `symbol_order`.
    """
    decisions = _buffer(shapes, order)
    progress = array("q", (0, 0, 0, 0))
    encoder = MqEncoder(_ID)
    while progress[0] < len(order):
        used = put_symbols(
            *(decisions, 0, progress, order, shapes.bits),
            *(shapes.offsets, shapes.widths, shapes.heights),
        )
        encoder.encode(decisions, used)
    _export(encoder, decisions, 0, len(order))
    return _HEAD.pack(0, ADAPTIVE_PIXELS, len(order), len(order)) + encoder.finish()


def refined_dictionary_data(
    shapes: Shapes, refinements: Refinements, ids: array[int], known: int
) -> bytes:
    """Encode refined shapes as the data of a symbol dictionary segment, which exports them.

    Args:
        shapes: Each of one pixel at least.
        refinements: Which are refined, and from which.
        ids: Of the parents; those of the segment's own symbols come after the known ones.
        known: How many symbols the dictionaries have that the segment refers to.
    """
    order = refinements.order
    decisions = _buffer(shapes, order)
    progress = array("q", (0, 0, 0, 0))
    id_bits = max(known + len(order) - 1, 0).bit_length()
    encoder = MqEncoder(_ID + (1 << id_bits))
    while progress[0] < len(order):
        used = put_refined_symbols(
            *(decisions, 0, progress, order, refinements.parents, ids),
            *(refinements.rights, refinements.downs, shapes.bits),
            *(shapes.offsets, shapes.widths, shapes.heights),
            id_bits=id_bits,
        )
        encoder.encode(decisions, used)
    _export(encoder, decisions, known, len(order))
    return (
        _REFINED_HEAD.pack(_REFINED, _UNUSED_ADAPTIVE_PIXEL, len(order), len(order))
        + encoder.finish()
    )


def _buffer(shapes: Shapes, order: array[int]) -> array[int]:
    widths = view_of(shapes.widths)[view_of(order)]
    widest = int(widths.max(initial=0))
    return array("i", bytes(4 * max(BUFFERED_DECISIONS, widest + 2 * _SPARE)))


def _export(encoder: MqEncoder, decisions: array[int], known: int, own: int) -> None:
    """Encode that of all symbols those after the known ones are exported (6.5.10)."""
    used = put_code(decisions, 0, _WIDTH_DIFFERENCE, OUT_OF_BAND) if own else 0
    used = put_integer(decisions, used, _EXPORT, known)
    used = put_integer(decisions, used, _EXPORT, own)
    encoder.encode(decisions, used)
