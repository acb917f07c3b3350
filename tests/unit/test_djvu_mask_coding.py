"""Masks that are coded together show what they should, and none is larger than it need be."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pikepdf
import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.djvu.draw import mask_coding, shaped_masks
from batch_converter.djvu.draw.bilevel import Area, Bitmap, g4_data
from batch_converter.djvu.draw.images import Coding
from batch_converter.djvu.draw.mask_coding import code_masks, code_pixels
from batch_converter.djvu.draw.shaped_masks import PlacedShapes, are_specks, least_g4_bytes
from batch_converter.djvu.kernels.shapes import Shapes
from tests.support.jbig2_cases import of_pictures
from tests.support.jbig2_decoding import page_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.djvu.draw.shaped_masks import ShapedMask

LETTERS = 6


def typed(seed: int, count: int, *, letters: int = LETTERS, noise: int = 0) -> ShapedMask:
    """A page of letters that are the same on all pages, and of some that are on no other."""
    shapes = Shapes()
    alphabet = np.random.default_rng(7)
    random = np.random.default_rng(seed)
    for number in range(letters + noise):
        pixels = (alphabet if number < letters else random).random((12, 9)) < 0.5
        shapes.add(9, 12, np.packbits(pixels, axis=1).tobytes())
    numbers = random.integers(0, letters + noise, count)
    places = np.arange(count)
    placed = PlacedShapes(shapes, numbers, 11 * (places % 20), 15 * (places // 20))
    ink = Bitmap.clear(220, 15 * (count // 20 + 1))
    drawn = np.zeros((ink.height, ink.width), np.bool_)
    for number, left, top in zip(placed.numbers, placed.lefts, placed.tops, strict=True):
        rows = np.frombuffer(shapes.rows(number), np.uint8).reshape(12, -1)
        drawn[top : top + 12, left : left + 9] |= np.unpackbits(rows, axis=1, count=9) != 0
    ink = Bitmap.of_pixels(drawn)
    mask = placed.mask(ink, Area(0, 0, ink.width, ink.height), overlaid=False)
    assert mask is not None
    return mask


def check(masks: Sequence[ShapedMask]) -> None:
    coded = code_masks(masks)
    total = len(coded.shared)
    for mask, one in zip(masks, coded.masks, strict=True):
        fax = g4_data(mask.ink)
        assert len(one.data) <= len(fax)
        total += len(one.data)
        if one.coding is Coding.G4:
            assert one.data == fax
            continue
        pixels = np.unpackbits(mask.ink.rows, axis=1, count=mask.width) != 0
        assert (page_of(one.data, coded.shared if one.shares else b"") == pixels).all()
    assert total <= sum(len(g4_data(mask.ink)) for mask in masks)
    assert bool(coded.shared) == any(one.shares for one in coded.masks)


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from([0, 1, 31, 32, 60])), max_size=4))
def test_masks_come_back_from_what_was_coded(pages: list[tuple[int, int]]) -> None:
    check([typed(seed, count, noise=seed % 5) for seed, count in pages])


def test_what_pages_share_is_coded_once() -> None:
    alone = code_masks([typed(1, 200)])
    both = code_masks([typed(1, 200), typed(2, 200)])
    assert not alone.shared
    assert [one.shares for one in both.masks] == [True, True]
    assert len(both.masks[0].data) < len(alone.masks[0].data) - len(both.shared) // 2


@pytest.mark.parametrize(("count", "shares"), [(31, False), (32, True)])
def test_a_few_instances_are_not_worth_a_dictionary(count: int, *, shares: bool) -> None:
    coded = code_masks([typed(1, 200), typed(2, 200), typed(3, count)])
    assert [one.shares for one in coded.masks] == [True, True, shares]


def test_the_same_masks_are_the_same_bytes() -> None:
    first, second = (code_masks([typed(n, 90, noise=3) for n in range(4)]) for _ in range(2))
    assert first == second


def test_a_mask_that_is_smaller_as_fax_is_fax() -> None:
    [coded] = code_masks([line(1)]).masks
    assert coded.coding is Coding.G4


def line(count: int) -> ShapedMask:
    """A line of equal pieces: one change of colour for fax."""
    piece = Shapes()
    piece.add(8, 1, b"\xff")
    ink = Bitmap.of_pixels(np.ones((1, 8 * count), np.bool_))
    zeros, lefts = np.zeros(count, np.int64), 8 * np.arange(count)
    placed = PlacedShapes(piece, zeros, lefts, zeros)
    mask = placed.mask(ink, Area(0, 0, ink.width, 1), overlaid=False)
    assert mask is not None
    return mask


def grid(side: int) -> ShapedMask:
    """As many rows and columns of one letter, all of them as far from each other."""
    letter = np.kron(np.array([[1, 0, 1], [1, 1, 0]], np.bool_), np.ones((3, 3), np.bool_))
    shapes = Shapes()
    shapes.add(9, 6, np.packbits(letter, axis=1).tobytes())
    rows, columns = (places.ravel() for places in np.indices((side, side)))
    ink = Bitmap.of_pixels(np.tile(np.pad(letter, ((0, 4), (0, 1))), (side, side)))
    numbers = np.zeros(side * side, np.int64)
    mask = PlacedShapes(shapes, numbers, 10 * columns, 10 * rows).mask(
        ink, Area(0, 0, ink.width, ink.height), overlaid=False
    )
    assert mask is not None
    return mask


def shown_by_pdfium(data: bytes, width: int, height: int) -> Bitmap:
    with pikepdf.new() as pdf:
        image = pikepdf.Stream(
            pdf,
            data,
            Subtype=pikepdf.Name.Image,
            Width=width,
            Height=height,
            BitsPerComponent=1,
            ColorSpace=pikepdf.Name.DeviceGray,
            Filter=pikepdf.Name.JBIG2Decode,
        )
        page = pdf.add_blank_page(page_size=(width, height))
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im=image))
        page.Contents = pikepdf.Stream(pdf, b"%d 0 0 %d 0 0 cm /Im Do" % (width, height))
        pdf.save(file := io.BytesIO())
    with pypdfium2.PdfDocument(file.getvalue()) as document:
        return Bitmap.of_pixels(document[0].render().to_numpy()[:, :, 0] < 128)


@pytest.mark.parametrize("side", [80, 85, 95])
def test_no_stream_has_more_instances_a_byte_than_pdfium_believes(side: int) -> None:
    """Beyond 32 of them, which a grid of 85 x 85 has, pdfium shows nothing at all."""
    mask = grid(side)
    [coded] = code_masks([mask]).masks
    assert coded.coding is Coding.JBIG2
    assert shown_by_pdfium(coded.data, mask.ink.width, mask.ink.height).same_as(mask.ink)


def test_what_only_masks_share_that_become_fax_is_not_coded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shaped_masks, "_FEWEST_SPECKS", 1 << 20)
    pages = [typed(1, 200), typed(2, 200)]
    alone, beside = code_masks(pages), code_masks([*pages, line(40), line(50)])
    assert [one.coding for one in beside.masks[2:]] == [Coding.G4, Coding.G4]
    assert (beside.shared, beside.masks[:2]) == (alone.shared, list(alone.masks))


@pytest.mark.parametrize(("size", "coding"), [(1, Coding.G4), (60, Coding.JBIG2)])
def test_pixels_are_coded_by_what_is_smaller(size: int, coding: Coding) -> None:
    ink = Bitmap.of_pixels(np.random.default_rng(1).random((size, size)) < 0.2)
    coded = code_pixels(ink, least_g4_bytes(ink))
    assert coded.coding is coding
    if coding is Coding.JBIG2:
        assert (page_of(coded.data) == np.unpackbits(ink.rows, axis=1, count=size)).all()


def scattered(count: int, letters: int) -> ShapedMask | None:
    """Dots and little lines anywhere on a page."""
    random = np.random.default_rng(3)
    shapes = of_pictures([(3, 2, bytes((n << 5 & 0xE0, n << 2 & 0xE0))) for n in range(9, letters)])
    numbers, lefts, tops = (random.integers(0, most, count) for most in (len(shapes), 597, 798))
    drawn = np.zeros((800, 600), np.bool_)
    for number, left, top in zip(numbers, lefts, tops, strict=True):
        rows = np.frombuffer(shapes.rows(number), np.uint8).reshape(2, -1)
        drawn[top : top + 2, left : left + 3] |= np.unpackbits(rows, axis=1, count=3) != 0
    placed = PlacedShapes(shapes, numbers, lefts, tops)
    return placed.mask(Bitmap.of_pixels(drawn), Area(0, 0, 600, 800), overlaid=False)


def test_specks_are_left_to_their_pixels_which_are_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scattered(400, 40) is None
    monkeypatch.setattr(shaped_masks, "_FEWEST_SPECKS", 1 << 20)
    mask = scattered(400, 40)
    assert mask is not None
    assert code_masks([mask]).masks == [code_pixels(mask.ink, mask.least_g4_bytes)]


@pytest.mark.parametrize(
    ("instances", "least", "specks"),
    [(31, 0, False), (32, 79, True), (32, 80, False), (80, 169, True), (80, 170, False)],
)
def test_what_takes_less_than_its_places_is_specks(
    instances: int, least: int, *, specks: bool
) -> None:
    assert are_specks(instances, 8, least) is specks


def rules(rows: int, count: int) -> ShapedMask:
    """Columns of equal bars: the rows are like each other, which a bound for fax does not know."""
    shapes = Shapes()
    shapes.add(3, rows, b"\xe0" * rows)
    zeros, lefts = np.zeros(count, np.int64), 5 * np.arange(count)
    ink = Bitmap.of_pixels(np.tile(np.arange(5 * count) % 5 < 3, (rows, 1)))
    mask = PlacedShapes(shapes, zeros, lefts, zeros).mask(
        ink, Area(0, 0, ink.width, rows), overlaid=False
    )
    assert mask is not None
    return mask


@pytest.mark.parametrize("count", [4, 31])
def test_few_instances_are_never_larger_than_their_pixels(count: int) -> None:
    mask = rules(400, count)
    [coded] = code_masks([mask]).masks
    assert len(coded.data) <= len(code_pixels(mask.ink, mask.least_g4_bytes).data)


@pytest.mark.parametrize("least", [0, 1 << 20])
def test_fax_is_run_only_where_a_bound_allows_it(
    monkeypatch: pytest.MonkeyPatch, least: int
) -> None:
    run: list[Bitmap] = []

    def fax(ink: Bitmap) -> bytes:
        run.append(ink)
        return g4_data(ink)

    monkeypatch.setattr(mask_coding, "g4_data", fax)
    ink = Bitmap.of_pixels(np.random.default_rng(1).random((60, 60)) < 0.2)
    code_pixels(ink, least)
    assert len(run) == (least == 0)


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from([40, 90])), min_size=1, max_size=3))
def test_what_a_bound_settles_is_the_smallest(pages: list[tuple[int, int]]) -> None:
    masks = [typed(seed, count, noise=seed % 60) for seed, count in pages]
    coded = code_masks(masks)
    pixels = [code_pixels(mask.ink, mask.least_g4_bytes) for mask in masks]
    assert all(
        len(one.data) <= len(other.data) for one, other in zip(coded.masks, pixels, strict=True)
    )


def prose(seed: int, lines: int, *, descent: int) -> ShapedMask:
    """Lines of letters, every third of which reaches below the line."""
    shapes = Shapes()
    alphabet = np.random.default_rng(8)
    for number in range(9):
        pixels = alphabet.random((12 + descent * (number % 3 == 0), 9)) < 0.5
        shapes.add(9, len(pixels), np.packbits(pixels, axis=1).tobytes())
    random = np.random.default_rng(seed)
    count = 40 * lines
    numbers = random.integers(0, 9, count)
    lefts = np.cumsum(random.integers(10, 14, (lines, 40)), axis=1).ravel()
    tops = np.repeat(np.arange(lines) * 25, 40)
    placed = PlacedShapes(shapes, numbers, lefts, tops)
    drawn = np.zeros((25 * lines, 40 * 14 + 9), np.bool_)
    for number, left, top in zip(numbers, lefts, tops, strict=True):
        height = shapes.heights[number]
        rows = np.frombuffer(shapes.rows(number), np.uint8).reshape(height, -1)
        drawn[top : top + height, left : left + 9] |= np.unpackbits(rows, axis=1, count=9) != 0
    ink = Bitmap.of_pixels(drawn)
    mask = placed.mask(ink, Area(0, 0, ink.width, ink.height), overlaid=False)
    assert mask is not None
    return mask


def test_letters_that_reach_below_their_line_cost_hardly_more() -> None:
    sizes = []
    for descent in (0, 4):
        masks = [prose(seed, 30, descent=descent) for seed in range(2)]
        check(masks)
        coded = code_masks(masks)
        assert all(one.coding is Coding.JBIG2 for one in coded.masks)
        sizes.append(sum(len(one.data) for one in coded.masks))
    assert sizes[1] < 1.05 * sizes[0]


@pytest.mark.parametrize("most", [LETTERS - 1, LETTERS, LETTERS + 1])
def test_what_is_too_much_to_share_is_coded_for_each(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(mask_coding, "MOST_SYMBOLS", most)
    masks = [typed(1, 200), typed(2, 200)]
    check(masks)
