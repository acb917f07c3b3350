"""A watch over real files, with an ear that a test whispers to and a clock that a test moves."""

from __future__ import annotations

import os
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import anyio.to_thread

from batch_converter.config import Settings
from batch_converter.discovery import Passed
from batch_converter.errors import ExitCode
from batch_converter.models import ApiCalls, RunSummary, Totals
from batch_converter.watching.listening import Change
from batch_converter.watching.options import WatchOptions
from batch_converter.watching.places import Places
from batch_converter.watching.watcher import Watcher
from tests.support.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection
    from pathlib import Path

    from batch_converter.discovery import Found
    from batch_converter.events import RunEvent
    from batch_converter.watching.batch import Batch


class RestClock(ManualClock):
    """Tells a test when the watch rests, and until when."""

    def __init__(self) -> None:
        super().__init__()
        self.until_s = 0.0
        self.resting = anyio.Event()

    async def wait_until(self, at_s: float, wake: anyio.Event) -> None:
        if at_s <= self.at_s or wake.is_set():
            await anyio.lowlevel.checkpoint()
            return
        self.until_s = at_s
        self.resting.set()
        await super().wait_until(at_s, wake)

    async def rests(self) -> float:
        """Wait until the watch rests; return for how long it would."""
        await self.resting.wait()
        return self.until_s - self.at_s

    async def pass_by(self, seconds: float) -> None:
        """Let time pass, and the watch do what it does then."""
        await self.rests()
        if self.at_s + seconds >= self.until_s:
            self.resting = anyio.Event()
        self.advance(seconds)
        await self.rests()


class WhisperedListener:
    """Hears what a test says."""

    def __init__(self) -> None:
        self._said: deque[frozenset[Change] | None] = deque()
        self._is_said = anyio.Event()

    def say(self, changes: frozenset[Change] | None) -> None:
        self._said.append(changes)
        self._is_said.set()

    async def changes(self) -> frozenset[Change] | None:
        while not self._said:
            self._is_said = anyio.Event()
            await self._is_said.wait()
        return self._said.popleft()

    async def aclose(self) -> None:
        self.say(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a run made of its batch."""

    summary: RunSummary
    told: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    many: tuple[tuple[str, bool], ...] = ()

    def paths(self) -> tuple[str, ...]:
        return self.told

    def left_paths(self) -> tuple[str, ...]:
        return self.left

    def paths_of_many_files(self) -> tuple[tuple[str, bool], ...]:
        return self.many


@dataclass(slots=True)
class WatchStage:
    """A watch of one folder, or of what `given` says.

    Attributes:
        batches: What each run was given, by path below its source.
        roots: In what each looked for vanished files.
        billed: What each was told of calls before it.
        during: Called while a run goes on.
        left: Files that a run leaves, or fails at in passing; by their paths.
        untold: Files that a run stops before; likewise.
        many: Documents of many files, by their paths, and whether each failed.
        refusal: Raised where somebody wants to listen.
        folders: Listened to, of each time.
        rescans: Rescans so far.
    """

    source: Path
    given: tuple[str, ...] = ()
    options: WatchOptions = field(default_factory=WatchOptions)
    settings: Settings = field(default_factory=Settings)
    excluded: tuple[str, ...] = ()
    clock: RestClock = field(default_factory=RestClock)
    events: list[RunEvent] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    roots: list[tuple[str, ...]] = field(default_factory=list)
    billed: list[int] = field(default_factory=list)
    during: Callable[[], object] = lambda: None
    left: set[str] = field(default_factory=set)
    untold: set[str] = field(default_factory=set)
    many: tuple[tuple[str, bool], ...] = ()
    exit_code: ExitCode = ExitCode.OK
    refusal: Exception | None = None
    folders: list[set[str]] = field(default_factory=list)
    rescans: int = 0
    code: ExitCode | None = None
    watcher: Watcher[Done] | None = None
    ear: WhisperedListener | None = None

    def write(self, name: str, text: str = "x", *, age_s: float = 0.0) -> Path:
        """Write a file that was last changed so long ago."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        at_s = self.clock.now().timestamp() - age_s
        os.utime(path, (at_s, at_s))
        return path

    async def hear(self, *paths: Path, is_written: bool = False) -> None:
        """Have the watch hear of changes, and look at them."""
        await self.clock.rests()
        assert self.ear is not None
        self.clock.resting = anyio.Event()
        self.ear.say(frozenset(Change(os.fspath(path), is_written) for path in paths))
        await self.clock.rests()

    async def miss(self) -> None:
        """Have it hear something that cannot be told."""
        await self.clock.rests()
        assert self.ear is not None
        self.clock.resting = anyio.Event()
        self.ear.say(None)
        await self.clock.rests()

    def told(self, name: str) -> list[RunEvent]:
        """Return the events of a name."""
        return [event for event in self.events if event.name == name]

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[WatchStage]:
        """Watch until the block ends."""
        given = self.given or (os.fspath(self.source),)
        places = await anyio.to_thread.run_sync(self._places, given)
        self.watcher = Watcher(
            places,
            self.options,
            clock=self.clock,
            emit=self.events.append,
            convert=self._convert,
            listen=None if self.options.poll else self._listen,
            after=self._after,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch)
            yield self
            tasks.cancel_scope.cancel()

    def _places(self, given: tuple[str, ...]) -> Places:
        return Places(given, self.settings.input, excluded_dirs=self.excluded, now=self.clock.now)

    async def _watch(self) -> None:
        assert self.watcher is not None
        self.code = await self.watcher.watch()
        self.clock.resting.set()

    async def _listen(self, folders: Collection[str]) -> WhisperedListener:
        if self.refusal is not None:
            raise self.refusal
        self.folders.append({_below(self.source, folder) for folder in folders})
        self.ear = WhisperedListener()
        return self.ear

    async def _convert(self, batch: Batch, billed: int) -> Done:
        await anyio.to_thread.run_sync(self.during)
        found = await anyio.to_thread.run_sync(
            lambda: list(batch.places.feed(batch.files, batch.missed))
        )
        self.batches.append(sorted(one.source for one in found))
        self.roots.append(batch.roots)
        self.billed.append(billed)
        told = [one for one in found if one.path not in self.untold]
        left = tuple(one.path for one in told if one.path in self.left)
        paths = tuple(one.path for one in told if not isinstance(one, Passed))
        return Done(summary=self._summary(told, left), told=paths, left=left, many=self.many)

    def _summary(self, found: list[Found], left: tuple[str, ...]) -> RunSummary:
        totals = Totals(found=len(found), converted=len(found) - len(left), failed=len(left))
        return RunSummary(
            run_id="r",
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            finished_at=None,
            engine="fake",
            exit_code=self.exit_code,
            totals=totals,
            api_calls=ApiCalls(submit=len(found)),
        )

    async def _after(self, report: Done | None) -> None:
        self.rescans += report is None


def _below(source: Path, folder: str) -> str:
    return folder.removeprefix(f"{source}").lstrip("/") or "."
