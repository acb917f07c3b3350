"""Where the processor time of a small file goes: a table of phases, beside those of `bare`.

    python -m benchmarks.scale.phases --files 2000

Of the event loop's thread, by phase: at every few milliseconds of processor time, what it has
used is added to the phase that its stack shows. Of other threads, by their names. Of the
processes that read DjVu, all together. Each candidate has a process of its own. Linux only.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.results import Conditions, publish, with_results
from benchmarks.scale.__main__ import make_archive, service
from benchmarks.scale.candidate import convert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType
    from typing import Self

TITLE: Final = "Small files by phase"
OURS: Final = "ours"
FLOOR: Final = "bare"
EVERY_S: Final = 0.002
LOOK_S: Final = 0.05
OTHER: Final = "event loop, and the rest"
PHASES: Final = {
    "told and logged": ("batch_converter/events.py", "batch_converter/logs/", "structlog/"),
    "steps recorded": (
        "storage/grouped_store.py",
        "orchestrator/calls.py",
        "batch_converter/ledger/",
        "bare.py:record",
        "bare.py:_wake",
    ),
    "waited for as planned": ("orchestrator/poll_schedule.py", "batch_converter/polling/"),
    "trips to the disk's threads": ("batch_converter/threads.py", "concurrent/futures/"),
    "submissions made": ("engine.py:submit", "aspose/upload.py", "base64_text.py", "bare.py:_sub"),
    "answers decoded": ("aspose/reading.py", "batch_converter/codec/", "bare.py:_fetch"),
    "requests counted, watched, tried again": ("engines/aspose/",),
    "requests in aiohttp": ("aiohttp/",),
    "documents driven": ("batch_converter/orchestrator/", "batch_converter/output/", "bare.py:_wo"),
}
"""Where in the code a phase is: a part of `FILE:FUNCTION`; the innermost frame decides."""

EXPLAINED: Final = (
    "Milliseconds of a processor for a file, of the run that `Scale` measures: DjVus of 30 kB and",
    "PDFs of 20 kB at an instant service. `loop` is the event loop's thread, by what its stack",
    "showed whenever the process had used two more milliseconds; the kernel's work is in it.",
    "`threads` work beside it and share the interpreter with it: those of the disk check the PDF,",
    "hash, flush and name it. DjVus are read in processes of their own, which `Scale` does not",
    "count; what these take to start is in it. `bare` is the floor of a durable converter.",
)

Spent = dict[str, float]


class LoopSampler:
    """Adds the loop's processor time to phases, whenever the process has used some more.

    A signal looks at the main thread where it is; another thread could only look where that
    gives the interpreter away. While the loop waits for events the time is kept for the next
    look: others have used what woke the signal, and the loop's was used before.

    Attributes:
        spent_s: By phase.
    """

    def __init__(self) -> None:
        self.spent_s: defaultdict[str, float] = defaultdict(float)
        self._known_s = 0.0

    def __enter__(self) -> Self:
        self._known_s = time.thread_time()
        signal.signal(signal.SIGPROF, self.look)
        signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def look(self, _number: int, frame: FrameType | None) -> None:
        """Add what was used since the last look to the phase of a frame."""
        if frame is None or frame.f_code.co_filename.endswith("/selectors.py"):
            return
        now_s = time.thread_time()
        self.spent_s[phase_of(frame)] += now_s - self._known_s
        self._known_s = now_s


class ThreadWatch(threading.Thread):
    """Knows what each other thread has used, even where it has ended.

    Attributes:
        spent_s: By name, and by the system's number.
    """

    def __init__(self) -> None:
        super().__init__(name="watch", daemon=True)
        self.spent_s: dict[tuple[str, int], float] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        """Look now and then."""
        while not self._ended.wait(LOOK_S):
            for thread in threading.enumerate():
                beside = thread not in {self, threading.main_thread()}
                if beside and thread.native_id is not None:
                    self._look(thread.name, thread.native_id)

    def _look(self, name: str, native_id: int) -> None:
        with suppress(OSError):  # it has ended
            text = Path(f"/proc/self/task/{native_id}/schedstat").read_text(encoding="ascii")
            self.spent_s[name, native_id] = int(text.split()[0]) / 1e9

    def end(self) -> Mapping[str, float]:
        """Look no more; returns what was used by threads of each name, without its number."""
        self._ended.set()
        self.join()
        together: defaultdict[str, float] = defaultdict(float)
        for (name, _), spent_s in self.spent_s.items():
            together[name.rstrip("_-0123456789")] += spent_s
        return together


def phase_of(frame: FrameType | None) -> str:
    """Return the phase of the innermost frame that has one."""
    while frame is not None:
        place = f"{frame.f_code.co_filename}:{frame.f_code.co_name}"
        for phase, parts in PHASES.items():
            if any(part in place for part in parts):
                return phase
        frame = frame.f_back
    return OTHER


def spend(name: str, source: Path, output: Path, url: str) -> Spent:
    """Have a candidate convert the archive, in this process; returns its seconds by place."""
    watch = ThreadWatch()
    run = convert(name)
    watch.start()
    with LoopSampler() as loop:
        run(source, output, url)
    readers = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = {f"loop: {phase}": loop.spent_s[phase] for phase in (*PHASES, OTHER)}
    spent_s |= {f"threads: {name}": used_s for name, used_s in sorted(watch.end().items())}
    return {**spent_s, "processes that read DjVu": readers.ru_utime + readers.ru_stime}


def measure(name: str, source: Path, output: Path, url: str) -> Spent:
    """Do the same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale.phases", "--of", name]
    done = subprocess.run(
        [*command, source, output, url], check=True, stdout=subprocess.PIPE, text=True
    )
    spent_s: Spent = json.loads(done.stdout)
    return spent_s


def table(ours_s: Spent, floor_s: Spent, files: int) -> Iterator[str]:
    """Yield the lines of the table: what each took, and which part of the difference that is."""
    over_s = sum(ours_s.values()) - sum(floor_s.values())
    yield f"| {files:,} files, CPU ms each | {OURS} | {FLOOR} | of what {OURS} takes more |"
    yield "| --- | --- | --- | --- |"
    for place in {**ours_s, **floor_s}:
        mine_s, other_s = ours_s.get(place, 0.0), floor_s.get(place, 0.0)
        yield (
            f"| {place} | {mine_s / files * 1e3:.3f} | {other_s / files * 1e3:.3f}"
            f" | {(mine_s - other_s) / over_s:.0%} |"
        )
    whole = (sum(spent_s.values()) / files * 1e3 for spent_s in (ours_s, floor_s))
    yield f"| all | {' | '.join(f'{each:.3f}' for each in whole)} | |"


def main() -> None:
    """Convert with each once, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--files", type=int, default=1_000)
    arguments.add_argument(
        "--of", nargs=4, metavar=("NAME", "SOURCE", "OUTPUT", "URL"), help=argparse.SUPPRESS
    )
    given = with_results(arguments).parse_args()
    if given.of:
        name, source, output, url = given.of
        print(json.dumps(spend(name, Path(source), Path(output), url)))
        return
    conditions = Conditions()
    with tempfile.TemporaryDirectory(prefix="scale-") as folder, service() as url:
        root = Path(folder)
        make_archive(root / "source", given.files)
        ours_s, floor_s = (
            measure(name, root / "source", root / name, url) for name in (OURS, FLOOR)
        )
    lines = table(ours_s, floor_s, given.files)
    publish(TITLE, "\n".join((*EXPLAINED, "", *lines)), conditions, given.results)


if __name__ == "__main__":
    main()
