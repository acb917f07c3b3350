"""Signals as terminals, shells and supervisors send them."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from tests.support.command import PATIENCE_S, run, started, wait_until
from tests.support.installed import COMMAND, HEEDFUL
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from tests.support.cloud import Cloud
    from tests.support.command import Running

NEVER: Final = 1_000_000


def test_a_hangup_is_a_request_to_end(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 4)
    cloud.questions_needed = NEVER
    with started(tmp_path / "p", "convert", source, "-o", output, "--json") as process:
        wait_until(lambda: cloud.are_out(4), "polls")
        process.signal(signal.SIGHUP)
        done = process.finish()
    assert done.code == 143
    assert done.json["exit_code"] == 143
    assert done.json["api_calls"] == cloud.bill()
    assert json.loads(run("status", "-o", output, "--json").out)["out_at_service"] == 4


def test_a_hangup_that_was_silenced_stays_so(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 4)
    cloud.questions_needed = NEVER
    arguments = ("convert", source, "-o", output, "--json")
    with started(tmp_path / "p", *arguments, through=("nohup",)) as process:
        wait_until(lambda: cloud.are_out(4), "polls")
        process.signal(signal.SIGHUP)
        cloud.questions_needed = 1
        done = process.finish()
    assert done.code == 0
    assert not done.err.count("run.interrupted")


@pytest.mark.slow
def test_an_upload_that_hangs_holds_the_end_up_for_five_seconds_only(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 12)
    cloud.hold("submit")
    arguments = ("convert", source, "-o", output, "--json", "--max-submissions", "2")
    with started(tmp_path / "p", *arguments) as process:
        wait_until(lambda: cloud.active["submit"] == 2, "uploads")
        process.signal(signal.SIGTERM)
        done = process.finish()
    assert done.code == 143
    assert cloud.calls["submit"] == 2  # those that waited for a place began none
    assert done.json["api_calls"] == cloud.bill()
    assert done.json["submit_unknown"] == 2
    cloud.release("submit")
    known = json.loads(run("status", "-o", output, "--json").out)
    assert known["states"]["submit_unknown"] == 2
    assert known["states"]["pending"] == 10
    assert run(*arguments).code == 0


def test_ctrl_c_on_a_terminal(cloud: Cloud, source: Path, output: Path) -> None:
    make_archive(source, 4)
    cloud.questions_needed = NEVER
    terminal, inside = pty.openpty()
    shown = bytearray()

    def show() -> None:
        try:
            while piece := os.read(terminal, 65_536):
                shown.extend(piece)
        except OSError:  # the last process has closed its side
            pass

    reader = threading.Thread(target=show)
    command: list[str | Path] = [
        *HEEDFUL,
        "setsid",
        "--ctty",
        "--wait",
        COMMAND,
        "convert",
        source,
        "-o",
        output,
    ]
    process = subprocess.Popen(
        command,
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env={**os.environ, "TERM": "xterm-256color"},
    )
    os.close(inside)
    reader.start()
    try:
        wait_until(lambda: cloud.are_out(4), "polls")
        os.write(terminal, b"\x03")
        assert process.wait(PATIENCE_S) == 130
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(terminal)
    assert b"Traceback" not in shown
    assert shown.rfind(b"\x1b[?25h") >= shown.rfind(b"\x1b[?25l")  # the cursor is back
    assert json.loads(run("status", "-o", output, "--json").out)["out_at_service"] == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_supervisor_that_signals_every_process_fails_no_document(
    source: Path, output: Path, tmp_path: Path, number: int
) -> None:
    """As a service manager does; the workers of the embedded engine get it as well."""
    document = max((path.read_bytes() for path in Path("samples").glob("*.djvu")), key=len)
    for index in range(400):  # more than it will come to
        (source / f"{index}.djvu").write_bytes(document)
    arguments = ("convert", source, "-o", output, "--json", "--engine", "local")

    with started(tmp_path / "p", *arguments) as process:
        wait_until(lambda: process.logged("file.converted"), "a first document")
        workers = psutil.Process(process.pid).children(recursive=True)
        assert workers
        for worker in workers:
            worker.send_signal(number)
        before = len(process.events)
        wait_until(lambda: len(process.events) > before + 5, "work going on")
        process.signal(number)
        done = process.finish()

    assert done.code == 128 + number
    assert done.json["totals"]["failed"] == 0
    assert done.json["totals"]["remaining"] > 0
    assert not any(worker.is_running() for worker in workers)


@pytest.mark.parametrize("signals", [1, 2])
def test_a_report_that_is_being_written_is_finished_unless_told_twice(
    source: Path, output: Path, tmp_path: Path, signals: int
) -> None:
    for number in range(400):
        (source / f"{number}.djvu").touch()  # free to refuse, and an entry in the report
    pipe = tmp_path / "report"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    arguments = ("convert", source, "-o", output, "--engine", "local", "--report", pipe)
    with started(tmp_path / "p", *arguments) as process:
        wait_until(lambda: _waiting_bytes(reader) > 0, "the report")  # it is longer than a pipe
        process.signal(signal.SIGTERM)
        wait_until(lambda: not _is_pending(process.pid, signal.SIGTERM), "the first signal")
        if signals > 1:
            _signal_until_over(process)
        report = _read_until_over(reader, process)
        done = process.finish()
    os.close(reader)
    assert done.code == (1 if signals == 1 else 143)
    if signals == 1:
        assert json.loads(report)["totals"]["failed"] == 400


def _waiting_bytes(descriptor: int) -> int:
    """Return how much can be read from a pipe."""
    answer = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
    return int.from_bytes(answer, sys.byteorder)


def _read_until_over(descriptor: int, process: Running) -> bytes:
    """Read a pipe until its writer has ended."""
    content = bytearray()

    def read() -> bool:
        with suppress(BlockingIOError):
            content.extend(os.read(descriptor, 1 << 20))
        return process.is_over and not _waiting_bytes(descriptor)

    wait_until(read, "the whole report")
    return bytes(content)


def _signal_until_over(process: Running) -> None:
    """Tell it to end: what comes before Python has looked at the first signal is one with it."""

    def signal_once() -> bool:
        process.signal(signal.SIGTERM)
        return process.is_over

    wait_until(signal_once, "its end")


def _is_pending(pid: int, number: int) -> bool:
    """Whether a signal still waits to be taken."""
    return _has(pid, number, "SigPnd", "ShdPnd")


def _has(pid: int, number: int, *sets: str) -> bool:
    """Whether a signal is in one of these sets of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(sets)]
    return any(mask >> (number - 1) & 1 for mask in masks)
