"""What stands on standard output, on standard error, and in the log file."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cloud import Reply
from tests.support.command import PATIENCE_S, parsed_events, run, run_each
from tests.support.installed import COMMAND
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud

INFO = {
    "run.started",
    "run.finished",
    "file.submitted",
    "file.converted",
    "file.failed",
    "file.retrying",
    "file.resubmitted",
    "auth.token_obtained",
    "service.throttled",
}
DEBUG = {"file.discovered", "file.skipped", "file.polled"}
LEVELS = {
    "file.failed": {"warning", "error"},
    "file.retrying": {"warning", "error"},
    "service.throttled": {"warning", "error"},
    "budget.exhausted": {"warning", "error"},
    **{event: {"debug"} for event in DEBUG},
}


def names(lines: list[dict[str, Any]]) -> set[str]:
    """Return the events of a log."""
    return {line["event"] for line in lines}


def eventful_run(cloud: Cloud, source: Path, output: Path, log_file: Path) -> tuple[str, str]:
    """Make a run in which every event occurs; returns its two streams."""
    paths = make_archive(source, 6)
    assert run("convert", source / "00000.djvu", "-o", output).code == 0
    for task in cloud.tasks.values():
        task.fetched = True
    cloud.fates[paths[1].read_bytes()] = {"taskStatus": "NotExist", "results": None}
    cloud.reply("submit", Reply(status=503))
    cloud.questions_needed = 2
    arguments = ("-o", output, "--log-file", log_file, "--max-attempts", "2")
    done = run("convert", source / "00000.djvu", source, *arguments)
    assert done.code == 1
    return done.out, done.err


@pytest.mark.slow
def test_events_are_json_lines_with_the_keys_of_the_contract(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    log_file = tmp_path / "logs" / "run.jsonl"
    out, err = eventful_run(cloud, source, output, log_file)

    shown, kept = parsed_events(err), parsed_events(log_file.read_text())
    assert names(shown) >= INFO
    assert not names(shown) & DEBUG
    assert names(kept) >= INFO | DEBUG
    assert [line for line in kept if line["level"] != "debug"] == shown
    for line in kept:
        assert_well_formed(line)
    assert len({line["run_id"] for line in kept}) == 1
    assert "{" not in out  # the summary is for people

    converted = [line for line in kept if line["event"] == "file.converted"]
    assert {line["source"] for line in converted} == {f"0000{n}.djvu" for n in (2, 3, 4, 5)}
    for line in converted:
        assert line["bytes_in"] > 0 < line["bytes_out"]
        assert line["pages"] == 1
        assert line["attempts"] == 1
        assert line["polls"] == 2
        assert 0 <= line["waited_s"] <= line["total_s"]
    [finished] = [line for line in kept if line["event"] == "run.finished"]
    assert finished["exit_code"] == 1


def assert_well_formed(line: dict[str, Any]) -> None:
    """Check what every line must have."""
    moment = datetime.fromisoformat(line["timestamp"])
    assert moment.utcoffset() == timedelta(0)
    assert line["level"] in LEVELS.get(line["event"], {"debug", "info", "warning", "error"})
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", line["event"])
    assert line["run_id"]
    if line["event"].startswith("file."):
        assert not line["source"].startswith("/")
    if line["event"] in {"file.submitted", "file.polled", "file.converted", "file.resubmitted"}:
        assert line["task_id"]


@pytest.mark.slow
def test_more_and_less_is_told(cloud: Cloud, source: Path, output: Path) -> None:
    make_archive(source, 1)
    wishes = ("-v", "--log-level=debug", "-q", "--log-level=error", "--log-format=console")
    more, debug, less, error, console = run_each(
        [("convert", source, "-o", output / wish, wish) for wish in wishes]
    )
    for done in (more, debug):
        assert names(done.events) >= DEBUG - {"file.skipped"}
    assert less.err == error.err == ""
    assert "file.converted" in console.err
    assert "exit_code=0" in console.err
    assert not console.err.startswith("{")
    assert "\x1b" not in console.err
    assert cloud.calls["submit"] == 5


def test_the_log_file_is_appended_to(cloud: Cloud, source: Path, output: Path) -> None:
    make_archive(source, 1)
    log_file = source / "log"
    for _ in range(2):
        assert run("convert", source, "-o", output, "--log-file", log_file, "-q").code == 0
    kept = parsed_events(log_file.read_text())
    assert [line["event"] for line in kept].count("run.started") == 2
    assert len({line["run_id"] for line in kept}) == 2
    assert cloud.calls["submit"] == 1


def test_a_name_cannot_move_the_cursor(cloud: Cloud, source: Path, output: Path) -> None:
    (source / "\x1b[2Jclear\u202e.djvu").write_bytes(b"no document")
    (source / "line\nbreak.djvu").write_bytes(b"no document")
    done = run("convert", source, "-o", output, "--log-format", "console")
    assert done.code == 1
    for text in (done.out, done.err):
        assert "\x1b[2J" not in text
        assert "\u202e" not in text
        assert "line\nbreak" not in text
    assert not cloud.calls


def test_on_a_terminal_the_log_is_for_people_and_progress_is_drawn(
    cloud: Cloud, source: Path, output: Path
) -> None:
    make_archive(source, 3)
    cloud.latency_s = 0.01
    code, text = on_a_terminal("convert", source, "-o", output)
    assert code == 0
    assert "00000.djvu  1 page · " in text
    assert '{"timestamp"' not in text
    assert "\x1b[" in text
    _, plain = on_a_terminal("convert", source, "-o", output, "--log-format", "json", "-v")
    assert '{"timestamp"' in plain


def on_a_terminal(*arguments: str | Path) -> tuple[int, str]:
    """Run the command with standard error on a terminal; returns its code and that text."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        [COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=follower,
        env=environment,
    ) as process:
        os.close(follower)
        text = read_terminal(leader)
        code = process.wait(PATIENCE_S)
    os.close(leader)
    return code, text


def read_terminal(leader: int) -> str:
    """Read until nobody holds the other end."""
    text = b""
    try:
        while chunk := os.read(leader, 1 << 16):
            text += chunk
    except OSError:  # how Linux says that the last writer has left
        pass
    return text.decode()


def test_status_speaks_to_people_and_to_machines(cloud: Cloud, source: Path, output: Path) -> None:
    make_archive(source, 2)
    (source / "bad.djvu").write_bytes(b"no document")
    done = run("convert", source, "-o", output, "--json")
    human = run("status", "-o", output)
    assert human.code == 0
    assert human.err == ""
    assert re.search(r"converted +2\b", human.out)
    machine = run("status", "-o", output, "--json").json
    for key in ("schema", "run_id", "started_at", "finished_at", "engine", "exit_code"):
        assert machine[key] == done.json[key]
    assert machine["api_calls"] == done.json["api_calls"] == cloud.bill()
    assert set(machine["totals"]) == set(done.json["totals"])
    assert machine["totals"]["converted"] == 2
    assert machine["failures"] == {"not_djvu": 1}
    assert json.dumps(machine).count(os.fspath(source)) == 0


def test_a_report_file_that_cannot_be_written_is_told_and_the_result_is_there(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    """Opened, `/dev/full` says nothing; written, it is a disk without room."""
    make_archive(source, 1)
    files = ("--manifest", "/dev/full", "--report", tmp_path / "report.json")
    done = run("convert", source, "-o", output, "--json", *files)
    assert cloud.calls["submit"] == 1
    assert done.code == done.json["exit_code"] == 1
    assert done.json["totals"]["converted"] == 1
    assert json.loads((tmp_path / "report.json").read_bytes())["exit_code"] == 1
    [event] = done.named("report.not_written")
    assert event["level"] == "error"
    assert "/dev/full" in event["message"]
    assert [line["exit_code"] for line in done.named("run.finished")] == [0]
