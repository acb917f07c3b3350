"""Sources whose PDF is whole, checked and recorded, moved out of the way (`--after move:DIR`).

It is done at the end of a run, when all indexes of a folder are known that a file may be a
part of. Each move is announced in the ledger before and recorded after, so that a run finds
what a dead one had begun.
"""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from batch_converter.events import FileMoved, FileNotMoved
from batch_converter.fault_points import reach
from batch_converter.orchestrator.families import families_in
from batch_converter.orchestrator.moving_groups import FolderView, MovingGroup, group_of
from batch_converter.orchestrator.obstacles import Obstacles
from batch_converter.storage import Relocation, file_status, finish, relocate
from batch_converter.task_groups import unwrapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

    from batch_converter.ledger import Keepable, Move
    from batch_converter.orchestrator.context import RunContext

_PAGE: Final = 256
_MOVED_AT_ONCE: Final = 4
_AWAY: Final = (
    "the run before was moving it to {}, which is not there now; see that its disk is mounted,"
    " and run again"
)


class SourceKeeper:
    """Moves the sources of a run, or says which it would move.

    Args:
        context: What the run shares.
        folder: Where they go.
        planned: Whether what is in line counts as converted: nothing is moved then.
        failing: Paths of what is in line and will fail.
    """

    def __init__(
        self,
        context: RunContext,
        folder: Path,
        *,
        planned: bool = False,
        failing: Collection[str] = (),
    ) -> None:
        self._context = context
        self._ledger = context.ledger
        self._folder = folder
        self._planned = planned
        self._failing = failing
        self._views: dict[str, FolderView] = {}
        self._decided: set[str] = set()
        self._obstacles = Obstacles(context.pdfs, sharded=context.settings.input.shard is not None)

    async def move_all(self, *, is_stopped: Callable[[], bool]) -> None:
        """Move what may be moved, and say of the rest why it stays.

        Args:
            is_stopped: Asked before each file; the next run moves the rest.

        Raises:
            LedgerWriteError: It cannot be recorded.
            MachineExhaustedError: No process can be started to read an index.
        """
        async for groups in self._pages():
            if is_stopped():
                return
            await self._announce_and_move(groups, is_stopped)
            self._obstacles.forget()

    async def foresee(self) -> tuple[int, Mapping[str, str]]:
        """Return how many sources would be moved, and why others would stay, by source."""
        count, stays = 0, dict[str, str]()
        async for groups in self._pages():
            for group in groups:
                if group.reason is None:
                    count += len(group.documents)
                else:
                    stays |= dict.fromkeys((d.source for d in group.documents), group.reason)
        return count, stays

    async def _pages(self) -> AsyncIterator[Sequence[MovingGroup]]:
        """Yield pages of what belongs together, with why it would stay, by path."""
        after = ""
        while page := await self._ledger.keepable(after, _PAGE, planned=self._planned):
            after = page[-1].path
            on_disk = [item for item in page if self._is_meant(item.path)]
            elsewhere = [item for item in page if not self._context.sources.is_on_disk(item.path)]
            for folder in dict.fromkeys(os.path.dirname(item.path) for item in on_disk):  # noqa: PTH120  # bytes kept
                await self._look_into(folder)
            groups = await self._context.preflight.run(self._grouped, on_disk)
            yield [*groups, *map(self._staying, elsewhere)]

    def _is_meant(self, path: str) -> bool:
        return path not in self._failing and self._context.sources.is_on_disk(path)

    async def _look_into(self, folder: str) -> None:
        if folder in self._views:
            return
        context = self._context
        known = await self._ledger.in_folder(folder)
        families = await context.preflight.run(
            families_in, folder, known, context.sources.disk_inspector
        )
        if not families:
            self._views[folder] = FolderView()
            return
        keepable = await self._ledger.keepable_below(folder, planned=self._planned)
        self._views[folder] = FolderView(
            families=families,
            documents=frozenset(known),
            keepable={path: item for path, item in keepable.items() if self._is_meant(path)},
        )

    def _staying(self, item: Keepable) -> MovingGroup:
        group = group_of(item, FolderView(), self._folder)
        return replace(group, reason="it lies in an object store, where nothing is moved")

    def _grouped(self, page: Sequence[Keepable]) -> list[MovingGroup]:
        groups = []
        for item in page:
            if item.path in self._decided:
                continue
            view = self._views[os.path.dirname(item.path)]  # noqa: PTH120  # bytes kept
            group = group_of(item, view, self._folder)
            self._decided |= {known.path for known in group.documents if view.families}
            reason = self._obstacles.of(group, view, self._context.sources.disk_inspector)
            if reason != Obstacles.THERE:
                groups.append(replace(group, reason=reason))
        return groups

    async def _announce_and_move(
        self, groups: Sequence[MovingGroup], is_stopped: Callable[[], bool]
    ) -> None:
        moving = {group.family.id: group.moves for group in groups if group.reason is None}
        await self._ledger.moving(moving)
        reach("source.announced")
        turns = anyio.Semaphore(_MOVED_AT_ONCE)
        with anyio.CancelScope(shield=True), unwrapped():
            async with anyio.create_task_group() as tasks:
                for group in groups:
                    tasks.start_soon(self._move_in_turn, group, turns, is_stopped)

    async def _move_in_turn(
        self, group: MovingGroup, turns: anyio.Semaphore, is_stopped: Callable[[], bool]
    ) -> None:
        async with turns:
            if is_stopped():
                await self._ledger.withdraw(group.family.id)
            else:
                await self._move(group)

    async def _move(self, group: MovingGroup) -> None:
        reason, withdraw = group.reason, True
        if reason is None:
            reason, withdraw = await self._context.threads.run(_moved, group)
        if reason is None:
            await record_moved(self._context, group.family.id, group.moves)
            for item, move in group.with_moves():
                self._tell_moved(item, move)
            return
        reasons = dict.fromkeys((item.id for item in group.documents), f"not moved: {reason}")
        await self._ledger.not_moved(group.family.id, reasons, withdraw=withdraw)
        for item in group.documents:
            self._context.events.emit(FileNotMoved(source=item.source, reason=reason))

    def _tell_moved(self, item: Keepable, move: Move) -> None:
        self._context.events.emit(FileMoved(source=item.source, moved_to=move.target))


async def finish_moves(context: RunContext) -> None:
    """Bring to an end what dead runs had begun to move; what they had not is decided anew.

    Raises:
        LedgerWriteError: It cannot be recorded.
    """
    for family, moves in (await context.ledger.open_moves()).items():
        named = moves[0]
        source = os.path.basename(named.source)  # noqa: PTH119  # bytes kept
        try:
            is_done = await context.threads.run(_finished, moves)
        except OSError as error:
            reason = f"{_where(error, named)}: {error.strerror}"
            context.events.emit(FileNotMoved(source=source, reason=reason))
            continue
        if not is_done:
            await context.ledger.withdraw(family)
            continue
        await record_moved(context, family, moves)
        for move in moves:
            if move.document is not None:
                name = os.path.basename(move.source)  # noqa: PTH119  # bytes kept
                context.events.emit(FileMoved(source=name, moved_to=move.target))


async def record_moved(context: RunContext, family: int, moves: Sequence[Move]) -> None:
    """Record that files are where they belong, and what they look like there."""
    reach("source.moved")
    looks = await context.threads.run(_looks, moves)
    await context.ledger.moved(family, moves, looks)
    reach("source.recorded")


def _moved(group: MovingGroup) -> tuple[str | None, bool]:
    """Move files; return why they stay, and whether none of them has gone."""
    files = group.relocations()
    try:
        relocate(files)
    except FileExistsError as error:
        return f"{error.filename} is there already", True
    except OSError as error:
        is_whole = all(os.path.lexists(file.source) for file in files)
        what = f"{_where(error, group.moves[0])}: {error.strerror}"
        return (what if is_whole else f"{what}; the next run goes on from there"), is_whole
    return None, True


def _where(error: OSError, move: Move) -> str:
    name = error.filename2 or error.filename or move.target
    return os.fsdecode(name) if isinstance(name, bytes | str) else move.target


def _finished(moves: Sequence[Move]) -> bool:
    folder = Path(moves[0].folder)
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, _AWAY.format(folder), os.fspath(folder))
    return finish([Relocation(source=Path(m.source), target=Path(m.target)) for m in moves])


def _looks(moves: Sequence[Move]) -> dict[str, tuple[int, int]]:
    looks: dict[str, tuple[int, int]] = {}
    for move in moves:
        try:
            status = file_status(move.target)
        except OSError:
            continue  # somebody has taken it on; where it went is not ours to know
        looks[move.target] = status.size_bytes, status.mtime_ns
    return looks
