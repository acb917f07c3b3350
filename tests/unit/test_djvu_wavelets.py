"""Wavelet layers that break off: seen by the coder, by drawing them again, and by DjVuLibre."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batch_converter.djvu.draw import wavelets
from batch_converter.djvu.draw.jpeg_coding import encode_jpeg
from batch_converter.djvu.draw.rasters import STRIP_ROWS, HeldRaster
from batch_converter.djvu.draw.wavelets import render_iw44
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.kernels.iw44_layer import Layer
from batch_converter.djvu.kernels.iw44_picture import WaveletPicture
from batch_converter.djvu.read.decoder import PageError, open_page
from tests.support.compiled import run_compiled
from tests.support.djvulibre import ddjvu
from tests.support.wavelet_cases import (
    KINDS,
    cut,
    cuts,
    digest,
    document,
    drawn,
    encoded,
    layer,
    picture,
    with_other_heads,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from djvu_rs import Page
    from PIL import Image

    from tests.support.wavelet_cases import Chunks

ROOT = Path(__file__).parents[2]
TOLERATED = 24
OPTIONS = ConvertOptions()


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_layer_needs_hardly_more_than_it_has(kind: str) -> None:
    assert 0 < Layer(layer(kind)).overrun_bytes <= 5
    image = render_iw44(layer(kind), b"", OPTIONS).rows(0, KINDS[kind][1][1])
    mode, size, options = KINDS[kind]
    gray = mode == "L" or "-crcbnone" in options
    assert (image.mode, image.size) == ("L" if gray else "RGBX", size)


@pytest.mark.parametrize("kind", KINDS)
def test_what_changes_with_the_bytes_behind_its_end_is_known_to_go_beyond(kind: str) -> None:
    for case in cuts(layer(kind)):
        if drawn(case) is None:
            assert Layer(case).overrun_bytes > TOLERATED


@pytest.mark.parametrize("kind", ["gray", "colour", "a slice a chunk", "half chrominance"])
def test_what_goes_beyond_is_what_djvulibre_refuses(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "cut.djvu"
    whole = layer(kind)
    seen = set()
    for number in {0, len(whole) - 1}:
        for missing in range(0, min(60, len(whole[number]) - 9), 3):
            case = cut(whole, number, missing)
            file.write_bytes(document(case))
            overrun = Layer(case).overrun_bytes
            if abs(overrun - TOLERATED) > 1:  # DjVuLibre reads a byte ahead, at times
                assert (ddjvu(file) is None) == (overrun > TOLERATED)
                seen.add(overrun > TOLERATED)
    assert seen == {False, True} or kind == "a slice a chunk"


@given(
    kind=st.sampled_from(["gray", "colour", "one chunk", "late chrominance", "few slices"]),
    place=st.integers(0, 1 << 16),
    damage=st.binary(min_size=1, max_size=6),
    missing=st.integers(0, 200),
)
def test_damage_of_any_kind_is_seen_by_both_or_by_the_coder(
    kind: str, place: int, damage: bytes, missing: int
) -> None:
    case = layer(kind)
    number = place % len(case)
    body = bytearray(case[number])
    at = 9 + place % max(1, len(body) - 9)
    body[at : at + len(damage)] = damage
    case = cut(
        [*case[:number], bytes(body), *case[number + 1 :]], number, min(missing, len(body) - 9)
    )
    if drawn(case) is None:
        assert Layer(case).overrun_bytes > TOLERATED


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
@example([b""])
@example([b"\0", b"\1", b"\2\xff"])
@example([b"\0\xff\1\2\0\x20\0\x20\0"])
@example([b"\0\xff\1\2\0\0\0\0\0", b"\0\xff\1\2\0\x20\0\x20\0\0\0"])
def test_any_bytes_have_an_end(chunks: Chunks) -> None:
    small = [data[:4] + b"\0\x21\0\x21"[: max(0, len(data) - 4)] + data[8:] for data in chunks]
    assert Layer(small).overrun_bytes >= 0


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_layers_of_before_version_1_2_have_a_shorter_head(
    mode: str, minor: int, tmp_path: Path
) -> None:
    new = encoded(picture(mode, (70, 45)), "-slice", "74,99", "-crcbdelay", "0")
    old = [new[0][:3] + bytes([minor]) + new[0][4:8] + new[0][9:], *new[1:]]
    for name, chunks in (("new", new), ("old", old)):
        (tmp_path / name).write_bytes(document(chunks))
    assert ddjvu(tmp_path / "old") == ddjvu(tmp_path / "new")
    assert drawn(old) == drawn(new)
    assert drawn(new)
    assert Layer(old).overrun_bytes == Layer(new).overrun_bytes
    assert drawn(cut(old, 1, 100)) is None


def test_the_finest_details_of_a_large_picture_are_missed(tmp_path: Path) -> None:
    whole = encoded(picture("L", (1300, 1200)), "-slice", "74,89,99")
    case = cut(whole, len(whole) - 1, len(whole[-1]) // 20)
    (tmp_path / "cut.djvu").write_bytes(document(case))
    assert ddjvu(tmp_path / "cut.djvu") is None
    with pytest.raises(PageError, match="its image data is damaged"):
        render_iw44(case, b"", OPTIONS)


def test_a_layer_is_decoded_once_where_its_coder_tells_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoded = []

    def counted(chunks: Chunks) -> WaveletPicture:
        decoded.append(chunks)
        return WaveletPicture(chunks)

    monkeypatch.setattr(wavelets, "WaveletPicture", counted)
    monkeypatch.setattr(wavelets, "COMPILED", True)
    assert drawn(layer("colour"))
    assert len(decoded) == 1
    assert drawn(cut(layer("colour"), 2, 100)) is None
    assert len(decoded) == 3
    monkeypatch.setattr(wavelets, "_TOLERATED_BYTES", 0)
    assert drawn(layer("colour"))  # with nothing but ones behind its end, which do not show
    assert len(decoded) == 6


def test_a_layer_is_drawn_twice_where_kernels_are_not_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawings = []

    def counted(
        chunks: Iterable[tuple[str, bytes]], *, width: int, height: int, info: bytes
    ) -> Page:
        drawings.append((width, height))
        return open_page(chunks, width=width, height=height, info=info)

    monkeypatch.setattr(wavelets, "open_page", counted)
    monkeypatch.setattr(wavelets, "COMPILED", False)
    assert drawn(layer("colour"))
    assert len(drawings) == 2


@pytest.mark.parametrize("name", with_other_heads())
def test_kernels_refuse_the_heads_that_djvu_rs_refuses(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = with_other_heads()[name]
    plain = drawn(case)
    monkeypatch.setattr(wavelets, "COMPILED", True)
    for strip_rows in (None, 10):
        assert drawn(case, strip_rows) == plain
        monkeypatch.setattr(wavelets, "LARGE_PIXELS", 0)


class StartedError(Exception):
    """A picture's decoding has begun."""


def started(_: Chunks) -> WaveletPicture:
    raise StartedError


@pytest.mark.parametrize("width", [1024, 1025])
def test_more_than_64_mi_pixels_are_refused_by_both(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = [b"\0\0\1\2" + width.to_bytes(2, "big") + b"\xff\xff\x80"]
    monkeypatch.setattr(wavelets, "COMPILED", True)
    monkeypatch.setattr(wavelets, "WaveletPicture", started)
    with pytest.raises(StartedError if width == 1024 else PageError):
        render_iw44(case, b"", OPTIONS)


@pytest.mark.parametrize("gamma", [0, 10, 22, 40, 255])
@pytest.mark.parametrize("kind", ["gray", "colour"])
def test_gamma_is_the_same(kind: str, gamma: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown() -> Image.Image:
        raster = render_iw44(layer(kind), bytes(8) + bytes([gamma]), OPTIONS)
        return raster.rows(0, raster.size[1])

    plain = shown()
    monkeypatch.setattr(wavelets, "COMPILED", True)
    ours = shown()
    assert (ours.mode, ours.size, ours.tobytes()) == (plain.mode, plain.size, plain.tobytes())


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_compiled_kernels_say_the_same(compiled_kernels: Path) -> None:
    printed = run_compiled("-m", "tests.support.wavelet_cases", folder=compiled_kernels)
    assert printed.split() == ["True", digest()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_layer_is_drawn_in_strips_and_refused_as_it_would_be_whole(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [layer(kind), *cuts(layer(kind))]
    whole = [drawn(case) for case in cases]
    assert whole[0] is not None
    monkeypatch.setattr(wavelets, "LARGE_PIXELS", 0)
    for strip_rows in (1, 29, STRIP_ROWS):
        assert [drawn(case, strip_rows) for case in cases] == whole


@given(
    kind=st.sampled_from(["gray", "colour", "one chunk", "half chrominance", "few slices"]),
    place=st.integers(0, 1 << 16),
    damage=st.binary(min_size=1, max_size=6),
    strip_rows=st.integers(1, 70),
)
def test_damage_is_drawn_the_same_in_strips(
    kind: str, place: int, damage: bytes, strip_rows: int
) -> None:
    case = layer(kind)
    number = place % len(case)
    body = bytearray(case[number])
    at = 9 + place % max(1, len(body) - 9)
    body[at : at + len(damage)] = damage
    case = [*case[:number], bytes(body), *case[number + 1 :]]
    whole = drawn(case)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wavelets, "LARGE_PIXELS", 0)
        assert drawn(case, strip_rows) == whole


def test_a_layer_is_large_from_a_number_of_pixels_on(monkeypatch: pytest.MonkeyPatch) -> None:
    width, height = KINDS["colour"][1]
    for fewer, expected in ((-1, False), (0, False), (1, True)):
        monkeypatch.setattr(wavelets, "LARGE_PIXELS", width * height - fewer)
        assert render_iw44(layer("colour"), b"", OPTIONS).is_large is expected


def test_a_layer_without_copies_is_the_same_jpeg() -> None:
    raster = render_iw44(layer("colour"), b"", OPTIONS)
    image = raster.rows(0, raster.size[1])
    assert image.mode == "RGBX"
    coded = encode_jpeg(raster, 80)
    assert coded == encode_jpeg(HeldRaster(image.convert("RGB")), 80)
    assert coded.components == 3
