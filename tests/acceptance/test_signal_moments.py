"""A signal at the very start, or at the very end, is answered as any other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.command import started, wait_until
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud
    from tests.support.command import Running

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}
COLD = {signal.SIGTERM}
"""With these the whole process is as it is installed, from its first moment to its last."""


class Held:
    """A file that a process begins to read, and has when the test wants it."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._end = -1

    def wait_until_read(self, process: Running) -> None:
        """Wait until the process has opened it."""

        def is_opened() -> bool:
            try:
                self._end = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads
                return False
            return True

        process.wait_until(is_opened, "the reader")

    def release(self) -> None:
        """Let the process have it, empty."""
        os.close(self._end)


LOADED_BY_THE_ENTRY = """
import sys
before = set(sys.modules)
import batch_converter.cli
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*loaded - sys.stdlib_module_names)
"""


def test_no_library_is_loaded_before_signals_are_heeded() -> None:
    """Until then a signal ends the interpreter its own way, with a traceback."""
    command = [sys.executable, "-c", LOADED_BY_THE_ENTRY]
    done = subprocess.run(command, check=True, capture_output=True)
    assert done.stdout == b"batch_converter\n"


@pytest.mark.parametrize("number", CODES)
def test_a_run_that_is_told_before_it_began_says_what_is_left(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path, number: signal.Signals
) -> None:
    make_archive(source, 3)
    held, report = Held(tmp_path / "list"), tmp_path / "report.json"
    arguments = ("convert", source, "--files-from", held.path, "-o", output, "--report", report)
    with started(tmp_path / "p", *arguments, "--json", cold=number in COLD) as process:
        held.wait_until_read(process)
        process.signal(number)
        held.release()
        done = process.finish()
    assert done.code == done.json["exit_code"] == CODES[number]
    assert json.loads(report.read_bytes())["exit_code"] == CODES[number]
    assert not cloud.seen


@pytest.mark.parametrize("number", CODES)
def test_a_second_signal_leaves_even_before_the_run_began(
    source: Path, output: Path, tmp_path: Path, number: signal.Signals
) -> None:
    held = Held(tmp_path / "config.toml")
    arguments = ("convert", source, "-o", output, "-c", held.path)
    with started(tmp_path / "p", *arguments, cold=number in COLD) as process:
        held.wait_until_read(process)

        def is_over() -> bool:
            process.signal(number)
            return process.is_over

        wait_until(is_over, "its end")
        assert process.finish().code == CODES[number]
        held.release()
    assert not output.exists()


@pytest.mark.parametrize("number", CODES)
def test_a_signal_after_the_result_changes_nothing(
    source: Path, output: Path, tmp_path: Path, number: signal.Signals
) -> None:
    arguments = ("convert", source, "-o", output, "--engine", "local", "--json")
    with started(tmp_path / "p", *arguments, cold=number in COLD) as process:
        process.wait_until(lambda: process.out, "the result")
        process.signal(number)
        done = process.finish()
    assert done.code == done.json["exit_code"] == 0
