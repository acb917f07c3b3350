"""Our pictures of wavelet layers are djvu-rs's, to the byte; what one refuses, the other does."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batch_converter.djvu.kernels.iw44_layer import heads_agree
from batch_converter.djvu.kernels.iw44_picture import WaveletPicture
from batch_converter.djvu.read.decoder import open_page
from tests.support.wavelet_cases import KINDS, cuts, encoded, layer, picture, with_other_heads

if TYPE_CHECKING:
    from random import Random

    from tests.support.wavelet_cases import Chunks

GRAY = 0x80
FULL = 0x80


def size(chunks: Chunks) -> tuple[int, int]:
    return int.from_bytes(chunks[0][4:6], "big"), int.from_bytes(chunks[0][6:8], "big")


def by_djvu_rs(chunks: Chunks) -> bytes | None:
    """A byte or four for each pixel; None where it is refused."""
    width, height = size(chunks)
    try:
        page = open_page([("BG44", chunk) for chunk in chunks], width=width, height=height)
        pixels = bytes(memoryview(page.render()))
    except Exception:  # noqa: BLE001  # the class that djvu-rs raises, and a Rust panic
        return None
    return pixels[::4] if chunks[0][2] & GRAY else pixels


def by_kernels(chunks: Chunks) -> bytes | None:
    if not heads_agree(chunks):
        return None
    whole = WaveletPicture(chunks)
    assert (whole.width, whole.height) == size(chunks)
    assert whole.is_gray == bool(chunks[0][2] & GRAY)
    return bytes(whole.rows(0, whole.height))


def head(  # as many as it has fields
    *, slices: int, width: int, height: int, major: int = 1, minor: int = 2, delay: int = FULL
) -> bytes:
    fields = bytes([0, slices, major, minor, *width.to_bytes(2, "big"), *height.to_bytes(2, "big")])
    return fields + (bytes([delay]) if minor > 1 else b"")


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_equal(kind: str) -> None:
    assert by_kernels(layer(kind)) == by_djvu_rs(layer(kind))


@pytest.mark.parametrize("kind", ["gray", "half chrominance"])
def test_a_picture_that_breaks_off_is_equal(kind: str) -> None:
    for case in cuts(layer(kind))[::5]:
        assert by_kernels(case) == by_djvu_rs(case)


@pytest.mark.slow
@settings(max_examples=150)
@given(
    side=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    major=st.sampled_from([1, 1 | GRAY, 0, 255]),
    minor=st.sampled_from([2, 1, 3]),
    delay=st.sampled_from([FULL, 0, FULL | 10, 10, FULL | 127]),
    slices=st.lists(st.sampled_from([0, 1, 9, 30, 60, 255]), min_size=1, max_size=3),
    bodies=st.lists(st.randoms(use_true_random=False), min_size=3, max_size=3),
    length=st.sampled_from([0, 1, 20, 700]),
)
def test_noise_makes_equal_pictures(  # noqa: PLR0917  # one for each that is drawn
    side: tuple[int, int],
    major: int,
    minor: int,
    delay: int,
    slices: list[int],
    bodies: list[Random],
    length: int,
) -> None:
    """Values of noise do not fit into 16 bits, and wrap."""
    first = head(
        slices=slices[0], width=side[0], height=side[1], major=major, minor=minor, delay=delay
    )
    heads = [first, *(bytes([number, count]) for number, count in enumerate(slices[1:], 1))]
    case = [one + body.randbytes(length) for one, body in zip(heads, bodies, strict=False)]
    assert by_kernels(case) == by_djvu_rs(case) is not None


@pytest.mark.parametrize("height", [1, 2, 33])
@pytest.mark.parametrize("width", range(1, 9))
def test_narrow_pictures_are_equal(width: int, height: int) -> None:
    """DjVuLibre filters rows of four to seven values in its own way, at any scale."""
    body = picture("L", (20, 20)).tobytes()
    for delay in (0, FULL):
        case = [head(slices=50, width=width, height=height, delay=delay) + body]
        assert by_kernels(case) == by_djvu_rs(case)
    wide = [head(slices=50, width=16 * width, height=9, major=1 | GRAY) + body]
    assert by_kernels(wide) == by_djvu_rs(wide)


@cache
def high_picture(mode: str, *options: str) -> tuple[WaveletPicture, bytes]:
    """One that is made in several goes, and all that is made of it at once."""
    whole = WaveletPicture(encoded(picture(mode, (9, 301)), "-slice", "80", *options))
    return whole, bytes(whole.rows(0, 301))


@settings(max_examples=20)
@given(
    mode=st.sampled_from([("L",), ("RGB",), ("RGB", "-crcbhalf")]),
    edges=st.tuples(st.integers(0, 301), st.integers(0, 301)).map(sorted),
)
@example(mode=("RGB", "-crcbhalf"), edges=[300, 301])
@example(mode=("RGB", "-crcbhalf"), edges=[1, 130])
@example(mode=("L",), edges=[5, 5])
def test_any_rows_are_those_of_the_whole(mode: tuple[str, ...], edges: list[int]) -> None:
    whole, expected = high_picture(*mode)
    top, bottom = edges
    row_bytes = len(expected) // 301
    assert whole.rows(top, bottom) == expected[top * row_bytes : bottom * row_bytes]


def test_high_pictures_are_equal() -> None:
    case = encoded(picture("RGB", (9, 301)), "-slice", "80", "-crcbhalf")
    assert high_picture("RGB", "-crcbhalf")[1] == by_djvu_rs(case)


@pytest.mark.parametrize("name", with_other_heads())
def test_what_is_wrong_with_the_heads_is_wrong_for_both(name: str) -> None:
    case = with_other_heads()[name]
    assert by_kernels(case) == by_djvu_rs(case)


def test_no_layer_has_more_than_256_chunks() -> None:
    first = head(slices=20, width=8, height=8) + b"noise"
    for count in (256, 257):
        case = [first, *(bytes([number % 256, 0]) for number in range(1, count))]
        assert by_kernels(case) == by_djvu_rs(case)
        assert (by_kernels(case) is None) == (count == 257)


def test_an_empty_picture_has_no_rows() -> None:
    for width, height in [(0, 0), (0, 7), (7, 0)]:
        for major in (1, 1 | GRAY):
            case = [head(slices=9, width=width, height=height, major=major) + b"noise"]
            assert by_kernels(case) is None
            assert not WaveletPicture(case).rows(0, height)
