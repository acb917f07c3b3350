"""What is read once, when a source is checked, and kept until it is sent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from batch_converter.djvu import identity
from batch_converter.djvu.identity import identify
from batch_converter.orchestrator.preflight import Shelf
from tests.support.pdfs import djvu_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MIB = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.djvu"
    path.write_bytes(djvu_bytes())
    return path


def test_a_small_source_comes_with_the_bytes_that_were_hashed(path: Path) -> None:
    assert identify(str(path)).content == path.read_bytes()


def test_a_large_one_does_not(path: Path) -> None:
    path.write_bytes(djvu_bytes(mark=bytes(MIB)))
    assert identify(str(path)).content is None


@pytest.mark.parametrize("change", ["touched", "grown", "replaced", "gone"])
def test_one_that_changes_under_the_hands_does_not(
    path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Callable[[], object]] = {
        "touched": lambda: os.utime(path, ns=(1, 1)),
        "grown": lambda: path.write_bytes(djvu_bytes() + b" "),
        "replaced": lambda: path.rename(path.with_name("b.djvu")) and path.write_bytes(b"other"),
        "gone": path.unlink,
    }

    def change_it(parts: Sequence[str]) -> None:
        assert not parts
        changes[change]()

    monkeypatch.setattr(identity, "parts_mark", change_it)
    assert identify(str(path)).content is None


def test_what_was_put_on_the_shelf_is_there_until_it_is_cleared() -> None:
    shelf = Shelf()
    shelf.put(1, b"one")
    shelf.put(2, None)
    assert (shelf.look(1), shelf.look(2)) == (b"one", None)
    shelf.clear(1)
    shelf.clear(1)
    assert shelf.look(1) is None


def test_the_shelf_takes_no_more_than_there_is_room_for() -> None:
    shelf = Shelf()
    for number in range(16):
        shelf.put(number, bytes(MIB))
        shelf.put(number, bytes(MIB))
    shelf.put(16, b"one more")
    assert [shelf.look(number) is not None for number in range(17)] == [True] * 16 + [False]
    shelf.clear(3)
    shelf.put(16, b"one more")
    assert shelf.look(16) == b"one more"
