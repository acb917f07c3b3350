"""Shapes in their places, cut to what is seen of them, are the picture that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.djvu.draw import shaped_masks
from batch_converter.djvu.draw.bilevel import Area, Bitmap, g4_data
from batch_converter.djvu.draw.shaped_masks import PlacedShapes, least_g4_bytes
from batch_converter.djvu.kernels.shapes import Shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from batch_converter.djvu.draw.shaped_masks import ShapedMask

    Pixels = NDArray[np.bool_]

CLEAR = -1


class Page:
    """Shapes thrown upon a page, some beyond its edges; each has a colour."""

    def __init__(self, seed: int, *, colors: int = 1) -> None:
        random = np.random.default_rng(seed)
        self.width, self.height = (int(n) for n in random.integers(1, 40, 2))
        self.shapes = Shapes()
        drawn: list[Pixels] = []
        for _ in range(int(random.integers(1, 6))):
            size = tuple(int(n) for n in random.integers(0, 12, 2))
            pixels = random.random(size) < random.choice([0.0, 0.5, 1.0])
            drawn.append(pixels)
            self.shapes.add(size[1], size[0], np.packbits(pixels, axis=1).tobytes())
        count = int(random.integers(0, 12))
        numbers = random.integers(0, len(drawn), count)
        lefts = random.integers(-10, self.width + 3, count)
        tops = random.integers(-10, self.height + 3, count)
        self.colors = random.integers(0, colors, count)
        self.placed = PlacedShapes(self.shapes, numbers, lefts, tops)
        self.levels = np.full((self.height, self.width), CLEAR)
        for number, left, top, color in zip(numbers, lefts, tops, self.colors, strict=True):
            ys, xs = np.nonzero(drawn[number])
            seen = (ys + top >= 0) & (ys + top < self.height)
            seen &= (xs + left >= 0) & (xs + left < self.width)
            self.levels[(ys + top)[seen], (xs + left)[seen]] = color


def shown(mask: ShapedMask) -> Pixels:
    """Put all symbols in their places; they have to lie inside."""
    page = np.zeros((mask.height, mask.width), np.bool_)
    symbols = mask.symbols.pictures()
    for number, left, top in zip(mask.numbers, mask.lefts, mask.tops, strict=True):
        width, height, rows = symbols[number]
        packed = np.frombuffer(rows, np.uint8).reshape(height, -1)
        symbol = np.unpackbits(packed, axis=1, count=width) != 0
        place = page[top : top + height, left : left + width]
        assert place.shape == symbol.shape
        assert min(left, top) >= 0
        place |= symbol
    return page


@given(st.integers(0, 1 << 32))
def test_a_page_is_its_shapes(seed: int) -> None:
    page = Page(seed)
    ink = Bitmap.of_pixels(page.levels != CLEAR)
    area = ink.inked_area()
    mask = page.placed.mask(ink.cropped(area), area, overlaid=False)
    assert mask is not None
    seen = (page.levels != CLEAR)[area.top : area.bottom, area.left : area.right]
    assert (shown(mask) == seen).all()
    assert mask.ink.same_as(ink.cropped(area))
    assert len(set(mask.symbols.pictures())) == len(mask.symbols)


@given(st.integers(0, 1 << 32))
def test_what_others_cover_is_cut_off(seed: int) -> None:
    page = Page(seed, colors=3)
    for color in range(3):
        ink = Bitmap.of_pixels(page.levels == color)
        area = ink.inked_area()
        mask = page.placed.chosen(page.colors == color).mask(ink.cropped(area), area, overlaid=True)
        assert mask is not None
        seen = (page.levels == color)[area.top : area.bottom, area.left : area.right]
        assert (shown(mask) == seen).all()
        assert mask.ink.same_as(ink.cropped(area))


def test_a_canvas_may_reach_beyond_the_page() -> None:
    shapes = Shapes()
    shapes.add(3, 1, b"\xe0")
    placed = PlacedShapes(shapes, np.array([0]), np.array([-1]), np.array([1]))
    ink = Bitmap.of_pixels(np.array([[0, 0, 0], [1, 1, 0]], np.bool_))
    mask = placed.mask(ink.extended(10, 4), Area(0, -2, 10, 2), overlaid=False)
    assert mask is not None
    assert np.argwhere(shown(mask)).tolist() == [[3, 0], [3, 1]]


@pytest.mark.parametrize(("most", "coded"), [(12, True), (11, False)])
def test_shapes_beyond_a_size_are_left_to_others(
    monkeypatch: pytest.MonkeyPatch, most: int, *, coded: bool
) -> None:
    monkeypatch.setattr(shaped_masks, "_MOST_PIXELS", most)
    shapes = Shapes()
    for _ in range(2):
        shapes.add(4, 3, b"\xf0" * 3)
    numbers = np.zeros(5, np.int64)  # the other shape is not used
    placed = PlacedShapes(shapes, numbers, numbers, numbers)
    mask = placed.mask(Bitmap.clear(9, 9), Area(0, 0, 9, 9), overlaid=False)
    assert (mask is not None) is coded


@pytest.mark.parametrize(("most", "coded"), [(3, True), (2, False)])
def test_more_symbols_than_viewers_know_are_left_to_others(
    monkeypatch: pytest.MonkeyPatch, most: int, *, coded: bool
) -> None:
    monkeypatch.setattr(shaped_masks, "MOST_SYMBOLS", most)
    shapes = Shapes()
    for number in range(3):
        shapes.add(8, 1, bytes((number + 1,)))
    numbers = np.array([0, 1, 2, 0])
    placed = PlacedShapes(shapes, numbers, np.zeros(4, np.int64), np.arange(4))
    mask = placed.mask(Bitmap.clear(9, 9), Area(0, 0, 9, 9), overlaid=False)
    assert (mask is not None) is coded


@given(st.integers(1, 70), st.integers(1, 20), st.sampled_from([0.0, 0.02, 0.5, 1.0]), st.data())
def test_fax_needs_no_less(width: int, height: int, share: float, data: st.DataObject) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    ink = Bitmap.of_pixels(random.random((height, width)) < share)
    assert least_g4_bytes(ink) <= len(g4_data(ink))


def test_the_bound_knows_changes_that_stand_alone() -> None:
    ink = Bitmap.of_pixels(np.random.default_rng(2).random((300, 300)) < 0.1)
    changes = np.count_nonzero(np.diff(np.unpackbits(ink.rows, axis=1, count=300), prepend=0))
    assert 2 * changes // 8 < least_g4_bytes(ink) <= len(g4_data(ink))


def test_the_bound_is_near_where_each_row_is_like_the_one_above() -> None:
    ink = Bitmap.of_pixels(np.tile(np.arange(64) % 8 < 4, (800, 1)))
    assert least_g4_bytes(ink) > 0.9 * len(g4_data(ink))


@pytest.mark.parametrize("left", range(10))
def test_what_is_seen_whole_is_one_symbol_however_it_lies(left: int) -> None:
    page, ring = np.zeros((8, 30), np.bool_), np.ones((6, 11), np.bool_)
    ring[2:4, 3:8] = False
    page[1:7, left : left + 11] = ring
    shapes = Shapes()
    shapes.add(11, 6, np.packbits(ring, axis=1).tobytes())
    shapes.add(11, 6, bytes(12))  # of a shape without ink nothing is to be seen
    both = np.array([0, 1])
    placed = PlacedShapes(shapes, both, np.full(2, left), np.ones(2, np.int64))
    whole = placed.mask(Bitmap.of_pixels(page), Area(0, 0, 30, 8), overlaid=True)
    page[5, left + 10] = False
    cut = placed.mask(Bitmap.of_pixels(page), Area(0, 0, 30, 8), overlaid=True)
    assert whole is not None
    assert cut is not None
    assert whole.symbols.pictures() == [(11, 6, shapes.rows(0))]
    assert (shown(cut) == page).all()
    assert cut.symbols != whole.symbols
