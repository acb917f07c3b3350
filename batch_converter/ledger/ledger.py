"""The ledger as the orchestrator writes it: each part of it in a module of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from batch_converter.ledger.calls import Calls
from batch_converter.ledger.connection import connect, connect_copy
from batch_converter.ledger.documents import Documents
from batch_converter.ledger.observations import Observations
from batch_converter.ledger.outputs import FoundFiles
from batch_converter.ledger.outstanding import Outstanding
from batch_converter.ledger.plan import Plan
from batch_converter.ledger.relocations import Relocations
from batch_converter.ledger.runs import Runs
from batch_converter.ledger.store import Store
from batch_converter.storage.reserve import Reserve

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self


class Ledger(Runs, Calls, FoundFiles, Plan, Documents, Outstanding, Relocations, Observations):
    """Durable truth about one state directory, for one run at a time.

    Every awaited method is on disk when it returns. `path` is the SQLite file.
    """

    def __init__(self, path: Path, store: Store) -> None:
        super().__init__(store)
        self.path = path

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open or create the ledger.

        Raises:
            LedgerError: It is damaged or newer; it was not touched.
        """
        connection = await anyio.to_thread.run_sync(lambda: connect(path, read_only=False))
        return cls(path, Store(connection, Reserve(path)))

    @classmethod
    async def open_copy(cls, path: Path) -> Self:
        """Open a copy of the ledger in memory, of an empty one where there is none.

        What is done to it is forgotten, so it is for a run that changes nothing.

        Raises:
            LedgerError: It cannot be read.
        """
        return cls(path, Store(await anyio.to_thread.run_sync(connect_copy, path)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._store.close()
