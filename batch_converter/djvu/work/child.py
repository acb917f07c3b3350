"""What a worker process does at its start, and what it answers where a job has failed.

Decoders of hostile files are kept out of the process that drives the run. Whatever
happens in a worker (an abort, a panic, a page that takes for ever) ends that process
and one document. It has its own session, so that a terminal's signals pass it by, limits
of memory and processor time, and no life of its own: when its standard input
closes, because its parent is gone or wants it gone, it ends at once.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from batch_converter.djvu.jobs.verdicts import OUT_OF_MEMORY, SHORTAGE
from batch_converter.djvu.work.confinement import confine
from batch_converter.errors import ErrorCode, FileError
from batch_converter.shortage import is_short_of_memory, shortage_of

if TYPE_CHECKING:
    from collections.abc import Callable

_DISK_TROUBLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})
_MOST_PROCESSOR_S: Final = 1_000_000_000
"""Linux counts the nanoseconds of a limit in 64 bits: 600 years wrap around to none."""
_INHERITED_FILE_BYTES: Final = resource.getrlimit(resource.RLIMIT_FSIZE)[0]


def begin() -> TextIO:
    """Hear the signals of nobody, give up what is not needed, and return where answers go."""
    # A supervisor's reach all; until here the parent has had them blocked.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    confine()
    return _private_answers()


def limit_memory(max_bytes: int) -> None:
    """Let no more of it be taken, and leave none of it behind in a file."""
    with suppress(ValueError, OSError):  # macOS counts what all processes share: none fits
        limit(resource.RLIMIT_AS, max_bytes)
    limit(resource.RLIMIT_DATA, resource.getrlimit(resource.RLIMIT_DATA)[1])
    limit(resource.RLIMIT_CORE, 0)


def _private_answers() -> TextIO:
    """Keep the answers' pipe to ourselves: what libraries print goes nowhere."""
    pipe = os.fdopen(os.dup(1), "w", encoding="ascii")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return pipe


def address_space_bytes() -> int:
    """Return how large this process's is; 0 where the system does not tell."""
    with suppress(OSError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        return int(pages) * resource.getpagesize()
    return 0


def limit(kind: int, value: int) -> None:
    """Lower a limit; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or value < hard:
        resource.setrlimit(kind, (value, hard))


def limit_file_bytes(max_bytes: int) -> None:
    """Let no file become longer from now on: a write beyond that fails with `EFBIG`.

    CPython passes over SIGXFSZ, so the process lives on and can tell.

    Args:
        max_bytes: How long; 0 is as long as this process was let from its start.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    known = [size for size in (max_bytes or -1, _INHERITED_FILE_BYTES) if size >= 0]
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(known, default=resource.RLIM_INFINITY), hard))


def limit_processor_time(seconds: float) -> None:
    """End this process once it has used so much more processor time than it has by now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = min(used.ru_utime + used.ru_stime + seconds, _MOST_PROCESSOR_S)
    limit(resource.RLIMIT_CPU, int(most) + 1)


def answered(work: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], bool]:
    """Do a job; returns the answer, and whether this process can be trusted with more."""
    try:
        return work(), True
    except Exception as error:  # noqa: BLE001  # the last line of defence: told, and the process replaced
        return _failure(error), isinstance(error, FileError) and not is_short_of_memory(error)


def _failure(error: Exception) -> dict[str, Any]:
    """Return the answer for a failure: whose fault it is, the document's or the machine's."""
    if is_short_of_memory(error):
        message = "it needs more memory than local.max_memory_bytes allows"
        return {"error": OUT_OF_MEMORY, "message": message}
    if isinstance(error, ImportError):  # nothing in a document can cause that
        return {"error": SHORTAGE, "message": f"a library could not be loaded ({error})"}
    if (lack := shortage_of(error)) is not None:
        return {"error": SHORTAGE, "message": lack}
    if isinstance(error, FileError):
        return {"error": error.code, "message": str(error), "errno": _number(error.__cause__)}
    if isinstance(error, OSError) and error.errno in _DISK_TROUBLE:
        message = f"the PDF cannot be written: {error.strerror}"
        return {"error": ErrorCode.OUTPUT_ERROR, "message": message, "errno": error.errno}
    return {
        "error": ErrorCode.ENGINE_ERROR,
        "message": f"the engine failed on it: {type(error).__name__}",
    }


def _number(cause: BaseException | None) -> int | None:
    return cause.errno if isinstance(cause, OSError) else None
