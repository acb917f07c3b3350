"""The installed command as a user's shell runs it: a process with its two streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from batch_converter.fault_points import VARIABLE as FAULT_POINT
from tests.support.compiled import MEASURED_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

COMMAND: Final = Path(sys.executable).with_name("batch-converter")
HEEDFUL: Final = ("env", "--default-signal=HUP,INT,TERM")
"""In front of a command: signals that a job runner or `nohup` has silenced for us reach it."""
PATIENCE_S: Final = 150.0
"""What anything is given before a test fails; nothing is ever awaited for so long."""

Argument = str | bytes | Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output, which must be one JSON object on one line."""
        assert self.out.count("\n") == 1, self.out
        assert self.out.endswith("\n")
        result: dict[str, Any] = json.loads(self.out)
        return result

    @property
    def events(self) -> list[dict[str, Any]]:
        """Standard error, every line of which must be a JSON object."""
        return parsed_events(self.err)

    def named(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        return [line for line in self.events if line["event"] == event]


def parsed_events(text: str) -> list[dict[str, Any]]:
    """Return the lines of a JSON log."""
    return [json.loads(line) for line in text.splitlines()]


def run(
    *arguments: Argument,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    through: Sequence[str] = (),
) -> Finished:
    """Run the command to its end, where wished through another that changes its rights."""
    done = subprocess.run(
        [*HEEDFUL, *through, COMMAND, *arguments],
        env=_environment(env),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return _finished(done.returncode, done.stdout, done.stderr)


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    """Our own and more; one that is to be killed counts no lines, which would be lost with it."""
    whole = {**os.environ, **(more or {})}
    if FAULT_POINT in whole:
        whole.pop(MEASURED_VARIABLE, None)
    return whole


def run_each(
    commands: Iterable[Sequence[Argument]], *, env: Mapping[str, str] | None = None
) -> list[Finished]:
    """Run several commands that have nothing to do with each other, some at a time."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(lambda arguments: run(*arguments, env=env), commands))


def _finished(code: int, out: bytes, err: bytes) -> Finished:
    finished = Finished(code=code, out=out.decode(), err=err.decode())
    assert "Traceback" not in finished.err, finished.err
    return finished


class Running:
    """A process that goes on; its streams go to files."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self._process = process
        self._out = out
        self._err = err
        self.pid = process.pid

    @property
    def out(self) -> str:
        """What it has printed so far, in whole lines."""
        text = self._out.read_bytes().decode()
        return text[: text.rfind("\n") + 1]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        text = self._err.read_bytes().decode()
        return parsed_events(text[: text.rfind("\n") + 1])

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def logged(self, event: str) -> bool:
        """Whether it has logged this event."""
        return any(line["event"] == event for line in self.events)

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Look at a condition until it holds; one that ends before fails the test."""
        wait_until(lambda: condition() or self.is_over, what)
        assert condition(), f"ended before {what}: {self._err.read_text()}"

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def finish(self) -> Finished:
        """Wait for its end."""
        code = self._process.wait(PATIENCE_S)
        return _finished(code, self._out.read_bytes(), self._err.read_bytes())


@contextmanager
def started(
    folder: Path,
    *arguments: Argument,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    through: Sequence[str] = (),
) -> Iterator[Running]:
    """Start the command with its streams in `folder`; it does not outlive the block."""
    folder.mkdir(parents=True, exist_ok=True)
    out, err = folder / "stdout", folder / "stderr"
    with out.open("wb") as out_file, err.open("wb") as err_file:
        process = subprocess.Popen(
            [*HEEDFUL, *through, COMMAND, *arguments],
            env=_environment(env),
            stdin=stdin,
            stdout=out_file,
            stderr=err_file,
        )
    try:
        yield Running(process, out, err)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def sha256sum_accepts(manifest: Path, folder: Path) -> bool:
    """Whether the system's own `sha256sum -c`, run in the folder, finds all as listed."""
    check = ["sha256sum", "--strict", "--check", os.fspath(manifest)]
    done = subprocess.run(check, cwd=folder, check=False, capture_output=True)
    return done.returncode == 0


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Look at a condition until it holds; the test fails where it never does."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_at, f"waited in vain for {what}"
        time.sleep(0.005)
