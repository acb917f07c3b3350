"""Errors that mean a shortage of the machine (descriptors, processes, threads, memory).

Whatever was being done when the machine said no would have failed for any document, so
such an error is never booked on one: the run ends, and what is left stays for the next.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from batch_converter.errors import MachineExhaustedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROCESSES: Final = (
    "no more processes or threads may be started (see ulimit -u, and the pids limit of a"
    " container or service)"
)
MEMORY_LACK: Final = (
    "memory has run out (see free, ulimit -v, and the limit of a container or service)"
)
_LACKS: Final[Mapping[int, str]] = {
    errno.EMFILE: "too many open files (see ulimit -n)",
    errno.ENFILE: "too many open files in the whole system",
    errno.EAGAIN: _PROCESSES,
    errno.ENOMEM: MEMORY_LACK,
    errno.ENOBUFS: MEMORY_LACK,
}
_NO_THREAD: Final = "can't start new thread"  # CPython's words; it has no class of its own
_LOADING: Final[Mapping[str, str]] = {  # the dynamic loader's words are all that it leaves
    "failed to map segment": MEMORY_LACK,
    **{os.strerror(number): _LACKS[number] for number in (errno.ENOMEM, errno.EMFILE)},
}
_DEPTH: Final = 8


def shortage_of(error: BaseException) -> str | None:
    """Say what the machine lacks, where that is what an error, or its cause, tells."""
    return next((lack for link in _chain(error, _DEPTH) if (lack := _lack(link))), None)


def is_short_of_memory(error: BaseException) -> bool:
    """Whether memory is what lacks."""
    return shortage_of(error) == MEMORY_LACK


def exhausted(error: BaseException) -> MachineExhaustedError | None:
    """Return what ends a run for want of what an error tells of; None where it tells of none."""
    lack = shortage_of(error)
    if lack is None:
        return None
    stop = machine_exhausted(lack)
    stop.__cause__ = error
    return stop


@contextmanager
def stopped_when_exhausted() -> Iterator[None]:
    """Turn what tells of a shortage into what ends a run.

    Errors of ours pass: what they mean was settled where they arose.

    Raises:
        MachineExhaustedError: A thread, a descriptor or memory could not be had.
    """
    try:
        yield
    except (OSError, RuntimeError, MemoryError) as error:
        if (stop := exhausted(error)) is None:
            raise
        raise stop from error


def machine_exhausted(lack: str) -> MachineExhaustedError:
    """Return what ends a run for want of something."""
    return MachineExhaustedError(
        f"this machine, or a limit on this process, does not let the run go on: {lack}; no file"
        " is at fault. Raise the limit, or run less at once, and run the same command again"
    )


def machine_trouble(what: str) -> OSError:
    """Return the cause of an error that the machine is to blame for, where the system gave none.

    It is no shortage for `exhausted`: it concerns one document, and none that is at fault.
    """
    return OSError(errno.EBUSY, what)


def _lack(error: BaseException) -> str | None:
    if isinstance(error, OSError):
        return _LACKS.get(error.errno or 0)
    if isinstance(error, MemoryError):
        return MEMORY_LACK
    if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
        return _PROCESSES
    if isinstance(error, ImportError):
        return next((lack for words, lack in _LOADING.items() if words in str(error)), None)
    return None


def _chain(error: BaseException, depth: int) -> Iterator[BaseException]:
    """Yield an error, those that it groups, and those that led to it."""
    yield error
    if not depth:
        return
    inner = list(error.exceptions) if isinstance(error, BaseExceptionGroup) else []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    for link in (*inner, *([cause] if cause else [])):
        yield from _chain(link, depth - 1)
