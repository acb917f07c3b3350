"""Documents that were accepted: each change is on disk before anybody is told of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import anyio.to_thread
import structlog

from batch_converter.errors import QueueWriteError
from batch_converter.server.queue.changes import Changes
from batch_converter.server.queue.database import connect, query
from batch_converter.server.queue.documents import (
    MOVES,
    DocumentState,
    document_of,
    values_of,
)
from batch_converter.server.queue.reader import DocumentReader, all_rows, by_id, found
from batch_converter.server.queue.totals import Totals
from batch_converter.storage.grouped_store import GroupedStore
from batch_converter.storage.reserve import Reserve

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from batch_converter.server.queue.documents import QueuedDocument

_log = structlog.get_logger()

_AT_ONCE: Final = 500
_S = DocumentState
T = TypeVar("T")
_ANY: Final = frozenset(DocumentState)

Change = tuple["QueuedDocument", "QueuedDocument"]
"""A document before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document on its way in; see `QueuedDocument`."""

    id: str
    owner: str
    submitted_at: datetime
    size_bytes: int
    name: str = ""
    state: DocumentState = DocumentState.WAITING
    received_bytes: int = 0
    mtime_ns: int = 0
    sha256: str | None = None
    keeps_source: bool = False


class DocumentQueue(DocumentReader):
    """The rows of one service; what is awaited is on disk when it returns.

    Attributes:
        totals: How many documents stand where.
        changes: Who is told of changes.
    """

    def __init__(self, store: GroupedStore, totals: Totals, latest: int) -> None:
        super().__init__(store, totals)
        self._sequences = count(latest + 1)
        self.sequence = latest
        self.changes = Changes(latest)
        self._served = ""

    @classmethod
    async def open(cls, path: Path, *, since: int = 0) -> Self:
        """Open the queue, or make it; conversions that a dead service had begun wait again.

        Args:
            path: Its file.
            since: What sequence numbers are to be greater than: what is removed has no row, so
                the rows alone would give out numbers again that an earlier service has told.

        Raises:
            UsageError: It cannot be used.
            QueueWriteError: It cannot be written.
        """
        connection = await anyio.to_thread.run_sync(connect, path)
        store = GroupedStore(connection, name="queue", lost=_lost, reserve=Reserve(path))
        try:
            totals, latest = await store.execute(_recovered)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await store.close()
            raise
        return cls(store, totals, max(since, latest))

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

    # What changes documents

    async def add(self, new: NewDocument) -> QueuedDocument:
        """Take a document in.

        Raises:
            QueueWriteError: It cannot be recorded: it was not accepted.
        """
        values = {name: getattr(new, name) for name in NewDocument.__slots__}
        values |= {"submitted_at": new.submitted_at.timestamp()}

        def add(connection: sqlite3.Connection) -> QueuedDocument:
            # Numbered within the transaction: in the order in which others can see the rows.
            connection.execute(query("add"), values | {"sequence": next(self._sequences)})
            return by_id(connection, new.id)

        document = await self._recorded(add)
        self._note(None, document)
        return document

    async def change(
        self,
        document_id: str,
        to: DocumentState,
        *,
        only_from: AbstractSet[DocumentState] = _ANY,
        **changes: object,
    ) -> QueuedDocument | None:
        """Move a document and set what else has changed; None where it may not move, or is gone.

        Args:
            document_id: Which.
            to: Its new state.
            only_from: The states that it may be moved from, where not all of `MOVES` will do.
            changes: What else its row says from then on.

        Raises:
            QueueWriteError: It cannot be recorded.
        """

        def change(connection: sqlite3.Connection) -> Change | None:
            before = found(connection, document_id)
            if before is None or before.state not in only_from or to not in MOVES[before.state]:
                return None
            return before, self._save(connection, before, state=to, **changes)

        return self._noted(await self._recorded(change))

    async def claim(self, at: datetime, *, only_unserved: bool = False) -> QueuedDocument | None:
        """Take the next document to be converted; owners take turns.

        Args:
            at: Now.
            only_unserved: Of an owner of whom none is being converted, or none at all.

        Raises:
            QueueWriteError: It cannot be recorded.
        """

        def claim(connection: sqlite3.Connection) -> Change | None:
            before = self._next(connection, only_unserved=only_unserved)
            if before is None:
                return None
            self._served = before.owner
            begun = {"started_at": at, "ended_at": None, "attempts": before.attempts + 1}
            return before, self._save(connection, before, state=_S.CONVERTING, **begun)

        return self._noted(await self._recorded(claim))

    def _next(
        self, connection: sqlite3.Connection, *, only_unserved: bool
    ) -> QueuedDocument | None:
        owners = query("next_unserved_owner_after" if only_unserved else "next_owner_after")
        for after in (self._served, ""):
            owner = connection.execute(owners, {"after": after}).fetchone()
            if owner["owner"] is not None:
                row = connection.execute(query("next_of_owner"), dict(owner)).fetchone()
                return document_of(row)
        return None

    async def put_back(self, document: QueuedDocument, *, crashed: bool) -> None:
        """Let a document wait again whose conversion ended without a verdict.

        Raises:
            QueueWriteError: It cannot be recorded.
        """
        crashes = document.crashes + crashed
        await self.change(
            document.id,
            _S.WAITING,
            only_from={_S.CONVERTING},  # not what was cancelled meanwhile
            started_at=None,
            crashes=crashes,
        )

    async def remove(
        self, wanted: Callable[[sqlite3.Connection], Sequence[QueuedDocument]]
    ) -> Sequence[QueuedDocument]:
        """Remove documents; returns them, so that their files can follow.

        Raises:
            QueueWriteError: It cannot be recorded.
        """

        def remove(connection: sqlite3.Connection) -> Sequence[QueuedDocument]:
            documents = wanted(connection)
            for document in documents:
                connection.execute(query("remove"), {"number": document.number})
            return documents

        removed = await self._recorded(remove)
        for document in removed:
            self.totals.change(document, None)
            self.sequence = next(self._sequences)
            self.changes.removed(document, self.sequence)
        return removed

    async def remove_one(
        self, document_id: str, *, only_from: AbstractSet[DocumentState] = _ANY
    ) -> QueuedDocument | None:
        """Remove one document; None where it is gone already, or in another state."""

        def wanted(connection: sqlite3.Connection) -> Sequence[QueuedDocument]:
            document = found(connection, document_id)
            return [] if document is None or document.state not in only_from else [document]

        return next(iter(await self.remove(wanted)), None)

    async def remove_submitted_before(self, moment: datetime) -> Sequence[QueuedDocument]:
        """Remove some of the documents that were accepted before, the oldest first."""
        values = {"before": moment.timestamp(), "limit": _AT_ONCE}
        return await self.remove(
            lambda connection: all_rows(connection, "submitted_before", values)
        )

    async def remove_uploads_idle_since(self, moment: datetime) -> Sequence[QueuedDocument]:
        """Remove some of the unfinished uploads of which nothing has come since then."""
        values = {"before": moment.timestamp(), "limit": _AT_ONCE}
        return await self.remove(partial(all_rows, name="idle_uploads", values=values))

    async def mark_fetched(self, document: QueuedDocument) -> None:
        """Note that a client has seen the document's end.

        Where that cannot be recorded it is told in the log: the client has what it has come for.
        """
        if document.is_fetched:
            return
        try:
            await self.change(document.id, document.state, is_fetched=True)
        except QueueWriteError as error:
            _log.warning("server.fetch_not_noted", task_id=document.id, message=str(error))

    # Within a transaction, and after it

    async def _recorded(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Have it done and hear of it: what is recorded is recorded, whoever has gone meanwhile."""
        with anyio.CancelScope(shield=True):
            result = await self._store.execute(operation)
        return result  # noqa: RET504  # within the scope, mypy would miss a return after it

    def _save(
        self,
        connection: sqlite3.Connection,
        before: QueuedDocument,
        **changes: Any,  # noqa: ANN401  # one type a column
    ) -> QueuedDocument:
        after = replace(before, sequence=next(self._sequences), **changes)
        connection.execute(query("save"), values_of(after))
        return after

    def _noted(self, change: Change | None) -> QueuedDocument | None:
        if change is None:
            return None
        self._note(*change)
        return change[1]

    def _note(self, before: QueuedDocument | None, after: QueuedDocument) -> None:
        self.totals.change(before, after)
        self.sequence = max(self.sequence, after.sequence)
        self.changes.changed(after.owner)


def _recovered(connection: sqlite3.Connection) -> tuple[Totals, int]:
    """Have what was being converted wait again; return the totals and the latest sequence.

    They are summed up by SQLite: thousands of rows made objects would hold up the start.
    """
    for before in all_rows(connection, "in_state", {"state": _S.CONVERTING}):
        after = replace(before, state=_S.WAITING, started_at=None)
        connection.execute(query("save"), values_of(after))
    totals = Totals()
    for row in connection.execute(query("sums")):
        totals.add(**(dict(row) | {"state": DocumentState(row["state"])}))
    return totals, connection.execute(query("latest_sequence")).fetchone()["sequence"]


def _lost(reason: str, advice: str) -> QueueWriteError:
    return QueueWriteError(f"the queue cannot be written ({reason}). {advice}")
