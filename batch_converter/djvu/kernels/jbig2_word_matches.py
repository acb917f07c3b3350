"""The search for what each shape is like most, in words: loops for a compiler.

Two letters of 24 by 30 pixels are compared in 30 ns, a tenth of what integers take. Which one
differs too much already is not looked at to its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.compiling import kernel
from batch_converter.djvu.kernels.ink import count_ink
from batch_converter.djvu.kernels.jbig2_candidates import (
    MARGIN,
    QUARTERS,
    WORD,
    WORD_BITS,
    row_words,
    rows_above,
    size_key,
)
from batch_converter.djvu.kernels.jbig2_match_layout import (
    COMPARED,
    COST,
    DOWN,
    EDGES,
    MATCH_SIZE,
    NONE,
    PARENT,
    RIGHT,
    STEP_COST,
    STEPS,
)

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

MOST: Final = 1 << 30
"""More pixels than any two candidates differ in."""

_BLOCK: Final = 16
"""Words that are compared before it is seen whether too many pixels differ."""

_NEIGHBOURS: Final = 9


@kernel
def find_nearest(  # noqa: PLR0917  # buffers, for a compiler
    words: array[int],
    starts: array[int],
    widths: array[int],
    heights: array[int],
    other_words: array[int],
    other_starts: array[int],
    other_widths: array[int],
    inks: array[int],
    other_inks: array[int],
    bounds: array[int],
    steps: Sequence[int],
    is_own: bool,  # noqa: FBT001  # as above
    differing: array[int],
    nearest: array[int],
) -> None:
    """Find what differs in fewer pixels than are told of each, and in the fewest; tells both anew.

    Others are as much higher as the steps say, in their order. Where they are the shapes
    themselves, only those of the same height that are before one are its others. Two differ in
    as many pixels as one has more ink than the other in each quarter, at least: of larger
    letters of a scan that leaves 51 to 58 % to compare, where the ink of all left 90 %.
    """
    for place in range(len(widths)):
        width, height, count = widths[place], heights[place], row_words(widths[place])
        least = differing[place]
        for step in range(len(steps)):
            key = size_key(width, height) + steps[step]
            end = place if is_own and steps[step] == 0 else bounds[key + 1]
            first = first_wide(other_widths, width - MARGIN, bounds[key], end)
            end = first_wide(other_widths, width + MARGIN + 1, first, end)
            if end - first > COMPARED:
                middle = first_wide(other_widths, width, first, end)
                first = min(max(first, middle - COMPARED // 2), end - COMPARED)
                end = first + COMPARED
            lower = steps[step] - rows_above(height, height + steps[step])
            top = min(0, -lower)
            size = (max(height, height + steps[step] - lower) - top) * count
            at = starts[place] + top * count
            for other in range(first, end):
                unlike = 0
                for quarter in range(QUARTERS):
                    ink = inks[place * QUARTERS + quarter]
                    unlike += abs(other_inks[other * QUARTERS + quarter] - ink)
                if unlike >= least:
                    continue
                other_at = other_starts[other] + (top + lower) * count
                found = count_differing(words, at, other_words, other_at, size, least)
                if found < least:
                    least = found
                    nearest[place] = other
        differing[place] = least


@kernel
def align(  # noqa: PLR0917  # buffers, for a compiler
    words: array[int],
    starts: array[int],
    widths: array[int],
    heights: array[int],
    other_words: array[int],
    other_starts: array[int],
    other_widths: array[int],
    other_heights: array[int],
    numbers: array[int],
    nearest: array[int],
    matches: array[int],
) -> None:
    """Move the parents that were found to where the fewest pixels differ, and fill in matches."""
    for place in range(len(widths)):
        other = nearest[place]
        if other == NONE:
            continue
        height, other_height, count = heights[place], other_heights[other], row_words(widths[place])
        match = place * MATCH_SIZE
        matches[match + PARENT] = numbers[other]
        matches[match + EDGES] = count_edges(words, starts[place], height, count)
        matches[match + COST] = MOST
        for step in range(_NEIGHBOURS):
            right, down = STEPS[step // len(STEPS)], STEPS[step % len(STEPS)]
            lower = other_height - height - rows_above(height, other_height) - down
            top = min(0, -lower)
            size = (max(height, other_height - lower) - top) * count
            at = starts[place] + top * count
            other_at = other_starts[other] + (top + lower) * count
            steps = STEP_COST * (abs(right) + abs(down))
            limit = matches[match + COST] - steps
            cost = steps + count_differing_beside(
                words, at, other_words, other_at, size, right, limit
            )
            if cost < matches[match + COST]:
                matches[match + COST] = cost
                matches[match + RIGHT] = right + (widths[place] - 1) // 2
                matches[match + RIGHT] -= (other_widths[other] - 1) // 2
                matches[match + DOWN] = down + height // 2 - other_height // 2


@kernel
def first_wide(widths: array[int], width: int, first: int, end: int) -> int:
    """Return the first of those that ascend which is as wide, or `end`."""
    while first < end:
        middle = (first + end) // 2
        if widths[middle] < width:
            first = middle + 1
        else:
            end = middle
    return first


@kernel
def count_differing(  # noqa: PLR0917  # buffers and integers, for a compiler
    words: array[int], at: int, others: array[int], other_at: int, size: int, limit: int
) -> int:
    """Count pixels that differ; no further than to a limit."""
    found = 0
    done = 0
    while done < size and found < limit:
        for word in range(done, min(done + _BLOCK, size)):
            found += count_ink(words[at + word] ^ others[other_at + word])
        done += _BLOCK
    return found


@kernel
def count_differing_beside(  # noqa: PLR0917  # as above
    words: array[int],
    at: int,
    others: array[int],
    other_at: int,
    size: int,
    right: int,
    limit: int,
) -> int:
    """Count the same where the other is moved to the right, by one at most."""
    found = 0
    done = 0
    while done < size and found < limit:
        for word in range(done, min(done + _BLOCK, size)):
            other = others[other_at + word]
            if right > 0:
                other = other >> 1 | (others[other_at + word - 1] & 1) << WORD_BITS - 1
            elif right < 0:
                other = other << 1 & WORD | others[other_at + word + 1] >> WORD_BITS - 1
            found += count_ink(words[at + word] ^ other)
        done += _BLOCK
    return found


@kernel
def count_edges(words: array[int], at: int, height: int, count: int) -> int:
    """Count where pixels differ from their left or their upper neighbour."""
    found = 0
    for place in range(at, at + (height + 1) * count):
        word = words[place]
        found += count_ink(word ^ (word >> 1 | (words[place - 1] & 1) << WORD_BITS - 1))
        found += count_ink(word ^ words[place - count])
    return found
