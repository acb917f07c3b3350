"""A process that converts: JSON lines in; out, an empty line as a job is begun, then a JSON line.

So its parent can tell a job that has killed it from one that it never took up. File
names that are not UTF-8 travel as escaped surrogates.
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
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.jobs.parts import PartResult
from batch_converter.djvu.read.inspect import inspect
from batch_converter.djvu.work import child
from batch_converter.djvu.work.statuses import CRASHED, NO_THREAD

if TYPE_CHECKING:
    from collections.abc import Mapping

_BEGUN: Final = "\n"


def main() -> None:
    """Serve jobs until standard input closes; `argv[1]` is the memory limit in bytes."""
    answers = child.begin(int(sys.argv[1]))
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    try:
        threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()
    except RuntimeError:  # no thread may be started: at once, before the pipe is seen closed
        os._exit(NO_THREAD)
    while True:
        job = json.loads(jobs.get())
        answers.write(_BEGUN)
        answers.flush()
        child.limit_processor_time(job["cpu_limit_s"])
        answer, intact = child.answered(partial(_run, job))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if not intact:
            os._exit(CRASHED)


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
        case "part":
            pages = range(job["start"], job["stop"])
            return asdict(convert_part(job["source"], job["target"], pages, options))
        case "assemble":
            results = [PartResult(**result) for result in job["results"]]
            warnings = merge_part_results(results, options)
            warnings += assemble(job["source"], job["parts"], job["target"], options)
            return {"warnings": warnings}
        case _:
            return {"warnings": convert(job["source"], job["target"], options).warnings}


def _inspected(source: str, options: ConvertOptions) -> dict[str, Any]:
    """Count pages, unless headers tell already that the document cannot be converted."""
    info = inspect(source)
    refuse_known_damage(info, options)
    return {"pages": info.page_count}


if __name__ == "__main__":
    main()
