"""The run for Prometheus, read back with Prometheus' own parser."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from batch_converter.models import Price, RunSummary
from batch_converter.report import write_metrics_file
from tests.support.summaries import START, SUMMARY

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def values(
    path: Path, summary: RunSummary, price: Price, last_success: datetime | None = None
) -> dict[tuple[str, ...], float]:
    """Return each value by the name of its metric and of its labels."""
    write_metrics_file(path, summary, price=price, last_success=last_success)
    return {
        (sample.name.removeprefix("batch_converter_run_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }


def test_every_number_of_the_run_is_there(tmp_path: Path) -> None:
    assert values(tmp_path / "run.prom", SUMMARY, Price(per_call=0.5, currency="EUR")) == {
        ("info", "aspose", "r1"): 1,
        ("files", "converted"): 12,
        ("files", "skipped"): 1,
        ("files", "failed"): 1,
        ("files", "remaining"): 1,
        ("files_with_warnings",): 2,
        ("bytes", "in"): 1536,
        ("bytes", "out"): 3 * 1024**2,
        ("pages",): 34,
        ("api_calls", "token"): 1,
        ("api_calls", "submit"): 13,
        ("api_calls", "poll"): 14,
        ("api_calls", "cancel"): 2,
        ("billed_api_calls",): 29,
        ("submit_unknown",): 1,
        ("cost", "EUR"): 14.5,
        ("started_timestamp_seconds",): START.timestamp(),
        ("finished_timestamp_seconds",): START.timestamp() + 83.5,
        ("duration_seconds",): 83.5,
        ("exit_code",): 1,
        ("last_success_timestamp_seconds",): 0,
    }


def test_a_success_of_an_earlier_run_is_told(tmp_path: Path) -> None:
    found = values(tmp_path / "run.prom", SUMMARY, Price(), last_success=START)
    assert found["last_success_timestamp_seconds",] == START.timestamp()


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    going_on = replace(SUMMARY, finished_at=None, exit_code=None)
    names = {name for name, *_ in values(tmp_path / "run.prom", going_on, Price())}
    assert names.isdisjoint({"cost", "finished_timestamp_seconds", "duration_seconds", "exit_code"})
    assert "started_timestamp_seconds" in names
