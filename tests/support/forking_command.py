"""The command as a process that is forked off one in which its libraries are loaded already.

A page with twenty commands loads them once instead of twenty times. Each command is a process
of its own all the same, with the streams, folder, environment and exit code that its caller sees.
As a script this is that process; `CLIENT` is what its callers run.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final, NoReturn

import click

from tests.support.command import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_BYTES: Final = 1 << 16
"""Of a call: its words and its environment."""
CLIENT: Final = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    call = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [call], [0, 1, 2])
    sys.exit(int(server.recv(8)))
"""


@contextmanager
def forking_command(address: Path) -> Iterator[None]:
    """Have the process listen at an address, until the block ends."""
    arguments = [sys.executable, "-m", __name__, str(address)]
    with subprocess.Popen(arguments) as process:
        try:
            wait_until(lambda: address.exists() or process.poll() is not None, "its socket")
            yield
        finally:
            process.kill()


def _serve(address: str) -> NoReturn:
    from batch_converter.cli import group  # noqa: PLC0415  # callers of the context need none

    for name in group.cli.list_commands(click.Context(group.cli)):
        import_module(f"batch_converter.cli.{name}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.new")
        listener.listen()
        os.rename(f"{address}.new", address)  # noqa: PTH104  # nothing but words here
        while True:
            caller, _ = listener.accept()
            if os.fork() == 0:
                _answer(caller)
            caller.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _answer(caller: socket.socket) -> NoReturn:
    """Run one call in a process of its own, and tell its exit code."""
    message, streams, _, _ = socket.recv_fds(caller, MOST_BYTES, 3)
    child = os.fork()
    if child == 0:
        caller.close()
        words, folder, environment = json.loads(message)
        _become(words, folder, environment, streams)
    _, status = os.waitpid(child, 0)
    caller.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(
    words: list[str], folder: str, environment: dict[str, str], streams: list[int]
) -> NoReturn:
    from batch_converter.cli import main  # noqa: PLC0415  # loaded already

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    code = 1
    try:
        main(words)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
