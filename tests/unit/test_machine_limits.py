"""Whether a few more files may be opened, held against opening them."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from batch_converter.machine_limits import are_spare

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def limited_to(limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def opened_all_below(limit: int) -> Iterator[list[int]]:
    """Open files until there is no number left below the limit."""
    held: list[int] = []
    try:
        with suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        assert held[-1] == limit - 1
        yield held
    finally:
        for descriptor in held:
            with suppress(OSError):
                os.close(descriptor)


def test_as_many_are_spare_as_can_be_opened() -> None:
    with limited_to(200), opened_all_below(200) as held:
        assert not are_spare(1)
        for count in range(1, 8):
            os.close(held.pop())
            assert are_spare(count)
            assert not are_spare(count + 1)


def test_free_numbers_below_others_count_too() -> None:
    with limited_to(200), opened_all_below(200) as held:
        for descriptor in held[:8]:
            os.close(descriptor)
        assert are_spare(4)  # the list itself takes one, and some may be open beyond the limit
        assert not are_spare(9)


def test_more_than_there_may_be_are_never_spare() -> None:
    with limited_to(200):
        assert not are_spare(201)


def test_where_the_list_cannot_be_opened_nothing_is_spare() -> None:
    with limited_to(200), opened_all_below(200):
        with pytest.raises(OSError, match="Too many") as told:
            os.open(os.devnull, os.O_RDONLY)
        assert told.value.errno == errno.EMFILE
        assert not are_spare(4)
