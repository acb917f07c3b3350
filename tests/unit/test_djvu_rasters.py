"""Pictures in strips: the same as at once, reduced or not, and coded as one JPEG."""

from __future__ import annotations

import hashlib
import io
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from batch_converter.djvu.draw import rasters
from batch_converter.djvu.draw.jpeg import JpegLayer
from batch_converter.djvu.draw.jpeg_coding import MOST_SIDE_PX, encode_jpeg
from batch_converter.djvu.draw.rasters import (
    STRIP_ROWS,
    HeldRaster,
    ReducedRaster,
    reduced,
    strips,
    uniform_color,
)
from batch_converter.djvu.read.decoder import PageError

MODES: Final = ["L", "RGB", "RGBX"]
BANDS: Final = {"L": 1, "RGB": 3, "RGBX": 4}


def noise(mode: str, size: tuple[int, int]) -> Image.Image:
    count = size[0] * size[1] * BANDS[mode]
    return Image.frombytes(mode, size, hashlib.shake_256(b"grain").digest(count))


class InStrips(HeldRaster):
    """A picture that is worked on as a large one is."""

    def __init__(self, image: Image.Image) -> None:
        super().__init__(image)
        self.is_large = True


def pixels(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@given(
    mode=st.sampled_from(MODES),
    width=st.integers(1, 70),
    height=st.integers(1, 4 * STRIP_ROWS),
    quality=st.sampled_from([1, 40, 80, 95]),
)
@example(mode="RGB", width=16, height=STRIP_ROWS, quality=80)
@example(mode="RGB", width=17, height=STRIP_ROWS + 1, quality=80)
@example(mode="L", width=8, height=2 * STRIP_ROWS, quality=80)
@example(mode="L", width=9, height=11 * STRIP_ROWS - 1, quality=80)
def test_a_jpeg_of_strips_shows_the_pixels_of_one_made_at_once(
    mode: str, width: int, height: int, quality: int
) -> None:
    image = noise(mode, (width, height))
    joined = encode_jpeg(InStrips(image), quality)
    at_once = encode_jpeg(HeldRaster(image), quality)
    assert (joined.width, joined.height, joined.components) == (
        (at_once.width, at_once.height, at_once.components)
    )
    shown, expected = pixels(joined.data), pixels(at_once.data)
    assert (shown.size, shown.mode) == (expected.size, expected.mode)
    assert ImageChops.difference(shown, expected).getbbox() is None
    assert (joined.data == at_once.data) == (height <= STRIP_ROWS)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_widest_jpeg_there_is_has_a_restart_interval(mode: str) -> None:
    image = Image.new(mode, (65500, STRIP_ROWS + 1))
    image.paste(noise(mode, (40, STRIP_ROWS + 1)), (65460, 0))
    shown, expected = (
        pixels(encode_jpeg(raster(image), 80).data) for raster in (InStrips, HeldRaster)
    )
    assert ImageChops.difference(shown, expected).getbbox() is None


@pytest.mark.parametrize("kind", [InStrips, HeldRaster])
@pytest.mark.parametrize("turned", [False, True])
def test_a_picture_longer_than_readers_take_is_refused(
    kind: type[HeldRaster], *, turned: bool
) -> None:
    for side, is_taken in ((MOST_SIDE_PX, True), (MOST_SIDE_PX + 1, False)):
        image = Image.new("L", (side, 9) if turned else (9, side))
        if is_taken:
            assert pixels(encode_jpeg(kind(image), 80).data).size == image.size
        else:
            with pytest.raises(PageError, match="no more than 65500 a side"):
                encode_jpeg(kind(image), 80)


def test_a_jpeg_of_strips_is_whole_for_who_looks_at_its_end() -> None:
    data = encode_jpeg(InStrips(noise("RGB", (50, 10 * STRIP_ROWS))), 80).data
    assert JpegLayer(data).decode().size == (50, 10 * STRIP_ROWS)
    assert [data.count(bytes([0xFF, 0xD0 + number])) for number in range(8)] == [2] + [1] * 7


def in_strips(image: Image.Image, size: tuple[int, int], strip_rows: int) -> Image.Image:
    found = Image.new(image.mode, size)
    top = 0
    for strip in strips(ReducedRaster(InStrips(image), size), strip_rows):
        found.paste(strip, (0, top))
        top += strip.height
    assert top == size[1]
    return found


@given(
    mode=st.sampled_from(MODES),
    width=st.integers(1, 60),
    smaller_width=st.integers(1, 60),
    height=st.integers(1, 150),
    factor=st.integers(1, 9),
    strip_rows=st.integers(1, 90),
)
def test_a_picture_reduced_by_whole_rows_in_strips_is_the_one_reduced_at_once(  # noqa: PLR0917  # drawn by name
    mode: str, width: int, smaller_width: int, height: int, factor: int, strip_rows: int
) -> None:
    image = noise(mode, (width, factor * height))
    size = min(width, smaller_width), height
    at_once = image.resize(size, Image.Resampling.BOX)
    difference = ImageChops.difference(in_strips(image, size, strip_rows), at_once)
    assert max(difference.tobytes()) <= 1


@given(
    height=st.integers(1, 700), smaller=st.integers(1, 700), strip_rows=st.integers(1, STRIP_ROWS)
)
@example(height=119, smaller=10, strip_rows=1)
def test_a_picture_reduced_by_parts_of_rows_is_that_but_for_ties(
    height: int, smaller: int, strip_rows: int
) -> None:
    image = Image.linear_gradient("L").resize((2, height))
    size = 1, min(height, smaller)
    at_once = image.resize(size, Image.Resampling.BOX)
    difference = ImageChops.difference(in_strips(image, size, strip_rows), at_once)
    assert max(difference.tobytes()) <= 1 + 256 // height


@pytest.mark.parametrize(
    ("dpi", "target_dpi", "size"),
    [
        (300, 0, (100, 60)),
        (374, 300, (100, 60)),
        (375, 300, (80, 48)),
        (600, 300, (50, 30)),
        (200, 300, (100, 60)),
        (90000, 300, (1, 1)),
    ],
)
def test_what_is_finer_by_a_quarter_is_reduced(
    dpi: float, target_dpi: int, size: tuple[int, int]
) -> None:
    raster = HeldRaster(noise("L", (100, 60)))
    assert reduced(raster, dpi=dpi, target_dpi=target_dpi).size == size


def test_what_is_made_of_a_large_picture_is_made_in_strips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = noise("L", (20, 10))
    assert not HeldRaster(image).is_large
    monkeypatch.setattr(rasters, "LARGE_PIXELS", 199)
    raster = HeldRaster(image)
    assert raster.is_large
    assert reduced(raster, dpi=600, target_dpi=300).is_large


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1, 1), (7, 64), (64, 65), (3, 200)])
def test_one_pixel_of_another_colour_is_seen_wherever_it_is(
    mode: str, size: tuple[int, int]
) -> None:
    plain = (9, 9, 9) if mode == "L" else (9, 20, 30)
    for place in {(0, 0), (size[0] - 1, size[1] - 1), (0, size[1] - 1), (size[0] // 2, 0)}:
        image = Image.new("RGB", size, plain)
        assert uniform_color(HeldRaster(image.convert(mode))) == plain
        image.putpixel(place, (9, 9, 9) if mode != "L" else (10, 10, 10))
        is_plain = uniform_color(HeldRaster(image.convert(mode))) is not None
        assert is_plain == (size == (1, 1))
