"""The names that programs import."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import batch_converter
from batch_converter import api, errors, opening

PAGE = Path(__file__).parents[2] / "docs/python-api.md"


def test_the_names_are_these() -> None:
    """What programs import stays: to take a name away, or add one, is a decision."""
    assert batch_converter.__all__ == [
        "Bag",
        "BatchConverterError",
        "ConfigError",
        "ErrorCode",
        "ExitCode",
        "FileReport",
        "FileStatus",
        "LedgerError",
        "LedgerWriteError",
        "LimitTooLowError",
        "LoadedSettings",
        "MergedRun",
        "OutputError",
        "RunReport",
        "RunSummary",
        "Settings",
        "StartupError",
        "StateLockedError",
        "UsageError",
        "convert",
        "load_settings",
        "make_bag",
        "merge",
        "watch",
    ]


def test_what_convert_raises_can_be_imported() -> None:
    docstrings = (api.convert.__doc__, api.RunReport.files.__doc__, opening.open_run.__doc__)
    named = set(re.findall(r"\w+Error\b", " ".join(filter(None, docstrings))))
    assert (
        {"UsageError", "LedgerError", "LedgerWriteError"} <= named <= set(batch_converter.__all__)
    )
    startup = {error.__name__ for error in _tree(errors.StartupError)}
    assert startup <= set(batch_converter.__all__)


def _tree(error: type[Exception]) -> list[type[Exception]]:
    return [error, *(one for child in error.__subclasses__() for one in _tree(child))]


def test_the_page_names_all() -> None:
    table = PAGE.read_text(encoding="utf-8").split("```")[0]
    assert set(re.findall(r"`(\w+)", table)) >= set(batch_converter.__all__)


def test_every_error_of_the_package_is_in_its_one_tree() -> None:
    """Defined beside it, an error would be missing from what a program can catch."""
    for error in _tree(errors.BatchConverterError):
        assert error.__module__ == "batch_converter.errors", error


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
