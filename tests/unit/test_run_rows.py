"""What the page of a run shows of its documents, from the run's events."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from batch_converter import events
from batch_converter.progress_page import rows as module
from batch_converter.progress_page.rows import Row, RunRows
from batch_converter.server.queue import Missed
from tests.support.clocks import ManualClock

CLOCK = ManualClock()
NOW = CLOCK.now()


def new() -> RunRows:
    return RunRows(CLOCK)


def submitted(source: str, task_id: str | None = None) -> events.FileSubmitted:
    return events.FileSubmitted(source=source, task_id=task_id, attempt=1, bytes=10, pages=2)


def converted(source: str) -> events.FileConverted:
    return events.FileConverted(
        source=source,
        task_id=None,
        output=source,
        bytes_in=10,
        bytes_out=30,
        pages=2,
        attempts=1,
        polls=0,
        waited_s=1.0,
        total_s=1.0,
        warnings=("odd",),
    )


def failed(source: str) -> events.FileFailed:
    return events.FileFailed(source=source, code="not_djvu", message="it is none")


def states(rows: RunRows) -> dict[str, str]:
    return {row.name: row.state for row in rows.page(offset=0, limit=99)[0]}


def test_a_document_goes_from_state_to_state() -> None:
    rows = new()
    seen = []
    rows.changed = lambda: seen.append(rows.sequence)
    rows.observe(events.DocumentAdmitted(source="a"))
    assert states(rows) == {"a": "waiting"}
    rows.observe(submitted("a", "task"))
    assert states(rows) == {"a": "waiting"}
    rows.observe(events.FilePolled(source="a", task_id="task", status="Processing"))
    assert states(rows) == {"a": "converting"}
    rows.observe(converted("a"))
    rows.observe(events.DocumentReleased(source="a"))
    [row] = rows.page(offset=0, limit=9)[0]
    assert (row.state, row.pages, row.size_bytes, row.pdf_bytes) == ("ready", 2, 10, 30)
    assert (row.warnings, row.ended_at) == (("odd",), NOW)
    assert +rows.totals == {"ready": 1}
    assert (rows.bytes_in, rows.bytes_out) == (10, 30)
    assert seen == sorted(set(seen))


def test_an_engine_without_tasks_converts_at_once() -> None:
    rows = new()
    rows.observe(events.DocumentAdmitted(source="a"))
    rows.observe(submitted("a"))
    assert states(rows) == {"a": "converting"}


def test_failures_say_why_also_before_a_document_was_let_in() -> None:
    rows = new()
    rows.observe(events.DocumentAdmitted(source="a"))
    rows.observe(failed("a"))
    rows.observe(events.DocumentReleased(source="a"))
    rows.observe(events.KnownFailure(source="b", code="bad_pdf", message="as before"))
    found, total = rows.page(offset=0, limit=9, state="failed")
    assert [row.error for row in found] == [("not_djvu", "it is none"), ("bad_pdf", "as before")]
    assert total == 2
    assert +rows.totals == {"failed": 2}


def test_what_is_left_for_a_later_run_is_not_shown_any_more() -> None:
    rows = new()
    rows.observe(events.DocumentAdmitted(source="a"))
    before = rows.sequence
    rows.observe(events.DocumentReleased(source="a"))
    assert states(rows) == {}
    assert rows.removed_after(before) == [1]
    assert not +rows.totals


def test_changes_and_filters() -> None:
    rows = new()
    for name in ("Box/a", "Box/b", "c"):
        rows.observe(events.DocumentAdmitted(source=name))
    before = rows.sequence
    rows.observe(submitted("Box/b"))
    assert [row.name for row in rows.changed_after(before, 9)] == ["Box/b"]
    assert [row.name for row in rows.changed_after(0, 2)] == ["Box/a", "c"]
    assert [row.name for row in rows.page(offset=1, limit=9, text="BOX")[0]] == ["Box/b"]
    assert rows.page(offset=0, limit=1)[1] == 3


def test_two_sources_of_one_name_are_two_documents() -> None:
    rows = new()
    for _ in range(2):
        rows.observe(events.DocumentAdmitted(source="a"))
    rows.observe(converted("a"))
    rows.observe(events.DocumentReleased(source="a"))
    assert +rows.totals == {"ready": 1, "waiting": 1}


def ended(rows: RunRows, name: str, event: events.RunEvent) -> None:
    rows.observe(events.DocumentAdmitted(source=name))
    rows.observe(event)
    rows.observe(events.DocumentReleased(source=name))


def test_the_latest_of_each_end_are_shown_and_all_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_ENDED", 2)
    rows = new()
    for number in range(1, 6):
        ended(rows, f"{number}", converted(f"{number}"))
    for number in range(6, 9):
        ended(rows, f"{number}", failed(f"{number}"))
    for number in range(9, 12):
        rows.observe(events.KnownFailure(source=f"{number}", code="bad_pdf", message="as before"))
    assert states(rows) == {"4": "ready", "5": "ready", "10": "failed", "11": "failed"}
    assert +rows.totals == {"ready": 5, "failed": 6}
    assert rows.listed == 4
    assert rows.removed_after(0) == [1, 2, 3, 6, 7, 8, 9]
    assert [row.name for row in rows.changed_after(0, 9)] == ["4", "5", "10", "11"]


def test_one_that_is_shown_no_more_before_it_is_released_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_ENDED", 1)
    rows = new()
    for name in ("a", "b"):
        rows.observe(events.DocumentAdmitted(source=name))
        rows.observe(failed(name))
    rows.observe(events.FileRetrying(source="a", task_id=None, code="network", message="too late"))
    for name in ("a", "b"):
        rows.observe(events.DocumentReleased(source=name))
    assert states(rows) == {"b": "failed"}
    assert +rows.totals == {"failed": 2}


def test_who_has_missed_what_was_removed_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_REMOVED", 2)
    rows, removed_at = new(), list[int]()
    for _ in range(3):
        rows.observe(events.DocumentAdmitted(source="a"))
        rows.observe(events.DocumentReleased(source="a"))
        removed_at.append(rows.sequence)
    assert rows.removed_after(removed_at[0]) == [2, 3]
    assert rows.removed_after(rows.sequence) == []
    for sequence in (0, removed_at[0] - 2, rows.sequence + 1):
        with pytest.raises(Missed):
            rows.removed_after(sequence)


class SeenRow(Row):
    """Counts how often a row is asked when it changed."""

    times: ClassVar[int] = 0

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401  # of any field
        SeenRow.times += name == "sequence"
        return super().__getattribute__(name)


def test_to_find_what_has_changed_takes_no_look_at_all_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "Row", SeenRow)
    monkeypatch.setattr(SeenRow, "times", 0)
    rows = new()
    for number in range(1_000):
        ended(rows, f"{number}", failed(f"{number}"))
    before = rows.sequence
    rows.observe(events.DocumentAdmitted(source="last"))
    rows.observe(submitted("last"))
    SeenRow.times = 0
    assert [row.name for row in rows.changed_after(before, 200)] == ["last"]
    assert SeenRow.times == 2  # of the last, and of the one where it ends


def test_the_run_itself_is_told() -> None:
    rows = new()
    rows.observe(
        events.RunStarted(
            engine="local",
            chosen_by="flag",
            output="/out",
            runs=1,
            submit_unknown=0,
            out_at_service=0,
        )
    )
    rows.observe(events.RunStopped(code="budget", message="the budget is spent"))
    assert (rows.facts.engine, rows.facts.stopped) == ("local", "the budget is spent")
    assert not rows.facts.ended
