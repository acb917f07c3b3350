from __future__ import annotations

import io
import json
import logging
import os
import pty
import sys
import threading
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypedDict, Unpack

import anyio.to_thread
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from batch_converter.errors import ErrorCode, UsageError
from batch_converter.logs import (
    LogFormat,
    LogLevel,
    LogSession,
    configure_logging,
    printable,
    shifted_level,
)
from batch_converter.logs.writing import DescriptorSink, LineWriter
from batch_converter.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

SECRET = 'p"ss/wörd+1'
NOT_UTF8 = os.fsdecode(b"caf\xe9.djvu")
FULL_DISK = Path("/dev/full")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


class Options(TypedDict, total=False):
    level: LogLevel
    log_format: LogFormat
    file: Path
    run_id: str
    redactor: Redactor


def logged(
    act: Callable[[], object], stream: io.StringIO | None = None, **options: Unpack[Options]
) -> str:
    """Return what `act` puts on a console that is no terminal, unless `stream` is one."""
    console = stream or io.StringIO()
    with configure_logging(stream=console, **options):
        act()
    return console.getvalue()


def only_line(act: Callable[[], object], **options: Unpack[Options]) -> dict[str, Any]:
    (line,) = lines_of(logged(act, **options))
    return line


def test_every_line_says_when_how_grave_what_and_in_which_run() -> None:
    line = only_line(lambda: log.info("file.submitted", source="a/b.djvu"), run_id="r1")
    assert list(line) == ["timestamp", "level", "event", "run_id", "source"]
    assert line | {"timestamp": ""} == {
        "timestamp": "",
        "level": "info",
        "event": "file.submitted",
        "run_id": "r1",
        "source": "a/b.djvu",
    }
    assert datetime.fromisoformat(line["timestamp"]).tzinfo == UTC


def test_a_run_id_is_made_up_for_commands_that_have_no_run() -> None:
    stream = io.StringIO()
    with configure_logging(stream=stream) as session:
        log.info("run.started")
    (line,) = lines_of(stream.getvalue())
    assert line["run_id"] == session.run_id != ""


def test_context_variables_are_carried_along() -> None:
    def act() -> None:
        with bound_contextvars(task_id="t", run_id="of the context"):
            log.info("file.submitted")

    line = only_line(act, run_id="of the session")
    assert (line["task_id"], line["run_id"]) == ("t", "of the context")


def test_a_bare_thread_logs_with_the_run_id_too() -> None:
    def act() -> None:
        thread = threading.Thread(target=lambda: log.info("run.started"))
        thread.start()
        thread.join()

    assert only_line(act, run_id="r1")["run_id"] == "r1"


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_console_obeys_the_level_and_the_file_has_everything(
    tmp_path: Path, level: LogLevel, expected: list[str]
) -> None:
    def act() -> None:
        log.debug("file.discovered")
        log.info("file.submitted")
        log.warning("file.retrying")
        log.error("file.failed")

    file = tmp_path / "new" / "run.jsonl"
    console = logged(act, level=level, file=file)
    assert [line["level"] for line in lines_of(console)] == expected
    in_file = lines_of(file.read_text("ascii"))
    assert [line["level"] for line in in_file] == ["debug", "info", "warning", "error"]


def test_the_file_is_appended_to_and_is_json_whatever_the_console_shows(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    for number in range(2):
        logged(lambda: log.info("run.started"), file=file, log_format="console", run_id=str(number))
    assert [line["run_id"] for line in lines_of(file.read_text())] == ["0", "1"]


def test_a_log_file_that_cannot_be_opened_is_bad_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot open the log file .*directory"):
        configure_logging(file=tmp_path)
    assert not structlog.is_configured()


@pytest.mark.parametrize(
    ("stream", "log_format", "expected"),
    [
        (io.StringIO, "auto", True),
        (Terminal, "auto", False),
        (Terminal, "json", True),
        (io.StringIO, "console", False),
    ],
)
def test_auto_is_console_on_a_terminal_only(
    stream: type[io.StringIO], log_format: LogFormat, *, expected: bool
) -> None:
    text = logged(lambda: log.info("run.started"), stream=stream(), log_format=log_format)
    assert text.startswith("{") is expected


def test_console_lines_leave_the_run_id_out_and_quote_names() -> None:
    text = logged(
        lambda: log.info("file.converted", source="a b.djvu", pages=3),
        log_format="console",
        run_id="r1",
    )
    assert "file.converted" in text
    assert "source='a b.djvu' pages=3\n" in text
    assert "r1" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], *, coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    text = logged(lambda: log.info("run.started"), stream=Terminal())
    assert ("\x1b[" in text) is coloured


def test_names_that_are_not_utf8_survive_json() -> None:
    line = only_line(lambda: log.info("file.submitted", source=NOT_UTF8))
    assert os.fsencode(line["source"]) == b"caf\xe9.djvu"


def test_a_name_can_neither_steer_the_terminal_nor_forge_a_line() -> None:
    name = f"{NOT_UTF8}\x1b[2J\nforged"
    text = logged(lambda: log.error("file.failed", source=name), log_format="console")
    assert text.count("\n") == 1
    assert r"caf\udce9.djvu\x1b[2J\nforged" in text
    text.encode("utf-8")


def test_an_exception_is_told_without_its_locals_and_without_secrets(tmp_path: Path) -> None:
    def act() -> None:
        kept = "a value that stands in a local variable alone"
        try:
            int(f"{SECRET} {NOT_UTF8}\x07")
        except ValueError:
            log.exception("file.failed", length=len(kept))

    file = tmp_path / "run.jsonl"
    console = logged(act, log_format="console", file=file, redactor=Redactor(SECRET))
    (line,) = lines_of(file.read_text())
    for text in (console, line["exception"]):
        assert "ValueError: invalid literal for int() with base 10: '***" in text
        assert "a value that stands in a local variable alone" not in text
    assert "\x07" not in console


@pytest.mark.parametrize("echo", ["{}", "client_secret={}&x", '{{"s": "{}"}}'])
@pytest.mark.parametrize(
    "form", [SECRET, r"p\"ss/w\u00f6rd+1", "p%22ss%2Fw%C3%B6rd%2B1"], ids=["raw", "json", "url"]
)
def test_a_secret_is_masked_however_it_is_echoed(echo: str, form: str) -> None:
    line = only_line(lambda: log.info("x", message=echo.format(form)), redactor=Redactor(SECRET))
    assert line["message"] == echo.format("***")


def test_a_secret_is_masked_in_every_corner_of_an_event() -> None:
    def act() -> None:
        log.info("x", deep=[{"a": (SECRET,)}], error=ValueError(SECRET), path=Path(SECRET))

    line = only_line(act, redactor=Redactor(SECRET))
    assert (line["deep"], line["error"], line["path"]) == ([{"a": ["***"]}], "***", "***")


def test_a_token_is_masked_from_the_moment_it_is_known() -> None:
    def act() -> None:
        redactor.add_token("token-1")
        log.info("x", message="token-1 and token-2")

    redactor = Redactor()
    assert only_line(act, redactor=redactor)["message"] == "*** and token-2"


def test_credentials_that_nobody_registered_are_masked_by_where_they_stand() -> None:
    def act() -> None:
        log.info("x", authorization="abc", message="sent Bearer abc.def-ghi=", token=3)

    line = only_line(act)
    assert line["authorization"] == "***"
    assert line["message"] == "sent Bearer ***"
    assert line["token"] == 3, "a count of token requests is no token"


def test_values_that_json_lacks_are_told_as_text() -> None:
    def act() -> None:
        log.info(
            "x",
            code=ErrorCode.NOT_DJVU,
            path=Path("a"),
            when=datetime(2024, 5, 1, tzinfo=UTC),
            rate=float("inf"),
            data=b"%PDF-",
            none=None,
            flag=True,
            unordered={1},
        )

    line = only_line(act)
    del line["timestamp"], line["level"], line["event"], line["run_id"]
    assert line == {
        "code": "not_djvu",
        "path": "a",
        "when": "2024-05-01T00:00:00+00:00",
        "rate": "inf",
        "data": "<5 bytes>",
        "none": None,
        "flag": True,
        "unordered": [1],
    }


def test_what_libraries_log_joins_the_story() -> None:
    def act() -> None:
        logging.getLogger("some.library").warning("it %s", "broke")  # noqa: TID251  # a library
        logging.getLogger("some.library").log(35, "odd level")  # noqa: TID251  # what a library does
        logging.getLogger("some.library").info("chatter")  # noqa: TID251  # what a library does
        warnings.showwarning("old ways", UserWarning, "f.py", 1)

    first, second, third = lines_of(logged(act))
    assert (first["event"], first["logger"], first["message"]) == (
        "library.logged",
        "some.library",
        "it broke",
    )
    assert second["level"] == "warning"
    assert "old ways" in third["message"]


def test_closing_undoes_the_set_up_and_may_be_repeated() -> None:
    handlers, shown = list(logging.root.handlers), warnings.showwarning
    session = configure_logging(stream=io.StringIO())
    session.close()
    session.close()
    assert not structlog.is_configured()
    assert (logging.root.handlers, warnings.showwarning) == (handlers, shown)


def test_a_caller_with_its_own_structlog_gets_it_back() -> None:
    events: list[Any] = []

    def keep(_logger: object, _method: str, event: EventDict) -> str:
        events.append(event)
        return ""

    structlog.configure(processors=[keep])
    logged(lambda: log.info("in the session"))
    log.info("afterwards")
    assert [event["event"] for event in events] == ["afterwards"]


def test_the_console_is_standard_error_where_nothing_else_is_given(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with configure_logging():
        log.info("run.started")
    out, err = capfd.readouterr()
    assert out == ""
    assert [line["event"] for line in lines_of(err)] == ["run.started"]


def test_a_terminal_in_another_encoding_gets_escapes() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="ascii") as stream:
        logged_to(stream, lambda: log.info("file.submitted", source="é"), log_format="console")
    with os.fdopen(reading, "rb") as result:
        assert rb"source='\xe9'" in result.read()


def logged_to(stream: TextIO, act: Callable[[], object], **options: Unpack[Options]) -> None:
    with configure_logging(stream=stream, **options):
        act()


def test_a_real_terminal_gets_whole_coloured_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream:
        logged_to(stream, lambda: log.info("run.started"))
        text = os.read(controller, 4096).decode()
    os.close(controller)
    assert text.endswith("\r\n")
    assert "\x1b[" in text


@pytest.mark.skipif(not FULL_DISK.exists(), reason="needs a device that is always full")
def test_a_full_disk_ends_no_run_and_is_told_on_the_console() -> None:
    def act() -> None:
        for _ in range(3):
            log.info("file.submitted")

    lines = lines_of(logged(act, file=FULL_DISK))
    events = [line["event"] for line in lines]
    assert events.count("file.submitted") == 3
    failed = next(line for line in lines if line["event"] == "log.write_failed")
    assert (failed["target"], failed["level"]) == ("/dev/full", "warning")
    assert "No space left" in failed["reason"]
    assert events[-1] == "log.lines_lost"
    assert lines[-1]["lines"] in {3, 4}, "the three, and perhaps the warning itself"


def test_a_reader_who_has_gone_ends_no_run(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    file = tmp_path / "run.jsonl"
    with os.fdopen(writing, "w") as stream:
        logged_to(stream, lambda: log.info("run.started"), file=file)
    assert {line["event"] for line in lines_of(file.read_text())} >= {"run.started"}


def test_a_closed_stream_ends_no_run(tmp_path: Path) -> None:
    stream, file = io.StringIO(), tmp_path / "run.jsonl"
    with configure_logging(stream=stream, file=file):
        stream.close()
        log.info("run.started")
    assert lines_of(file.read_text())[0]["event"] == "run.started"


class StuckSink:
    def __init__(self) -> None:
        self.entered, self.let_go, self.lines = threading.Event(), threading.Event(), [""]

    def write(self, line: str) -> None:
        self.entered.set()
        self.let_go.wait(20)
        self.lines.append(line)

    def close(self) -> None:
        self.lines.append("closed")


def test_a_stuck_sink_holds_nobody_up_and_its_losses_are_counted() -> None:
    sink = StuckSink()
    writer = LineWriter(sink, name="x", on_first_failure=lambda *_: None, max_waiting=2)
    writer.put("1")
    assert sink.entered.wait(20)
    for line in "2345":
        writer.put(line)
    assert writer.lost == 2
    writer.close(0)
    sink.let_go.set()
    writer.close(20)
    assert sink.lines == ["", "1", "2", "3", "closed"]


async def test_logging_never_blocks_the_event_loop(tmp_path: Path) -> None:
    def start() -> LogSession:
        return configure_logging(file=tmp_path / "run.jsonl", stream=sys.stderr, level="debug")

    session = await anyio.to_thread.run_sync(start)
    log.info("file.converted", source="a")  # blockbuster fails this if it writes here
    await anyio.to_thread.run_sync(session.close)
    assert await anyio.to_thread.run_sync((tmp_path / "run.jsonl").read_text)


def test_a_cut_line_is_ended_before_the_next_one() -> None:
    reading, writing = os.pipe()
    sink = DescriptorSink(writing, owned=True)
    os.set_blocking(writing, False)
    with pytest.raises(BlockingIOError):
        sink.write("x" * 2**20)
    while os.read(reading, 2**20).startswith(b"x") and b"x" in peeked(reading):
        pass
    sink.write("next")
    assert os.read(reading, 100) == b"\nnext\n"
    sink.close()
    os.close(reading)


def peeked(descriptor: int) -> bytes:
    os.set_blocking(descriptor, False)
    try:
        return os.read(descriptor, 2**20)
    except BlockingIOError:
        return b""


@given(st.text())
def test_printable_text_stays_and_all_else_is_escaped(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert (shown == text) is text.isprintable()
    shown.encode()


@pytest.mark.parametrize(
    ("level", "louder", "expected"),
    [
        ("info", 0, "info"),
        ("info", 1, "debug"),
        ("info", 5, "debug"),
        ("info", -1, "warning"),
        ("warning", -9, "error"),
    ],
)
def test_levels_shift_within_their_ends(level: LogLevel, louder: int, expected: str) -> None:
    assert shifted_level(level, louder=louder) == expected
