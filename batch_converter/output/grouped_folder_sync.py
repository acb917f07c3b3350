"""One fsync of a folder for all PDFs that got their names in it meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from batch_converter.output.files import writing
from batch_converter.storage import sync_folder

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from batch_converter.threads import DiskThreads

_AT_ONCE: Final = 2

_GiveName = Callable[[], None]


@dataclass(slots=True)
class _Sync:
    """Names that are to be given before a folder is synced, and what came of it all."""

    folder: Path
    names: list[_GiveName] = field(default_factory=list)
    done: anyio.Event = field(default_factory=anyio.Event)
    unnamed: Mapping[_GiveName, Exception] = field(default_factory=dict)
    unsynced: BaseException | None = None


class GroupedFolderSync:
    """Gives names and syncs folders; all who wait for the same folder share a trip to a thread.

    A small PDF so costs a share of a trip, and of an fsync, in place of a trip of its own.
    Nobody who waits leads the others: a trip is begun by whoever comes while there is a
    turn, else by the end of another trip, so that none hangs on a task that may be cancelled.
    """

    def __init__(self, threads: DiskThreads) -> None:
        self._threads = threads
        self._to_begin: dict[str, _Sync] = {}  # by str: to hash a `Path` it is taken to pieces
        self._under_way = 0

    async def sync(self, folder: Path, give_name: _GiveName | None = None) -> None:
        """Return when every name that the folder has now, and the one given, is durable.

        To be shielded: the name is given, too, when nobody waits for it any more.

        Args:
            folder: What is synced.
            give_name: Called first, in a thread; what it raises concerns nobody else.

        Raises:
            OutputError: There is no name, or the disk does not say that it lasts.
        """
        key = os.fspath(folder)
        shared = self._to_begin.get(key)
        if shared is None:
            shared = self._to_begin[key] = _Sync(folder)
        if give_name is not None:
            shared.names.append(give_name)
        self._begin()
        await shared.done.wait()
        if give_name is not None and give_name in shared.unnamed:
            raise shared.unnamed[give_name]
        if (error := shared.unsynced) is not None:
            raise type(error)(*error.args) from error.__cause__

    def _begin(self) -> None:
        """Sync those folders that have waited longest, as many as have a turn."""
        while self._to_begin and self._under_way < _AT_ONCE:
            # Who comes from now on may be too late, and waits for the next.
            shared = self._to_begin.pop(next(iter(self._to_begin)))
            trip = self._threads.start(_name_and_sync, shared)
            self._under_way += 1
            trip.add_done_callback(partial(self._end, shared))

    def _end(self, shared: _Sync, trip: asyncio.Future[None]) -> None:
        self._under_way -= 1
        shared.unsynced = trip.exception()
        shared.done.set()
        self._begin()


def _name_and_sync(shared: _Sync) -> None:
    attempts = {give_name: _attempt(give_name) for give_name in shared.names}
    shared.unnamed = {give_name: error for give_name, error in attempts.items() if error}
    with writing(shared.folder):
        sync_folder(shared.folder)


def _attempt(act: Callable[[], None]) -> Exception | None:
    try:
        act()
    except Exception as error:  # noqa: BLE001  # raised again where it is waited for
        return error
    return None
