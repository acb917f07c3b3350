"""What shapes are like most: two forms of one search, and what it tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batch_converter.djvu.kernels import jbig2_parents
from batch_converter.djvu.kernels.ink import count_ink
from batch_converter.djvu.kernels.jbig2_candidates import Candidates
from batch_converter.djvu.kernels.jbig2_match_layout import (
    COST,
    DOWN,
    EDGES,
    MATCH_SIZE,
    PARENT,
    RIGHT,
)
from batch_converter.djvu.kernels.jbig2_matches import matches_by_integers, matches_by_words
from batch_converter.djvu.kernels.jbig2_symbols import symbol_order
from tests.support.jbig2_cases import noise, shapes_of, variants

if TYPE_CHECKING:
    from array import array

    from numpy.typing import NDArray

    Pixels = NDArray[np.bool_]

LIMITS = (1, 2, 3, 4, 59, 60, 61, 62, 63, 64, 123, 124, 125, 187, 188, 189, 251, 252, 253)
SIDES = st.one_of(st.integers(1, 40), st.sampled_from(LIMITS))


def cut(generator: np.random.Generator, width: int, height: int, count: int) -> list[Pixels]:
    """Pieces of one picture, of nearly one size, of which no two are quite the same."""
    picture = noise(generator, height + 6, width + 6, generator.choice([0.1, 0.5, 0.9]))
    found = []
    for _ in range(count):
        rows, columns = (
            max(1, height + generator.integers(-3, 4)),
            width + generator.integers(-3, 4),
        )
        top, left = generator.integers(0, 3, 2)
        piece = picture[top : top + rows, left : left + max(1, columns)]
        share = generator.choice([0, 0.02, 0.3])
        found.append(piece ^ noise(generator, piece.shape[0], piece.shape[1], share))
    return found


def matches(symbols: list[Pixels], known: int) -> list[array[int]]:
    shapes = shapes_of(symbols)
    first = Candidates(shapes, symbol_order(shapes, range(known)))
    own = Candidates(shapes, symbol_order(shapes, range(known, len(symbols))))
    others = first if known else None
    found = matches_by_integers(own, others)
    assert matches_by_words(own, others) == found
    rows = [found[at : at + MATCH_SIZE] for at in range(0, len(found), MATCH_SIZE)]
    for number, match in zip(own.numbers, rows, strict=True):
        if match[PARENT] >= 0:
            check(symbols[number], symbols[match[PARENT]], match)
    return rows


def check(shape: Pixels, parent: Pixels, match: array[int]) -> None:
    """Lay a parent where it is told to lie, and count."""
    room = 8
    plane, other = (np.zeros([side + 2 * room for side in shape.shape], np.bool_) for _ in range(2))
    plane[room : room + shape.shape[0], room : room + shape.shape[1]] = shape
    top, left = room + match[DOWN], room + match[RIGHT]
    other[top : top + parent.shape[0], left : left + parent.shape[1]] = parent
    steps = match[COST] - np.count_nonzero(plane ^ other)
    assert steps in {0, 3, 6}
    edges = np.count_nonzero(plane ^ np.roll(plane, 1, 0)) + np.count_nonzero(
        plane ^ np.roll(plane, 1, 1)
    )
    assert match[EDGES] == edges
    assert max(abs(np.subtract(shape.shape, parent.shape))) <= 2


@given(SIDES, SIDES, st.integers(2, 12), st.integers(0, 1 << 32), st.data())
@settings(max_examples=60, deadline=None)
def test_both_forms_choose_the_same(
    width: int, height: int, count: int, seed: int, data: st.DataObject
) -> None:
    symbols = cut(np.random.default_rng(seed), width, height, count)
    matches(symbols, data.draw(st.integers(0, count)))


@pytest.mark.parametrize("known", [0, 70, 150])
def test_of_very_many_both_forms_compare_the_same(known: int) -> None:
    """More of a height than are compared, many of which are as good as others."""
    generator = np.random.default_rng(known)
    letters = [noise(generator, 4, 5, 0.5) for _ in range(3)]
    symbols = [one for letter in letters for one in variants(generator, letter, 100)]
    generator.shuffle(symbols)
    found = matches(symbols, known)
    assert len({match[PARENT] for match in found}) > 20


@pytest.mark.parametrize("width", [60, 124, 188, 252])
def test_pixels_of_whole_rows_are_compared(width: int) -> None:
    """Full to the last pixel of the widest row of as many words, moved to all sides."""
    full = np.ones((9, width), np.bool_)
    symbols = [np.pad(full, ((down, 2 - down), (0, 0))) for down in range(3)]
    symbols += [full[:, : width - fewer] for fewer in range(3)]
    for found in (matches(symbols, 0), matches(symbols, 2)):
        assert any(match[PARENT] >= 0 and match[COST] == 3 for match in found)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
@example(-1)
@example(-(1 << 63))
@example((1 << 63) - 1)
def test_ink_is_counted(word: int) -> None:
    assert count_ink(word) == (word & (1 << 64) - 1).bit_count()


@pytest.mark.parametrize("search", [matches_by_integers, matches_by_words])
def test_nothing_is_like_nothing(search: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jbig2_parents, "matches_of", search)
    shapes = shapes_of([np.ones((2, 9), np.bool_), np.ones((9, 253), np.bool_)])
    for numbers in ([], [0, 1]):
        own = Candidates(shapes, numbers)
        assert len(own) == 0
        for known in (None, own):
            assert len(jbig2_parents.chosen_refinements(own, known)) == 0
