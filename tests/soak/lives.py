"""Processes of the command that die at any instant: begun, watched, killed with their tree.

Each is forked off a process that has the libraries. Loading them takes three quarters of a small
run and touches nothing: kills hit what matters, and a soak is over in a third of the time.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import psutil

from tests.support.command import PATIENCE_S
from tests.support.forking_command import fork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.support.forking_command import ForkedProcess

KILLED: Final = -signal.SIGKILL


class Life:
    """One process of the command; what it says goes to `out` and `err`.

    Attributes:
        lasted_s: How long it went on, once its code was asked for.
        orphans: Processes of its tree, when it was killed.
    """

    def __init__(self, process: ForkedProcess, out: Path, err: Path) -> None:
        self.lasted_s = 0.0
        self.orphans: list[psutil.Process] = []
        self._out, self._err = out, err
        self._process = process
        self._began_s = time.monotonic()

    @property
    def said(self) -> str:
        """What it has printed."""
        return self._out.read_text()

    @property
    def told(self) -> str:
        """The end of what it has logged, for whoever looks for the reason of a violation."""
        return self._err.read_text()[-4000:]

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    @property
    def code(self) -> int:
        """Wait for its end, and return its exit code."""
        code = self._process.wait(PATIENCE_S)
        self.lasted_s = self.lasted_s or time.monotonic() - self._began_s
        return code

    def signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def kill(self, *, with_tree: bool) -> None:
        """End it at once, and with it, or not, all that it has started."""
        with suppress(psutil.NoSuchProcess):
            self.orphans = psutil.Process(self._process.pid).children(recursive=True)
        self.signal(signal.SIGKILL)
        for process in self.orphans if with_tree else ():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def check_alone(self) -> None:
        """Make sure that nothing that it has started outlives it."""
        _, alive = psutil.wait_procs(self.orphans, PATIENCE_S)
        assert not alive, f"they outlive their run: {alive}"


@contextmanager
def born(folder: Path, arguments: Sequence[str | Path], env: Mapping[str, str]) -> Iterator[Life]:
    """Run one call; its streams are in `folder`, and it does not outlive the block."""
    folder.mkdir(parents=True, exist_ok=True)
    out, err = folder / "stdout", folder / "stderr"
    words = [os.fspath(argument) for argument in arguments]
    with (
        open(os.devnull, "rb") as nothing,  # noqa: PTH123  # no path, a name of the system's
        out.open("wb") as out_file,
        err.open("wb") as err_file,
    ):
        streams = [nothing.fileno(), out_file.fileno(), err_file.fileno()]
        life = Life(fork(words, environment=env, streams=streams, folder=folder), out, err)
    try:
        yield life
    finally:
        if not life.is_over:
            life.kill(with_tree=True)
        assert life.code is not None
