"""Bytes by how often they came lately: move-to-front tempered by frequency.

DjVu 3 specification, appendix 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import COMPILED, kernel

if TYPE_CHECKING:
    from array import array

TRACKED: Final = 4
"""Of how many bytes, those that came most often, it is known how often."""


def make_room_by_loop(order: bytearray, rank: int) -> None:
    """Move what is between the last tracked rank and another by one, over that other."""
    for place in range(rank, TRACKED - 1, -1):
        order[place] = order[place - 1]


def make_room_by_slices(order: bytearray, rank: int) -> None:
    """Do as `make_room_by_loop`."""
    order[TRACKED : rank + 1] = order[TRACKED - 1 : rank]


_make_room = kernel(make_room_by_loop) if COMPILED else make_room_by_slices


@kernel
def move_forward(order: bytearray, frequencies: array[int], rank: int, add: int) -> int:
    """Return the byte of a rank, and move it before those that came less often."""
    symbol = order[rank]
    frequency = add
    place = rank
    if rank < TRACKED:
        frequency += frequencies[rank]
    else:
        _make_room(order, rank)
        place = TRACKED - 1
    while place and frequencies[place - 1] <= frequency:
        frequencies[place] = frequencies[place - 1]
        order[place] = order[place - 1]
        place -= 1
    frequencies[place] = frequency
    order[place] = symbol
    return symbol
