"""What is asked of the queue's rows; nothing here changes any."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from batch_converter.naming import folded
from batch_converter.server.queue.database import query
from batch_converter.server.queue.documents import DocumentState, document_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from batch_converter.server.queue.documents import QueuedDocument
    from batch_converter.server.queue.totals import Totals
    from batch_converter.storage.grouped_store import GroupedStore


class Standing(NamedTuple):
    """What tells which of a document's files are wanted."""

    id: str
    state: DocumentState
    keeps_source: bool


class DocumentReader:
    """Answers from the rows, one question a trip to the queue's thread.

    Attributes:
        totals: How many documents stand where.
    """

    def __init__(self, store: GroupedStore, totals: Totals) -> None:
        self._store = store
        self.totals = totals

    async def find(self, document_id: str, owner: str) -> QueuedDocument | None:
        """Return a document of this owner's."""
        document = await self._store.execute(lambda connection: found(connection, document_id))
        return document if document is not None and document.owner == owner else None

    async def page(  # one parameter a condition
        self, owner: str, *, offset: int, limit: int, text: str = "", state: str = ""
    ) -> tuple[Sequence[QueuedDocument], int]:
        """Return some of an owner's documents, oldest first, and how many there are in all.

        Args:
            owner: Whose.
            offset: How many are left out before.
            limit: The most that are returned.
            text: A piece of the name, in any case.
            state: Only those in this state.
        """
        values: dict[str, object] = {"owner": owner, "state": state}
        values |= {"offset": offset, "limit": limit, "filter": folded(text)}

        def page(connection: sqlite3.Connection) -> tuple[Sequence[QueuedDocument], int]:
            (total,) = connection.execute(query("page_total"), values).fetchone()
            return all_rows(connection, "page", values), int(total)

        return await self._store.execute(page)

    async def of_owner(self, owner: str, *, after: int, limit: int) -> Sequence[QueuedDocument]:
        """Return an owner's documents whose number is greater, in order."""
        return await self._ask("of_owner_after", owner=owner, after=after, limit=limit)

    async def changed(self, owner: str, *, after: int, limit: int) -> Sequence[QueuedDocument]:
        """Return an owner's documents that changed after a sequence number, in order."""
        return await self._ask("changed_after", owner=owner, after=after, limit=limit)

    async def same_bytes(
        self, owner: str, sha256: str, size_bytes: int, *, name: str
    ) -> QueuedDocument | None:
        """Return an owner's document of these very bytes that is whole and has not failed.

        If there are several, one of this name is preferred.
        """
        documents = await self._ask(
            "same_bytes", owner=owner, sha256=sha256, size_bytes=size_bytes, name=name
        )
        return next(iter(documents), None)

    async def places(self, documents: Iterable[QueuedDocument]) -> Mapping[int, int]:
        """Return the places in the queue, from 1, of those that wait, by their number.

        Args:
            documents: Of one owner.
        """
        waiting = [one for one in documents if one.state is DocumentState.WAITING]
        if not waiting:
            return {}
        numbers = json.dumps([one.number for one in waiting])
        values = {"owner": waiting[0].owner, "numbers": numbers}

        def turns(connection: sqlite3.Connection) -> dict[int, int]:
            return dict(tuple(row) for row in connection.execute(query("turns"), values))

        found = await self._store.execute(turns)
        return dict(zip(found, self.totals.places(found.values()), strict=True))

    async def in_state(self, state: DocumentState) -> Sequence[QueuedDocument]:
        """Return all documents in a state, oldest first."""
        return await self._ask("in_state", state=state)

    async def standing(self) -> Sequence[Standing]:
        """Return where all documents stand, for who compares them with what is on the disk."""

        def standing(connection: sqlite3.Connection) -> Sequence[Standing]:
            return [
                Standing(row["id"], DocumentState(row["state"]), bool(row["keeps_source"]))
                for row in connection.execute(query("standing"))
            ]

        return await self._store.execute(standing)

    async def _ask(self, name: str, /, **values: object) -> Sequence[QueuedDocument]:
        return await self._store.execute(lambda connection: all_rows(connection, name, values))


def all_rows(
    connection: sqlite3.Connection, name: str, values: Mapping[str, object]
) -> Sequence[QueuedDocument]:
    """Return the documents of a statement's rows."""
    return [document_of(row) for row in connection.execute(query(name), values)]


def found(connection: sqlite3.Connection, document_id: str) -> QueuedDocument | None:
    """Return a document, whoever owns it; None where there is none of this id."""
    row = connection.execute(query("by_id"), {"id": document_id}).fetchone()
    return None if row is None else document_of(row)


def by_id(connection: sqlite3.Connection, document_id: str) -> QueuedDocument:
    """Return a document that is there."""
    return document_of(connection.execute(query("by_id"), {"id": document_id}).fetchone())
