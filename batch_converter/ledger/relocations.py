"""Sources that are moved once their PDF is there: announced before, recorded after."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from batch_converter.ledger.operations import LedgerPart, durable
from batch_converter.ledger.queries import query
from batch_converter.ledger.rows import bounds_below, named, path_bytes, path_text, warnings_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from batch_converter.ledger.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepable:
    """A document whose source may be moved.

    Attributes:
        path: The source's address.
        size_bytes, mtime_ns, source_sha256, parts_fingerprint: Of the source as it was
            converted.
        pdf_bytes: Of its PDF.
        is_converted: False of one that is yet to be, in a plan.
    """

    id: int
    path: str
    source: str
    output: str
    size_bytes: int
    mtime_ns: int
    pdf_bytes: int | None
    source_sha256: str | None
    parts_fingerprint: str | None
    is_converted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A file on its way.

    Attributes:
        document: Whose source it is; None of a part that is no document by itself.
        folder: What the user said where sources go.
    """

    document: int | None
    source: str
    target: str
    folder: str


class Relocations(LedgerPart):
    """The part of the ledger that knows which sources were moved, and where to."""

    @durable
    def keepable(
        self, connection: sqlite3.Connection, after: str, limit: int, *, planned: bool
    ) -> list[Keepable]:
        """Return documents of this run with a PDF, by path; of a plan also those in line."""
        values = {"run": self._run, "after": path_bytes(after), "limit": limit, "planned": planned}
        return _keepables(connection, {**values, "last": None})

    @durable
    def keepable_below(
        self, connection: sqlite3.Connection, folder: str, *, planned: bool
    ) -> dict[str, Keepable]:
        """Return those below a folder, by path."""
        values = {"run": self._run, "limit": -1, "planned": planned}
        first, last = bounds_below(path_bytes(folder))
        limits = {"after": first, "last": last}
        return {found.path: found for found in _keepables(connection, {**values, **limits})}

    @durable
    def in_folder(self, connection: sqlite3.Connection, folder: str) -> dict[str, bool]:
        """Return the documents of a folder's files, and whether each is known to be one file."""
        first, last = bounds_below(path_bytes(folder))
        values = {"first": first, "last": last}
        rows = named(connection.execute(query("documents_in_folder"), values))
        return {path_text(row.path): bool(row.is_one_file) for row in rows}

    @durable
    def moving(
        self, connection: sqlite3.Connection, families: Mapping[int, Sequence[Move]]
    ) -> None:
        """Record what is about to be moved, by the document that the files belong to."""
        rows = [(family, move) for family, moves in families.items() for move in moves]
        for family, move in rows:
            values = {
                "family": family,
                "document": move.document,
                "source": path_bytes(move.source),
                "target": path_bytes(move.target),
                "folder": path_bytes(move.folder),
            }
            connection.execute(query("announce_move"), values)

    @durable
    def moved(
        self,
        connection: sqlite3.Connection,
        family: int,
        moves: Sequence[Move],
        looks: Mapping[str, tuple[int, int]],
    ) -> None:
        """Record that files are where they belong.

        Args:
            connection: Of the transaction.
            family: The document that they belong to.
            moves: The files.
            looks: Size and time of each that could be looked at, by target.
        """
        for move in moves:
            size_bytes, mtime_ns = looks.get(move.target, (None, None))
            target = path_bytes(move.target)
            values = {
                "family": family,
                "source": path_bytes(move.source),
                "size_bytes": size_bytes,
                "mtime_ns": mtime_ns,
            }
            connection.execute(query("finish_move"), values)
            if move.document is not None:
                place = {"document": move.document, "target": target, "run": self._run}
                connection.execute(query("set_moved"), place)
                connection.execute(query("set_outcome_moved"), place)

    @durable
    def not_moved(
        self,
        connection: sqlite3.Connection,
        family: int,
        reasons: Mapping[int, str],
        *,
        withdraw: bool,
    ) -> None:
        """Record why sources stay where they are, beside what this run said of them.

        Args:
            connection: Of the transaction.
            family: The document that the files belong to.
            reasons: Document to a sentence.
            withdraw: Whether nothing of what was announced has happened.
        """
        if withdraw:
            connection.execute(query("withdraw_moves"), {"family": family})
        for document, reason in reasons.items():
            values = {"run": self._run, "document": document}
            row = connection.execute(query("outcome_warnings"), values).fetchone()
            said = json.loads(row["warnings"] or "[]") if row else []
            told = warnings_text([*said, reason])
            connection.execute(query("set_outcome_warnings"), {**values, "warnings": told})

    @durable
    def withdraw(self, connection: sqlite3.Connection, family: int) -> None:
        """Forget an announcement: nothing was moved."""
        connection.execute(query("withdraw_moves"), {"family": family})

    @durable
    def open_moves(self, connection: sqlite3.Connection) -> dict[int, list[Move]]:
        """Return what dead runs were about to move, by the document that the files belong to."""
        rows = named(connection.execute(query("open_moves")))
        return {
            family: [_move(row) for row in moves]
            for family, moves in groupby(rows, key=lambda row: int(row.family))
        }

    @durable
    def moved_document(self, connection: sqlite3.Connection, path: str) -> tuple[int, str] | None:
        """Return id and source of the document whose source was moved away from this path."""
        values = {"path": path_bytes(path)}
        row = next(named(connection.execute(query("moved_document"), values)), None)
        return None if row is None else (row.id, path_text(row.source))

    @durable
    def pass_over_moved(self, connection: sqlite3.Connection) -> list[str]:
        """Settle what was found where this ledger has moved it to; returns the sources.

        A document whose file lies where it was before counts as moved no more.
        """
        connection.execute(query("return_found"))
        found = list(named(connection.execute(query("found_where_moved_to"))))
        for row in found:
            values = {"run": self._run, **row._asdict()}
            connection.execute(query("record_known"), values)
            connection.execute(query("forget_found"), {"path": row.path})
        return [path_text(row.source) for row in found]

    @durable
    def skipped_as_moved(self, connection: sqlite3.Connection, document: int) -> None:
        """Record that a source was named that has been moved away, its PDF being there."""
        connection.execute(query("record_skipped"), {"run": self._run, "document": document})


def _keepables(connection: sqlite3.Connection, values: Mapping[str, Any]) -> list[Keepable]:
    rows = connection.execute(query("keepable_documents"), values)
    return [_keepable(row) for row in named(rows)]


def _keepable(row: Row) -> Keepable:
    return Keepable(
        id=row.id,
        path=path_text(row.path),
        source=path_text(row.source),
        output=path_text(row.output),
        size_bytes=row.size_bytes,
        mtime_ns=row.mtime_ns,
        pdf_bytes=row.pdf_bytes,
        source_sha256=row.source_sha256,
        parts_fingerprint=row.parts_fingerprint,
        is_converted=bool(row.is_converted),
    )


def _move(row: Row) -> Move:
    return Move(
        document=row.document,
        source=path_text(row.source),
        target=path_text(row.target),
        folder=path_text(row.folder),
    )
