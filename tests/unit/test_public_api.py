"""The names that programs import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import batch_converter


def test_all_is_sorted_and_importable() -> None:
    assert sorted(batch_converter.__all__) == batch_converter.__all__
    for name in batch_converter.__all__:
        assert getattr(batch_converter, name).__module__.startswith("batch_converter.")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        batch_converter.no_such_name  # noqa: B018  # the access is what is tested


def test_a_worker_does_not_pay_for_the_client() -> None:
    code = "import batch_converter.djvu, sys; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
