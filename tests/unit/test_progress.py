from __future__ import annotations

import io
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from batch_converter.cli.progress import ProgressDisplay
from batch_converter.counters import RunCounters
from batch_converter.events import BudgetSet, CallsCounted
from batch_converter.logs import configure_logging
from batch_converter.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(width: int = 100) -> tuple[Console, io.StringIO]:
    screen = Terminal()
    return Console(file=screen, force_terminal=True, width=width, color_system="standard"), screen


def drawn(counters: RunCounters, *, width: int = 100) -> str:
    """Return the display as plain text, as it stands at the first moment."""
    display = ProgressDisplay(counters, console=terminal(width)[0], clock=lambda: 0.0)
    paper = Console(file=io.StringIO(), width=width)
    with paper.capture() as capture:
        paper.print(display._draw())
    return capture.get()


def test_it_counts_what_it_knows_and_leaves_out_what_is_nought() -> None:
    counters = RunCounters(
        found=12_000,
        converted=3_000,
        skipped=2_900,
        failed=100,
        with_warnings=7,
        in_flight=64,
        bytes_in=5_000_000,
        bytes_out=7_500_000,
        pages=41_000,
        api_calls_billed=6_400,
        discovering=False,
    )
    position, counts = drawn(counters).splitlines()
    assert position.rstrip().endswith("6,000/12,000 · 50%")
    assert counts.split(" · ") == [
        "100 failed",
        "41,000 pages",
        "6,400 calls",
        "7 with warnings",
        "64 in flight",
    ], "what would not fit whole is left out"
    assert drawn(RunCounters()).splitlines()[1] == "0 pages · 0 in flight · 0 bytes → 0 bytes"


@pytest.mark.parametrize(
    ("calls", "limit", "expected"),
    [
        (0, None, None),
        (5, None, "5 calls"),
        (0, 90, "0/90 calls"),
        (1_234, 5_000, "1,234/5,000 calls"),
        (0, 0, "0/0 calls"),
    ],
)
def test_calls_are_shown_beside_what_may_be_spent(
    calls: int, limit: int | None, expected: str | None
) -> None:
    counters = RunCounters()
    counters.observe(BudgetSet(limit=limit))
    counters.observe(CallsCounted(kind="poll", calls=calls))
    shown = drawn(counters).splitlines()[1].split(" · ")
    assert [fact for fact in shown if "calls" in fact] == [expected] * (expected is not None)


def test_while_files_are_being_found_there_is_no_share_and_no_end() -> None:
    text = drawn(RunCounters(found=10, converted=5))
    assert "5/10 found so far" in text
    assert "%" not in text


def test_a_run_without_files_is_complete() -> None:
    assert "0/0 · 100%" in drawn(RunCounters(discovering=False))


@pytest.mark.parametrize("width", [1, 2, 5, 19, 20, 24, 25, 40, 79, 80, 81, 110, 300])
@pytest.mark.parametrize("discovering", [True, False])
def test_it_is_two_lines_that_fit_and_leave_room_for_an_echo(
    width: int, *, discovering: bool
) -> None:
    counters = RunCounters(
        found=10**6,
        converted=10**5,
        skipped=10**5,
        failed=10**5,
        pages=10**7,
        api_calls_billed=10**5,
        discovering=discovering,
    )
    lines = drawn(counters, width=width).splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= max(1, min(width, 80) - len("^C "))
    assert lines[0].lstrip(" ━╺╸").startswith("300,000/1,000,000"[: max(0, width - 4)])


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1, "1:30 left"), (0.1, "0:09 left"), (40, "1:00:00 left")],
)
def test_the_time_left_follows_the_pace(seconds: float, expected: str) -> None:
    """Ninety files are left, one a `seconds`."""
    counters, now_s = RunCounters(found=100, discovering=False), 0.0
    display = ProgressDisplay(counters, console=terminal()[0], clock=lambda: now_s)
    paper = Console(file=io.StringIO(), width=100)
    for _ in range(10):
        display._draw()
        now_s += seconds
        counters.converted += 1
    with paper.capture() as capture:
        paper.print(display._draw())
    assert expected in capture.get()


def test_files_that_needed_no_work_do_not_quicken_the_pace() -> None:
    counters, now_s = RunCounters(found=1000, discovering=False), 0.0
    display = ProgressDisplay(counters, console=terminal()[0], clock=lambda: now_s)
    display._draw()
    now_s, counters.skipped, counters.converted = 10.0, 780, 20
    counters.failed = counters.known_failures = 100
    paper = Console(file=io.StringIO(), width=100)
    with paper.capture() as capture:
        paper.print(display._draw())
    assert "0:50 left" in capture.get()


def test_the_pace_forgets_what_is_long_past() -> None:
    pace = Pace()
    pace.observe(0, at_s=0)
    pace.observe(1000, at_s=1)
    for second in range(2, 700):
        pace.observe(1000 + second // 10, at_s=second)
    left_s = pace.seconds_for(10)
    assert left_s == pytest.approx(100, rel=0.1)


@pytest.mark.parametrize("interval_s", [299, 300, 301, 3600])
def test_the_pace_is_known_however_seldom_it_is_asked_for(interval_s: float) -> None:
    pace = Pace()
    for hour in range(4):
        pace.observe(100 * hour, at_s=interval_s * hour)
    assert pace.files_per_minute == pytest.approx(6000 / interval_s)


def test_nobody_knows_the_pace_at_first() -> None:
    pace = Pace()
    assert pace.seconds_for(5) is None
    pace.observe(0, at_s=1)
    assert pace.seconds_for(5) is None
    pace.observe(3, at_s=1)
    assert pace.seconds_for(5) is None, "no time has passed"


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10)), max_size=50))
def test_the_pace_is_never_negative(steps: list[tuple[float, int]]) -> None:
    pace, now_s, done = Pace(), 0.0, 0
    for waited_s, ended in steps:
        now_s += waited_s
        done += ended
        pace.observe(done, at_s=now_s)
        left_s = pace.seconds_for(7)
        assert left_s is None or left_s >= 0


@pytest.mark.parametrize(
    ("stream", "wanted", "term"),
    [
        (io.StringIO(), None, "xterm"),
        (io.StringIO(), True, "xterm"),
        (Terminal(), False, "xterm"),
        (Terminal(), None, "dumb"),
    ],
)
def test_nothing_is_drawn_where_it_is_unwanted_or_unseen(
    monkeypatch: pytest.MonkeyPatch,
    stream: io.StringIO,
    term: str,
    *,
    wanted: bool | None,
) -> None:
    monkeypatch.setenv("TERM", term)
    with ProgressDisplay(RunCounters(), wanted=wanted, stream=stream) as display:
        assert not display.is_drawn
        assert display.log_stream is stream
    assert stream.getvalue() == ""


def test_a_process_without_standard_error_is_served_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with (
        ProgressDisplay(RunCounters()) as display,
        configure_logging(stream=display.log_stream),
    ):
        log.info("run.started")


def test_a_terminal_is_drawn_on_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    with ProgressDisplay(RunCounters(found=3), stream=screen) as display:
        assert display.is_drawn
    assert "0/3 found so far" in screen.getvalue()


def test_the_display_wipes_itself_and_never_leaves_the_cursor_hidden() -> None:
    console, screen = terminal()
    with ProgressDisplay(RunCounters(), console=console):
        text = screen.getvalue()
        assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "a killed run leaves it so"
    last_text = screen.getvalue().rpartition("0 bytes")[2]
    assert last_text.count("\x1b[2K") == 2, "both lines are cleared"


def on_screen(act: Callable[[], object]) -> str:
    console, screen = terminal(width=40)
    with (
        ProgressDisplay(RunCounters(found=3), console=console) as display,
        configure_logging(stream=display.log_stream),
    ):
        act()
    return screen.getvalue()


def test_log_lines_appear_whole_above_the_display() -> None:
    name = "long " * 30 + "[bold]x[/bold]"
    text = on_screen(lambda: log.info("file.converted", source=name))
    assert repr(name) in text, "neither wrapped nor taken for markup"
    assert text.index("found so far") < text.index("file.converted") < text.rindex("found so far")


def test_lines_of_many_threads_do_not_mix() -> None:
    def act() -> None:
        threads = [threading.Thread(target=say, args=(str(n) * 50,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def say(word: str) -> None:
        for _ in range(20):
            log.info("x.said", word=word)

    text = on_screen(act)
    for n in range(4):
        assert text.count(f"'{str(n) * 50}'") == 20


def test_an_error_inside_still_gives_the_terminal_back() -> None:
    console, screen = terminal()
    with pytest.raises(ZeroDivisionError), ProgressDisplay(RunCounters(), console=console):
        raise ZeroDivisionError
    assert "\x1b[?25h" in screen.getvalue()
