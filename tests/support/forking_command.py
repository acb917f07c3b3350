"""The command as a process that is forked off one in which its libraries are loaded already.

They are loaded once instead of at each start, which is nine tenths of what a start takes. Each
command is a process of its own all the same: with the streams, folder and environment that its
caller gives it, with signals as they were and no other descriptor, and with an end of its own.
What it does not do is load its libraries, so it cannot show what happens in the meantime; nor
does it hear of what an interpreter reads at its own start (`is_forkable`).
"""

from __future__ import annotations

import atexit
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from batch_converter.fault_points import VARIABLE as FAULT_POINT
from tests.support.compiled import MEASURED_VARIABLE
from tests.support.forking_process import MOST_BYTES
from tests.support.installed import COMMAND, HEEDFUL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CLIENT: Final = f"""
import json, os, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    server.connect(sys.argv[1])
    call = {{
        "program": {os.fspath(COMMAND)!r},
        "words": sys.argv[2:],
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "leads": False,
    }}
    socket.send_fds(server, [json.dumps(call).encode()], [0, 1, 2])
    server.recv(16)
    sys.exit(int(server.recv(16)))
"""
"""What a shell calls, with the address, for a command that is forked."""

_ROOT: Final = Path(__file__).parents[2]
_AT_START: Final = re.compile(r"PYTHON.*|LANG(UAGE)?|LC_.*|LD_.*|MALLOC_.*")
"""Variables that an interpreter, or the C library, has read before anything of ours begins."""
_PROCESS: Final = f"""
import sys
sys.path[0] = {os.fspath(_ROOT)!r}
from tests.support.forking_process import call_of_a_child
sys.path[0] = {os.fspath(COMMAND.parent)!r}
__file__ = {os.fspath(COMMAND)!r}
call_of_a_child(sys.argv[1]).become()
from batch_converter.cli import main
sys.exit(main())
"""
"""What it runs; what it has forked goes on as the installed script does."""


class ForkedProcess:
    """A process that another has forked for us; used as `subprocess.Popen` is."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = int(connection.recv(16))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, or the negative number of the signal it died of, once it has."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            TimeoutExpired: It goes on.
        """
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(COMMAND, timeout or 0)
            with self._connection:
                self.returncode = int(self._connection.recv(16))
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


def is_forkable(words: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether such a call is the same to a process that is forked."""
    return _read_at_start(environment) == _read_at_start(os.environ) and (
        len(_message(words, environment)) <= MOST_BYTES
    )


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if _AT_START.fullmatch(name)}


def fork(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    streams: Sequence[int],
    folder: Path | None = None,
    leads: bool = False,
) -> ForkedProcess:
    """Start the command.

    Args:
        words: What follows its name.
        environment: All of its own.
        streams: The descriptors of its three.
        folder: Where it stands; None: where we do.
        leads: Whether it leads a session, with its input as its terminal.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(os.fspath(forking_command()))
    message = _message(words, environment, folder=folder, leads=leads)
    socket.send_fds(connection, [message], [*streams])
    return ForkedProcess(connection)


def _message(
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path | None = None,
    leads: bool = False,
) -> bytes:
    call = {
        "program": os.fspath(COMMAND),
        "words": words,
        "folder": os.fspath(folder or Path.cwd()),
        "environment": {**environment},
        "leads": leads,
    }
    return json.dumps(call).encode()


@cache
def forking_command() -> Path:
    """Return the address of the process that forks, one for all of ours."""
    address = Path(mkdtemp(), "command")
    unwanted = {FAULT_POINT, MEASURED_VARIABLE}
    process = subprocess.Popen(
        [*HEEDFUL, sys.executable, "-c", _PROCESS, address],
        env={name: value for name, value in os.environ.items() if name not in unwanted},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us: it would leave us without any child's end
    )

    def end() -> None:
        process.communicate()
        address.unlink()
        address.parent.rmdir()

    atexit.register(end)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return address
