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
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from batch_converter.djvu.draw.convert import assemble, convert, convert_part
from batch_converter.djvu.draw.page_loss import merge_part_results, refuse_known_damage
from batch_converter.djvu.draw.picture import draw_first_page
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.jobs.parts import PartResult
from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.kernels.warming import make_ready
from batch_converter.djvu.read.document import needs_others
from batch_converter.djvu.read.inspect import inspect
from batch_converter.djvu.work import child
from batch_converter.djvu.work.freed_memory import give_back_freed_memory
from batch_converter.djvu.work.statuses import CRASHED, KERNELS_MADE, NO_KERNELS, NO_THREAD

if TYPE_CHECKING:
    from collections.abc import Mapping

_READY: Final = "\n"
_BEGUN: Final = "\n"
_SCRATCH_BYTES: Final = 512 << 20
"""A page's bitmap as text recognition takes it from a file, and more."""

_PLAIN_BYTES: Final = 180 << 20
"""Address space of a worker without compiled kernels, before its first job."""


def main() -> None:
    """Serve jobs until standard input closes; `argv[1]` is the memory limit in bytes."""
    answers = child.begin()
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    try:
        threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()
    except RuntimeError:  # no thread may be started: at once, before the pipe is seen closed
        os._exit(NO_THREAD)
    _get_kernels_ready()
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
        answer, intact = child.answered(partial(_run, job))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if not intact:
            os._exit(CRASHED)
        give_back_freed_memory()


def _get_kernels_ready() -> None:
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


def _run(job: Mapping[str, Any]) -> dict[str, Any]:
    options = ConvertOptions(**job["options"])
    match job["job"]:
        case "inspect":
            return _inspected(job["source"], options)
        case "needs_others":
            return {"needs_others": needs_others(job["source"])}
        case "part":
            pages = range(job["start"], job["stop"])
            result = convert_part(job["source"], job["target"], pages, options)
            size_bytes = os.stat(job["target"]).st_size  # noqa: PTH116  # a path as str, its bytes kept
            return {"result": asdict(result), "size_bytes": size_bytes}
        case "picture":
            draw_first_page(job["source"], job["target"], job["max_side_px"], options)
            return {}
        case "assemble":
            results = [PartResult(**result) for result in job["results"]]
            warnings = merge_part_results(results, options)
            warnings += assemble(job["source"], job["parts"], job["target"], options)
            return {"warnings": warnings}
        case _:
            return {"warnings": convert(job["source"], job["target"], options).warnings}


def _most_file_bytes(job: Mapping[str, Any]) -> int:
    """Return how long any file may become that is written for a job; 0 is no limit.

    No less than what a page takes on its way through other programs: what is exactly too
    long of a PDF, its writer knows.
    """
    max_pdf_bytes: int = job["options"]["max_pdf_bytes"]
    return max_pdf_bytes and max(max_pdf_bytes, _SCRATCH_BYTES)


def _inspected(source: str, options: ConvertOptions) -> dict[str, Any]:
    """Count pages, unless headers tell already that the document cannot be converted."""
    info = inspect(source, bundled_only=options.bundled_only)
    refuse_known_damage(info, options)
    return {"pages": info.page_count}


if __name__ == "__main__":
    main()
