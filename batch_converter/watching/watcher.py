"""The watch itself: look, wait until what has arrived is quiet, convert it, and so on.

A batch is an ordinary run over what was taken up together. Between batches there is no run, no
engine and no process; where the system tells of changes nothing is asked until it does.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Generic, Protocol, TypedDict, TypeVar

import anyio
import anyio.to_thread

from batch_converter.errors import ExitCode, MachineExhaustedError
from batch_converter.events import WatchFinished, WatchStarted, WatchWaiting
from batch_converter.task_groups import unwrapped
from batch_converter.watching.batch import Batch
from batch_converter.watching.lookout import Lookout
from batch_converter.watching.parts import with_all_parts
from batch_converter.watching.settling import PASSED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from batch_converter.clock import Clock
    from batch_converter.events import RunEvent
    from batch_converter.models import RunSummary
    from batch_converter.orchestrator import Run, StopReason
    from batch_converter.watching.listening import Listen
    from batch_converter.watching.options import WatchOptions
    from batch_converter.watching.places import Places
    from batch_converter.watching.settling import Key, Look


class ConvertedBatch(Protocol):
    """What a watch may ask of a run that has ended; iterators block."""

    @property
    def summary(self) -> RunSummary:
        """Totals, calls and exit code."""
        ...

    def paths(self) -> Iterable[str]:
        """Yield the absolute paths of all sources that the run tells of."""
        ...

    def left_paths(self) -> Iterable[str]:
        """Yield the absolute paths of sources that another run would take up again."""
        ...

    def paths_of_many_files(self) -> Iterable[tuple[str, bool]]:
        """Yield the absolute paths of documents that change when other files do.

        True marks what failed, and may lack some of them.
        """
        ...


ReportT = TypeVar("ReportT", bound=ConvertedBatch)


class _Counts(TypedDict):
    """What is told of a watch in the end."""

    batches: int
    converted: int
    failed: int
    left: int


@dataclass(slots=True)
class Tally:
    """What a watch has done.

    Attributes:
        failed: Files that failed for good.
        billed: Calls.
        left: Files that had arrived when it ended, or were to be tried again.
    """

    batches: int = 0
    converted: int = 0
    failed: int = 0
    billed: int = 0
    left: int = 0

    def told(self) -> _Counts:
        """Return what is told of it in the end."""
        return {
            "batches": self.batches,
            "converted": self.converted,
            "failed": self.failed,
            "left": self.left,
        }

    def count(self, summary: RunSummary, *, left: int) -> None:
        """Count a run; what it has left is no failure yet."""
        self.batches += 1
        self.converted += summary.totals.converted
        self.failed += summary.totals.failed - (left - summary.totals.remaining)
        self.billed += summary.api_calls.billed


class Watcher(Generic[ReportT]):
    """One watch; `stop` may be called at any time from the event loop.

    Args:
        places: What is watched.
        options: How it looks and waits.
        clock: The time.
        emit: Told what happens.
        convert: Makes a run over what was taken up; the number is of the calls that earlier ones
            were billed.
        listen: Opens a listener; None where it is looked for changes now and then.
        after: Awaited after each batch with what came of it, and after each rescan with None.

    Attributes:
        tally: What it has done so far.
    """

    def __init__(
        self,
        places: Places,
        options: WatchOptions,
        *,
        clock: Clock,
        emit: Callable[[RunEvent], object],
        convert: Callable[[Batch, int], Awaitable[ReportT]],
        listen: Listen | None,
        after: Callable[[ReportT | None], Awaitable[object]],
    ) -> None:
        self._places = places
        self._options = options
        self._clock = clock
        self._emit = emit
        self._convert_batch = convert
        self._after = after
        self._wake = anyio.Event()
        self._lookout = Lookout(
            places, options, clock=clock, emit=emit, listen=listen, on_heard=self._on_heard
        )
        self._touched: set[str] = set()  # folders in which something new was converted
        self._old: set[Key] = set()  # what is to be taken up again, and is nothing new
        self._last: ReportT | None = None
        self._run: Run | None = None
        self._stopped_by: StopReason | None = None
        self._first_at_s: float | None = None
        self._arrivals_told = -1
        self.tally = Tally()

    def stop(self, reason: StopReason) -> None:
        """End the watch, and a run that goes on as a first signal does."""
        self._stopped_by = reason
        if self._run is not None:
            self._run.stop(reason)
        self._on_heard()

    @contextmanager
    def running(self, run: Run) -> Iterator[None]:
        """Stop this run too, once the watch is to end."""
        self._run = run
        if self._stopped_by is not None:
            run.stop(self._stopped_by)
        try:
            yield
        finally:
            self._run = None

    async def watch(self) -> ExitCode:
        """Convert what is there and what arrives, until `stop` or the service refuses the account.

        Raises:
            UsageError: A later run cannot begin: the place of a report has gone, say.
            RunStoppedError: The ledger cannot be written any more.
        """
        self._tell_started()
        with unwrapped():
            async with anyio.create_task_group() as tasks:
                self._lookout.begin(tasks)
                try:
                    code = await self._go_on()
                finally:
                    await self._lookout.end()
        self.tally.left = self._lookout.left
        self._emit(WatchFinished(exit_code=code, **self.tally.told()))
        return code

    def _tell_started(self) -> None:
        options = self._options
        self._emit(
            WatchStarted(
                sources=self._places.given,
                settle_s=options.settle_s,
                rescan_s=options.rescan_s,
                poll=options.poll,
            )
        )

    async def _go_on(self) -> ExitCode:
        self._first_at_s = self._clock.monotonic_s() + self._options.settle_s
        while self._stopped_by is None:
            await self._look()
            files = await self._lookout.ready()
            if files or self._is_first():
                code = await self._convert(files)
                if code is ExitCode.ACCOUNT_REFUSED and self._stopped_by is None:
                    return code
            else:
                await self._rest()
        return self._stopped_by.exit_code

    def _is_first(self) -> bool:
        """Whether it is time for the first run, files or none: earlier ones may have left work."""
        return self._clock.monotonic_s() >= self._first_due_s

    @property
    def _first_due_s(self) -> float:
        """When the first run begins at the latest; it waits for what is there, for a while."""
        if self._first_at_s is None:
            return inf
        patience_s = self._options.patience_s if self._lookout.is_waiting_for_files else 0.0
        return self._first_at_s + patience_s

    async def _look(self) -> None:
        is_rescan = self._lookout.is_rescan_due
        if is_rescan:
            self._take_up_again(await self._beside_new_files())
        await self._lookout.look()
        if is_rescan:
            await self._after(None)

    def _take_up_again(self, keys: set[Key]) -> None:
        self._old |= keys
        self._lookout.take_up_again(keys)

    async def _beside_new_files(self) -> set[Key]:
        """Return documents of many files in folders where files have arrived: parts, perhaps."""
        last, touched, self._touched = self._last, self._touched, set()
        if last is None or not touched:
            return set()
        known = await anyio.to_thread.run_sync(
            lambda: [one for one in last.paths_of_many_files() if _folder(one[0]) in touched]
        )
        try:
            completed = await with_all_parts([path for path, may_lack in known if may_lack])
        except MachineExhaustedError:
            self._touched |= touched
            completed = []
        paths = [path for path, may_lack in known if not may_lack] + completed
        return {key for path in paths for key in self._places.concerned(path)}

    async def _convert(self, files: Mapping[Key, Look]) -> ExitCode | None:
        roots: tuple[str, ...] = ()
        if self._first_at_s is not None:
            roots = await anyio.to_thread.run_sync(lambda: self._places.roots)
        self._first_at_s, self._arrivals_told = None, -1
        batch = Batch(places=self._places, files=files, roots=roots)
        report = self._last = await self._convert_batch(batch, self.tally.billed)
        self._touched |= {_folder(key.path) for key in files.keys() - self._old}
        self._old.difference_update(files)
        left = set(await anyio.to_thread.run_sync(lambda: tuple(report.left_paths())))
        self.tally.count(report.summary, left=len(left))
        self._take_up_again({key for key in files if key.path in left})
        if report.summary.exit_code is not ExitCode.OK:
            self._take_up_again(await anyio.to_thread.run_sync(_untold, report, batch))
        await self._lookout.look_again_at(batch.missed)
        await self._after(report)
        return report.summary.exit_code

    async def _rest(self) -> None:
        """Wait until somebody tells of a change, or something has been quiet for long enough."""
        lookout = self._lookout
        is_news = self._arrivals_told != lookout.arrivals
        if self._first_at_s is None and is_news and not lookout.is_waiting_for_files:
            self._arrivals_told = lookout.arrivals
            self._tell_waiting()
        if not lookout.has_changes:
            at_s = min(lookout.next_at_s, self._first_due_s)
            await self._clock.wait_until(at_s, self._wake)
        self._wake = anyio.Event()

    def _tell_waiting(self) -> None:
        self._emit(
            WatchWaiting(
                sources=len(self._places.given),
                folders=self._lookout.folders,
                converted=self.tally.converted,
                failed=self.tally.failed,
                left=self._lookout.left,
            )
        )

    def _on_heard(self) -> None:
        self._wake.set()


def _untold(report: ConvertedBatch, batch: Batch) -> set[Key]:
    """Return the files that a run which was stopped early has not even come to know."""
    told = {*report.paths(), *(key.path for key in batch.missed)}
    return {key for key, look in batch.files.items() if look != PASSED and key.path not in told}


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
