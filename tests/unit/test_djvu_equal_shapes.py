"""Shapes that look the same are found, however they are looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.djvu.kernels import equal_shapes, shapes
from batch_converter.djvu.kernels.equal_shapes import (
    distinct,
    hash_of,
    numbers_by_dictionary,
    numbers_by_hash,
)
from batch_converter.djvu.kernels.shapes import Shapes, copy_by_loops, copy_by_slices
from tests.support.jbig2_cases import of_pictures

if TYPE_CHECKING:
    from batch_converter.djvu.kernels.shapes import Picture


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    width, height = draw(st.integers(0, 41)), draw(st.integers(0, 3))
    size = -(-width // 8) * height
    rows = bytearray(size)
    for place in draw(st.lists(st.integers(0, max(size - 1, 0)), max_size=2 if size else 0)):
        rows[place] ^= 0x80
    return width, height, bytes(rows)


many_pictures = st.lists(pictures(), max_size=12).flatmap(
    lambda found: st.lists(st.sampled_from(found), max_size=30) if found else st.just([])
)


@given(many_pictures)
def test_both_ways_give_shapes_the_same_numbers(found: list[Picture]) -> None:
    expected = [list(dict.fromkeys(found)).index(picture) for picture in found]
    assert numbers_by_dictionary(of_pictures(found)).tolist() == expected
    assert numbers_by_hash(of_pictures(found)).tolist() == expected


@given(many_pictures)
def test_of_equal_shapes_the_first_is_kept(found: list[Picture]) -> None:
    once, numbers = distinct(of_pictures(found))
    assert once.pictures() == list(dict.fromkeys(found))
    assert [once.pictures()[number] for number in numbers] == found


def test_shapes_of_one_hash_go_to_the_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = of_pictures([(8, 1, bytes([n])) for n in range(100)] * 2)
    asked: list[Shapes] = []

    def by_dictionary(one: Shapes) -> object:
        asked.append(one)
        return numbers_by_dictionary(one)

    monkeypatch.setattr(equal_shapes, "numbers_by_dictionary", by_dictionary)
    assert numbers_by_hash(letters).tolist() == [*range(100)] * 2
    assert not asked
    monkeypatch.setattr(equal_shapes, "hash_of", lambda *_: 7)
    assert numbers_by_hash(letters).tolist() == [*range(100)] * 2
    assert len(asked) == 1


@given(st.binary(max_size=40), st.data())
def test_each_bit_of_a_shape_is_in_its_hash(rows: bytes, data: st.DataObject) -> None:
    kept = hash_of(bytearray(rows), 0, len(rows), 8, len(rows))
    assert 0 <= kept < 1 << 32
    assert hash_of(bytearray(b"x" + rows), 1, len(rows), 8, len(rows)) == kept
    assert hash_of(bytearray(rows), 0, len(rows), 7, len(rows)) != kept
    if rows:
        other = bytearray(rows)
        other[data.draw(st.integers(0, len(rows) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        assert hash_of(other, 0, len(rows), 8, len(rows)) != kept


@pytest.mark.parametrize("copy", [copy_by_slices, copy_by_loops])
@given(many_pictures, st.data())
def test_some_shapes_are_copied_with_clear_rows_below(
    copy: object, found: list[Picture], data: st.DataObject
) -> None:
    numbers = data.draw(st.lists(st.integers(0, len(found) - 1))) if found else []
    below = [data.draw(st.integers(0, 2)) for _ in numbers]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "copy_pieces", copy)
        chosen = of_pictures(found).chosen(np.array(numbers, np.int64), np.array(below, np.int64))
    assert chosen.pictures() == [
        (
            found[number][0],
            found[number][1] + rows,
            found[number][2] + bytes(-(-found[number][0] // 8) * rows),
        )
        for number, rows in zip(numbers, below, strict=True)
    ]


@given(st.lists(many_pictures, max_size=4))
def test_shapes_are_put_together_in_their_order(parts: list[list[Picture]]) -> None:
    together = Shapes.together([of_pictures(part) for part in parts])
    assert together.pictures() == [picture for part in parts for picture in part]
    assert together.add(1, 1, b"\x80") == sum(map(len, parts))
    assert together.pictures()[-1] == (1, 1, b"\x80")
