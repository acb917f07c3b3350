"""Log files and the journal: what is kept of them, and how grave a line is said to be."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.cloud import Reply
from tests.support.command import PATIENCE_S, parsed_events, run, started
from tests.support.installed import COMMAND, HEEDFUL
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.cloud import Cloud

ROOT: Final = Path(__file__).parents[2]
WRITER: Final = """
import sys
from pathlib import Path
from batch_converter.logs.log_file import LogFile
name, path, max_bytes, backups = sys.argv[1:]
log = LogFile(
    Path(path), max_bytes=int(max_bytes), backups=int(backups), on_trouble=lambda *_: sys.exit(9)
)
for number in range(400):
    log.write(f"{name} {number:04} " + "x" * (number % 50))
"""


# Rotation


def test_several_processes_rotate_one_file_and_lose_and_cut_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    command = [sys.executable, "-c", WRITER]
    env = {**os.environ, "PYTHONPATH": os.fspath(ROOT)}
    names = ("first", "second", "third")
    writers = [
        subprocess.Popen([*command, name, os.fspath(path), "2000", "1000"], env=env)
        for name in names
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    files = list(tmp_path.iterdir())
    assert len(files) > 20
    assert all(file.stat().st_size <= 2000 for file in files)
    lines = sorted(line for file in files for line in file.read_text().splitlines())
    whole = (f"{name} {number:04} {'x' * (number % 50)}" for name in names for number in range(400))
    assert lines == sorted(whole)


def test_a_run_keeps_its_log_within_the_agreed_size_and_whole(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    del cloud
    make_archive(source, 12)
    file = tmp_path / "logs" / "run.log"
    env = {
        "BATCH_CONVERTER_LOGGING__MAX_BYTES": "2K",
        "BATCH_CONVERTER_LOGGING__BACKUPS": "100",
    }
    done = run("convert", source, "-o", output, "--log-file", file, env=env)
    assert done.code == 0
    files = list(file.parent.iterdir())
    assert len(files) > 3
    assert all(path.stat().st_size <= 2048 for path in files)
    number = {path.name: int(path.suffix[1:]) for path in files if path.suffix != ".log"}
    oldest_first = sorted(files, key=lambda path: -number.get(path.name, 0))
    lines = parsed_events("".join(path.read_text() for path in oldest_first))
    assert [line["event"] for line in lines].count("file.converted") == 12
    assert lines[-1]["event"] == "run.finished"
    stamps = [line["timestamp"] for line in lines]
    assert stamps == sorted(stamps)
    env["BATCH_CONVERTER_LOGGING__BACKUPS"] = "2"
    assert run("convert", source, "-o", output, "--log-file", file, env=env).code == 0
    assert {path.name for path in file.parent.iterdir()} == {"run.log", "run.log.1", "run.log.2"}


@pytest.mark.parametrize(
    ("key", "value"), [("MAX_BYTES", "-1"), ("MAX_BYTES", "big"), ("BACKUPS", "-1")]
)
def test_a_size_or_number_that_is_none_is_bad_usage(
    source: Path, output: Path, key: str, value: str
) -> None:
    done = run("convert", source, "-o", output, env={f"BATCH_CONVERTER_LOGGING__{key}": value})
    assert done.code == 2
    assert f"logging.{key.lower()}" in done.err


def test_a_log_file_that_was_moved_away_in_a_run_is_begun_anew(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 1)
    cloud.questions_needed = 10**9
    file, moved = tmp_path / "run.log", tmp_path / "run.log-20260101"
    with started(tmp_path / "run", "convert", source, "-o", output, "--log-file", file) as process:
        process.wait_until(lambda: process.logged("file.submitted"), "a submission")
        file.rename(moved)
        process.wait_until(file.exists, "a new log file")
        process.signal(signal.SIGTERM)
        assert process.finish().code == 143
    before, after = parsed_events(moved.read_text()), parsed_events(file.read_text())
    assert before[0]["event"] == "run.started"
    assert after[-1]["event"] == "run.finished"
    assert {line["run_id"] for line in before} == {line["run_id"] for line in after}


# The journal


def journalled(*arguments: str | Path, env: Mapping[str, str] | None = None) -> list[str]:
    """Run the command as systemd does, and return the lines that the journal reads."""
    ours, its = socket.socketpair()
    stream = os.fstat(its.fileno())
    process = subprocess.Popen(
        [*HEEDFUL, COMMAND, *arguments],
        env={
            **os.environ,
            "JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}",
            **(env or {}),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=its.fileno(),
    )
    its.close()
    with ours, ours.makefile("r", encoding="utf-8") as reader:
        lines = reader.read().splitlines()
    process.wait(PATIENCE_S)
    return lines


def priorities(lines: list[str]) -> dict[str, str]:
    """Return the priority of each event's last line."""
    return {json.loads(line[3:])["event"]: line[:3] for line in lines}


def test_the_journal_is_told_how_grave_each_line_is(
    cloud: Cloud, source: Path, output: Path
) -> None:
    make_archive(source, 2)
    cloud.reply("submit", Reply(status=400, body="no"))
    found = priorities(journalled("convert", source, "-o", output, "-v"))
    assert found["run.started"] == "<6>"
    assert found["file.converted"] == "<6>"
    assert found["file.failed"] in {"<3>", "<4>"}
    assert found["file.discovered"] == "<7>"


def test_the_journal_gets_lines_for_people_with_priorities_too(source: Path, output: Path) -> None:
    make_archive(source, 1)
    lines = journalled(
        "convert", source, "-o", output, "--engine", "local", "--log-format", "console"
    )
    assert lines
    assert all(line[:3] in {"<4>", "<6>"} for line in lines)
    assert any("run.finished" in line for line in lines)


@pytest.mark.parametrize(
    "arguments",
    [
        ("convert", "/nowhere", "-o", "/dev/null/x"),
        ("convert", "--no-such-option"),
        ("status",),
    ],
)
def test_what_ends_a_command_is_an_error_to_the_journal(arguments: tuple[str, ...]) -> None:
    lines = journalled(*arguments)
    assert lines
    assert all(line.startswith("<3>") for line in lines)


def test_a_stream_that_is_not_the_journals_has_no_priorities(source: Path, output: Path) -> None:
    make_archive(source, 1)
    env = {"JOURNAL_STREAM": "8:12345"}
    done = run("convert", source, "-o", output, "--engine", "local", env=env)
    assert done.code == 0
    assert done.named("run.finished")
