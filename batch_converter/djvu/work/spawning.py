"""How worker processes are started, and what is said of their end.

They are started by hand, not by the event loop: only so can one be born deaf to the
signals that a supervisor sends to all processes of a service.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.work.environment import worker_environment
from batch_converter.djvu.work.statuses import NO_KERNELS, NO_THREAD

if TYPE_CHECKING:
    from pathlib import Path

_FOR_THE_PARENT: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def spawn(
    module: str, max_memory_bytes: int, kernel_folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that signals for its parent never reach, not even at its start; blocking.

    A new process has the blocked signals of the thread that starts it. That must not be
    the main thread, and not be for longer than this call: other children want theirs.

    Args:
        module: What it runs.
        max_memory_bytes: What it is told to limit its address space to.
        kernel_folder: Where it keeps compiled kernels; None: it compiles none.

    Raises:
        OSError: The system starts no process.
    """
    command = [sys.executable, "-P", "-m", module, str(max_memory_bytes)]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_PARENT)
    try:
        return subprocess.Popen(  # noqa: S603  # our own interpreter
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=worker_environment(os.environ, kernel_folder),
            start_new_session=True,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def describe_end(returncode: int) -> str:
    """Say how a process ended, to follow "the process"."""
    if returncode == NO_THREAD:
        return "found that no more processes or threads may be started"
    if returncode == NO_KERNELS:
        return "could not compile them"
    if returncode >= 0:
        return f"ended with status {returncode}"
    name = signal.Signals(-returncode).name
    return {
        "SIGKILL": "was killed, most likely for want of memory",
        "SIGABRT": "gave up, most likely for want of memory",
        "SIGXCPU": "used up its processor time",
    }.get(name, f"died of {name}")
