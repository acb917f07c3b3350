"""A process that converts: JSON lines in; out, an empty line as a job is begun, then a JSON line.

So its parent can tell a job that has killed it from one that it never took up.
Decoders of hostile files are kept out of the process that drives the run. Whatever
happens here (an abort, a panic, a page that takes for ever) ends this process and
one document. It has its own session, so that a terminal's signals pass it by, limits
of memory and processor time, and no life of its own: when its standard input
closes, because its parent is gone or wants it gone, it ends at once.

File names that are not UTF-8 travel as escaped surrogates.
"""

from __future__ import annotations

import errno
import json
import os
import queue
import resource
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TextIO

from batch_converter.djvu.draw.convert import assemble, convert, convert_part
from batch_converter.djvu.draw.options import ConvertOptions
from batch_converter.djvu.draw.parts import PartResult, settle
from batch_converter.djvu.work.verdicts import OUT_OF_MEMORY, SHORTAGE
from batch_converter.errors import ErrorCode, FileError
from batch_converter.shortage import is_short_of_memory, shortage_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_DISK_TROUBLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})
_BEGUN: Final = "\n"
_CRASHED: Final = 70
_NO_THREAD: Final = 71


def main() -> None:
    """Serve jobs until standard input closes; `argv[1]` is the memory limit in bytes."""
    # A supervisor's reach all; until here the parent has had them blocked.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    answers = _private_answers()
    with suppress(ValueError, OSError):  # macOS counts what all processes share: none fits
        _limit(resource.RLIMIT_AS, int(sys.argv[1]))
    _limit(resource.RLIMIT_DATA, resource.getrlimit(resource.RLIMIT_DATA)[1])
    _limit(resource.RLIMIT_CORE, 0)
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    try:
        threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()
    except RuntimeError:  # no thread may be started: at once, before the pipe is seen closed
        os._exit(_NO_THREAD)
    while True:
        job = json.loads(jobs.get())
        answers.write(_BEGUN)
        answers.flush()
        answer, intact = _answered(job)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if not intact:
            os._exit(_CRASHED)


def _private_answers() -> TextIO:
    """Keep the answers' pipe to ourselves: what libraries print goes nowhere."""
    pipe = os.fdopen(os.dup(1), "w", encoding="ascii")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return pipe


def _read_jobs(jobs: queue.SimpleQueue[str]) -> None:
    """Pass lines on while the main thread works; end the process when there are no more."""
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def _limit(kind: int, value: int) -> None:
    """Lower a limit; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or value < hard:
        resource.setrlimit(kind, (value, hard))


def _answered(job: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Run a job; returns the answer, and whether this process can be trusted with more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + job["cpu_limit_s"]) + 1)
    try:
        return _run(job), True
    except Exception as error:  # noqa: BLE001  # the last line of defence: told, and the process replaced
        return _told(error), isinstance(error, FileError) and not is_short_of_memory(error)


def _told(error: Exception) -> dict[str, Any]:
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


def _run(job: Mapping[str, Any]) -> dict[str, Any]:
    options = ConvertOptions(**job["options"])
    if job["job"] == "part":
        pages = range(job["start"], job["stop"])
        return asdict(convert_part(job["source"], job["target"], pages, options))
    if job["job"] == "assemble":
        results = [PartResult(**result) for result in job["results"]]
        warnings = settle(results, options)
        return {
            "warnings": warnings + assemble(job["source"], job["parts"], job["target"], options)
        }
    return {"warnings": convert(job["source"], job["target"], options).warnings}


if __name__ == "__main__":
    main()
