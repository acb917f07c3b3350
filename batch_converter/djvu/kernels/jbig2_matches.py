"""What each shape is like most, among the candidates of nearly its size.

The search has two forms of one result. Plain Python compares two shapes as integers, in a
third of a microsecond, where loops over their words would take three; compiled, these take 30 ns.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.kernels.jbig2_candidates import MARGIN, row_bits, rows_above, size_key
from batch_converter.djvu.kernels.jbig2_match_layout import (
    ANY,
    COMPARED,
    MATCH_SIZE,
    NONE,
    SMALLER,
    STEP_COST,
    STEPS,
    no_matches,
)
from batch_converter.djvu.kernels.jbig2_word_matches import MOST, align, find_nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_converter.djvu.kernels.jbig2_candidates import Candidates


def _sources(
    own: Candidates, known: Candidates | None
) -> Iterator[tuple[Candidates, Sequence[int]]]:
    """Tell what shapes are compared with, and how much higher these may be."""
    yield own, SMALLER
    if known is not None:
        yield known, ANY


class _Group(NamedTuple):
    """Candidates of a height; those of the shape's own group end before the shape."""

    candidates: Candidates
    first: int
    end: int
    more: int
    is_own: bool


class _Found(NamedTuple):
    """What differs from a shape in the fewest pixels."""

    differing: int
    candidates: Candidates
    place: int


def matches_by_integers(own: Candidates, known: Candidates | None) -> array[int]:
    """Tell what each of the own shapes is like most; of these, one that is before it.

    Returns:
        `MATCH_SIZE` numbers of each.
    """
    matches = no_matches(len(own))
    end = 0
    while end < len(own):
        first, key = end, size_key(own.widths[end], own.heights[end])
        end = own.bounds[key + 1]
        groups = list(_groups(own, known, key))
        for place in range(first, end):
            found = _nearest(own, place, groups)
            if found is not None:
                at = place * MATCH_SIZE
                matches[at : at + MATCH_SIZE] = array("q", _aligned(own, place, found))
    return matches


def _groups(own: Candidates, known: Candidates | None, key: int) -> Iterator[_Group]:
    for candidates, heights in _sources(own, known):
        for more in heights:
            first, end = candidates.bounds[key + more : key + more + 2]
            if first < end:
                yield _Group(candidates, first, end, more, candidates is own and not more)


def _nearest(own: Candidates, place: int, groups: list[_Group]) -> _Found | None:
    best: _Found | None = None
    width, height, pixels = own.widths[place], own.heights[place], own.integers[place]
    bits = row_bits(width)
    for candidates, start, behind, more, is_own in groups:
        first, last = _range(candidates.widths, width, start, place if is_own else behind)
        if first < last:
            moved = _moved(pixels, rows_above(height, height + more) * bits)
            counts = [(other ^ moved).bit_count() for other in candidates.integers[first:last]]
            least = min(counts)
            if best is None or least < best.differing:
                best = _Found(least, candidates, first + counts.index(least))
    return best


def _range(widths: array[int], width: int, first: int, end: int) -> tuple[int, int]:
    first = bisect_left(widths, width - MARGIN, first, end)
    last = bisect_left(widths, width + MARGIN + 1, first, end)
    if last - first > COMPARED:
        middle = bisect_left(widths, width, first, last)
        first = min(max(first, middle - COMPARED // 2), last - COMPARED)
        last = first + COMPARED
    return first, last


def _moved(pixels: int, bits: int) -> int:
    return pixels << bits if bits >= 0 else pixels >> -bits


def _aligned(own: Candidates, place: int, found: _Found) -> tuple[int, int, int, int, int]:
    """Move the parent to where the fewest pixels differ."""
    width, height, pixels = own.widths[place], own.heights[place], own.integers[place]
    bits = row_bits(width)
    _, candidates, other = found
    above = rows_above(height, candidates.heights[other])
    costs = []
    for right in STEPS:
        for down in STEPS:
            moved = _moved(candidates.integers[other], -(above + down) * bits - right)
            steps = STEP_COST * (abs(right) + abs(down))
            costs.append(((pixels ^ moved).bit_count() + steps, right, down))
    cost, right, down = min(costs, key=lambda one: one[0])
    right += (width - 1) // 2 - (candidates.widths[other] - 1) // 2
    down += height // 2 - candidates.heights[other] // 2
    edges = (pixels ^ pixels >> 1).bit_count() + (pixels ^ pixels >> bits).bit_count()
    return candidates.numbers[other], cost, right, down, edges


def matches_by_words(own: Candidates, known: Candidates | None) -> array[int]:
    """Do the same."""
    matches = no_matches(len(own))
    differing = array("q", (MOST,)) * len(own)
    shapes = own.words, own.starts, own.widths, own.heights
    for others, steps in _sources(own, known):
        others_laid_out = others.words, others.starts, others.widths
        nearest = array("q", (NONE,)) * len(own)
        searched = own.inks, others.inks, others.bounds
        find_nearest(*shapes, *others_laid_out, *searched, steps, others is own, differing, nearest)
        align(*shapes, *others_laid_out, others.heights, others.numbers, nearest, matches)
    return matches


matches_of = matches_by_words if COMPILED else matches_by_integers
