"""The queue's SQLite file: opened, made, and brought up to date; its statements by name."""

from __future__ import annotations

import os
import sqlite3
from importlib import resources
from typing import TYPE_CHECKING, Final

from batch_converter.errors import UsageError
from batch_converter.naming import folded
from batch_converter.storage.sqlite_scripts import migrate, named_statements, schema_version

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID: Final = 0x446A5651  # "DjVQ"
_MIGRATIONS: Final = ("schema.sql",)
"""What made and changed the tables, in order; once released, a script is never changed."""


def _script(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


QUERIES: Final = named_statements(_script("queries.sql"))

query: Final = QUERIES.__getitem__
"""Return the statement of a name; its parameters are given by name, in a mapping."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the queue for the one service that holds its folder; blocks.

    Raises:
        UsageError: It is damaged, something else, or of a newer version; it was not touched.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.create_function("folded", 1, folded, deterministic=True)
        try:
            _check(path, connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")  # macOS: past the drive's cache, too
            scripts = [_script(name) for name in _MIGRATIONS]
            migrate(connection, scripts, application_id=APPLICATION_ID)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        msg = (
            f"the queue {path} cannot be used ({error}); nothing was touched. See that its disk is"
            " well and has room, restore it from a backup, or give another --data-dir"
        )
        raise UsageError(msg) from error
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise UsageError(f"{path} is no queue of batch-converter; nothing was touched")
    if schema_version(connection) > len(_MIGRATIONS):
        msg = f"the queue {path} was written by a newer version of batch-converter; upgrade it"
        raise UsageError(msg)
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
