"""The sizes of the scale benchmark: what is asked for is what is made."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from batch_converter.djvu.read.inspect import inspect
from benchmarks.scale import __main__ as scale

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("text", ["30kB:20kB", "300kB:1.5MB", "5MB:10MB"])
def test_sizes_read_as_they_are_written(text: str) -> None:
    assert str(scale.Sizes.parse(text)) == text


@pytest.mark.parametrize("text", ["30kB", "30:20", "1GB:1GB", "30kB:20kB:1kB", ""])
def test_what_is_no_pair_of_sizes_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no pair of sizes"):
        scale.Sizes.parse(text)


def test_large_files_are_fewer() -> None:
    assert scale.Sizes.parse("30kB:20kB").count(1_000) == 1_000
    assert scale.Sizes.parse("5MB:10MB").count(1_000) == 50
    assert scale.Sizes.parse("5MB:100MB").count(1_000) == scale.FEWEST


def test_the_files_are_as_long_as_was_asked_for_and_differ(tmp_path: Path) -> None:
    scale.make_archive(tmp_path, 3, djvu_bytes=2_000)
    paths = sorted(tmp_path.rglob("*.djvu"))
    assert [path.stat().st_size for path in paths] == [2_000] * 3
    assert len({path.read_bytes() for path in paths}) == 3
    assert [inspect(path).page_count for path in paths] == [1] * 3
