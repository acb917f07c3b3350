"""Kernels that have two forms, or are compiled: one result."""

from __future__ import annotations

import shutil
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.djvu.kernels import (
    g4_bound,
    jb2_composition,
    jb2_packed,
    jb2_rows,
    jb2_separation,
    jb2_shapes,
)
from batch_converter.djvu.kernels.g4_bound import count_least_bits
from batch_converter.djvu.kernels.jb2 import Jb2Image
from batch_converter.djvu.kernels.jb2_composition import leveled
from batch_converter.djvu.kernels.jb2_layout import BITS_USED, GOES_ON, LAST_BYTE, STATE_SIZE
from batch_converter.djvu.kernels.jb2_pixels import DIRECT_CONTEXTS, REFINED_CONTEXTS
from batch_converter.djvu.kernels.jb2_separation import put_seen, separated
from batch_converter.djvu.kernels.shapes import Shapes
from batch_converter.djvu.kernels.warming import PACKED as BZZ_WORDS
from batch_converter.djvu.kernels.zp import padded, start
from batch_converter.djvu.read.document import open_djvu
from tests.support.bzz_results import compiled, found
from tests.support.djvu_files import SAMPLES
from tests.support.jb2_coding import Jb2Writer
from tests.support.jb2_results import Case, compiled_results, result
from tests.unit.test_djvu_kernels import WIDTH, noise, random_stream

if TYPE_CHECKING:
    from pathlib import Path

sides = st.integers(0, 40)
shares = st.sampled_from([0.0, 0.02, 0.5, 1.0])
seeds = st.integers(0, 99)


def packed(seed: int, width: int, height: int, share: float) -> bytearray:
    return bytearray(np.packbits(noise(seed, width, height, share), axis=1).tobytes())


class Guarded(bytearray):
    """Bytes that are taken by their place, never counted from their end: compiled code does not."""

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401  # a bytearray's
        assert isinstance(place, slice) or place >= 0
        return super().__getitem__(place)

    def __setitem__(self, place: Any, value: Any) -> None:  # noqa: ANN401  # as above
        assert isinstance(place, slice) or place >= 0
        super().__setitem__(place, value)


class Decoding:
    """A decoder's buffers before a shape, of which not a byte is spare."""

    def __init__(self, data: bytes, known: bytes, new_bytes: int, last_byte: int) -> None:
        self.data = padded(data)
        self.coder = start(self.data)
        self.direct = Guarded(DIRECT_CONTEXTS)
        self.refined = Guarded(REFINED_CONTEXTS)
        self.bits = Guarded(known + bytes(new_bytes))
        self.state = array("q", [0] * STATE_SIZE)
        self.state[BITS_USED] = len(known)
        self.state[LAST_BYTE] = last_byte

    def found(self, status: int) -> tuple[int, bytes, list[int]]:
        """What is to be the same; of a stream that breaks off no more than that."""
        whole = status == GOES_ON
        return status, bytes(self.bits) if whole else b"", self.coder.tolist() if whole else []


streams = st.one_of(st.binary(max_size=300), st.binary(max_size=20).map((b"\xff" * 9).__add__))


@given(st.integers(0, 70), sides, streams, st.integers(0, 400))
def test_shapes_are_decoded_alike(width: int, height: int, data: bytes, last_byte: int) -> None:
    size = (width + 7) // 8 * height
    results = []
    for decode in (jb2_packed.decode_direct_packed, jb2_shapes.decode_direct_in_bands):
        given = Decoding(data, b"\xff\xff", size, last_byte)
        args = given.state, given.coder, given.data, given.direct, given.bits, width, height
        results.append(given.found(decode(*args)))
    assert results[0] == results[1]


@given(
    st.tuples(sides, sides),
    st.tuples(st.integers(-50, 50), st.integers(-50, 50)),
    st.tuples(st.integers(0, 70), sides),
    streams,
    st.integers(0, 400),
    st.tuples(seeds, shares),
)
def test_refined_shapes_are_decoded_alike(  # noqa: PLR0917  # hypothesis's way
    like: tuple[int, int],
    place: tuple[int, int],
    size: tuple[int, int],
    data: bytes,
    last_byte: int,
    look: tuple[int, float],
) -> None:
    known = b"\xff\xff" + packed(look[0], *like, look[1])
    new_bytes = (size[0] + 7) // 8 * size[1]
    results = []
    for decode in (jb2_packed.decode_refined_packed, jb2_shapes.decode_refined_in_bands):
        given = Decoding(data, known, new_bytes, last_byte)
        buffers = given.state, given.coder, given.data, given.refined, given.bits
        results.append(given.found(decode(*buffers, 2, *like, *place, *size)))
    assert results[0] == results[1]


@pytest.mark.parametrize(("width", "height"), [(40_009, 5), (300, 700), (70_000, 2)])
def test_shapes_of_several_bands_are_decoded_alike(width: int, height: int) -> None:
    size = (width + 7) // 8 * height
    like = bytes(packed(2, width - 5, height + 3, 0.01))
    data = bytes(np.random.default_rng(4).integers(0, 256, 40_000).tolist())
    results = []
    for direct, refined in (
        (jb2_packed.decode_direct_packed, jb2_packed.decode_refined_packed),
        (jb2_shapes.decode_direct_in_bands, jb2_shapes.decode_refined_in_bands),
    ):
        given = Decoding(data, like, size, 1 << 30)
        buffers = given.state, given.coder, given.data
        found = [given.found(direct(*buffers, given.direct, given.bits, width, height))]
        other = 0, width - 5, height + 3, 2, 1
        found += [given.found(refined(*buffers, given.refined, given.bits, *other, width, height))]
        results.append(found)
    assert results[0] == results[1]


@given(sides, sides, seeds, shares, st.integers(0, 4))
def test_ink_is_found_alike(width: int, height: int, seed: int, share: float, clear: int) -> None:
    pixels = noise(seed, width, height, share)
    pixels[:clear] = pixels[:, : 2 * clear] = pixels[height - clear :] = False
    bits = bytearray(b"\xff\xff" + np.packbits(pixels, axis=1).tobytes() + b"\xff")
    boxes = [array("q", [9] * 6) for _ in range(2)]
    jb2_rows.find_ink_by_loops(bits, 2, width, height, boxes[0], 1)
    jb2_rows.find_ink_by_numpy(bits, 2, width, height, boxes[1], 1)
    assert boxes[0] == boxes[1]
    left, bottom, ink_width, ink_height = boxes[0][1:5]
    top = height - bottom - ink_height
    assert pixels[top : top + ink_height, left : left + ink_width].sum() == pixels.sum()
    assert (ink_width and ink_height) or not pixels.any()


blits = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-45, 80), st.integers(-45, 60)), max_size=8
)


def thrown(
    places: list[tuple[int, int, int]], width: int, height: int, seed: int, shares: list[float]
) -> Jb2Image:
    """A page upon which shapes are thrown, some beyond its edges."""
    random = np.random.default_rng(seed)
    shapes = Shapes(bits=Guarded())
    for number, share in enumerate(shares):
        wide, high = random.integers(0, 40, 2).tolist()
        shapes.add(wide, high, bytes(packed(seed + number, wide, high, share)))
    numbers, lefts, bottoms = (array("q", [place[n] for place in places]) for n in range(3))
    return Jb2Image(
        width=width,
        height=height,
        shapes=shapes,
        blit_shapes=numbers,
        blit_lefts=lefts,
        blit_bottoms=bottoms,
    )


@given(blits, st.integers(1, 70), st.integers(1, 50), seeds)
def test_pages_are_composed_alike(
    places: list[tuple[int, int, int]], width: int, height: int, seed: int
) -> None:
    image = thrown(places, width, height, seed, [0.7] * 4)
    inks = []
    for put in (jb2_composition.put_ink_by_loops, jb2_composition.put_ink_by_numpy):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jb2_composition, "put_ink", put)
            inks.append(jb2_composition.composed(image))
    assert (inks[0] == inks[1]).all()
    levels = leveled(image, range(len(places)), clear=255)
    assert (np.packbits(levels != 255, axis=1) == inks[0]).all()


def put_guarded(*buffers: Any) -> None:  # noqa: ANN401  # a kernel's
    """Put what is seen with buffers that are taken by their place."""
    given: list[Any] = [Guarded(one) if isinstance(one, bytearray) else one for one in buffers]
    put_seen(*given)
    for buffer, changed in zip(buffers, given, strict=True):
        if isinstance(buffer, bytearray):
            buffer[:] = changed


@given(blits, st.integers(1, 70), st.integers(1, 50), seeds, st.data())
def test_what_is_seen_of_each_level_is_found_alike(
    places: list[tuple[int, int, int]], width: int, height: int, seed: int, data: st.DataObject
) -> None:
    image = thrown(places, width, height, seed, [0.1, 0.7, 1.0, 1.0])
    some = st.sampled_from([0, 1, 7, 254, 255])
    levels = data.draw(st.lists(some, min_size=len(places), max_size=len(places)))
    page = leveled(image, levels, clear=255)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jb2_separation, "put_seen", put_guarded)
        found = separated(image, levels, clear=255)
    assert [ink.level for ink in found] == [level for level in np.unique(page) if level != 255]
    for ink in found:
        rows = np.zeros((height, -(-width // 8)), np.uint8)
        place = rows[ink.top : ink.top + len(ink.rows), ink.left :][:, : ink.rows.shape[1]]
        place[:] = ink.rows
        assert (rows == np.packbits(page == ink.level, axis=1)).all()
        assert ink.pixels == np.count_nonzero(page == ink.level)


class GuardedNumbers(array):  # type: ignore[type-arg]  # Python 3.11 knows none
    """Numbers that are taken by their place, as above."""

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401  # an array's
        assert place >= 0
        return super().__getitem__(place)


@given(st.integers(1, 200), st.integers(1, 20), st.sampled_from([0.0, 0.02, 0.5, 0.9, 1.0]), seeds)
def test_what_fax_needs_at_least_is_counted_alike(
    width: int, height: int, share: float, seed: int
) -> None:
    rows = np.packbits(noise(seed, width, height, share), axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            g4_bound,
            "count_least_bits",
            lambda words, row_words: count_least_bits(GuardedNumbers("q", words), row_words),
        )
        by_loops = g4_bound.least_bits_by_loops(rows, width)
    assert by_loops == g4_bound.least_bits_by_numpy(rows, width)


def _samples() -> list[Case]:
    cases = []
    for source in sorted(SAMPLES.glob("*.djvu")):
        with open_djvu(source) as reader:
            for number in range(6 if source.stem == "book" else 1):
                page = reader.page(number)
                shared = [data.hex() for data in page.of("Djbz")]
                cases += [Case(data.hex(), shared, False, 1 << 28) for data in page.of("Sjbz")]  # noqa: FBT003  # a tuple's field
    return cases


def _cases() -> list[Case]:
    """Whole streams, damaged ones, and such as need everything that is enlarged."""
    cases = _samples()
    for seed in range(40):
        whole = random_stream(seed, crops=seed % 2 == 0)
        cases.append(Case(whole.hex(), (), seed % 2 == 1))
        random = np.random.default_rng(seed)
        for _ in range(8):
            changed = bytearray(whole)
            for place in random.integers(len(whole) - 9, len(whole), 2):
                changed[place] = random.integers(0, 256)
            cases.append(Case(changed.hex(), max_bytes=1 << 16))
    many = Jb2Writer().start(WIDTH, 70)
    for number in range(700):
        many.direct(noise(number, 3, 4), number % 80, number % 60).copy(number, 5, 6)
    cases.append(Case(many.end().hex()))
    wide = np.pad(noise(3, 40_000, 3, 0.001), ((0, 0), (0, 9)))
    long = Jb2Writer().start(40_009, 90).direct(wide, 0, 5).refined(0, wide[::-1], 0, 9)
    cases.append(Case(long.end().hex(), max_bytes=1 << 22))
    random = np.random.default_rng(40)
    return [*cases, *(Case(bytes(random.integers(0, 256, 60).tolist()).hex()) for _ in range(200))]


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_compiled_kernels_decode_what_plain_python_does(compiled_kernels: Path) -> None:
    cases = _cases()
    plain = [result(case) for case in cases]
    assert len(set(plain)) > 50
    assert compiled_results(cases, compiled_kernels) == plain


@pytest.mark.slow
def test_a_damaged_folder_of_kernels_costs_time_and_nothing_else(
    compiled_kernels: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(compiled_kernels, tmp_path / "kernels")
    cases = [(BZZ_WORDS, 1000)]
    wanted = [found(*case) for case in cases]
    for suffix in ("nbi", "nbc"):
        files = sorted(folder.rglob(f"bzz*.{suffix}")) + sorted(folder.rglob(f"zp*.{suffix}"))
        assert len(files) >= 4
        for number, file in enumerate(files):
            data = file.read_bytes()
            damages = [b"", data[: len(data) // 2], b"\x80\x04garbled" + data[9:]]
            if number % 4 < len(damages):
                file.write_bytes(damages[number % 4])
            else:
                file.unlink()
    assert compiled(cases, folder) == wanted
    assert any(file.stat().st_size for file in folder.rglob("bzz*.nb?"))


@pytest.mark.slow
def test_a_folder_of_kernels_that_cannot_be_written_costs_time_and_nothing_else(
    compiled_kernels: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "kernels"
    folder.mkdir(0o700)
    cases = [(BZZ_WORDS, 1000)]
    wanted = [found(*case) for case in cases]
    own = folder / next(compiled_kernels.rglob("*.nbi")).parents[1].name
    own.write_bytes(b"in the way")
    assert compiled(cases, folder) == wanted
    assert own.read_bytes() == b"in the way"
