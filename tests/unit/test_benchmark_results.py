"""Sections of the benchmarks' results: each takes the place of its last, and no other's."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks import results

if TYPE_CHECKING:
    from pathlib import Path


def parsed(*words: str) -> argparse.Namespace:
    return results.with_results(argparse.ArgumentParser()).parse_args(words)


def test_a_section_goes_nowhere_unless_told() -> None:
    assert parsed().results is None
    assert parsed("--write").results == results.RESULTS
    with pytest.raises(SystemExit):
        parsed("--write", "--results", "quick.md")


def test_a_section_says_what_made_it_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new" / "quick.md"
    monkeypatch.setattr(sys, "argv", ["x", "--rounds", "2", "--results", str(file), "a b"])
    given = parsed("--results", str(file))
    for body in ("first\n", "second"):
        results.publish("Speed", body, results.Conditions(), given.results)
        results.publish("Size", "small", results.Conditions(), file)
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# Results\n\n## Speed\n\n`python -m ")
    assert " --rounds 2 'a b'`\n" in text
    assert str(file) not in text
    assert text.count("## Speed") == text.count("## Size") == 1
    assert "second" in text
    assert "first" not in text
    assert f"{results.processor_name()}, " in text
    assert "; load " in text
    assert "second" in capsys.readouterr().out
