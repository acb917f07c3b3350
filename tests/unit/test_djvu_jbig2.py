"""The encoder of JBIG2 against a decoder of its own and against viewers of PDF."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_converter.djvu.kernels import jbig2_dictionaries
from batch_converter.djvu.kernels.jbig2_baselines import on_baselines
from batch_converter.djvu.kernels.jbig2_integers import (
    OUT_OF_BAND,
    put_code,
    put_integer,
    put_symbol_id,
)
from batch_converter.djvu.kernels.jbig2_segments import (
    Placements,
    SymbolDictionary,
    encode_generic_page,
    globals_stream,
    page_stream,
)
from batch_converter.djvu.kernels.mq import MqEncoder
from tests.support.compiled import run_compiled
from tests.support.jbig2_cases import (
    Page,
    blots,
    digest,
    noise,
    packed,
    shapes_of,
    streams_of,
    variants,
    written_page,
)
from tests.support.jbig2_decoding import Decoder, drawn, page_of, symbols_of
from tests.support.jbig2_pdfs import pdfium_ink, poppler_ink, write_pdf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from batch_converter.djvu.kernels.shapes import Shapes

    Pixels = NDArray[np.bool_]

ROOT = Path(__file__).parents[2]
SIDES = st.integers(1, 40)
SEEDS = st.integers(0, 1 << 32)
EDGES = [0, 3, 4, 19, 20, 83, 84, 339, 340, 4435, 4436, 262142, (1 << 31) - 1]


def bits_of(count: int, bits: list[int]) -> bytes:
    encoder = MqEncoder(count)
    encoder.encode(bits, len(bits))
    return encoder.finish()


@given(st.lists(st.integers(0, 7), max_size=300), st.integers(0, 3))
def test_decisions_come_back(decisions: list[int], repeated: int) -> None:
    decisions = decisions + decisions[-1:] * 300 * repeated
    decoder = Decoder(bits_of(4, list(decisions)))
    assert [decoder.bit(decision >> 1) for decision in decisions] == [d & 1 for d in decisions]


@given(st.lists(st.one_of(st.integers(0, 3), st.integers(-70_000, -1)), max_size=20))
def test_runs_are_what_they_stand_for(decisions: list[int]) -> None:
    """Zeros of context 0, one by one or at once: the same bytes."""
    plain = [d for decision in decisions for d in ([0] * -decision if decision < 0 else [decision])]
    assert bits_of(2, decisions) == bits_of(2, plain)


def test_a_stream_longer_than_a_buffer_comes_back() -> None:
    bits = np.random.default_rng(1).integers(0, 2, 400_000).tolist()
    decoder = Decoder(bits_of(1, list(bits)))
    assert [decoder.bit(0) for _ in bits] == bits


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.integers(-(1 << 31) + 1, (1 << 31) - 1),
            st.sampled_from([sign * edge for edge in EDGES for sign in (1, -1)]),
        )
    )
)
def test_numbers_come_back(numbers: list[int | None]) -> None:
    decisions = [0] * 38 * max(1, len(numbers))
    at = 0
    for number in numbers:
        if number is None:
            at = put_code(decisions, at, 0, OUT_OF_BAND)
        else:
            at = put_integer(decisions, at, 0, number)
    encoder = MqEncoder(512)
    encoder.encode(decisions, at)
    decoder = Decoder(encoder.finish())
    assert [decoder.number("any") for _ in numbers] == numbers


@given(st.integers(0, 14), st.data())
def test_symbol_ids_come_back(bits: int, data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(0, (1 << bits) - 1), max_size=20))
    decisions = [0] * bits * len(ids)
    at = 0
    for value in ids:
        at = put_symbol_id(decisions, at, 0, value, bits)
    encoder = MqEncoder(1 << bits)
    encoder.encode(decisions, at)
    decoder = Decoder(encoder.finish())
    assert [decoder.symbol(bits) for _ in ids] == ids


@given(SIDES, SIDES, SEEDS, st.sampled_from([0.0, 0.02, 0.5, 1.0]), st.integers(1, 4))
def test_generic_pages_come_back(
    width: int, height: int, seed: int, ink: float, repeated: int
) -> None:
    pixels = noise(np.random.default_rng(seed), height, width, ink)
    pixels = np.repeat(pixels, repeated, axis=0)
    page = page_of(encode_generic_page(packed(pixels), width, len(pixels)))
    assert np.array_equal(page, pixels)


@pytest.mark.parametrize("size", [(3, 20_000), (2000, 9), (1, 1), (1, 16_382), (1, 16_383)])
def test_pages_of_any_size_come_back(size: tuple[int, int]) -> None:
    pixels = noise(np.random.default_rng(2), *size, 0.3)
    pixels[:, 50:-50] = False
    assert np.array_equal(page_of(encode_generic_page(packed(pixels), *size[::-1])), pixels)


@pytest.mark.parametrize(("repeated", "smaller"), [(1, False), (4, True)])
def test_rows_that_repeat_are_told_so(*, repeated: int, smaller: bool) -> None:
    pixels = np.repeat(noise(np.random.default_rng(3), 60, 100, 0.5), repeated, axis=0)
    stream = encode_generic_page(packed(pixels), 100, len(pixels))
    assert (len(stream) < pixels.size / 8 / 2) == smaller
    assert np.array_equal(page_of(stream), pixels)


@st.composite
def pages(draw: st.DrawFn) -> Page:
    generator = np.random.default_rng(draw(SEEDS))
    ink = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    sizes = draw(
        st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30)), min_size=1, max_size=12)
    )
    symbols = [noise(generator, *size, ink) for size in sizes]
    height, width = draw(st.tuples(SIDES, SIDES))
    place = st.tuples(
        st.integers(0, len(symbols) - 1), st.integers(-20, width), st.integers(-20, height)
    )
    places = draw(st.lists(place, max_size=30))
    return Page(
        size=(height, width),
        symbols=symbols,
        places=places + places[: draw(st.integers(0, 2))],
        shared=draw(st.integers(0, len(symbols))),
        rest=noise(generator, height, width, 0.1) if draw(st.booleans()) else None,
    )


@given(pages())
def test_placed_symbols_come_back(page: Page) -> None:
    shared, stream = streams_of(page)
    expected = drawn(page.symbols, page.places, page.size)
    if page.rest is not None:
        expected |= page.rest
    assert np.array_equal(page_of(stream, shared), expected)


@given(st.lists(st.tuples(st.integers(1, 20), SIDES), max_size=6), SEEDS)
def test_a_dictionary_has_its_shapes_by_height_and_width(
    sizes: list[tuple[int, int]], seed: int
) -> None:
    generator = np.random.default_rng(seed)
    symbols = [noise(generator, *size, 0.4) for size in sizes]
    dictionary = SymbolDictionary.of(shapes_of(symbols), range(len(symbols)))
    assert len(dictionary) == len(symbols)
    for segment in dictionary.segments:
        found = symbols_of(segment.data)
        assert [pixels.shape for pixels in found] == sorted(sizes)
        for number, pixels in zip(segment.numbers, found, strict=True):
            assert np.array_equal(pixels, symbols[number])


@given(
    st.tuples(st.integers(9, 40), st.integers(9, 150)),
    SEEDS,
    st.integers(1, 12),
    st.integers(0, 13),
)
@settings(max_examples=25)
def test_letters_that_are_alike_come_back(
    size: tuple[int, int], seed: int, count: int, shared: int
) -> None:
    """Refined from each other, within a dictionary and from that of all pages."""
    generator = np.random.default_rng(seed)
    letter = noise(generator, *size, 0.4)
    symbols = [letter, *variants(generator, letter, count)]
    places = [(number, 5 * number, 7 * number) for number in range(len(symbols))]
    page = Page(size=(120, 200), symbols=symbols, places=places, shared=min(shared, count + 1))
    assert np.array_equal(page_of(*streams_of(page)[::-1]), drawn(symbols, places, page.size))


def test_letters_that_are_alike_cost_less() -> None:
    generator = np.random.default_rng(5)
    letter = noise(generator, 40, 35, 0.4)
    alike = [letter, *variants(generator, letter, 20)]
    other = [noise(generator, pixels.shape[0], pixels.shape[1], 0.4) for pixels in alike]
    sizes = []
    for symbols in (alike, other):
        dictionary = SymbolDictionary.of(shapes_of(symbols), range(len(symbols)))
        sizes.append(len(globals_stream(dictionary)))
    assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize("beyond", [False, True])
def test_only_shapes_of_nearly_the_same_size_are_compared(*, beyond: bool) -> None:
    generator = np.random.default_rng(6)
    letter = noise(generator, 60, 50, 0.4)
    larger = [
        np.pad(letter, ((0, down), (0, right))) ^ noise(generator, 60 + down, 50 + right, 0.002)
        for right, down in ([(3, 0), (0, 3)] if beyond else [(2, 0), (0, 2)])
    ]
    symbols = [letter, *larger]
    dictionary = SymbolDictionary.of(shapes_of(symbols), range(3))
    assert [len(segment.numbers) for segment in dictionary.segments] == ([3] if beyond else [1, 2])


@pytest.mark.parametrize("height", [1, 2, 3, 4])
def test_viewers_draw_what_is_refined_from_low_shapes(tmp_path: Path, height: int) -> None:
    """pdfium lost the page where a rule was refined from one that lies beside all of it."""
    generator = np.random.default_rng(12)
    rule = noise(generator, height, 250, 0.5)
    symbols = [rule]
    for above in range(3):
        lower = np.pad(rule, ((above, 2 - above), (0, 0)))
        symbols += [lower, lower[: height + 1], lower[1:]]
    places = [(number, 3, 9 * number) for number in range(len(symbols))]
    page = Page(size=(100, 260), symbols=symbols, places=places, shared=0)
    expected = drawn(symbols, places, page.size)
    shared, stream = streams_of(page)
    write_pdf(tmp_path / "page.pdf", [(page.size, stream, shared)])
    assert np.array_equal(pdfium_ink(tmp_path / "page.pdf", 0), expected)
    assert np.array_equal(poppler_ink(tmp_path / "page.pdf", 0), expected)


@pytest.mark.parametrize("side", [60, 61, 124, 125, 252, 253])
def test_letters_of_any_size_are_compared_up_to_one(side: int) -> None:
    generator = np.random.default_rng(7)
    for size in ((40, side), (side, 40)):
        letter = noise(generator, *size, 0.4)
        symbols = [letter, letter ^ noise(generator, *size, 0.005)]
        page = Page(size=(260, 260), symbols=symbols, places=[(0, 0, 0), (1, 3, 5)], shared=0)
        dictionary = SymbolDictionary.of(shapes_of(symbols), range(2))
        assert len(dictionary.segments) == (2 if side <= 252 else 1)
        expected = drawn(symbols, page.places, page.size)
        assert np.array_equal(page_of(streams_of(page)[1]), expected)


def test_very_many_shapes_of_a_size_are_compared_with_some() -> None:
    generator = np.random.default_rng(8)
    letter = noise(generator, 12, 12, 0.4)
    symbols = [letter ^ noise(generator, 12, 12, 0.05) for _ in range(200)]
    places = [(number, number % 20 * 13, number // 20 * 13) for number in range(200)]
    page = Page(size=(140, 270), symbols=symbols, places=places, shared=100)
    assert np.array_equal(page_of(*streams_of(page)[::-1]), drawn(symbols, places, page.size))


@pytest.mark.parametrize("most", [19, 20])
def test_more_symbols_than_viewers_know_are_refused(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(jbig2_dictionaries, "MOST_SYMBOLS", most)
    generator = np.random.default_rng(11)
    letters = [noise(generator, 30, 25, 0.4) for _ in range(4)]
    alike = [one for letter in letters for one in (letter, *variants(generator, letter, 4))]
    unlike = [noise(generator, 5, 5, 0.5) for _ in range(20)]
    for symbols in (alike, unlike):
        places = [(number, 30 * (number % 6), 35 * (number // 6)) for number in range(20)]
        page = Page(size=(150, 200), symbols=symbols, places=places, shared=9)
        with nullcontext() if most == 20 else pytest.raises(ValueError, match="20 symbols"):
            assert np.array_equal(
                page_of(*streams_of(page)[::-1]), drawn(symbols, places, page.size)
            )


def test_a_dictionary_that_builds_upon_another_needs_it() -> None:
    shapes = shapes_of([np.ones((9, 9), np.bool_)] * 2)
    shared = SymbolDictionary.of(shapes, [0])
    private = SymbolDictionary.of(shapes, [1], shared)
    for given_one in (None, SymbolDictionary.of(shapes, [0])):
        with pytest.raises(ValueError, match="builds upon"):
            page_stream(
                *(9, 9),
                shapes=shapes,
                placements=Placements(),
                shared=given_one,
                private=private,
            )
    with pytest.raises(ValueError, match="build upon"):
        globals_stream(private)


def test_a_shape_that_no_dictionary_has_is_refused() -> None:
    shapes = shapes_of([np.ones((2, 2), np.bool_)] * 2)
    placements = Placements()
    placements.add(1, 0, 0)
    with pytest.raises(KeyError):
        page_stream(
            8, 8, shapes=shapes, placements=placements, private=SymbolDictionary.of(shapes, [0])
        )


def test_a_page_without_anything_is_clear() -> None:
    stream = page_stream(9, 4, shapes=shapes_of([]), placements=Placements())
    assert np.array_equal(page_of(stream), np.zeros((4, 9), np.bool_))


def test_symbols_cost_once_what_they_cost_often() -> None:
    generator = np.random.default_rng(4)
    symbol = noise(generator, 30, 30, 0.5)
    places = [(0, column, row) for row in range(0, 1200, 40) for column in range(0, 1200, 40)]
    sizes = [
        sum(map(len, streams_of(Page(size=(1240, 1240), symbols=[symbol], places=some, shared=1))))
        for some in (places[:1], places)
    ]
    assert sizes[1] < sizes[0] + 100


def lines_of(
    symbols: list[Pixels], descents: list[int], lines: int, *, repeated: bool = True
) -> tuple[list[Pixels], list[tuple[int, int, int]]]:
    """Lines of letters, some of which reach below; where they repeat not, each is another."""
    generator = np.random.default_rng(9)
    found = list(symbols)
    places = []
    for line in range(lines):
        left = 5
        for _ in range(20):
            number = int(generator.integers(len(symbols)))
            pixels = symbols[number]
            top = 40 * line + 40 + descents[number] - pixels.shape[0]
            if not repeated:
                found.append(noise(generator, pixels.shape[0], pixels.shape[1], 0.5))
                number = len(found) - 1
            places.append((number, left, top))
            left += pixels.shape[1] + int(generator.integers(2, 5))
    return found, places


def unpacked(shapes: Shapes, number: int) -> Pixels:
    width, height = shapes.widths[number], shapes.heights[number]
    rows = np.frombuffer(shapes.rows(number), np.uint8).reshape(height, -(-width // 8))
    return np.unpackbits(rows, axis=1, count=width).astype(np.bool_)


def set_on_baselines(page: Page) -> Page:
    shapes, placements = shapes_of(page.symbols), Placements()
    for place in page.places:
        placements.add(*place)
    found = on_baselines(shapes, [(placements, page.size[0])])
    return replace(page, symbols=[unpacked(found, number) for number in range(len(found))])


def letters_and_descents() -> tuple[list[Pixels], list[int]]:
    generator = np.random.default_rng(10)
    heights = [(20, 0), (30, 0), (28, 8), (9, 6), (20, 0), (30, 0), (28, 8), (20, 0)]
    return [noise(generator, height, 17, 0.5) for height, _ in heights], [d for _, d in heights]


def test_letters_on_lines_end_in_the_same_row() -> None:
    symbols, descents = letters_and_descents()
    _, places = lines_of(symbols, descents, 10)
    page = Page(size=(460, 500), symbols=symbols, places=places, shared=4)
    aligned = set_on_baselines(page)
    ends = {top + aligned.symbols[number].shape[0] for number, _, top in places}
    assert ends == {40 * line + 48 for line in range(10)}
    streams = streams_of(aligned)
    assert np.array_equal(page_of(*streams[::-1]), drawn(symbols, places, page.size))
    assert sum(map(len, streams)) < sum(map(len, streams_of(page)))


@pytest.mark.parametrize("repeated", [True, False])
def test_shapes_that_hardly_repeat_stay_as_they_are(*, repeated: bool) -> None:
    symbols, places = lines_of(*letters_and_descents(), 3, repeated=repeated)
    page = Page(size=(460, 500), symbols=symbols, places=places, shared=0)
    shapes = [pixels.shape for pixels in set_on_baselines(page).symbols]
    assert (shapes == [pixels.shape for pixels in symbols]) == (not repeated)


@pytest.mark.parametrize("room", [8, 7, 3, 0])
def test_no_shape_is_made_to_reach_below_the_page(room: int) -> None:
    symbols, descents = letters_and_descents()
    _, places = lines_of(symbols, descents, 10)
    places = [place for place in places if descents[place[0]] <= room or place[2] < 360]
    page = Page(size=(400 + room, 500), symbols=symbols, places=places, shared=0)
    aligned = set_on_baselines(page)
    for number, _, top in places:
        assert top + aligned.symbols[number].shape[0] <= page.size[0]
    assert np.array_equal(page_of(streams_of(aligned)[1]), drawn(symbols, places, page.size))


@given(pages(), st.integers(1, 9))
def test_shapes_on_baselines_show_the_same(page: Page, repeated: int) -> None:
    repeats = replace(page, places=list(page.places) * repeated)
    aligned = set_on_baselines(repeats)
    expected = drawn(page.symbols, page.places, page.size)
    assert np.array_equal(drawn(aligned.symbols, page.places, page.size), expected)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_viewers_draw_the_same(tmp_path: Path, seed: int) -> None:
    page = written_page(seed)
    shared, stream = streams_of(page)
    symbols = drawn(page.symbols, page.places, page.size)
    assert page.rest is not None
    generator = np.random.default_rng(seed)
    prose = blots(generator, 301, 203)
    target = tmp_path / "pages.pdf"
    write_pdf(
        target,
        [
            (page.size, stream, shared),
            (prose.shape, encode_generic_page(packed(prose), 203, 301), b""),
        ],
    )
    for number, expected in enumerate([symbols | page.rest, prose]):
        assert np.array_equal(poppler_ink(target, number), expected)
        assert np.array_equal(pdfium_ink(target, number), expected)


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_compiled_kernels_write_the_same(compiled_kernels: Path) -> None:
    printed = run_compiled("-m", "tests.support.jbig2_cases", folder=compiled_kernels)
    assert printed.split() == ["True", digest()]
