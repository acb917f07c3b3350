"""The garbage collector of a command that has loaded what it needs."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from batch_converter.cli.collector import collect_seldom

if TYPE_CHECKING:
    from collections.abc import Iterator


class Circle:
    """Keeps itself alive, until the collector comes."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def own_collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_is_there_is_cleared_of_circles_and_then_kept_from_the_collector() -> None:
    gone = weakref.ref(Circle())
    collect_seldom()
    assert gone() is None
    assert gc.get_freeze_count() > 0


def test_circles_that_come_later_go_when_many_have_come() -> None:
    collect_seldom()
    later = weakref.ref(Circle())
    assert later() is not None
    many: list[list[int]] = [[] for _ in range(2 * gc.get_threshold()[0])]
    assert later() is None
    assert many
