"""Commands that tests fork, to have them start quickly, are as those that are installed."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batch_converter.clock import SystemClock
from tests.support import stepping_clock
from tests.support.command import run, started
from tests.support.forking_command import forking_command

if TYPE_CHECKING:
    from tests.support.command import Argument

SHOWN = ("SigBlk", "SigIgn", "SigCgt")
"""Of what the system tells of a process: what signals do to it."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("convert", "--help"),
        ("convert", "--stats=soon", ".", "-o", "pdfs"),
        ("convert", "gone.djvu", "-o", "pdfs", "--engine", "local", "-q"),
        ("status", "-o", "pdfs"),
    ],
)
def test_the_same_is_printed_and_the_same_code_is_left(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert run(*arguments, cwd=tmp_path) == run(*arguments, cwd=tmp_path, cold=True)


def seen(tmp_path: Path, *, cold: bool) -> dict[str, Any]:
    """Return what the system tells of a command that reads its configuration."""
    held = tmp_path / str(cold)
    os.mkfifo(held)
    arguments: tuple[Argument, ...] = ("convert", tmp_path, "-o", tmp_path / "pdfs", "-c", held)
    env = {"BATCH_CONVERTER_ENGINE": "local"}
    with started(tmp_path / "p", *arguments, env=env, cold=cold) as process:
        with held.open("wb"):  # once it reads
            place = Path("/proc", str(process.pid))
            told: dict[str, Any] = {
                line.partition(":")[0]: line
                for line in (place / "status").read_text().splitlines()
                if line.startswith(SHOWN)
            }
            told["folder"] = (place / "cwd").readlink()
            told["files"] = {
                path.name: path.readlink().name
                for path in (place / "fd").iterdir()
                if path.readlink().name != held.name
            }
        assert process.finish().code == 0
    return told


@pytest.mark.slow
def test_the_system_sees_no_difference(tmp_path: Path) -> None:
    forked, installed = seen(tmp_path, cold=False), seen(tmp_path, cold=True)
    assert forked == installed
    assert forked["files"].keys() >= {"0", "1", "2"}


def test_what_forks_hears_no_ctrl_c_of_the_tests_terminal() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(os.fspath(forking_command()))
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    (forking, _, _) = struct.unpack("3i", credentials)
    assert os.getsid(forking) == forking != os.getsid(0)


def test_its_time_of_day_steps_where_a_test_says_so(tmp_path: Path) -> None:
    hours = 24 * 365.25
    steps = stepping_clock.spelled([(0.0, -70 * hours), (0.0, 30 * hours), (3600.0, hours)])
    env = {"BATCH_CONVERTER_ENGINE": "local", stepping_clock.VARIABLE: steps}
    before = SystemClock().now().year
    done = run("convert", tmp_path, "-o", tmp_path / "pdfs", env=env)
    years = {int(event["run_id"][:4]) for event in done.events}
    assert years <= {before - 40, before - 39}
    assert years
