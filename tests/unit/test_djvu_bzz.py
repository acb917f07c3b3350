"""BZZ streams: what DjVuLibre packs, and the same of damaged ones as a plain decoder says."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_converter.djvu.kernels import bzz_ranks
from batch_converter.djvu.read.bzz import BzzError, BzzTooLargeError, decompress
from tests.support import bzz_reference
from tests.support.bundles import bzz, made_by
from tests.support.bzz_results import compiled, found, reference

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_BYTES = 10_240
MOST_BYTES = 1 << 20


def words(count: int) -> bytes:
    chosen = random.Random(count)
    some = ["".join(chosen.choices("etaoinshrdlu", k=chosen.randint(2, 8))) for _ in range(300)]
    return " ".join(chosen.choices(some, k=count)).encode()


@cache
def blocks(data: bytes) -> bytes:
    """A stream of several small blocks."""
    return made_by("bzz", "-e10", "-", "-", given=data)


def plain_texts() -> list[bytes]:
    """What ranks and their weights differ in: few bytes, all bytes, runs, repetitions."""
    chosen = random.Random(8)
    return [
        *(b"a", b"\0", b"\xff", b"ab", b"\0\0", bytes(255)),
        bytes(range(256)),
        bytes(range(255, -1, -1)) * 9,
        b"".join(bytes([n]) * (n % 40) for n in range(256)),
        chosen.randbytes(3000),
        bytes(chosen.choices(b"\0\1", k=2000)),
        words(700),
    ]


@pytest.mark.parametrize("data", plain_texts(), ids=lambda data: f"{len(data)}-{data[:2].hex()}")
def test_what_djvulibre_packs_comes_back(data: bytes) -> None:
    assert decompress(bzz(data), max_bytes=len(data)) == data
    with pytest.raises(BzzTooLargeError) as error:
        decompress(bzz(data), max_bytes=len(data) - 1)
    assert error.value.found == b""


@pytest.mark.parametrize("length", [BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 25_000])
def test_blocks_follow_one_another(length: int) -> None:
    data = words(5000)[:length]
    assert decompress(blocks(data), max_bytes=length) == data


def test_what_is_repeated_very_often_comes_back() -> None:
    for data in (bytes(900_000), b"(maparea)" * 60_000):
        assert decompress(bzz(data), max_bytes=len(data)) == data


@given(st.binary(min_size=1, max_size=300))
@settings(max_examples=30, deadline=None)
def test_any_bytes_come_back(data: bytes) -> None:
    assert decompress(bzz(data), max_bytes=300) == data


@pytest.mark.parametrize("packed", [bzz(words(90)), blocks(words(5000)[:11_500])], ids=len)
def test_a_stream_cut_anywhere_is_told_from_a_whole_one_as_ever(packed: bytes) -> None:
    step = 1 if len(packed) < 1000 else len(packed) // 40
    for cut in [*range(0, len(packed), step), *range(len(packed) - 20, len(packed))]:
        assert found(packed[:cut], MOST_BYTES) == reference(packed[:cut], MOST_BYTES)
    assert found(packed[: len(packed) // 2], MOST_BYTES)[0] == "BzzError: cut off"


def test_whole_blocks_before_a_damage_are_kept() -> None:
    data = words(5000)[: 2 * BLOCK_BYTES]
    packed = blocks(data)
    with pytest.raises(BzzError) as error:
        decompress(packed[: len(packed) * 3 // 4], max_bytes=MOST_BYTES)
    assert len(error.value.found) >= BLOCK_BYTES - 1
    assert data.startswith(error.value.found)


changes = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3)


@given(st.sampled_from([bzz(words(60)), bzz(bytes(500)), bzz(bytes(range(256)))]), changes)
@settings(max_examples=150, deadline=None)
def test_of_changed_streams_the_same_is_said(packed: bytes, places: list[tuple[int, int]]) -> None:
    changed = bytearray(packed)
    for place, value in places:
        changed[place % len(changed)] = value
    assert found(bytes(changed), 20_000) == reference(bytes(changed), 20_000)


@given(st.binary(max_size=120), st.integers(0, 3000))
@settings(max_examples=150, deadline=None)
def test_of_any_bytes_the_same_is_said(data: bytes, most_bytes: int) -> None:
    sized = b"\xff\xff\xd1" + data  # a small block begins so
    for stream in (data, sized):
        assert found(stream, most_bytes) == reference(stream, most_bytes)


def test_a_block_too_large_for_the_format_is_refused() -> None:
    for decode in (decompress, bzz_reference.decompress):
        with pytest.raises(BzzError) as error:
            decode(bytes(40), max_bytes=1 << 30)
        assert type(error.value) is BzzError


@given(st.randoms(use_true_random=False), st.integers(bzz_ranks.TRACKED, 255))
def test_room_is_made_alike(chosen: random.Random, rank: int) -> None:
    order = list(range(256))
    chosen.shuffle(order)
    orders = [bytearray(order) for _ in range(2)]
    bzz_ranks.make_room_by_loop(orders[0], rank)
    bzz_ranks.make_room_by_slices(orders[1], rank)
    assert orders[0] == orders[1]
    assert list(orders[0]) == order[:4] + order[3:rank] + order[rank + 1 :]


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_compiled_kernels_say_what_plain_python_does(compiled_kernels: Path) -> None:
    chosen = random.Random(4)
    cases = [(bzz(data), MOST_BYTES) for data in plain_texts()]
    several = blocks(words(5000)[:25_000])
    cases += [(several[:cut], MOST_BYTES) for cut in range(0, len(several) + 1, 97)]
    for packed in (bzz(words(60)), bzz(bytes(500)), bzz(bytes(range(256)))):
        for _ in range(150):
            changed = bytearray(packed)
            for _ in range(chosen.randint(1, 3)):
                changed[chosen.randrange(len(changed))] = chosen.randrange(256)
            cases.append((bytes(changed), 20_000))
    cases += [(b"\xff\xff\xd1" + chosen.randbytes(60), 3000) for _ in range(150)]
    plain = [found(*case) for case in cases]
    assert len({kind for kind, _ in plain}) > 2
    assert compiled(cases, compiled_kernels) == plain
