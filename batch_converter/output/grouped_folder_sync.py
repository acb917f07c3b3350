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
    from pathlib import Path

    from batch_converter.threads import DiskThreads

_AT_ONCE: Final = 2

_GiveName = Callable[[], None]


@dataclass(slots=True)
class _Sync:
    """Names that are to be given before the folder is synced, and what came of it all."""

    names: list[_GiveName] = field(default_factory=list)
    done: anyio.Event = field(default_factory=anyio.Event)
    unnamed: Mapping[_GiveName, Exception] = field(default_factory=dict)
    unsynced: Exception | None = None


class GroupedFolderSync:
    """Gives names and syncs folders; all who wait for the same folder share a trip to a thread.

    A small PDF so costs a share of a trip, and of an fsync, in place of a trip of its own.
    """

    def __init__(self, threads: DiskThreads) -> None:
        self._threads = threads
        self._to_begin: dict[str, _Sync] = {}  # by str: to hash a `Path` it is taken to pieces
        self._turn = anyio.Semaphore(_AT_ONCE, fast_acquire=True)

    async def sync(self, folder: Path, give_name: _GiveName | None = None) -> None:
        """Return when every name that the folder has now, and the one given, is durable.

        To be shielded: others may wait for the same fsync.

        Args:
            folder: What is synced.
            give_name: Called first, in a thread; what it raises concerns nobody else.

        Raises:
            OutputError: There is no name, or the disk does not say that it lasts.
        """
        key = os.fspath(folder)
        shared = self._to_begin.get(key)
        is_first = shared is None
        if shared is None:
            shared = self._to_begin[key] = _Sync()
        if give_name is not None:
            shared.names.append(give_name)
        if is_first:
            await self._lead(folder, shared)
        else:
            await shared.done.wait()
        if give_name is not None and give_name in shared.unnamed:
            raise shared.unnamed[give_name]
        if (error := shared.unsynced) is not None:
            raise type(error)(*error.args) from error.__cause__

    async def _lead(self, folder: Path, shared: _Sync) -> None:
        async with self._turn:
            del self._to_begin[os.fspath(folder)]  # who comes from now on may be too late
            await self._threads.start(_name_and_sync, folder, shared)
        shared.done.set()


def _name_and_sync(folder: Path, shared: _Sync) -> None:
    attempts = {give_name: _attempt(give_name) for give_name in shared.names}
    shared.unnamed = {give_name: error for give_name, error in attempts.items() if error}
    shared.unsynced = _attempt(partial(_sync, folder))


def _attempt(act: Callable[[], None]) -> Exception | None:
    try:
        act()
    except Exception as error:  # noqa: BLE001  # raised again where it is waited for
        return error
    return None


def _sync(folder: Path) -> None:
    with writing(folder):
        sync_folder(folder)
