"""Modules that are loaded for a command."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from batch_converter.cli.loading import load

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def own_collector() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.enable()


def test_what_is_loaded_is_kept_from_the_collector_which_goes_on() -> None:
    assert load("json").__name__ == "json"
    assert gc.get_freeze_count() > 0
    assert gc.isenabled()


def test_a_module_that_fails_leaves_the_collector_as_it_was() -> None:
    with pytest.raises(ModuleNotFoundError):
        load("batch_converter.no_such_module")
    assert gc.isenabled()
    gc.disable()
    load("json")
    assert not gc.isenabled()
