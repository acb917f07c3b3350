"""Events: told to all, logged under the contract's names, counted."""

from __future__ import annotations

import dataclasses

from structlog.testing import capture_logs

from batch_converter import events
from batch_converter.counters import RunCounters
from batch_converter.events import (
    BudgetSet,
    CallsCounted,
    DiscoveryEnded,
    DocumentAdmitted,
    DocumentReleased,
    EventStream,
    FileConverted,
    FileDiscovered,
    FileEvent,
    FileFailed,
    FileResubmitted,
    FileSkipped,
    KnownFailure,
    RunEvent,
    TokenObtained,
)
from batch_converter.logs import log_event

CONTRACT = {
    "run.started": "info",
    "run.finished": "info",
    "file.discovered": "debug",
    "file.skipped": "debug",
    "file.polled": "debug",
    "file.submitted": "info",
    "file.resubmitted": "info",
    "file.converted": "info",
    "file.failed": "error",
    "file.retrying": "warning",
    "auth.token_obtained": "info",
    "service.throttled": "warning",
    "budget.exhausted": "warning",
}
CONVERTED = FileConverted(
    source="a.djvu",
    task_id=None,
    output="a.pdf",
    bytes_in=10,
    bytes_out=30,
    pages=2,
    attempts=1,
    polls=0,
    waited_s=1.5,
    total_s=2.0,
    warnings=("page 2 is odd",),
)


KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, RunEvent) and kind not in {RunEvent, FileEvent}
]


def test_the_contracts_names_are_there_at_their_levels() -> None:
    known = {kind.name: kind.level for kind in KINDS}
    assert known.items() >= CONTRACT.items()


def test_every_event_has_a_name_of_its_own() -> None:
    names = [kind.name for kind in KINDS if kind is not KnownFailure]
    assert len(names) == len(set(names))
    assert KnownFailure.name == FileFailed.name


def test_all_events_are_frozen_values() -> None:
    for kind in KINDS:
        assert dataclasses.is_dataclass(kind)
        assert kind.__module__ == events.__name__


def test_all_observers_are_told_in_order() -> None:
    told: list[tuple[str, str]] = []
    stream = EventStream([lambda event: told.append(("first", event.name))])
    stream.add(lambda event: told.append(("second", event.name)))
    stream.emit(FileSkipped(source="a.djvu"))
    stream.emit(TokenObtained(lifetime_s=60))
    assert told == [
        ("first", "file.skipped"),
        ("second", "file.skipped"),
        ("first", "auth.token_obtained"),
        ("second", "auth.token_obtained"),
    ]


def test_an_observer_at_fault_is_told_no_more_and_harms_nobody() -> None:
    told: list[str] = []
    calls = 0

    def at_fault(_: RunEvent) -> None:
        nonlocal calls
        calls += 1
        raise ZeroDivisionError

    stream = EventStream([at_fault, lambda event: told.append(event.name)])
    with capture_logs() as logs:
        stream.emit(FileSkipped(source="a.djvu"))
        stream.emit(FileSkipped(source="b.djvu"))
    assert (calls, told) == (1, ["file.skipped", "file.skipped"])
    assert [line["event"] for line in logs] == ["observer.failed"]
    assert logs[0]["during"] == "file.skipped"


def test_a_log_line_is_the_event_with_its_fields() -> None:
    with capture_logs() as logs:
        log_event(CONVERTED)
    assert logs == [
        {"event": "file.converted", "log_level": "info", **dataclasses.asdict(CONVERTED)}
    ]


def test_an_event_without_a_level_has_no_line() -> None:
    with capture_logs() as logs:
        log_event(CallsCounted(kind="poll", calls=1))
        log_event(DiscoveryEnded(to_convert=3))
    assert logs == []


def test_counters_count() -> None:
    counters = RunCounters()
    for event in (
        FileDiscovered(source="a.djvu", bytes=10),
        FileDiscovered(source="b.djvu", bytes=None),
        FileDiscovered(source="c.djvu", bytes=10),
        FileDiscovered(source="d.djvu", bytes=10),
        FileSkipped(source="d.djvu"),
        KnownFailure(source="b.djvu", code="bad_pdf", message="no PDF"),
        DiscoveryEnded(to_convert=2),
        DocumentAdmitted(source="a.djvu"),
        DocumentAdmitted(source="c.djvu"),
        CallsCounted(kind="submit", calls=1),
        CallsCounted(kind="submit", calls=1),
        CallsCounted(kind="submit", calls=-1),
        FileResubmitted(source="a.djvu", task_id="t", attempt=2, bytes=10, pages=2),
        CONVERTED,
        DocumentReleased(source="a.djvu"),
        FileFailed(source="c.djvu", code="bad_pdf", message="no PDF"),
    ):
        counters.observe(event)
    assert counters == RunCounters(
        found=4,
        converted=1,
        skipped=1,
        failed=2,
        known_failures=1,
        in_flight=1,
        bytes_in=10,
        bytes_out=30,
        pages=2,
        api_calls_billed=1,
        discovering=False,
    )
    assert (counters.newly_failed, counters.worked_off, counters.done) == (1, 2, 4)


def test_counters_know_the_limit_on_calls() -> None:
    counters = RunCounters()
    counters.observe(BudgetSet(limit=7))
    assert counters.max_api_calls == 7
