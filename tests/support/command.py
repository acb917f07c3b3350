"""The installed command as a user's shell runs it: a process with its two streams."""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from batch_converter.fault_points import VARIABLE as FAULT_POINT
from tests.support.compiled import MEASURED_VARIABLE
from tests.support.forking_command import fork, is_forkable
from tests.support.installed import COMMAND, HEEDFUL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tests.support.forking_command import ForkedProcess

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
    cold: bool = False,
) -> Finished:
    """Run the command to its end.

    Args:
        arguments: What follows its name.
        env: What its environment has beside ours.
        cwd: Where it stands; None: where we do.
        stdin: What it may read.
        through: Another command that changes its rights, and then is it.
        cold: Whether it loads its libraries itself, as it does where it goes through another.
            That takes most of a second; otherwise it is forked off a process that has them.
    """
    words, environment = [os.fsdecode(one) for one in arguments], _environment(env)
    if not (cold or through) and is_forkable(words, environment):
        return _run_forked(words, environment, cwd, stdin)
    done = subprocess.run(
        [*HEEDFUL, *through, COMMAND, *words],
        env=environment,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return _finished(done.returncode, done.stdout, done.stderr)


def _run_forked(
    words: Sequence[str], environment: Mapping[str, str], cwd: Path | None, stdin: bytes
) -> Finished:
    pipes = [os.pipe() for _ in range(3)]
    (in_end, our_in), (our_out, out_end), (our_err, err_end) = pipes
    theirs = (in_end, out_end, err_end)
    process = fork(words, environment=environment, streams=theirs, folder=cwd)
    for descriptor in theirs:
        os.close(descriptor)
    with ThreadPoolExecutor(max_workers=2) as pool:
        read = [pool.submit(_read_all, descriptor) for descriptor in (our_out, our_err)]
        with suppress(BrokenPipeError), open(our_in, "wb") as pipe:  # noqa: PTH123  # no path
            pipe.write(stdin)
        try:
            code = process.wait(PATIENCE_S)
        finally:
            process.kill()
    return _finished(code, *(piece.result() for piece in read))


def _read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb") as pipe:
        return pipe.read()


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

    def __init__(
        self, process: subprocess.Popen[bytes] | ForkedProcess, out: Path, err: Path
    ) -> None:
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
    cold: bool = False,
) -> Iterator[Running]:
    """Start the command with its streams in `folder`; it does not outlive the block.

    The arguments are those of `run`, but for `stdin`, which is a descriptor, or `DEVNULL`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    out, err = folder / "stdout", folder / "stderr"
    words, environment = [os.fsdecode(one) for one in arguments], _environment(env)
    process: subprocess.Popen[bytes] | ForkedProcess
    with out.open("wb") as out_file, err.open("wb") as err_file:
        if not (cold or through) and is_forkable(words, environment):
            process = _forked(words, environment, stdin, out_file, err_file)
        else:
            process = subprocess.Popen(
                [*HEEDFUL, *through, COMMAND, *words],
                env=environment,
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


def _forked(
    words: Sequence[str],
    environment: Mapping[str, str],
    stdin: int,
    out: BinaryIO,
    err: BinaryIO,
) -> ForkedProcess:
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  # no path
        given = nothing.fileno() if stdin == subprocess.DEVNULL else stdin
        streams = (given, out.fileno(), err.fileno())
        return fork(words, environment=environment, streams=streams)


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
