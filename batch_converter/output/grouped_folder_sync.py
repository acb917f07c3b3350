"""One fsync of a folder for all PDFs that got their names in it meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio

from batch_converter.errors import OutputError
from batch_converter.output.files import writing
from batch_converter.storage import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.threads import DiskThreads

_AT_ONCE: Final = 2


@dataclass(slots=True)
class _Sync:
    done: anyio.Event = field(default_factory=anyio.Event)
    error: OutputError | None = None


class GroupedFolderSync:
    """Syncs folders; all who wait for the same one share the next fsync that begins."""

    def __init__(self, threads: DiskThreads) -> None:
        self._threads = threads
        self._to_begin: dict[Path, _Sync] = {}
        self._turn = anyio.Semaphore(_AT_ONCE)

    async def sync(self, folder: Path) -> None:
        """Return when every name that the folder has now is durable.

        To be shielded: others may wait for the same fsync.

        Raises:
            OutputError: The disk does not say so.
        """
        shared = self._to_begin.get(folder)
        if shared is not None:
            await shared.done.wait()
        else:
            shared = self._to_begin[folder] = _Sync()
            await self._lead(folder, shared)
        if shared.error is not None:
            raise type(shared.error)(*shared.error.args) from shared.error.__cause__

    async def _lead(self, folder: Path, shared: _Sync) -> None:
        async with self._turn:
            del self._to_begin[folder]  # who comes from now on may be too late for this one
            shared.error = await self._threads.start(_sync, folder)
        shared.done.set()


def _sync(folder: Path) -> OutputError | None:
    try:
        with writing(folder):
            sync_folder(folder)
    except OutputError as error:
        return error
    return None
