"""Palettes of many colours: what their masks take in memory does not grow with them."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from batch_converter.djvu.draw import palette, palette_layers
from batch_converter.djvu.draw.geometry import Geometry
from batch_converter.djvu.draw.images import EncodedImage
from batch_converter.djvu.draw.layers import layers
from batch_converter.djvu.draw.paint import Stencil
from batch_converter.djvu.draw.palette import CLEAR, level_masks, separated_masks
from batch_converter.djvu.draw.shaped_masks import ShapedMask
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.kernels.jb2 import Jb2Image, decode_image
from batch_converter.djvu.kernels.jb2_composition import leveled
from batch_converter.djvu.read.document import PageChunks
from tests.support.djvu_files import chunk, chunks_of, info, page
from tests.support.djvu_layers import palette as palette_chunk
from tests.support.jb2_coding import Jb2Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

COLORS: Final = 80
SIDE: Final = 3000
PACKED_BYTES: Final = SIDE * SIDE // 8
ALL_MASKS_BYTES: Final = COLORS * PACKED_BYTES
LEVEL_BYTES: Final = SIDE * SIDE


def letters(colors: int) -> bytes:
    """A stream that puts letters of each colour into two corners: each mask is as large as all."""
    letter = np.ones((6, 6), np.bool_)
    letter[2, 2] = False
    writer = Jb2Writer().start(SIDE, SIDE).direct(letter).copy(0, SIDE - 8, SIDE - 8)
    for place in range(8, 8 * colors, 8):
        writer.copy(0, place, 0).copy(0, SIDE - 8 - place, SIDE - 8)
    return writer.end()


def numbers(colors: int) -> list[int]:
    """The colour of each letter."""
    return [color for color in range(colors) for _ in range(2)]


@pytest.fixture(scope="module")
def image() -> Jb2Image:
    return decode_image(letters(COLORS), [], max_bytes=1 << 20)


def peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def assert_all_are_there(masks: Iterable[object]) -> None:
    """Look at masks one by one, and keep none."""
    assert sum(1 for _ in masks) == COLORS


@pytest.mark.slow
def test_masks_by_shapes_are_made_some_at_a_time(
    image: Jb2Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(palette, "_MOST_INK_BYTES", 4 * PACKED_BYTES)
    peak = peak_bytes(lambda: assert_all_are_there(separated_masks(image, numbers(COLORS))))
    assert peak < 16 * PACKED_BYTES < ALL_MASKS_BYTES / 4


def test_masks_by_pixels_are_made_one_by_one(image: Jb2Image) -> None:
    levels = leveled(image, numbers(COLORS), clear=CLEAR)
    peak = peak_bytes(lambda: assert_all_are_there(level_masks(levels)))
    assert peak < 3 * LEVEL_BYTES < ALL_MASKS_BYTES / 2


def test_pixels_that_are_too_many_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(palette, "_MOST_LISTED", LEVEL_BYTES // 2)
    levels = (np.arange(LEVEL_BYTES) % COLORS).astype(np.uint8).reshape(SIDE, SIDE)
    peak = peak_bytes(lambda: assert_all_are_there(level_masks(levels)))
    assert peak < 3 * LEVEL_BYTES


def stencils(colors: int) -> list[Stencil]:
    """The layers of such a page, in JBIG2."""
    shades = [(number, 0, 200) for number in range(colors)]
    document = page(
        info(width=SIDE, height=SIDE),
        chunk("Sjbz", letters(colors)),
        palette_chunk(shades, numbers(colors)),
    )
    chunks = PageChunks(chunks=tuple(chunks_of(document)))
    geometry = Geometry(width=SIDE, height=SIDE, dpi=300)
    drawn = layers(chunks, geometry, ConvertOptions(masks="jbig2"), [])
    return [layer for layer in drawn if isinstance(layer, Stencil)]


@pytest.mark.slow
def test_masks_that_wait_for_each_other_hold_no_pictures() -> None:
    masks = [stencil.mask for stencil in stencils(COLORS)]
    assert sum(isinstance(mask, ShapedMask) for mask in masks) == COLORS
    del masks
    assert peak_bytes(lambda: stencils(COLORS)) < 4 * LEVEL_BYTES < ALL_MASKS_BYTES / 2


def test_masks_beyond_what_may_wait_are_coded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (first, second) = (stencil.mask for stencil in stencils(2))
    assert isinstance(first, ShapedMask)
    assert isinstance(second, ShapedMask)
    monkeypatch.setattr(palette_layers, "_MOST_SYMBOL_BYTES", len(first.symbols.bits) - 1)
    (first, second) = (stencil.mask for stencil in stencils(2))
    assert isinstance(first, ShapedMask)
    assert isinstance(second, EncodedImage)
