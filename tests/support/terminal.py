"""The command at a terminal: a process, the terminal's size, and what stands on its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pyte

from tests.support.command import PATIENCE_S, wait_until
from tests.support.forking_command import fork, is_forkable
from tests.support.installed import COMMAND, HEEDFUL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.support.command import Argument
    from tests.support.forking_command import ForkedProcess

_LINES: Final = 60


class Terminal:
    """A terminal with one command in its foreground.

    Attributes:
        raw: All that was written to it.
    """

    def __init__(self, leader: int, columns: int) -> None:
        self.raw = bytearray()
        self._leader = leader
        self._screen = pyte.Screen(columns, _LINES)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read)

    @property
    def rows(self) -> list[str]:
        """The screen's rows that have something on them."""
        with self._lock:
            return [row.rstrip() for row in self._screen.display if row.strip()]

    @property
    def shows_cursor(self) -> bool:
        """Whether a person would see where they type."""
        with self._lock:
            return not self._screen.cursor.hidden

    def row(self, beginning: str) -> str:
        """Return the only row that begins so."""
        (found,) = [row for row in self.rows if row.startswith(beginning)]
        return found

    def resize(self, columns: int) -> None:
        """Change its width; what runs in its foreground gets SIGWINCH from the system."""
        with self._lock:
            self._screen.resize(_LINES, columns)
            set_size(self._leader, columns)

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._leader, keys)

    def wait_until(self, condition: Callable[[list[str]], object], what: str) -> None:
        """Look at the rows, once there are two, until the condition holds for them."""
        try:
            wait_until(lambda: len(rows := self.rows) > 1 and condition(rows), what)
        except AssertionError as error:
            error.add_note("\n".join(self.rows))
            raise

    def start_reading(self) -> None:
        """Show what is written from now on."""
        self._reader.start()

    def finish_reading(self) -> None:
        """Wait until nobody can write to it any more, and close it."""
        self._reader.join(PATIENCE_S)
        os.close(self._leader)

    def _read(self) -> None:
        try:
            while piece := os.read(self._leader, 1 << 16):
                with self._lock:
                    self.raw += piece
                    self._stream.feed(piece)
        except OSError:  # how Linux says that the last writer has left
            pass


class AtTerminal:
    """The command that runs there."""

    def __init__(self, process: subprocess.Popen[bytes] | ForkedProcess) -> None:
        self._process = process

    def finish(self) -> int:
        """Wait for its end; returns its exit code."""
        return self._process.wait(PATIENCE_S)


@contextmanager
def at_terminal(
    *arguments: Argument, columns: int, env: Mapping[str, str] | None = None
) -> Iterator[tuple[AtTerminal, Terminal]]:
    """Run the command with its three streams on a terminal; it does not outlive the block.

    After the block the terminal stands as the command has left it.
    """
    leader, follower = pty.openpty()
    set_size(leader, columns)
    environment = {**os.environ, **(env or {})}
    process = _begun([os.fsdecode(one) for one in arguments], environment, follower)
    os.close(follower)
    terminal = Terminal(leader, columns)
    terminal.start_reading()
    try:
        yield AtTerminal(process), terminal
    finally:
        process.kill()
        process.wait()
        terminal.finish_reading()


def _begun(
    words: Sequence[str], environment: Mapping[str, str], terminal: int
) -> subprocess.Popen[bytes] | ForkedProcess:
    if is_forkable(words, environment):
        streams = (terminal, terminal, terminal)
        return fork(words, environment=environment, streams=streams, leads=True)
    return subprocess.Popen(
        [*HEEDFUL, "setsid", "--ctty", "--wait", COMMAND, *words],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
    )


def set_size(descriptor: int, columns: int) -> None:
    """Tell a terminal how wide it is."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, columns, 0, 0))
