"""A finished run for Prometheus, as the node exporter's textfile collector reads it.

Every value is a gauge: the file describes the last run, not a sum over all.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from batch_converter.report.atomic_writer import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from batch_converter.models import Price, RunSummary

_PREFIX: Final = "batch_converter_run_"
_STATUSES: Final = ("converted", "skipped", "failed", "remaining")


def write_metrics_file(
    path: Path, summary: RunSummary, *, price: Price, last_success: datetime | None
) -> None:
    """Write what the run did; the file is replaced as a whole, or stays as it was.

    Args:
        path: Where it goes; the collector wants a name that ends in `.prom`.
        summary: The run.
        price: Of a billed call; without one no cost is told.
        last_success: When a run last ended with 0; None is told as 0, long ago.

    Raises:
        OutputError: It cannot be written.
    """
    with replacing(path, "metrics file") as out:
        out.write(generate_latest(_registry(summary, price, last_success)))


def _registry(
    summary: RunSummary, price: Price, last_success: datetime | None
) -> CollectorRegistry:
    gauges = _Gauges()
    totals = asdict(summary.totals)
    gauges.show("info", "The run.", 1, run_id=summary.run_id, engine=summary.engine)
    gauges.family("files", "Files by what became of them.", "status", _some(totals, *_STATUSES))
    warned = totals["with_warnings"]
    gauges.show("files_with_warnings", "Files with something said beside the result.", warned)
    gauges.family("bytes", "DjVu converted, and its PDF.", "direction", _directions(totals))
    gauges.show("pages", "Pages converted.", totals["pages"])
    calls = asdict(summary.api_calls)
    gauges.family("api_calls", "Requests that left, by endpoint.", "endpoint", calls)
    gauges.show("billed_api_calls", "Those that may be billed.", summary.api_calls.billed)
    gauges.show("submit_unknown", "Uploads whose answer was lost.", summary.submit_unknown)
    _show_cost(gauges, summary, price)
    _show_end(gauges, summary)
    gauges.show(
        "last_success_timestamp_seconds",
        "When a run last ended with exit code 0; 0 is never.",
        0 if last_success is None else last_success.timestamp(),
    )
    return gauges.registry


def _some(totals: Mapping[str, int], *names: str) -> dict[str, int]:
    return {name: totals[name] for name in names}


def _directions(totals: Mapping[str, int]) -> dict[str, int]:
    return {"in": totals["bytes_in"], "out": totals["bytes_out"]}


def _show_cost(gauges: _Gauges, summary: RunSummary, price: Price) -> None:
    cost = price.of(summary.api_calls)
    if cost is not None:
        gauges.show("cost", "What the billed calls cost.", cost, currency=price.currency or "")


def _show_end(gauges: _Gauges, summary: RunSummary) -> None:
    began_s = summary.started_at.timestamp()
    gauges.show("started_timestamp_seconds", "When it began.", began_s)
    if summary.finished_at is not None:
        ended_s = summary.finished_at.timestamp()
        gauges.show("finished_timestamp_seconds", "When it ended.", ended_s)
    if summary.took_s is not None:
        gauges.show("duration_seconds", "How long it took.", summary.took_s)
    if summary.exit_code is not None:
        gauges.show("exit_code", "Its exit code.", summary.exit_code)


class _Gauges:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def show(self, name: str, about: str, value: float, **labels: str) -> None:
        gauge = Gauge(_PREFIX + name, about, labels, registry=self.registry)
        (gauge.labels(**labels) if labels else gauge).set(value)

    def family(self, name: str, about: str, label: str, values: Mapping[str, float]) -> None:
        gauge = Gauge(_PREFIX + name, about, [label], registry=self.registry)
        for key, value in values.items():
            gauge.labels(key).set(value)
