from __future__ import annotations

import io
import os
import pty
import re
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from batch_converter import events
from batch_converter.cli.event_lines import EventLines
from batch_converter.cli.line_fitting import Lettering, size_of
from batch_converter.logs import configure_logging

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.logs import LogLevel

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def line(event: str, *, columns: int = 80, encoding: str = "utf-8", **fields: object) -> str | None:
    lines = EventLines(columns=lambda: columns, lettering=Lettering(encoding), colors=False)
    return lines({"timestamp": "", "level": "warning", "event": event, "run_id": "r", **fields})


def converted(source: str, *, columns: int = 80, encoding: str = "utf-8", **changes: object) -> str:
    fields = {"pages": 12, "bytes_in": 1_234_567, "bytes_out": 987_654, "total_s": 3.44, **changes}
    text = line("file.converted", columns=columns, encoding=encoding, source=source, **fields)
    assert text is not None
    return text


def failed(source: str, code: str, message: str, *, columns: int = 80) -> str:
    text = line("file.failed", columns=columns, source=source, code=code, message=message)
    assert text is not None
    return text


def test_a_converted_file_is_its_name_pages_sizes_and_time() -> None:
    assert converted("a/b.djvu") == "✓ a/b.djvu  12 pages · 1.2 MiB → 964.5 KiB · 3.4 s"
    assert "  1 page · " in converted("a", pages=1)
    assert converted("a", pages=None) == "✓ a  1.2 MiB → 964.5 KiB · 3.4 s"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (60, "1 min 0 s"),
        (3_700, "1 h 1 min"),
    ],
)
def test_time_is_told_as_finely_as_anybody_cares(seconds: float, expected: str) -> None:
    assert converted("a", total_s=seconds).endswith(f"· {expected}")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (61, "✓ a/letter 0001.djvu  12 pages · 1.2 MiB → 964.5 KiB · 3.4 s"),
        (60, "✓ a/letter…001.djvu  12 pages · 1.2 MiB → 964.5 KiB · 3.4 s"),
        (59, "✓ a/lette…001.djvu  12 pages · 1.2 MiB → 964.5 KiB · 3.4 s"),
        (58, "✓ a/letter 0001.djvu  12 pages · 3.4 s"),
        (39, "✓ a/letter 0001.djvu  12 pages · 3.4 s"),
        (36, "✓ a/letter 0001.djvu  3.4 s"),
        (28, "✓ a/letter 0001.djvu  3.4 s"),
        (25, "✓ a/letter 0001.djvu"),
        (21, "✓ a/letter 0001.djvu"),
        (20, "✓ a/letter…001.djvu"),
        (12, "✓ a/le…djvu"),
    ],
)
def test_with_less_room_facts_go_before_the_name_does(columns: int, expected: str) -> None:
    assert converted("a/letter 0001.djvu", columns=columns) == expected


def test_a_failure_is_code_and_message_without_the_name_again() -> None:
    text = failed("a/b.djvu", "not_djvu", "b.djvu is no DjVu file: it does not begin with AT&TFORM")
    assert text == "✗ a/b.djvu  not_djvu: is no DjVu file: it does not begin with AT&TFORM"
    assert failed("b.djvu", "engine_error", "b.djvu: broken").endswith("engine_error: broken")


def test_paths_in_a_long_message_are_shortened_before_its_end_is() -> None:
    message = "/mnt/archive/very/long/path/b.pdf could not be written: No space left on device"
    assert failed("b.djvu", "output_error", message, columns=120).endswith(f": {message}")
    assert (
        failed("b.djvu", "output_error", message)
        == "✗ b.djvu  output_error: …/b.pdf could not be written: No space left on device"
    )
    assert "http://host/a/b/c" in failed("b.djvu", "network", f"http://host/a/b/c {'x' * 50}")


def test_what_is_said_of_the_run_is_said_whole() -> None:
    message = "cannot reach " + "x" * 200
    assert line("run.stopped", code="network", message=message) == f"✗ network: {message}"
    assert line("budget.exhausted", message=message) == f"! The budget is spent: {message}"
    assert line("config.warning", message=message) == f"! config.warning: {message}"
    text = line("ping.failed", host="h", ping="start", reason=message)
    assert text == f"! The ping of h (start) failed: {message}"


def test_runs_of_a_watch_that_begin_alike_say_so_once() -> None:
    lines = EventLines(columns=lambda: 80, lettering=Lettering("utf-8"), colors=False)
    start = {"engine": "local", "chosen_by": "the user", "output": "/pdfs", "out_at_service": 0}

    def told(run_id: str, **others: object) -> str | None:
        known = {"timestamp": run_id, "level": "info", "event": "run.started", "run_id": run_id}
        return lines({**known, **start, **others})

    first = told("1")
    assert first == "• Engine local, chosen by the user; PDFs go to /pdfs"
    assert told("2") == ""
    assert told("3", out_at_service=2) not in {"", first}
    assert told("4") == first


def test_a_watch_says_what_it_has_done_and_what_is_to_be_tried_again() -> None:
    waiting = line("watch.waiting", folders=3, converted=1200, failed=0, left=0)
    assert waiting == "• Watching 3 folders · 1,200 converted so far · waiting"
    waiting = line("watch.waiting", folders=3, converted=1200, failed=1, left=2)
    assert waiting is not None
    assert waiting.endswith("· 1 failed · 2 to be tried again · waiting")
    started = line("watch.started", sources=("a", "b"), settle_s=2.5, rescan_s=600.0, poll=False)
    assert started == "• Watching a, b; a file is taken up once it has not changed for 2.5 s"


def test_what_it_has_no_words_for_is_shown_with_its_fields() -> None:
    assert line("log.lines_lost", lines=3, target="x") is None
    assert line("file.failed", source="a") is None, "somebody else's event of that name"
    assert line("file.submitted", source="a", task_id="t") == ""


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, events.RunEvent) and hasattr(kind, "name")
    ],
)
def test_every_event_of_a_run_has_words_or_is_left_out(kind: type[events.RunEvent]) -> None:
    if kind.level in {None, "debug"}:
        return
    lines = EventLines(columns=lambda: 80, lettering=Lettering("utf-8"), colors=False)
    text = lines({"event": kind.name} | {name: _value(name) for name in kind.__dataclass_fields__})
    assert text is not None
    assert "=" not in text
    assert "task-id" not in text


def _value(field: str) -> object:
    texts = {"source", "output", "code", "message", "reason", "engine", "chosen_by", "endpoint"}
    if field in texts | {"status", "sha256"}:
        return field
    several = {"warnings": ["lost", "too"], "sources": ["in", "box"]}
    return {"task_id": "task-id", **several}.get(field, 3)


@given(
    name=st.text(min_size=1, max_size=120),
    message=st.text(max_size=200),
    columns=st.integers(3, 130),
    encoding=st.sampled_from(["ascii", "utf-8", "iso8859-2"]),
)
def test_lines_of_files_fit_whatever_they_are_about(
    name: str, message: str, columns: int, encoding: str
) -> None:
    fields = {"source": name, "code": "x", "message": message, "warnings": [message, ""]}
    for event in ("file.failed", "file.retrying", "file.warned", "file.vanished"):
        text = line(event, columns=columns, encoding=encoding, **fields)
        assert text is not None
        assert cell_len(text) < max(columns, 5)
        assert text.isprintable()
        text.encode(encoding)
    assert cell_len(converted(name, columns=columns, encoding=encoding)) < max(columns, 4)


@given(st.text(), st.integers(0, 60))
def test_what_is_cut_keeps_its_ends(text: str, cells: int) -> None:
    letters = Lettering("utf-8")
    middle, end = letters.middle_cut(text, cells), letters.end_cut(text, cells)
    for cut in (middle, end):
        assert cell_len(cut) <= cells
        assert (cut == text) == (cell_len(text) <= cells)
    if "…" in middle and "…" not in text:
        head, tail = middle.split("…")
        assert text.startswith(head)
        assert text.endswith(tail)


def test_a_name_cannot_colour_or_break_its_line() -> None:
    text = converted("a\x1b[31m\n\udce9.djvu")
    assert r"a\x1b[31m\n\udce9.djvu" in text


def test_the_terminal_is_asked_for_its_size() -> None:
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        assert size_of(stream) == (80, 25), "it says 0, as of a line that knows nothing"
    os.close(leader)
    assert size_of(io.StringIO()) == (80, 25)
    assert size_of(None) == (80, 25)


# In the log


def shown(level: LogLevel = "info", *, stream: io.StringIO | None = None) -> str:
    lines = EventLines(columns=lambda: 80, lettering=Lettering("utf-8"), colors=False)
    stream = stream or Screen()
    with configure_logging(stream=stream, level=level, for_people=lines):
        log.info("file.submitted", source="a.djvu", task_id="t")
        log.error("file.failed", source="a.djvu", code="x", message="why")
        log.warning("log.lines_lost", lines=3)
    return stream.getvalue()


def test_a_console_on_a_terminal_is_for_people() -> None:
    failure, other = shown().splitlines()
    assert failure == "✗ a.djvu  x: why"
    assert re.search("log.lines_lost", other)
    assert "lines" in other


def test_for_those_who_want_details_it_is_not() -> None:
    assert "file.submitted" in shown("debug")
    assert "✗" not in shown("debug")


def test_off_a_terminal_it_is_not() -> None:
    assert shown(stream=io.StringIO()).startswith("{")


def test_what_the_console_leaves_out_is_in_the_file(tmp_path: Path) -> None:
    stream, file = io.StringIO(), tmp_path / "log"
    with configure_logging(
        stream=stream, file=file, left_out=lambda event: event["level"] != "error"
    ):
        log.warning("file.retrying", source="a")
        log.error("run.stopped", code="x")
    assert "run.stopped" in stream.getvalue()
    assert "file.retrying" not in stream.getvalue()
    assert "file.retrying" in file.read_text()
