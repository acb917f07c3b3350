"""What has arrived: heard or found, looked at until it is quiet, and then handed over once."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

import anyio.lowlevel
import anyio.to_thread

from batch_converter.events import FileArrived, WatchRescanned
from batch_converter.watching.hearing import Hearing
from batch_converter.watching.lost import LostSources
from batch_converter.watching.settling import Settling, Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from anyio.abc import TaskGroup

    from batch_converter.clock import Clock
    from batch_converter.events import RunEvent
    from batch_converter.watching.listening import Change, Listen
    from batch_converter.watching.options import WatchOptions
    from batch_converter.watching.places import Places
    from batch_converter.watching.settling import Key, Look

_LEISURE: Final = 20
"""So many times as long as it took, nothing is looked through again."""

_LEAST_BETWEEN_S: Final = 0.25
_PAGE: Final = 1_000


class Lookout:
    """Notices files, and knows which were handed over.

    Args:
        places: What is watched.
        options: How it looks and waits.
        clock: The time.
        emit: Told what happens.
        listen: Opens a listener; None where it is looked for changes now and then.
        on_heard: Called when something was heard.

    Attributes:
        arrivals: Files that were noticed so far.
        folders: Those that are watched.
    """

    def __init__(
        self,
        places: Places,
        options: WatchOptions,
        *,
        clock: Clock,
        emit: Callable[[RunEvent], object],
        listen: Listen | None,
        on_heard: Callable[[], object],
    ) -> None:
        self._places = places
        self._options = options
        self._clock = clock
        self._emit = emit
        self._hearing = Hearing(listen, on_heard, emit, poll_s=options.poll_s)
        self._lost = LostSources(emit)
        self._settling = Settling(options)
        self._taken = Taken()
        self._again: set[Key] = set()
        self._scan_at_s = -inf
        self._scanned_s = -inf
        self._scan_took_s = 0.0
        self._rescan_at_s = clock.monotonic_s() + options.rescan_s
        self.arrivals = 0
        self.folders = 0

    @property
    def is_waiting_for_files(self) -> bool:
        """Whether a file that was noticed is not quiet yet."""
        return bool(self._settling)

    @property
    def left(self) -> int:
        """Files that were noticed and not handed over, or are to be once more."""
        return len(self._settling) + len(self._again)

    @property
    def has_changes(self) -> bool:
        """Whether something was heard and not looked at."""
        return self._hearing.has_changes

    @property
    def is_rescan_due(self) -> bool:
        """Whether `look` will look at everything, and for what is to be taken up again."""
        return self._clock.monotonic_s() >= self._rescan_at_s

    @property
    def next_at_s(self) -> float:
        """When there is something to do, if nothing is heard before."""
        return min(self._settling.next_at_s, self._scan_at_s, self._rescan_at_s)

    def begin(self, tasks: TaskGroup) -> None:
        """Listen in this task group from now on."""
        self._hearing.begin(tasks)

    async def end(self) -> None:
        """Listen no more."""
        await self._hearing.end()

    def take_up_again(self, keys: Collection[Key]) -> None:
        """Have files be handed over at the next rescan, or earlier where they change."""
        self._again.update(keys)

    async def look(self) -> None:
        """Look at what was heard to change, or at everything where it is time."""
        if self._hearing.is_stale:
            self._scan_at_s = min(self._scan_at_s, self._leisurely_s())
        if self._clock.monotonic_s() >= min(self._scan_at_s, self._rescan_at_s):
            await self._scan(is_rescan=self.is_rescan_due)
        else:
            await self._look_at(self._hearing.take())

    async def look_again_at(self, keys: Collection[Key]) -> None:
        """Look at files that changed between being handed over and being converted."""
        for key, look in (await self._looks(keys)).items():
            self._taken.forget(key)
            if look is not None:
                self._see(key, look)

    async def ready(self) -> Mapping[Key, Look]:
        """Return what is handed over: what looks as it did when it was last looked at."""
        now_s = self._clock.monotonic_s()
        if not (ready := self._settling.ready(now_s)):
            return {}
        for key, look in (await self._looks(ready)).items():
            if look is None:
                self._settling.forget(key)
            else:
                self._settling.see(key, look, at_s=now_s)
        files = self._settling.take(now_s)
        self._again.difference_update(files)
        for key, look in files.items():
            self._taken.add(key, look)
        return files

    async def _scan(self, *, is_rescan: bool) -> None:
        """Look at everything; where folders have come or gone, listen to those there are."""
        began_s = self._clock.monotonic_s()
        again: frozenset[Key] = frozenset()
        if is_rescan:
            again, self._again = frozenset(self._again), set()
        arrived = await self._scanned(again, retry=is_rescan)
        self._scanned_s = self._clock.monotonic_s()
        self._scan_took_s = self._scanned_s - began_s
        if is_rescan:
            self._rescan_at_s = max(began_s + self._options.rescan_s, self._leisurely_s())
            self._emit(WatchRescanned(arrived=arrived))
        self._scan_at_s = inf
        if not self._hearing.hears or self._lost:
            self._scan_at_s = max(self._scanned_s + self._options.poll_s, self._leisurely_s())

    async def _scanned(self, again: Collection[Key], *, retry: bool) -> int:
        """Return how many files had not been noticed."""
        self._hearing.take()  # the scan sees what it was about
        scan = await anyio.to_thread.run_sync(self._places.scan, self._taken, again)
        if await self._hearing.follow(scan.folders, retry=retry):
            # What came before it was listened to.
            scan = await anyio.to_thread.run_sync(self._places.scan, self._taken, again)
            self._hearing.compare(scan.folders)
        self._taken, self.folders = scan.taken, len(scan.folders)
        if self._lost.note(scan.lost):
            self._rescan_at_s = -inf  # what failed while a source was away is tried again
        arrived = 0
        for count, (key, look) in enumerate(scan.fresh):
            arrived += self._see(key, look)
            if count % _PAGE == 0:  # signals are heard between hundreds of thousands
                await anyio.lowlevel.checkpoint()
        return arrived

    def _leisurely_s(self) -> float:
        """Return when everything may be looked at again."""
        return self._scanned_s + max(_LEAST_BETWEEN_S, _LEISURE * self._scan_took_s)

    async def _look_at(self, changes: Collection[Change]) -> None:
        if not changes:
            return
        places, paths = self._places, {change.path for change in changes}
        if await anyio.to_thread.run_sync(lambda: any(map(places.changes_folders, paths))):
            self._hearing.doubt()
        written = {change.path for change in changes if change.is_written}
        keys = {key for path in paths for key in places.concerned(path)}
        for key, look in (await self._looks(keys)).items():
            if look is None:
                self._settling.forget(key)
                self._taken.forget(key)
                self._again.discard(key)
            elif key in self._again or not self._taken.has(key, look):
                self._see(key, look, is_written=key.path in written)

    async def _looks(self, keys: Collection[Key]) -> Mapping[Key, Look | None]:
        return await anyio.to_thread.run_sync(self._places.looks, keys) if keys else {}

    def _see(self, key: Key, look: Look, *, is_written: bool = False) -> bool:
        at_s, quiet_s = self._clock.monotonic_s(), 0.0
        if self._hearing.hears and look.size_bytes >= 0:
            quiet_s = self._clock.now().timestamp() - look.mtime_ns / 1e9
        is_new = self._settling.see(key, look, at_s=at_s, quiet_s=quiet_s, is_written=is_written)
        if is_new:
            self.arrivals += 1
            self._emit(FileArrived(source=self._places.below(key), bytes=max(0, look.size_bytes)))
        return is_new
