"""A hook as a real process: what it prints, leaves behind, and how long it may take."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest
from structlog.testing import capture_logs

from batch_converter.config import CREDENTIALS
from batch_converter.notifications import Hook, hook_environment

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

PYTHON = shlex.quote(sys.executable)


async def ran(
    command: str, *, patience_s: float = 60
) -> tuple[list[str], MutableMapping[str, Any]]:
    """Run a hook, and return what it printed and the line that tells of its end."""
    with capture_logs() as lines:
        await Hook(command, patience_s=patience_s).run(dict(os.environ))
    *others, last = lines
    return [line["text"] for line in others if line["event"] == "hook.printed"], last


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_what_it_prints_is_told_line_by_line() -> None:
    printed, last = await ran("printf 'a\\n\\n  b\\r\\nlast'; echo >&2; echo error >&2")
    assert printed == ["a", "  b", "last", "error"]
    assert (last["event"], last["log_level"]) == ("hook.finished", "info")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("exit 1", "it ended with 1"),
        ("exit 255", "it ended with 255"),
        ("/nonexistent/hook", "it ended with 127"),
        ("kill -TERM $$", "it was ended by signal 15"),
        ("if", "it ended with 2"),
        ("echo \0", "it could not be started: embedded null byte"),
    ],
)
async def test_a_failure_is_a_warning_with_its_reason(command: str, reason: str) -> None:
    _, last = await ran(command)
    assert (last["event"], last["log_level"]) == ("hook.failed", "warning")
    assert last["reason"] == reason


async def test_a_command_that_is_too_long_is_a_warning() -> None:
    _, last = await ran(f"echo {'x' * 3_000_000}")
    assert "Argument list too long" in last["reason"]


async def test_the_last_word_of_one_that_fails_stands_in_the_warning() -> None:
    _, last = await ran("echo first; echo 'no such host' >&2; exit 4")
    assert last["said"] == "no such host"


async def test_one_that_hangs_is_ended_with_all_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = f"sleep 1000 & echo $! $$ > {pids}; echo begun; sleep 1000"
    printed, last = await ran(command, patience_s=0.5)
    assert printed == ["begun"]
    assert last["reason"] == "it took longer than 0.5 seconds, and was ended"
    assert all(is_gone(int(pid)) for pid in pids.read_text().split())


async def test_one_that_ignores_being_asked_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    command = f"trap '' TERM INT HUP; echo $$ > {pid}; while :; do sleep 1000; done"
    _, last = await ran(command, patience_s=0.5)
    assert "longer" in last["reason"]
    assert is_gone(int(pid.read_text()))


async def test_what_it_leaves_in_the_background_ends_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    printed, last = await ran(f"sleep 1000 & echo $! > {pid}; echo done")
    assert printed == ["done"]
    assert last["event"] == "hook.finished"
    assert is_gone(int(pid.read_text()))


async def test_what_has_left_its_group_is_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    command = f"setsid sleep 1000 & echo $! > {pid}; echo done"
    printed, last = await ran(command)
    assert printed == ["done"]
    assert last["event"] == "hook.finished"
    escaped = int(pid.read_text())
    if not is_gone(escaped):
        os.kill(escaped, signal.SIGKILL)


async def test_its_output_is_bounded_and_what_is_left_out_is_counted() -> None:
    with capture_logs() as lines:
        await Hook("seq 1 100000; exit 3").run(dict(os.environ))
    printed = [line["text"] for line in lines if line["event"] == "hook.printed"]
    assert printed == [str(number) for number in range(1, 101)]
    (cut,) = [line for line in lines if line["event"] == "hook.output_cut"]
    assert cut["lines"] == 99_900
    assert lines[-1]["said"] == "100000"


async def test_a_line_without_end_is_cut() -> None:
    printed, last = await ran(f'{PYTHON} -c \'print("x" * 10_000_000, end="")\'')
    assert printed == [f"{'x' * 1000}…"]
    assert last["event"] == "hook.finished"


async def test_bytes_that_are_no_text_are_told_as_escapes() -> None:
    printed, _ = await ran("printf 'caf\\351\\n'")
    assert printed == [r"caf\xe9"]


async def test_it_reads_nothing_and_has_no_terminal() -> None:
    printed, _ = await ran("cat; test -t 0 || echo none; (: < /dev/tty) 2>/dev/null || echo no tty")
    assert printed == ["none", "no tty"]


async def test_it_is_stopped_in_the_middle(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    hook = Hook(f": > {begun}; sleep 1000")
    with capture_logs() as lines:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hook.run, dict(os.environ))
            await anyio.Path(begun).read_bytes()
            hook.stop()
    (last,) = lines
    assert last["reason"] == "a signal to this process called it off"


async def test_one_that_is_stopped_before_does_not_begin(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    hook = Hook(f"touch {trace}")
    hook.stop()
    with capture_logs() as lines:
        await hook.run(dict(os.environ))
    assert [line["event"] for line in lines] == ["hook.failed"]
    assert not trace.exists()


# Its environment


def test_it_has_our_environment_and_the_run_without_the_account() -> None:
    environ = {
        "PATH": "/bin",
        "ASPOSE_CLIENT_ID": "me",
        "ASPOSE_CLIENT_SECRET": "s3cret/of",
        "BATCH_CONVERTER_ASPOSE__CLIENT_SECRET": "s3cret/of",
        "CONNECTION": "user:s3cret/of@host",
        "BATCH_CONVERTER_OUTPUT__DIR": "/pdfs",
        "BATCH_CONVERTER_FAILED": "of an earlier one",
        "CLOSE": "s3cret/o",
    }
    found = hook_environment(
        environ, {"BATCH_CONVERTER_FAILED": "7"}, credentials=CREDENTIALS, secrets=["s3cret/of"]
    )
    assert found == {
        "PATH": "/bin",
        "BATCH_CONVERTER_OUTPUT__DIR": "/pdfs",
        "BATCH_CONVERTER_FAILED": "7",
        "CLOSE": "s3cret/o",
    }


def test_a_short_secret_hides_no_more_than_itself() -> None:
    environ = {"HOME": "/home/me", "USER": "me", "MINE": "home"}
    found = hook_environment(environ, {}, credentials=(), secrets=["me", "home"])
    assert found == {"HOME": "/home/me"}
