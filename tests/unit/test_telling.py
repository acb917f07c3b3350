"""What a hook is told of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch_converter.api import RunReport
from batch_converter.cli.telling import Telling
from batch_converter.config import Settings
from batch_converter.errors import LedgerError, OutputError
from batch_converter.report.files import write_report_files
from tests.support.summaries import SUMMARY

if TYPE_CHECKING:
    from pathlib import Path


class LostRun:
    """A run whose ledger cannot be read any more."""

    summary = SUMMARY

    def __getattr__(self, name: str) -> object:
        raise LedgerError(f"the ledger is gone, and {name} with it")


@pytest.mark.parametrize(
    ("unwritten", "named"),
    [
        ("the CSV report {0}.csv: No space left on device", True),
        ("the report {0}: No space left on device", False),
    ],
)
def test_a_report_that_is_there_is_named_whatever_became_of_others(
    tmp_path: Path, unwritten: str, *, named: bool
) -> None:
    path = tmp_path / "r.json"
    telling = Telling(None, "true")
    telling._settings = Settings.model_validate({"report": {"file": path}})
    lost = OutputError(f"cannot write {unwritten.format(path)}")
    telling.ran(RunReport(summary=SUMMARY, ledger=tmp_path, unwritten=(lost,)))
    told = telling._environment(1)["BATCH_CONVERTER_REPORT"]
    assert told == (str(path) if named else "")


def test_a_report_that_is_not_there_for_want_of_the_ledger_is_named_too(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    settings = Settings.model_validate({"report": {"file": path}})
    _, [lost] = write_report_files(LostRun(), settings)  # type: ignore[arg-type]  # it has no rest
    assert str(lost).startswith(f"cannot write the report {path}: the ledger is gone")
