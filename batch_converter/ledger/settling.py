"""Found files become documents: each gets its output, once and for good.

Found files stand in a temporary table, so that memory does not grow with their
number. Clashes are settled in the order of the absolute paths (bytes, which is
the order of code points).
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any, Final

from batch_converter.naming import clash_key, clash_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from batch_converter.models import SourceFile

_FOUND: Final = """
CREATE TEMP TABLE IF NOT EXISTS found (
    path BLOB PRIMARY KEY, source_root BLOB, source BLOB, wanted BLOB,
    size_bytes INTEGER, mtime_ns INTEGER, chosen INTEGER
) WITHOUT ROWID
"""
_QUEUE: Final = """
CREATE TEMP TABLE IF NOT EXISTS queue (position INTEGER PRIMARY KEY, document INTEGER UNIQUE)
"""
_NEW: Final = """
SELECT found.path, found.source_root, found.source, found.wanted, found.size_bytes, found.mtime_ns
FROM found LEFT JOIN document ON document.path = found.path
WHERE found.path > ? AND document.id IS NULL ORDER BY found.path LIMIT 1000
"""
_KNOWN: Final = """
UPDATE document SET source_root = found.source_root, source = found.source FROM found
WHERE document.path = found.path
AND (document.source_root <> found.source_root OR document.source <> found.source)
"""
_INSERT: Final = """
INSERT INTO document (path, source_root, source, output, output_key, size_bytes, mtime_ns, state)
VALUES (?, ?, ?, ?, ?, ?, ?, 'pending')
"""
_HOLDER: Final = """
SELECT document.id, document.path, document.source, document.size_bytes, document.mtime_ns
FROM document LEFT JOIN found ON found.path = document.path
WHERE document.output_key = ? AND found.path IS NULL
"""


def clear(connection: sqlite3.Connection) -> None:
    """Make the temporary tables, empty."""
    connection.execute(_FOUND)
    connection.execute(_QUEUE)
    connection.execute("DELETE FROM found")
    connection.execute("DELETE FROM queue")


def record_found(connection: sqlite3.Connection, files: Sequence[SourceFile]) -> None:
    """Note files; one that was reached before (overlapping sources) counts once."""
    connection.executemany(
        "INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?, ?, ?, NULL)",
        (
            (
                os.fsencode(file.path),
                os.fsencode(file.source_root),
                os.fsencode(file.source),
                os.fsencode(file.wanted_output),
                file.size_bytes,
                file.mtime_ns,
            )
            for file in files
        ),
    )


def settle(connection: sqlite3.Connection) -> int:
    """Give every new file its document and output; returns how many files were found."""
    connection.execute(_KNOWN)
    after = b""
    while rows := connection.execute(_NEW, (after,)).fetchall():
        for row in rows:
            _settle_one(connection, row)
        after = rows[-1][0]
    (count,) = connection.execute("SELECT count(*) FROM found").fetchone()
    return int(count)


def _settle_one(connection: sqlite3.Connection, row: tuple[Any, ...]) -> None:
    path, source_root, source, wanted, size_bytes, mtime_ns = row
    for name in _candidates(_around_pdfs(connection, os.fsdecode(wanted)), os.fsdecode(source)):
        key = _key(name)
        if _is_free(connection, key):
            values = (path, source_root, source, os.fsencode(name), key, size_bytes, mtime_ns)
            connection.execute(_INSERT, values)
            return
        if _take_over(connection, key, row):
            return


def _around_pdfs(connection: sqlite3.Connection, wanted: str) -> str:
    """Lead past PDFs that have the name of a folder: of `x.pdf/a.pdf`, `x.pdf~2/a.pdf`.

    The other way round, where a folder has the PDF's name, the next name for it does.
    """
    *folders, name = wanted.split("/")
    path = ""
    for folder in folders:
        numbered = (f"{path}{folder}~{number}" for number in itertools.count(2))
        places = itertools.chain((path + folder,), numbered)
        path = next(place for place in places if not _is_output(connection, _key(place))) + "/"
    return path + name


def _key(output: str) -> bytes:
    return os.fsencode(clash_key(output))


def _candidates(wanted: str, source: str) -> Iterator[str]:
    yield wanted
    folder, slash, _ = wanted.rpartition("/")
    for number in itertools.count(1):
        yield folder + slash + clash_name(source, number)


def _is_free(connection: sqlite3.Connection, key: bytes) -> bool:
    """No PDF has the name, none lies below it as if it were a folder, nor it below one."""
    (taken,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM document WHERE output_key = ?)"
        " OR EXISTS (SELECT 1 FROM document WHERE output_key > ? AND output_key < ?)",
        (key, key + b"/", key + b"0"),
    ).fetchone()
    return not taken and not any(_is_output(connection, parent) for parent in _parents(key))


def _parents(key: bytes) -> Iterator[bytes]:
    while b"/" in key:
        key = key.rpartition(b"/")[0]
        yield key


def _is_output(connection: sqlite3.Connection, key: bytes) -> bool:
    query = "SELECT 1 FROM document WHERE output_key = ?"
    return connection.execute(query, (key,)).fetchone() is not None


def _take_over(connection: sqlite3.Connection, key: bytes, row: tuple[Any, ...]) -> bool:
    """Recognise an archive that was moved: same place in it, same bytes, old path gone."""
    path, source_root, source, _, size_bytes, mtime_ns = row
    holder = connection.execute(_HOLDER, (key,)).fetchone()
    if holder is None or holder[2:] != (source, size_bytes, mtime_ns):
        return False
    if os.path.lexists(holder[1]):
        return False
    connection.execute(
        "UPDATE document SET path = ?, source_root = ? WHERE id = ?",
        (path, source_root, holder[0]),
    )
    return True
