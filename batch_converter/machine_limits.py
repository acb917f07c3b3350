"""Limits on open files and threads of this process, checked before a run begins.

A limit that is met in mid-work costs a file, or a call that was paid for nothing.
"""

from __future__ import annotations

import os
import resource
import threading
from contextlib import suppress
from typing import Final

from batch_converter.errors import LimitTooLowError

_WANTED_DESCRIPTORS: Final = 65_536
_DESCRIPTOR_LISTS: Final = ("/proc/self/fd", "/dev/fd")
_LEAST_DESCRIPTORS: Final = 20
"""Of a run: the ledger, a lock, threads at the disk, one connection or worker process."""
_LEAST_DESCRIPTORS_OF_ALL: Final = 8
"""Of any command: the event loop, libraries that are loaded, a ledger that is read."""
_LEAST_THREADS: Final = 12
"""Of a run: for the ledger, the disk, the log; some start only when much is to be done."""


def raise_descriptor_limit() -> None:
    """Take as many open files as the hard limit grants; shells ask for few by default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    wanted = min(wanted, _WANTED_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # macOS takes no more than another limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def spare_descriptors() -> int | None:
    """Return how many more files may be opened; None where the system does not tell."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return None
    for folder in _DESCRIPTOR_LISTS:
        try:
            return max(0, limit - len(os.listdir(folder)))  # noqa: PTH208  # names alone
        except FileNotFoundError:
            continue
        except OSError:  # not even the list can be opened
            return 0
    return None


def are_spare(wanted: int) -> bool:
    """Whether so many more files may be opened, as far as the system tells.

    Files get the lowest number that is free. So where the highest ones are free there is room,
    and the list of all that are open need not be made, which takes longer the more there are.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return True
    if limit >= wanted and not any(map(_is_open, range(limit - wanted, limit))):
        return True
    spare = spare_descriptors()
    return spare is None or spare >= wanted


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def check_limits() -> None:
    """Make sure that a run can begin, and blame the limit where it cannot; blocks for a moment.

    Raises:
        LimitTooLowError: Too few files may be opened, or threads be started.
    """
    check_descriptors(_LEAST_DESCRIPTORS)
    started = _startable_threads(_LEAST_THREADS)
    if started < _LEAST_THREADS:
        raise LimitTooLowError(
            f"only {started} more threads or processes may be started, and {_LEAST_THREADS} are"
            " needed; raise the limit (ulimit -u, ulimit -v, or the pids limit of the container or"
            " service), nothing was started"
        )


def check_descriptors(wanted: int = _LEAST_DESCRIPTORS_OF_ALL) -> None:
    """Make sure that so many more files may be opened.

    Raises:
        LimitTooLowError: They may not.
    """
    spare = spare_descriptors()
    if spare is not None and spare < wanted:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise LimitTooLowError(
            f"at most {limit} files may be open at once, {limit - spare} of them are already, and"
            f" {wanted} more are needed; raise the limit (ulimit -n 256), nothing was started"
        )


def _startable_threads(wanted: int) -> int:
    """Start so many threads, all at once, and end them; returns how many there could be."""
    enough = threading.Event()
    threads: list[threading.Thread] = []
    try:
        for number in range(wanted):
            thread = threading.Thread(target=enough.wait, name=f"probe-{number}", daemon=True)
            thread.start()
            threads.append(thread)
    except (RuntimeError, MemoryError):
        pass
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    return len(threads)


def inherited_file_bytes() -> int | None:
    """Return how long a file may become that this process's children write; None for no limit."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if limit == resource.RLIM_INFINITY else limit


def inherited_memory_bytes() -> int | None:
    """Return the least limit on memory that this process's children cannot raise; None for none."""
    limits = [resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return min((limit for limit in limits if limit != resource.RLIM_INFINITY), default=None)
