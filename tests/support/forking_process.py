"""The process that has the command's libraries, and becomes the command in each child of its own.

It ends with the one who has started it; what it has forked goes on, as any process does.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import select
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import click
import coverage

from batch_converter import fault_points
from batch_converter.cli import group
from tests.support import stepping_clock
from tests.support.compiled import MEASURED_VARIABLE

MOST_BYTES: Final = 1 << 17
"""Of a call: its words and its environment."""


@dataclass(slots=True)
class Call:
    """What a process is to become."""

    program: str
    words: list[str]
    folder: str
    environment: dict[str, str]
    leads: bool
    streams: list[int]

    def close(self) -> None:
        """Let go of its streams, which somebody else has."""
        for stream in self.streams:
            os.close(stream)

    def become(self) -> None:
        """Be as a new process would be that was called so."""
        for number, stream in enumerate(self.streams):
            os.dup2(stream, number)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        if self.leads:
            os.login_tty(0)
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        time.tzset()
        sys.argv[:] = [self.program, *self.words]
        _open_streams()
        if fault_points.VARIABLE in os.environ:
            importlib.reload(fault_points)
        if stepping_clock.VARIABLE in os.environ:
            stepping_clock.install()
        if MEASURED_VARIABLE in os.environ:
            coverage.process_startup()


def call_of_a_child(address: str) -> Call:
    """Load the libraries, say so, and fork for each call; returns in what is forked."""
    for name in group.cli.list_commands(click.Context(group.cli)):
        importlib.import_module(f"batch_converter.cli.{name}")
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(address)
        listener.listen()
        os.write(1, b"ready\n")
        return _fork_each(listener)


def _fork_each(listener: socket.socket) -> Call:
    children: dict[int, tuple[int, socket.socket]] = {}
    poll = select.poll()
    poll.register(0)
    poll.register(listener, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == 0:  # whoever has started us is gone
                os._exit(0)
            if descriptor in children:
                poll.unregister(descriptor)
                _tell_end(descriptor, *children.pop(descriptor))
            elif (caller := _received(listener)) is not None:
                call, connection = caller
                if (pid := os.fork()) == 0:
                    for one in (connection, *(other for _, other in children.values())):
                        one.close()
                    return call
                call.close()
                child = os.pidfd_open(pid)
                poll.register(child, select.POLLIN)
                children[child] = (pid, connection)
                with suppress(BrokenPipeError):
                    connection.send(b"%d" % pid)


def _received(listener: socket.socket) -> tuple[Call, socket.socket] | None:
    connection, _ = listener.accept()
    message, streams, _, _ = socket.recv_fds(connection, MOST_BYTES, 3)
    if not message:
        connection.close()
        return None
    return Call(**json.loads(message), streams=streams), connection


def _tell_end(descriptor: int, pid: int, connection: socket.socket) -> None:
    os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    with connection, suppress(BrokenPipeError):
        connection.send(b"%d" % os.waitstatus_to_exitcode(status))


def _open_streams() -> None:
    """Make the standard streams anew, as an interpreter does at its start."""
    buffering = 0 if os.environ.get("PYTHONUNBUFFERED") else -1
    sys.stdin = _stream(0, "rb", "surrogateescape", -1)
    sys.stdout = _stream(1, "wb", "surrogateescape", buffering)
    sys.stderr = _stream(2, "wb", "backslashreplace", buffering)


def _stream(number: int, mode: str, errors: str, buffering: int) -> io.TextIOWrapper:
    binary = open(number, mode, buffering=buffering, closefd=False)  # noqa: SIM115  # for good
    return io.TextIOWrapper(
        binary,
        encoding="utf-8",
        errors=errors,
        line_buffering=number == 2 or binary.isatty(),
        write_through=not buffering,
    )
