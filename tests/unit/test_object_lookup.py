"""Objects looked up in listings: as in a dictionary, with few requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.objects import ObjectLookup, ObjectStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_converter.objects import ObjectClient


class Listed:
    """A store that lists so many keys a page, and counts what it is asked."""

    def __init__(self, keys: Sequence[str], *, page: int, is_ordered: bool = True) -> None:
        self.keys = sorted(keys, key=str.encode, reverse=not is_ordered)
        self.page = page
        self.listed = self.heads = 0
        self.breaks_at: int | None = None

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[Sequence[ObjectStatus]]:
        below = [key for key in self.keys if key.startswith(f"{prefix}/")]
        left = [key for key in below if key.encode() > (after or "").encode()]
        while left:
            self.listed += 1
            if self.listed == self.breaks_at:
                raise OSError
            yield [_status(key) for key in left[: self.page]]
            left = left[self.page :]
        self.listed += 1

    def head(self, key: str) -> ObjectStatus:
        self.heads += 1
        if key not in self.keys:
            raise FileNotFoundError(key)
        return _status(key)


def _status(key: str) -> ObjectStatus:
    return ObjectStatus(key, len(key), 1, key)


def lookup(store: Listed) -> ObjectLookup:
    return ObjectLookup(cast("ObjectClient", store), "out")


KEYS = st.text("aä.-/~", min_size=1, max_size=4).map(lambda name: f"out/{name}.pdf")


@given(
    there=st.sets(KEYS, max_size=40),
    wanted=st.lists(KEYS, max_size=40),
    page=st.integers(1, 5),
)
def test_any_objects_are_found_in_any_order(there: set[str], wanted: list[str], page: int) -> None:
    store = Listed(sorted(there), page=page)
    looked = lookup(store)
    for key in wanted:
        found = looked.find(key)
        assert (found.key if found else None) == (key if key in there else None)


@given(there=st.sets(KEYS, max_size=40), wanted=st.lists(KEYS, max_size=40))
def test_a_store_that_keeps_no_order_is_asked_for_each(there: set[str], wanted: list[str]) -> None:
    """As S3's directory buckets do: one page tells that."""
    store = Listed(sorted(there), page=100, is_ordered=False)
    looked = lookup(store)
    for key in wanted:
        found = looked.find(key)
        assert (found.key if found else None) == (key if key in there else None)


def test_keys_in_their_order_cost_a_page_for_a_thousand() -> None:
    keys = [f"out/{number:05}.pdf" for number in range(10_000)]
    store = Listed(keys[::2], page=1_000)
    looked = lookup(store)
    assert [key for key in keys if looked.find(key)] == keys[::2]
    assert (store.listed, store.heads) == (6, 0)


def test_keys_far_away_are_not_listed_up_to() -> None:
    store = Listed([f"out/{number:05}.pdf" for number in range(50_000)], page=100)
    looked = lookup(store)
    for number in (0, 49_999, 3, 25_000, 25_001):
        assert looked.find(f"out/{number:05}.pdf")
    assert store.listed < 25


def test_what_is_forgotten_is_listed_again() -> None:
    store = Listed(["out/a.pdf"], page=10)
    looked = lookup(store)
    assert looked.find("out/b.pdf") is None
    store.keys.append("out/b.pdf")
    assert looked.find("out/b.pdf") is None
    looked.forget()
    assert looked.find("out/b.pdf")


@pytest.mark.parametrize("breaks_at", [1, 2, 3])
def test_a_listing_that_breaks_off_says_nothing_of_what_comes_behind(breaks_at: int) -> None:
    keys = [f"out/{number}.pdf" for number in range(6)]
    store = Listed(keys, page=2)
    store.breaks_at = breaks_at
    looked = lookup(store)
    seen: list[str] = []
    with pytest.raises(OSError):  # noqa: PT011  # of no kind
        seen.extend(key for key in keys if looked.find(key))
    assert seen == keys[: 2 * (breaks_at - 1)]
    assert all(map(looked.find, keys))
