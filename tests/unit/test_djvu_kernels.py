"""The decoders of `djvu/kernels` against writers of their own and against DjVuLibre."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_converter.djvu.draw.bilevel import Bitmap, g4_data
from batch_converter.djvu.draw.masks import composed
from batch_converter.djvu.kernels import jb2, jb2_shapes, jb2_symbols
from batch_converter.djvu.kernels.jb2 import (
    Jb2Dictionary,
    Jb2Error,
    Jb2Image,
    decode_dictionary,
    decode_image,
    page_size,
)
from batch_converter.djvu.kernels.jb2_layout import (
    INK_HEIGHT,
    INK_WIDTH,
    SHAPE_HEIGHT,
    SHAPE_OFFSET,
    SHAPE_SIZE,
    SHAPE_WIDTH,
)
from batch_converter.djvu.kernels.jb2_packed import decode_direct_packed, decode_refined_packed
from batch_converter.djvu.kernels.mmr import MmrError, decode_rows
from batch_converter.djvu.kernels.mq import MqEncoder
from batch_converter.djvu.read.document import open_djvu
from tests.support.djvu_files import SAMPLES, chunk, info, page
from tests.support.djvulibre import made, mask_of
from tests.support.jb2_coding import Jb2Writer
from tests.support.mmr_coding import fax_run, smmr
from tests.support.netpbm import pbm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from batch_converter.djvu.kernels.shapes import Shapes

    Pixels = NDArray[np.bool_]

WIDTH, HEIGHT = 90, 70
ROOM = 1 << 24


def noise(seed: int, width: int, height: int, share: float = 0.5) -> Pixels:
    return np.random.default_rng(seed).random((height, width)) < share


def unpacked(rows: NDArray[np.uint8], width: int) -> Pixels:
    return np.unpackbits(rows, axis=1, count=width).astype(np.bool_)


def shape_pixels(shapes: Shapes, number: int) -> Pixels:
    height, width = shapes.heights[number], shapes.widths[number]
    packed = np.frombuffer(shapes.rows(number), np.uint8).reshape(height, -(-width // 8))
    return unpacked(packed, width)


def blits(image: Jb2Image) -> list[tuple[int, int, int]]:
    return list(zip(image.blit_shapes, image.blit_lefts, image.blit_bottoms, strict=True))


def ink(
    data: bytes, dictionaries: Sequence[Jb2Dictionary] = (), *, uncropped: bool = False
) -> Pixels:
    image = decode_image(data, dictionaries, uncropped=uncropped, max_bytes=ROOM)
    return unpacked(composed(image).rows, image.width)


def random_shape(random: np.random.Generator) -> Pixels:
    """A shape with empty edges, as it may be."""
    width, height = random.integers(1, 16, 2)
    pixels = random.random((height, width)) < 0.6
    edges = random.integers(0, 4, (2, 2))
    return np.pad(pixels, edges)


def random_stream(seed: int, *, crops: bool, library: list[Pixels] | None = None) -> bytes:
    """A stream with all kinds of records, and no shape that reaches beyond a lower left edge.

    (DjVuLibre does not draw those at all, and makes nonsense of a refined shape for the
    library only, except in dictionaries; the specification and djvu-rs do not agree with it.)
    """
    random = np.random.default_rng(seed)
    writer = Jb2Writer(library=library, crops=crops).start(WIDTH, HEIGHT)
    lines = (None, True, False)

    def place() -> dict[str, int | bool | None]:
        new_line = lines[random.integers(0, 3)]
        left, bottom = random.integers(0, WIDTH), random.integers(0, HEIGHT)
        return {"left": int(left), "bottom": int(bottom), "new_line": new_line}

    writer.direct(random_shape(random), 3, 4)
    for step in range(24):
        match = int(random.integers(0, len(writer.library)))
        to_library = bool(random.integers(0, 2))
        shape = random_shape(random)
        if step % 8 == 7:
            writer.comment(b"spoken").reset()
        elif step % 8 == 5:
            writer.non_symbol(shape[: HEIGHT - 20], int(random.integers(0, WIDTH)), 5)
        elif step % 8 == 3:
            writer.direct(shape, image=False)
        elif step % 8 == 2:
            writer.refined(match, shape, library=False, **place())  # type: ignore[arg-type]  # a place
        elif step % 4 == 0:
            writer.refined(match, shape, library=to_library, **place())  # type: ignore[arg-type]  # a place
        else:
            writer.copy(match, 24 + step, int(random.integers(22, HEIGHT)), new_line=None)
    return writer.end()


def shown_by_ddjvu(
    tmp_path: Path, *chunks: bytes, version: int = 24, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Pixels | None:
    head = bytearray(info(width=size[0], height=size[1]))
    head[12] = version
    (tmp_path / "page.djvu").write_bytes(page(bytes(head), *chunks))
    return mask_of(tmp_path / "page.djvu")


@pytest.mark.parametrize("version", [0, 17, 18, 19, 26])
@pytest.mark.parametrize("seed", range(4))
def test_all_records_are_drawn_as_ddjvu_draws_them(tmp_path: Path, version: int, seed: int) -> None:
    uncropped = version <= 18
    data = random_stream(seed, crops=not uncropped)
    theirs = shown_by_ddjvu(tmp_path, chunk("Sjbz", data), version=version)
    assert theirs is not None
    assert theirs.any()
    assert (ink(data, uncropped=uncropped) == theirs).all()


@pytest.mark.parametrize("seed", range(4))
def test_shared_shapes_are_drawn_as_ddjvu_draws_them(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    shapes = [random_shape(random) for _ in range(5)]
    writer = Jb2Writer().start(0, 0)
    for shape in shapes:
        writer.direct(shape, image=False)
    refined = random_shape(random)
    shared = writer.refined(2, refined, image=False).end()
    data = random_stream(seed, crops=True, library=[*shapes, refined])
    theirs = shown_by_ddjvu(tmp_path, chunk("Djbz", shared), chunk("Sjbz", data))
    assert theirs is not None
    dictionary = decode_dictionary(shared, max_bytes=ROOM)
    other = Jb2Writer().start(0, 0).direct(noise(0, 4, 4), image=False).end()
    others = decode_dictionary(other, max_bytes=ROOM)
    assert (ink(data, [dictionary, others]) == theirs).all()


def test_a_dictionary_may_build_upon_another() -> None:
    shapes = [noise(1, 5, 6), noise(2, 7, 3)]
    base = decode_dictionary(
        Jb2Writer().start(0, 0).direct(shapes[0], image=False).end(), max_bytes=ROOM
    )
    upper = Jb2Writer(library=shapes[:1]).start(0, 0).direct(shapes[1], image=False).end()
    both = decode_dictionary(upper, [base], max_bytes=ROOM)
    assert len(both) == len(shapes)
    for number, shape in enumerate(shapes):
        assert (shape_pixels(both.shapes, number) == shape).all()
    with pytest.raises(Jb2Error, match="another shape dictionary"):
        decode_dictionary(upper, [both], max_bytes=ROOM)


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.glob("*.djvu")))
def test_masks_of_the_samples_are_ddjvu_s_to_the_pixel(name: str) -> None:
    source = SAMPLES / f"{name}.djvu"
    seen = 0
    with open_djvu(source) as reader:
        for number in range(6 if name == "book" else 1):
            chunks = reader.page(number)
            if not chunks.has("Sjbz") or name == "rotated":
                continue
            found: list[Jb2Dictionary] = []
            for data in chunks.of("Djbz"):
                found.append(decode_dictionary(data, found, max_bytes=ROOM))
            theirs = mask_of(source, page=number + 1)
            assert theirs is not None
            assert (ink(chunks.of("Sjbz")[0], found) == theirs).all()
            seen += 1
    assert seen or name in {"rotated", "colour"}


@pytest.mark.parametrize("options", [[], ["-lossy"], ["-clean", "-losslevel", "100"]])
def test_what_cjb2_writes_is_drawn_as_ddjvu_draws_it(tmp_path: Path, options: list[str]) -> None:
    random = np.random.default_rng(len(options))
    letters = [np.kron(noise(seed, 4, 5), np.ones((4, 4), np.bool_)) for seed in range(6)]
    pixels = np.zeros((500, 700), np.bool_)
    for top in range(10, 460, 40):
        for left in range(10, 660, 25):
            pixels[top : top + 20, left : left + 16] = letters[random.integers(0, 6)]
    pixels ^= random.random(pixels.shape) < 0.002
    pixels[3, 5:690] = True
    (tmp_path / "page.pbm").write_bytes(pbm(pixels))
    made("cjb2", *options, tmp_path / "page.pbm", tmp_path / "page.djvu")
    with open_djvu(tmp_path / "page.djvu") as reader:
        (data,) = reader.page(0).of("Sjbz")
    assert (ink(data) == mask_of(tmp_path / "page.djvu")).all()
    if not options:
        assert (ink(data) == pixels).all()


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((40, 300), np.bool_),
        np.ones((40, 300), np.bool_),
        noise(1, 300, 40, 0.002),
        noise(2, 300, 40),
        np.pad(np.ones((20, 200), np.bool_), ((10, 10), (50, 50))),
        noise(3, 1, 60),
        noise(4, 2, 60),
        noise(5, 3, 1),
        np.kron(noise(6, 10, 4), np.ones((10, 30), np.bool_)),
    ],
)
@pytest.mark.parametrize("band", [1, 1000, 1 << 20, None])
def test_clear_stretches_are_skipped_without_a_trace(
    pixels: Pixels, band: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if band is None:
        monkeypatch.setattr(jb2_symbols, "decode_direct_shape", decode_direct_packed)
        monkeypatch.setattr(jb2_shapes, "_decode_refined", decode_refined_packed)
    else:
        monkeypatch.setattr(jb2_shapes, "_BAND_BYTES", band)
    height, width = pixels.shape
    writer = Jb2Writer().start(width, height).direct(pixels).refined(0, pixels[::-1])
    image = decode_image(writer.end(), max_bytes=ROOM)
    assert (shape_pixels(image.shapes, 0) == pixels).all()
    assert (shape_pixels(image.shapes, 1) == pixels[::-1]).all()


places = st.tuples(st.integers(-20, WIDTH + 5), st.integers(-20, HEIGHT + 5))


@given(places, st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_what_lies_outside_of_the_page_is_cut_off(
    place: tuple[int, int], width: int, height: int, seed: int
) -> None:
    (left, bottom), shape = place, noise(seed, width, height)
    canvas = np.zeros((HEIGHT + 60, WIDTH + 60), np.bool_)
    top = 30 + HEIGHT - bottom - height
    canvas[top : top + height, 30 + left : 30 + left + width] = shape
    data = Jb2Writer().start(WIDTH, HEIGHT).direct(shape, left, bottom).end()
    assert (ink(data) == canvas[30:-30, 30:-30]).all()


def test_each_shape_keeps_its_place_among_the_blits() -> None:
    dot, bar = np.ones((1, 1), np.bool_), np.pad(np.ones((2, 5), np.bool_), 1)
    writer = Jb2Writer().start(WIDTH, HEIGHT).direct(dot, 1, 2).direct(bar, image=False)
    image = decode_image(writer.copy(0, 8, 9).copy(1, 20, 30).end(), max_bytes=ROOM)
    assert blits(image) == [(0, 1, 2), (0, 8, 9), (1, 19, 29)]
    assert list(zip(image.shapes.widths, image.shapes.heights, strict=True)) == [(1, 1), (7, 4)]


def test_more_shapes_than_there_is_memory_for_are_refused() -> None:
    writer = Jb2Writer().start(WIDTH, HEIGHT).direct(noise(1, 9, 10))
    data = writer.direct(noise(2, 8, 12)).end()
    assert decode_image(data, max_bytes=2 * 10 + 12).blit_shapes
    with pytest.raises(Jb2Error, match="memory limit"):
        decode_image(data, max_bytes=2 * 10 + 11)


@pytest.mark.parametrize(("copies", "fits"), [(511, True), (512, False), (5000, False)])
def test_more_places_than_there_is_memory_for_are_refused(
    copies: int,
    fits: bool,  # noqa: FBT001  # pytest's way
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jb2, "_LEAST_TABLE_BYTES", 0)
    writer = Jb2Writer().start(WIDTH, HEIGHT).direct(noise(1, 9, 10), 5, 5)
    for _ in range(copies):
        writer.copy(0, 5, 5, new_line=False)
    data = writer.end()
    if fits:
        assert len(decode_image(data, max_bytes=1 << 15).blit_shapes) == copies + 1
    else:
        with pytest.raises(Jb2Error, match="memory limit"):
            decode_image(data, max_bytes=1 << 15)
    assert len(decode_image(data, max_bytes=1 << 20).blit_shapes) == copies + 1


def test_a_shared_dictionary_counts_as_what_shapes_take() -> None:
    shapes = [noise(1, 9, 10), noise(2, 8, 12)]
    shared = Jb2Writer().start(0, 0)
    for shape in shapes:
        shared.direct(shape, image=False)
    dictionary = decode_dictionary(shared.end(), max_bytes=2 * 10 + 12)
    data = Jb2Writer(library=shapes).start(WIDTH, HEIGHT).copy(0, 5, 5).end()
    assert decode_image(data, [dictionary], max_bytes=2 * 10 + 12).blit_shapes
    with pytest.raises(Jb2Error, match="memory limit"):
        decode_image(data, [dictionary], max_bytes=2 * 10 + 11)


@pytest.mark.parametrize("new", [1, 2, 3, 9])
def test_a_library_of_more_shapes_than_a_number_can_count(new: int) -> None:
    """Matches have no limit of their own: 262143 dots, and some shapes more."""
    size = 262_142
    table = array("q", bytes(8 * SHAPE_SIZE * size))
    for place, value in ((SHAPE_WIDTH, 1), (SHAPE_HEIGHT, 1), (INK_WIDTH, 1), (INK_HEIGHT, 1)):
        table[place::SHAPE_SIZE] = array("q", [value]) * size
    table[SHAPE_OFFSET::SHAPE_SIZE] = array("q", range(size))
    dots = Jb2Dictionary(bits=bytearray(b"\x80" * size), table=table)
    writer = Jb2Writer(library=[np.ones((1, 1), np.bool_)] * size).start(WIDTH, HEIGHT)
    matches: list[int] = []
    for number in range(new):
        writer.direct(noise(number, 5, 4, 0.9), image=False)
        matches += [0, size // 2, size + number]
        for match in matches[-3:]:
            writer.copy(match, 5, 6)
    image = decode_image(writer.end(), [dots], max_bytes=4 * ROOM)
    assert list(image.blit_shapes) == matches
    assert (shape_pixels(image.shapes, size) == noise(0, 5, 4, 0.9)).all()


def _odd() -> dict[str, bytes]:
    letter = noise(1, 4, 3, 0.9)

    def writer() -> Jb2Writer:
        return Jb2Writer().start(WIDTH, HEIGHT)

    late, none = Jb2Writer().comment(b"first"), Jb2Writer(library=[])
    return {
        "nothing on it": writer().end(),
        "a clear shape": writer().direct(letter & False, image=False).copy(0, 9, 9).end(),
        "no column": writer().direct(letter[:, :0], 5, 5).direct(letter, 9, 9).end(),
        "no row": writer().direct(letter[:0], 5, 5).direct(letter, 9, 9).end(),
        "a comment first": late.start(WIDTH, HEIGHT).direct(letter, 5, 5).end(),
        "a dictionary of none": none.start(WIDTH, HEIGHT).direct(letter, 5, 5).end(),
        "the flag": Jb2Writer().start(WIDTH, HEIGHT, flag=1).direct(letter, 5, 5).end(),
        "no size": Jb2Writer().start(0, 0).end(),
        "no start": Jb2Writer().end(),
        "too many shapes needed": Jb2Writer(library=[letter]).start(WIDTH, HEIGHT).end(),
    }


@pytest.mark.parametrize("name", _odd())
def test_odd_streams_are_drawn_where_ddjvu_draws_them(tmp_path: Path, name: str) -> None:
    data = _odd()[name]
    theirs = shown_by_ddjvu(tmp_path, chunk("Sjbz", data))
    if theirs is None:
        with pytest.raises(Jb2Error):
            ink(data)
    else:
        assert (ink(data) == theirs).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_a_stream_that_breaks_off_is_noticed(seed: int, share: float) -> None:
    whole = random_stream(seed, crops=True)
    with pytest.raises(Jb2Error):
        decode_image(whole[: int(len(whole) * share)], max_bytes=ROOM)


def test_a_stream_that_ends_before_its_bytes_do_is_noticed() -> None:
    whole = Jb2Writer().start(WIDTH, HEIGHT).direct(noise(1, 9, 9), 5, 5).end()
    for padding in (b"\0", b"\xff"):
        assert ink(whole + padding * 500).any()
    assert ink(whole + bytes(range(1, 46))).any()
    with pytest.raises(Jb2Error, match="breaks off"):
        ink(whole + bytes(range(1, 56)))


@pytest.mark.parametrize("letters", [0, 1, 300])
def test_a_size_is_read_without_the_shapes_that_the_page_shares(letters: int) -> None:
    library = [np.ones((2, 2), np.bool_)] * letters
    writer = Jb2Writer(library=library).comment(b"of whom") if letters else Jb2Writer()
    data = writer.start(WIDTH, HEIGHT).direct(noise(1, 9, 9), 5, 5).end()
    assert page_size(data) == (WIDTH, HEIGHT)


@given(st.binary(max_size=60))
def test_of_bytes_that_are_no_stream_a_size_is_read_or_none(data: bytes) -> None:
    found = page_size(data)
    assert found is None or min(found) >= 0


@pytest.mark.slow
@given(st.integers(0, 3), st.data())
@settings(deadline=None)
def test_changed_streams_are_drawn_or_refused(seed: int, data: st.DataObject) -> None:
    changed = bytearray(random_stream(seed, crops=True))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = decode_image(bytes(changed), max_bytes=1 << 16)
    except Jb2Error:
        return
    assert all(shape < len(image.shapes) for shape in image.blit_shapes)


@given(st.binary(max_size=60))
def test_nonsense_is_drawn_or_refused(data: bytes) -> None:
    for decode in (decode_image, decode_dictionary):
        try:
            decode(data, max_bytes=1 << 16)
        except Jb2Error:
            continue


fax_sizes = st.tuples(st.integers(1, 70), st.integers(1, 30))
shares = st.sampled_from([0.0, 0.03, 0.5, 1.0])


@given(fax_sizes, shares, st.integers(0, 99), st.integers(0, 40), st.booleans())
def test_rows_of_group_4_in_stripes_and_not(
    size: tuple[int, int],
    share: float,
    seed: int,
    rows: int,
    inverted: bool,  # noqa: FBT001  # hypothesis's way
) -> None:
    pixels = noise(seed, *size, share)
    data = smmr(pixels, rows=rows, inverted=inverted)
    assert (unpacked(decode_rows(data), size[0]) == pixels).all()
    assert not decode_rows(data)[:, -1].any() or share
    for cut in (1, 4, 9):
        with pytest.raises(MmrError):
            decode_rows(data[: 8 + (len(data) - 8) // 10 // cut])


@pytest.mark.parametrize(
    "run", [0, 1, 2, 63, 64, 65, 127, 1727, 1728, 1792, 2559, 2560, 2623, 5121]
)
def test_runs_of_any_length_that_libtiff_codes(run: int) -> None:
    pixels = np.zeros((3, 8000), np.bool_)
    pixels[0, run : 2 * run] = pixels[2, 7 : 7 + run] = True
    for wanted in (pixels, ~pixels):
        head = b"MMR\0" + (8000).to_bytes(2, "big") + (3).to_bytes(2, "big")
        assert (
            unpacked(decode_rows(head + g4_data(Bitmap.of_pixels(wanted))), 8000) == wanted
        ).all()


def test_each_code_of_a_run_is_libtiff_s() -> None:
    """Rows of one run, below rows without any: a run of each code, white and then black."""
    lengths = [*range(64), *range(64, 2561, 64)]
    pixels = np.zeros((2 * len(lengths), 6000), np.bool_)
    for row, run in enumerate(lengths):
        pixels[2 * row, run : 2 * run] = True
    for wanted in (pixels, ~pixels):
        size = (6000).to_bytes(2, "big") + len(wanted).to_bytes(2, "big")
        coded = decode_rows(b"MMR\0" + size + g4_data(Bitmap.of_pixels(wanted)))
        assert (unpacked(coded, 6000) == wanted).all()


def test_the_mq_coder_writes_what_its_standard_shows() -> None:
    """The test sequence of ITU-T T.88, annex H.2, in one context."""
    plain = bytes.fromhex("00020051000000C0035287 2AAAAAAAAA82C02000FCD79EF6BF7FED904F46A3BF")
    coded = bytes.fromhex("84C73BFCE1A1430402200000410DBB86F4317FFF88FF37471ADB6ADFFFAC")
    bits = array("q", np.unpackbits(np.frombuffer(plain, np.uint8)).tolist())
    encoder = MqEncoder(1)
    encoder.encode(bits, len(bits))
    assert encoder.finish() == coded


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("rows", [0, 3, 10, 29, 30, 31, 200])
def test_fax_pages_are_drawn_as_ddjvu_draws_them(
    tmp_path: Path,
    rows: int,
    inverted: bool,  # noqa: FBT001  # pytest's way
) -> None:
    pixels = noise(7, 50, 30, 0.3)
    # DjVuLibre goes on from the row above where a stripe begins, so these are alike.
    edges = np.arange(30) % (rows or 30) == 0
    pixels[edges | np.roll(edges, -1)] = inverted
    data = smmr(pixels, rows=rows, inverted=inverted)
    theirs = shown_by_ddjvu(tmp_path, chunk("Smmr", data), size=(50, 30))
    assert theirs is not None
    assert (unpacked(decode_rows(data), 50) == theirs).all()
    assert (theirs == pixels).all()


@given(st.integers(0, 3), st.data())
def test_changed_fax_pages_are_drawn_or_refused(seed: int, data: st.DataObject) -> None:
    changed = bytearray(smmr(noise(seed, 40, 20), rows=7 * (seed % 2)))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(8, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_rows(bytes(changed))
    except MmrError:
        return


@pytest.mark.parametrize(
    "data", [b"", b"MMR", b"MMX\0\0\4\0\4\xff", b"MMR\2\0\4\0\4\0\0\0\0\0\1\xff", b"MMR\0\0\4\0\4"]
)
def test_what_is_no_fax_page_is_refused(data: bytes) -> None:
    with pytest.raises(MmrError):
        decode_rows(data)


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 100])
@pytest.mark.parametrize("pairs", [1, 2, 4, 6, 52, 1000])
def test_runs_of_no_length_lead_nowhere_and_do_no_harm(width: int, pairs: int) -> None:
    """A stream may say any number of them; those beyond what a row can have are damage."""
    codes = ("001" + fax_run(0, 0) + fax_run(0, 1)) * pairs + "001" + fax_run(width, 0)
    codes += fax_run(0, 1)
    bits = codes + "0" * (-len(codes) % 8)
    head = b"MMR\0" + width.to_bytes(2, "big") + (1).to_bytes(2, "big")
    data = head + int(bits, 2).to_bytes(len(bits) // 8, "big")
    if 2 * pairs <= width + 2:
        assert not decode_rows(data).any()
    else:
        with pytest.raises(MmrError):
            decode_rows(data)
