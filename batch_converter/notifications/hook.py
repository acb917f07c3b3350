"""Runs the user's command at the end of a run, bounded, and tells what it prints.

It has a process group of its own, which is ended with it: what it leaves in the background
would else keep the caller waiting for the end of our streams, night after night.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio
import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anyio.abc import Process

PATIENCE_S: Final = 300.0
"""How long a hook may take."""

_ENDING_S: Final = 2.0
_LOOK_S: Final = 0.02
_PIPE_BYTES: Final = 65_536
_LONGEST_LINE: Final = 1_000
_MOST_LINES: Final = 100
_STOPPED: Final = "a signal to this process called it off"
_SHORTEST_PART: Final = 6  # of a secret inside of a value; "me" stands in many

log = structlog.get_logger()


def hook_environment(
    environ: Mapping[str, str],
    told: Mapping[str, str],
    *,
    credentials: Iterable[str],
    secrets: Iterable[str],
) -> dict[str, str]:
    """Return what a hook finds in its environment: ours and the run, without the account.

    Args:
        environ: Ours.
        told: Of the run.
        credentials: Names of variables that hold an account; half of one is of no use either.
        secrets: No value that holds one is handed on, whatever it is called.
    """
    hidden, known = frozenset(credentials), tuple(secrets)
    ours = {
        name: value
        for name, value in environ.items()
        if name not in hidden and not any(_holds(value, secret) for secret in known)
    }
    return {**ours, **told}


def _holds(value: str, secret: str) -> bool:
    return value == secret or (len(secret) >= _SHORTEST_PART and secret in value)


class Hook:
    """A shell's command line; `stop` and `kill` may be called while it runs."""

    def __init__(self, command: str, *, patience_s: float = PATIENCE_S) -> None:
        self._command = command
        self._patience_s = patience_s
        self._scope = anyio.CancelScope()
        self._group: int | None = None

    def stop(self) -> None:
        """End it, or keep it from beginning; from the event loop."""
        self._scope.cancel()

    def kill(self) -> None:
        """End it and all that it has started at once."""
        if self._group is not None:
            _signal_group(self._group, signal.SIGKILL)

    async def run(self, environment: Mapping[str, str]) -> None:
        """Run it to its end, or to the end of patience; a failure is a warning in the log.

        What it prints is logged line by line: standard output belongs to the result, and
        standard error to lines that programs read.
        """
        if self._scope.cancel_called:
            log.warning("hook.failed", reason=_STOPPED, said=None)
            return
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        printed = _Printed()
        try:
            failure = await self._ran(environment, reader, writer, printed)
        finally:
            os.close(reader)
        printed.end()
        if failure is None:
            log.info("hook.finished")
        else:
            log.warning("hook.failed", reason=failure, said=printed.last)

    async def _ran(
        self, environment: Mapping[str, str], reader: int, writer: int, printed: _Printed
    ) -> str | None:
        """Return why it failed."""
        try:
            process = await anyio.open_process(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # such as one that is too long, or holds a NUL
            return f"it could not be started: {error}"
        finally:
            os.close(writer)
        self._group = process.pid
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_listen, reader, printed)
            failure = await self._ended(process)
            await _end_group(process.pid)
            with anyio.move_on_after(_ENDING_S):  # one that is another user's cannot be ended
                await process.wait()
            self._group = None
            tasks.cancel_scope.cancel()
        printed.take_rest(reader)
        return failure

    async def _ended(self, process: Process) -> str | None:
        with self._scope, anyio.move_on_after(self._patience_s) as patience:
            return _failure(await process.wait())
        if patience.cancelled_caught:
            return f"it took longer than {self._patience_s:g} seconds, and was ended"
        return _STOPPED


def _failure(code: int) -> str | None:
    if code < 0:
        return f"it was ended by signal {-code}"
    return f"it ended with {code}" if code else None


def _signal_group(group: int, number: int) -> bool:
    """Whether there was somebody in the group to get the signal."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # gone; or others' by now, as with sudo
        return False
    return True


async def _end_group(group: int) -> None:
    """End what is left of it, with force in the end."""
    for number, patience_s in ((signal.SIGTERM, _ENDING_S), (signal.SIGKILL, _ENDING_S / 4)):
        if not _signal_group(group, number):
            return
        with anyio.move_on_after(patience_s):
            while _signal_group(group, 0):  # noqa: ASYNC110  # the system tells nobody
                await anyio.sleep(_LOOK_S)


async def _listen(reader: int, printed: _Printed) -> None:
    while True:
        await anyio.wait_readable(reader)
        if not printed.take(reader):
            return


class _Printed:
    """What a hook prints: the first lines go to the log, the rest is counted."""

    def __init__(self) -> None:
        self.last: str | None = None
        self._begun = b""
        self._lines = 0

    def take(self, reader: int) -> bool:
        """Take what is there; whether there may be more."""
        data = os.read(reader, _PIPE_BYTES)
        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            self._tell(line)
        self._begun = self._begun[: _LONGEST_LINE + 1]
        return bool(data)

    def take_rest(self, reader: int) -> None:
        """Take what was printed before the end; what got away may be printing still."""
        with suppress(BlockingIOError):
            for _ in range(2):
                if not self.take(reader):
                    return

    def end(self) -> None:
        """Tell a last line that was not ended, and how many were not told."""
        if self._begun:
            self._tell(self._begun)
        if self._lines > _MOST_LINES:
            log.warning("hook.output_cut", lines=self._lines - _MOST_LINES)

    def _tell(self, data: bytes) -> None:
        text = data.decode(errors="backslashreplace").rstrip()
        if not text:
            return
        self.last = text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"
        self._lines += 1
        if self._lines <= _MOST_LINES:
            log.info("hook.printed", text=self.last)
