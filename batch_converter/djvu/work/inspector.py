"""A process that reads headers and hashes files: JSON lines in, one JSON line out for each.

It draws nothing and loads no library, so it starts in a moment and needs little; its first
line says that it is ready. File names that are not UTF-8 travel as escaped surrogates.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from batch_converter.djvu.read.bundle import bundle
from batch_converter.djvu.read.identity import (
    content_sha256,
    identify,
    indirect_parts,
    listed_components,
    listed_files,
    parts_fingerprint,
)
from batch_converter.djvu.read.iff import open_source
from batch_converter.djvu.read.inspect import inspect
from batch_converter.djvu.read.text_presence import has_words
from batch_converter.djvu.work import child
from batch_converter.djvu.work.statuses import CRASHED, NO_THREAD
from batch_converter.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batch_converter.djvu.read.inspect import DjvuInfo

    Job = Mapping[str, Any]

_BYTES_A_SECOND: Final = 10_000_000
"""What is hashed or copied at least in a second of processor time."""

_MOST_PAGES_KEPT: Final = 64
"""Of a document whose pages' sizes are told with its identity, and kept until its PDF is there."""


def main() -> None:
    """Serve jobs until standard input closes; `argv[1]` is the memory limit in bytes."""
    answers = child.begin()
    child.limit_memory(int(sys.argv[1]))
    try:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    except RuntimeError:  # no thread may be started
        os._exit(NO_THREAD)
    answers.write("\n")
    answers.flush()
    for line in sys.stdin:
        job = json.loads(line)
        child.limit_processor_time(job["headers_s"])
        answer, intact = child.answered(partial(_run, job))
        answers.write(json.dumps(answer | {"is_last": not intact}) + "\n")
        answers.flush()
        if not intact:
            os._exit(CRASHED)


def _end_with_parent() -> None:
    """Wait for the parent to be gone, whatever the main thread is at; then end at once."""
    hang_up = select.poll()
    hang_up.register(0, 0)
    hang_up.poll()
    os._exit(0)


def _run(job: Job) -> dict[str, Any]:
    return _JOBS[job["job"]](job["path"], job)


def _identify(path: str, job: Job) -> dict[str, Any]:
    found = identify(
        path,
        bundled_only=job["bundled_only"],
        on_inspected=lambda info: _allow_for_bytes(job, info.parts),
    )
    info = found.info
    answer: dict[str, Any] = {
        "size_bytes": info.size_bytes,
        "mtime_ns": found.mtime_ns,
        "pages": info.certain_page_count,
        "sha256": found.sha256,
        "parts_fingerprint": found.parts_fingerprint,
        "warnings": info.warnings,
    }
    if info.bundled and info.page_count <= _MOST_PAGES_KEPT:
        answer["outlook"] = _told_outlook(info)
    if info.bundled or not job["bundle_path"]:
        return answer
    _allow_for_bytes(job, info.parts)
    written = _bundle(path, Path(job["bundle_path"]), keep_damaged=job["keep_damaged"])
    faults = [(number, page.fault) for number, page in enumerate(info.pages, 1)]
    told = [f"page {number}: {fault}" for number, fault in faults if fault]
    return answer | {"warnings": [*info.warnings, *told], "bundle": written}


def _allow_for_bytes(job: Job, parts: Sequence[str]) -> None:
    """Give this process time for all bytes of a document."""
    total = sum(os.stat(path).st_size for path in (job["path"], *parts))  # noqa: PTH116  # a path as str, its bytes kept
    child.limit_processor_time(job["headers_s"] + total / _BYTES_A_SECOND)


def _bundle(path: str, target: Path, *, keep_damaged: bool) -> tuple[int, int]:
    try:
        bundle(path, target, keep_damaged=keep_damaged)
        status = target.stat()
    except OSError as error:
        msg = f"the parts of {path} cannot be bundled at {target}: {error.strerror}"
        raise OutputError(msg) from error
    return status.st_size, status.st_mtime_ns


def _count_pages(path: str, job: Job) -> dict[str, Any]:
    return {"pages": inspect(path, bundled_only=job["bundled_only"]).page_count}


def _outlook(path: str, job: Job) -> dict[str, Any]:
    return _told_outlook(inspect(path, bundled_only=job["bundled_only"]))


def _told_outlook(info: DjvuInfo) -> dict[str, Any]:
    return {
        "pages": info.certain_page_count,
        "page_sizes": [page.shown_size for page in info.pages],
        "has_text": info.has_text,
        "warnings": info.warnings,
    }


def _has_words(path: str, job: Job) -> dict[str, Any]:
    return {"has_words": has_words(path, bundled_only=job["bundled_only"])}


def _parts_fingerprint(path: str, job: Job) -> dict[str, Any]:
    return {"parts_fingerprint": parts_fingerprint(_parts(path, job))}


def _parts(path: str, job: Job) -> Sequence[str]:
    return indirect_parts(path, bundled_only=job["bundled_only"])


def _listed_files(path: str, _job: Job) -> dict[str, Any]:
    return {"listed_files": listed_files(path)}


def _listed_components(path: str, _job: Job) -> dict[str, Any]:
    return {"listed_components": listed_components(path)}


def _digest(path: str, job: Job) -> dict[str, Any]:
    parts = _parts(path, job) if job["with_parts"] else ()
    _allow_for_bytes(job, parts)
    with open_source(path) as source:
        return {"sha256": content_sha256(source, parts)}


_JOBS: Final[Mapping[str, Callable[[str, Job], dict[str, Any]]]] = {
    "identify": _identify,
    "count_pages": _count_pages,
    "outlook": _outlook,
    "has_words": _has_words,
    "parts_fingerprint": _parts_fingerprint,
    "listed_files": _listed_files,
    "listed_components": _listed_components,
    "digest": _digest,
}


if __name__ == "__main__":
    main()
