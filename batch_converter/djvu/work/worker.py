"""A process that converts: JSON lines in; out, an empty line as a job is begun, then a JSON line.

An empty line before all others tells that it is ready. So its parent can tell a job that has
killed it from one that it never took up, and time to get ready is no job's. File names that are
not UTF-8 travel as escaped surrogates.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.work import child
from batch_converter.djvu.work.freed_memory import give_back_freed_memory
from batch_converter.djvu.work.statuses import CRASHED, KERNELS_MADE, NO_KERNELS, NO_THREAD
from batch_converter.garbage import uncollected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_READY: Final = "\n"
_BEGUN: Final = "\n"
_SCRATCH_BYTES: Final = 512 << 20
"""A page's bitmap as text recognition takes it from a file, and more."""

_PLAIN_BYTES: Final = 180 << 20
"""Address space of a worker without compiled kernels, before its first job."""


def main() -> None:
    """Serve jobs until standard input closes; `argv[1]` is the memory limit in bytes."""
    with uncollected():
        from batch_converter.djvu.kernels.warming import make_ready  # noqa: PLC0415  # as the next
        from batch_converter.djvu.work.worker_jobs import do  # noqa: PLC0415  # all its libraries
    answers = child.begin()
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    try:
        threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()
    except RuntimeError:  # no thread may be started: at once, before the pipe is seen closed
        os._exit(NO_THREAD)
    _get_kernels_ready(make_ready)
    give_back_freed_memory()
    child.limit_memory(int(sys.argv[1]) + _bytes_of_kernels())
    answers.write(_READY)
    answers.flush()
    while True:
        job = json.loads(jobs.get())
        answers.write(_BEGUN)
        answers.flush()
        child.limit_processor_time(job["cpu_limit_s"])
        child.limit_file_bytes(_most_file_bytes(job))
        answer, intact = child.answered(partial(do, job))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if not intact:
            os._exit(CRASHED)
        give_back_freed_memory()


def _get_kernels_ready(make_ready: Callable[[], bool]) -> None:
    """Have them compiled before there are limits; their source is ours, and nothing hostile."""
    try:
        has_made_them = make_ready()
    except Exception:  # noqa: BLE001  # whatever numba and LLVM raise: the parent does without
        os._exit(NO_KERNELS)
    if has_made_them:
        os._exit(KERNELS_MADE)


def _bytes_of_kernels() -> int:
    """Return what numba and LLVM take, most of it for their code: that is no document's."""
    return max(0, child.address_space_bytes() - _PLAIN_BYTES) if COMPILED else 0


def _read_jobs(jobs: queue.SimpleQueue[str]) -> None:
    """Pass lines on while the main thread works; end the process when there are no more."""
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def _most_file_bytes(job: Mapping[str, Any]) -> int:
    """Return how long any file may become that is written for a job; 0 is no limit.

    No less than what a page takes on its way through other programs: what is exactly too
    long of a PDF, its writer knows.
    """
    max_pdf_bytes: int = job["options"]["max_pdf_bytes"]
    return max_pdf_bytes and max(max_pdf_bytes, _SCRATCH_BYTES)


if __name__ == "__main__":
    main()
