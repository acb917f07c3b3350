from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from batch_converter.djvu.draw import palette
from batch_converter.djvu.draw.bilevel import Bitmap, g4_data
from batch_converter.djvu.draw.palette import CLEAR, level_masks, separated_masks
from batch_converter.djvu.kernels.jb2_composition import leveled
from tests.support.netpbm import pbm
from tests.unit.test_djvu_kernel_forms import thrown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from batch_converter.djvu.draw.palette import LevelMask


def some_pixels(width: int, height: int, share: float = 0.3, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((height, width)) < share


sizes = st.tuples(st.integers(1, 70), st.integers(1, 40))
shares = st.sampled_from([0.0, 0.01, 0.3, 1.0])


@given(sizes, shares, st.integers(0, 99))
def test_the_coding_is_that_of_pillow_s_own_way(
    size: tuple[int, int], share: float, seed: int
) -> None:
    pixels = some_pixels(*size, share, seed)
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    image.save(file, "TIFF", compression="group4", tiffinfo={278: image.height})
    with Image.open(file) as tiff:
        (start,), (count,) = tiff.tag_v2[273], tiff.tag_v2[279]  # type: ignore[attr-defined]  # Pillow types only what all formats have
    expected = file.getvalue()[start : start + count]
    assert g4_data(Bitmap.of_pixels(pixels)) == expected


@given(sizes, shares, st.integers(0, 99))
def test_cutting_out_the_inked_area_loses_no_ink(
    size: tuple[int, int], share: float, seed: int
) -> None:
    pixels = some_pixels(*size, share, seed)
    bitmap = Bitmap.of_pixels(pixels)
    area = bitmap.inked_area()
    cut = bitmap.cropped(area)
    back = np.zeros_like(pixels)
    back[area.top : area.bottom, area.left : area.right] = np.unpackbits(
        cut.rows, axis=1, count=cut.width
    )
    assert (back == pixels).all()
    if pixels.any():
        rows, columns = pixels.nonzero()
        assert area[1:] == (rows.min(), columns.max() + 1, rows.max() + 1)
        assert 0 <= columns.min() - area.left < 8


@pytest.mark.parametrize(
    ("width", "column", "rows"),
    [(8, 0, 1), (8, 1, 2), (8, 7, 2), (9, 7, 1), (9, 8, 1), (10, 8, 1), (10, 9, 2), (16, 1, 1)],
)
def test_ink_that_a_viewer_leaves_out_of_a_last_row_gets_a_clear_row_below(
    width: int, column: int, rows: int
) -> None:
    pixels = np.zeros((3, width), np.bool_)
    pixels[:2] = True
    pixels[2, column] = True
    found = Bitmap.of_pixels(pixels).with_room_below()
    assert (found.width, found.height) == (width, 2 + rows)
    shown = np.unpackbits(found.rows, axis=1, count=width)
    assert (shown[:3] == pixels).all()
    assert not shown[3:].any()


def test_a_larger_canvas_is_clear_at_the_right_and_above() -> None:
    pixels = some_pixels(13, 5)
    canvas = Bitmap.of_pixels(pixels).extended(30, 9)
    shown = np.unpackbits(canvas.rows, axis=1, count=30)
    assert (shown[4:, :13] == pixels).all()
    assert shown.sum() == pixels.sum()


def test_as_a_netpbm_file_ink_is_black() -> None:
    pixels = some_pixels(13, 5)
    with Image.open(io.BytesIO(pbm(pixels))) as image:
        assert (np.asarray(image) != pixels).all()


@given(sizes, shares, st.integers(0, 99))
def test_clear_columns_on_both_sides_are_left_out(
    size: tuple[int, int], share: float, seed: int
) -> None:
    pixels = some_pixels(*size, share, seed)
    pixels[-1, size[0] // 2] = True
    columns = np.flatnonzero(pixels.any(axis=0))
    ink, left = Bitmap.of_pixels(pixels).without_margins()
    assert left == columns[0]
    assert left + ink.width > columns[-1]
    assert ink.same_as(Bitmap.of_pixels(pixels[:, left : left + ink.width]))


@pytest.mark.parametrize("most_listed", [1 << 24, 0])
def test_each_level_has_just_its_own_pixels(
    most_listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(palette, "_MOST_LISTED", most_listed)
    levels = np.random.default_rng(7).choice([0, 3, 254, 255], (50, 90), p=[0.1, 0.6, 0.1, 0.2])
    masks = {mask.level: mask for mask in level_masks(levels.astype(np.uint8))}
    assert sorted(masks) == [0, 3, 254]
    for level, mask in masks.items():
        shown = np.zeros(levels.shape, np.bool_)
        height, width = mask.ink.height, mask.ink.width
        ink = np.unpackbits(mask.ink.rows, axis=1, count=width).astype(np.bool_)
        shown[mask.top : mask.top + height, mask.left : mask.left + width] = ink
        assert (shown == (levels == level)).all()
        assert mask.pixels == shown.sum()


class Cut(NamedTuple):
    """A mask as it is drawn."""

    level: int
    pixels: int
    left: int
    top: int
    width: int
    rows: list[list[int]]


def cut(masks: Iterable[LevelMask]) -> list[Cut]:
    found = []
    for mask in masks:
        area = mask.ink.inked_area()
        ink = mask.ink.cropped(area)
        place = mask.left + area.left, mask.top + area.top
        found.append(Cut(mask.level, mask.pixels, *place, ink.width, ink.rows.tolist()))
    return found


@pytest.mark.parametrize("most_ink_bytes", [1 << 20, 200, 0])
@pytest.mark.parametrize("most_listed", [1 << 24, 200, 0])
@given(st.integers(0, 1 << 32))
def test_masks_by_shapes_are_those_by_pixels(
    most_listed: int, most_ink_bytes: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    width, height = random.integers(1, 90, 2).tolist()
    count = int(random.integers(0, 9))
    lows, highs = (0, -20, -20), (3, width, height)
    places = [tuple(place) for place in random.integers(lows, highs, (count, 3)).tolist()]
    image = thrown(places, width, height, seed, [0.6] * 3)
    levels = random.choice([0, 3, 4, 254, CLEAR], count).tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(palette, "_MOST_LISTED", most_listed)
        patch.setattr(palette, "_MOST_INK_BYTES", most_ink_bytes)
        by_pixels = cut(level_masks(leveled(image, levels, clear=CLEAR)))
        assert by_pixels == sorted(by_pixels, key=lambda mask: (-mask.pixels, mask.level))
        assert cut(separated_masks(image, levels)) == by_pixels
