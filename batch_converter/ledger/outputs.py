"""Found files become documents: each gets its output, once and for good.

Found files stand in a temporary table, so that memory does not grow with their
number. Clashes are settled in the order of the absolute paths (bytes, which is
the order of code points).
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Final

from batch_converter.ledger.operations import LedgerPart, durable
from batch_converter.ledger.queries import query
from batch_converter.ledger.rows import bounds_below, named, path_bytes, path_text
from batch_converter.naming import clash_key, clash_name, key_bytes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence

    from batch_converter.ledger.rows import Row
    from batch_converter.models import SourceFile

_BATCH: Final = 5_000


class FoundFiles(LedgerPart):
    """The part of the ledger that takes in what discovery has found."""

    @durable
    def record_found(self, connection: sqlite3.Connection, files: Sequence[SourceFile]) -> None:
        """Note files that discovery found."""
        connection.executemany(
            query("record_found"),
            (
                {
                    "path": path_bytes(file.path),
                    "source_root": path_bytes(file.source_root),
                    "source": path_bytes(file.source),
                    "wanted": path_bytes(file.wanted_output),
                    "size_bytes": file.size_bytes,
                    "mtime_ns": file.mtime_ns,
                    "in_shard": file.in_shard,
                    "etag": file.etag,
                }
                for file in files
            ),
        )

    @durable
    def forget_other_shards(self, connection: sqlite3.Connection) -> None:
        """Leave found files to the shards that they are in, now that none is taken for another."""
        connection.execute(query("forget_other_shards"))

    async def assign_outputs(self, exists: Callable[[str], bool] = os.path.lexists) -> int:
        """Give every new file its document and output; returns how many files were found.

        Some at a time: a signal is heeded meanwhile, and what SQLite writes beside the ledger until
        a transaction is in it does not grow with the archive.

        Args:
            exists: A file may have been moved where nothing has the path that it had.
        """
        await self._follow_sources()
        after: bytes | None = b""
        while after is not None:
            after = await self._assign_some(after, exists)
        return await self._count_found()

    @durable
    def _follow_sources(self, connection: sqlite3.Connection) -> None:
        connection.execute(query("follow_sources"))

    @durable
    def _assign_some(
        self, connection: sqlite3.Connection, after: bytes, exists: Callable[[str], bool]
    ) -> bytes | None:
        """Return the path of the last file that was looked at, None where there are no more."""
        values = {"after": after, "limit": _BATCH}
        rows = list(named(connection.execute(query("found_without_document"), values)))
        for row in rows:
            _assign_output(connection, row, exists)
        return rows[-1].path if rows else None

    @durable
    def _count_found(self, connection: sqlite3.Connection) -> int:
        (count,) = connection.execute(query("count_found")).fetchone()
        return int(count)

    @durable
    def vanished(
        self, connection: sqlite3.Connection, root: str, after: str, limit: int
    ) -> list[tuple[str, str, str]]:
        """Return path, source and output of known files below `root` that were not found.

        They come in pages, each behind the last path of the one before (empty for the first): of
        a disk that is not mounted, all are gone.
        """
        first, last = bounds_below(path_bytes(root))
        values = {"after": path_bytes(after) or first, "last": last, "limit": limit}
        rows = named(connection.execute(query("vanished_documents"), values))
        return [(path_text(row.path), path_text(row.source), path_text(row.output)) for row in rows]


def _assign_output(
    connection: sqlite3.Connection, found: Row, exists: Callable[[str], bool]
) -> None:
    wanted = _avoid_pdf_folders(connection, path_text(found.wanted))
    for name in _candidates(wanted, path_text(found.source)):
        key = _key(name)
        if _is_free(connection, key):
            values = {
                "path": found.path,
                "source_root": found.source_root,
                "source": found.source,
                "output": path_bytes(name),
                "key": key,
                "size_bytes": found.size_bytes,
                "mtime_ns": found.mtime_ns,
                "etag": found.etag,
            }
            connection.execute(query("insert_document"), values)
            return
        if _adopt_moved_source(connection, key, found, exists):
            return


def _avoid_pdf_folders(connection: sqlite3.Connection, wanted: str) -> str:
    """Lead past PDFs that have the name of a folder: of `x.pdf/a.pdf`, `x.pdf~2/a.pdf`.

    The other way round, where a folder has the PDF's name, the next name for it does.
    """
    if ".pdf/" not in clash_key(wanted):
        return wanted  # no folder can be a PDF's: half of the time of giving names
    *folders, name = wanted.split("/")
    path = ""
    for folder in folders:
        numbered = (f"{path}{folder}~{number}" for number in itertools.count(2))
        places = itertools.chain((path + folder,), numbered)
        path = next(place for place in places if not _is_output(connection, _key(place))) + "/"
    return path + name


def _key(output: str) -> bytes:
    return key_bytes(clash_key(output))


def _candidates(wanted: str, source: str) -> Iterator[str]:
    yield wanted
    folder, slash, _ = wanted.rpartition("/")
    for number in itertools.count(1):
        yield folder + slash + clash_name(source, number)


def _is_free(connection: sqlite3.Connection, key: bytes) -> bool:
    """No PDF has the name, and none lies below it; that it is below none was seen to."""
    first, last = bounds_below(key)
    values = {"key": key, "first": first, "last": last}
    (taken,) = connection.execute(query("output_is_in_the_way"), values).fetchone()
    return not taken


def _is_output(connection: sqlite3.Connection, key: bytes) -> bool:
    (taken,) = connection.execute(query("output_is_taken"), {"key": key}).fetchone()
    return bool(taken)


def _adopt_moved_source(
    connection: sqlite3.Connection, key: bytes, found: Row, exists: Callable[[str], bool]
) -> bool:
    """Recognise an archive that was moved: same place in it, same bytes, old path gone."""
    holders = connection.execute(query("absent_holder_of_output"), {"key": key})
    holder = next(named(holders), None)
    if holder is None or _looks(holder) != _looks(found) or exists(path_text(holder.path)):
        return False
    values = {"document": holder.id, "path": found.path, "source_root": found.source_root}
    connection.execute(query("move_source"), values)
    return True


def _looks(row: Row) -> tuple[bytes, int, int | str]:
    return row.source, row.size_bytes, row.mtime_ns if row.etag is None else row.etag
