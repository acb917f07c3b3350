"""What must be on disk is on disk before the next step is taken, as the kernel saw it."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.support.command import run
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud

CALLS: Final = "trace=pwrite64,fsync,fdatasync,rename,sendto,sendmsg,writev"
_CALL: Final = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<rest>.*)")
_RESUMED: Final = re.compile(r"(?P<thread>\d+) +<\.\.\. (?P<name>\w+) resumed>")


class Step(NamedTuple):
    """Something that a run did which matters for what a power loss leaves."""

    what: str
    name: str


@pytest.fixture
def traced() -> tuple[str, ...]:
    """Return what a command is run through to have its system calls written down."""
    try:
        subprocess.run(["strace", "-f", "true"], check=True, capture_output=True)  # noqa: S607  # wherever it is
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("system calls cannot be traced here")
    return ("strace", "-f", "-y", "-s", "64", "-e", CALLS, "-o")


def steps(trace: Path) -> list[Step]:
    """Return the steps in their order; a flush counts from when it was done."""
    found: list[Step] = []
    unfinished: dict[str, Step] = {}
    for line in trace.read_text(errors="surrogateescape").splitlines():
        if resumed := _RESUMED.match(line):
            if step := unfinished.pop(resumed["thread"], None):
                found.append(step)
        elif (call := _CALL.match(line)) and (step := _step(call["name"], call["rest"])):
            if step.what == "flush" and "<unfinished" in line:
                unfinished[call["thread"]] = step
            else:
                found.append(step)
    return found


def _step(call: str, rest: str) -> Step | None:
    path = match[1] if (match := re.match(r"\d+<([^>]*)>", rest)) else ""
    name = path.rpartition("/")[2]
    match call:
        case "pwrite64" if name.endswith("-wal"):
            return Step("write", "ledger")
        case "fsync" | "fdatasync":
            kind = "part" if name.endswith(".part") else name
            return Step("flush", "ledger" if name.endswith("-wal") else kind)
        case "rename" if rest.endswith('.pdf") = 0'):
            return Step("rename", "pdf")
        case "sendto" | "sendmsg" | "writev" if request := re.search(
            r'"(POST|GET) (/v5[^ "]*)', rest
        ):
            return Step("send", request[1])
    return None


def test_each_step_is_on_disk_before_the_next(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path, traced: tuple[str, ...]
) -> None:
    make_archive(source, 3)
    trace = tmp_path / "trace"
    one_by_one = ("--max-in-flight", "1")
    done = run("convert", source, "-o", output, *one_by_one, through=(*traced, str(trace)))
    assert done.code == 0
    assert cloud.calls["submit"] == 3

    is_flushed = True
    since: list[Step] = []  # since the last request or rename
    seen = []
    for step in steps(trace):
        if step == Step("write", "ledger"):
            is_flushed = False
        elif step == Step("flush", "ledger"):
            is_flushed = True
        elif step.what in {"send", "rename"}:
            assert is_flushed, f"{step} before the ledger was on disk"
            flushes = [each.name for each in since if each.what == "flush"]
            _check_before(step, flushes)
            seen.append(step.name)
            since = []
        since.append(step)
    assert seen == ["POST", "GET", "pdf"] * 3
    last = [step.name for step in since if step.what == "flush"]
    assert last.index("pdfs") < last.index("ledger")


def _check_before(step: Step, flushes: list[str]) -> None:
    """Check what came to the disk since the step before."""
    match step.name:
        case "POST":  # the intent; of the PDF before, its name and then that it has it
            assert "ledger" in flushes
            if "pdfs" in flushes:
                assert "ledger" in flushes[flushes.index("pdfs") :]
        case "GET":  # the task id, and then the intent to ask for it
            assert flushes.count("ledger") >= 2
        case "pdf":  # its bytes, and then their digest
            assert "ledger" in flushes[flushes.index("part") :]
        case _:
            pytest.fail(f"{step} was not expected")
