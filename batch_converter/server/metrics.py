"""What the service counts, for Prometheus; a registry of its own for each service."""

from __future__ import annotations

from collections import Counter as Tally
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from batch_converter.server.answers import STATUSES
from batch_converter.wire import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch_converter.server.queue import DocumentState, Totals

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_PREFIX: Final = "batch_converter_server_"
_SHOWN: Final = tuple(status for status in TaskStatus if status is not TaskStatus.NOT_EXIST)
_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class ServerMetrics:
    """Counters and gauges of one service."""

    def __init__(self, totals: Totals) -> None:
        self._registry = CollectorRegistry()
        self._totals = totals
        self._at_once: Tally[str] = Tally()
        self._peaks: Tally[str] = Tally()
        self._requests = self._counter("requests", "Requests answered.", "endpoint", "status")
        self._ended = self._counter("conversions", "Conversions that ended.", "status")
        self._bytes = self._counter("document_bytes", "DjVu taken in, PDF given out.", "direction")
        self._running = self._gauge("requests_in_progress", "Requests now.", "endpoint")
        self._peak = self._gauge("requests_in_progress_peak", "The most at once.", "endpoint")
        self._seconds = Histogram(
            f"{_PREFIX}conversion_seconds",
            "How long conversions took, without waiting for a worker.",
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._watch_totals()

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(_PREFIX + name, about, labels, registry=self._registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(_PREFIX + name, about, labels, registry=self._registry)

    def _watch_totals(self) -> None:
        """Tasks are counted when they are asked for."""
        totals = self._totals
        tasks = self._gauge("tasks", "Tasks known.", "status")
        for status in _SHOWN:
            tasks.labels(status).set_function(_count_of(totals, status))
        unfetched = self._gauge("tasks_unfetched", "Tasks whose end no client has seen.")
        unfetched.set_function(lambda: totals.unfetched)
        peak = self._gauge("tasks_unfetched_peak", "The most of those at once.")
        peak.set_function(lambda: totals.unfetched_peak)
        stored = self._gauge("stored_bytes", "What documents and PDFs take of the disk.")
        stored.set_function(lambda: totals.all.stored_bytes)

    @contextmanager
    def request(self, endpoint: str) -> Iterator[None]:
        """Count a request as running."""
        self._at_once[endpoint] += 1
        self._peaks[endpoint] = max(self._peaks[endpoint], self._at_once[endpoint])
        self._show(endpoint)
        try:
            yield
        finally:
            self._at_once[endpoint] -= 1
            self._show(endpoint)

    def _show(self, endpoint: str) -> None:
        self._running.labels(endpoint).set(self._at_once[endpoint])
        self._peak.labels(endpoint).set(self._peaks[endpoint])

    def request_ended(self, endpoint: str, status: str) -> None:
        """Count an answered request; `aborted` stands for one whose client went away."""
        self._requests.labels(endpoint, status).inc()

    def conversion_ended(self, state: DocumentState, seconds: float) -> None:
        """Count a conversion."""
        self._ended.labels(STATUSES[state]).inc()
        self._seconds.observe(seconds)

    def document_received(self, size_bytes: int) -> None:
        """Count a DjVu."""
        self._bytes.labels("in").inc(size_bytes)

    def document_sent(self, size_bytes: int) -> None:
        """Count a PDF that went out whole."""
        self._bytes.labels("out").inc(size_bytes)

    def exposition(self) -> bytes:
        """Return all values in Prometheus' text format."""
        return generate_latest(self._registry)


def _count_of(totals: Totals, status: TaskStatus) -> Callable[[], float]:
    return lambda: task_counts(totals)[status]


def task_counts(totals: Totals) -> Tally[TaskStatus]:
    """Return how many tasks stand where, in the API's words."""
    counts: Tally[TaskStatus] = Tally()
    for state, count in totals.all.states.items():
        counts[STATUSES[state]] += count
    return counts
