"""The ledger's file: opened, made or copied, and brought up to date."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from importlib import resources
from typing import TYPE_CHECKING, Final

from batch_converter.errors import LedgerError
from batch_converter.fault_points import reach
from batch_converter.ledger.permissions import check_permission, create
from batch_converter.storage.reserve import Reserve
from batch_converter.storage.sqlite_scripts import migrate, schema_version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID: Final = 0x446A5650  # "DjVP"
MIGRATIONS: Final = (
    "1_schema.sql",
    "2_parts.sql",
    "3_warnings.sql",
    "4_services.sql",
    "5_moves.sql",
    "6_source_digests.sql",
    "7_timelines.sql",
    "8_etags.sql",
)
"""What made and changed the tables, in order; once released, a script is never changed."""

SCHEMA_VERSION: Final = len(MIGRATIONS)

_MACHINE_TROUBLE: Final = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}
)
"""Primary result codes that say nothing of what is in the ledger."""


def connect(path: Path, *, read_only: bool, is_checked: bool = False) -> sqlite3.Connection:
    """Open the ledger, creating it where it is missing and may be written.

    Whoever is to write must hold its folder: then nobody else does. Whoever reads one
    of an earlier version is given a copy in memory, as it is at this moment, that has
    been brought up to date: readers change nothing.

    Args:
        path: Where it is.
        read_only: Whether it must be there already, and stays as it is.
        is_checked: Whether this process has opened and so checked it before; of one that is
            read only, and of this version, all is not read once more then.

    Raises:
        LedgerError: It is damaged, no ledger, or written by a newer version; the
            file was not touched.
    """
    check_permission(path, read_only=read_only)
    with _explaining(path):
        return _for_reading(path, is_checked=is_checked) if read_only else _for_writing(path)


def connect_copy(path: Path) -> sqlite3.Connection:
    """Open a copy in memory of the ledger as it is at this moment; empty where there is none.

    Nothing beside it is touched, not even the files that SQLite's readers share, unless
    not all of it is in the database itself: a run writes at this moment, or died.

    Raises:
        LedgerError: It cannot be used.
    """
    check_permission(path, read_only=True)
    with _explaining(path):
        copy = _connection(":memory:")
        try:
            if path.exists():
                _back_up(path, copy)
                if _is_begun(path, copy):
                    _check(copy)
            _migrate(copy)
        except Exception:
            copy.close()
            raise
    return copy


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        msg = f"the ledger {path} cannot be used ({error}); nothing was touched. {advice(error)}"
        raise LedgerError(msg) from error
    except OSError as error:
        raise LedgerError(f"the ledger {path} cannot be used: {error.strerror}") from error


def advice(error: sqlite3.Error) -> str:
    """Say what to do: a ledger that finds no room beside it is whole, and must not be moved."""
    if (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _MACHINE_TROUBLE:
        return "See that its disk is well and has space and inodes left (df, df -i), and run again"
    return "Restore it from a backup, or move it away to start a new one"


def _for_reading(path: Path, *, is_checked: bool) -> sqlite3.Connection:
    if not (path.exists() and _is_file_begun(path, alone=False, is_checked=is_checked)):
        msg = f"there is no ledger at {path}: nothing was converted into this folder yet"
        raise LedgerError(msg)
    connection = _open(path, read_only=True)
    if schema_version(connection) == SCHEMA_VERSION:
        return connection
    connection.close()
    copy = connect_copy(path)
    copy.execute("PRAGMA query_only = ON")
    return copy


def _for_writing(path: Path) -> sqlite3.Connection:
    if path.exists():
        _is_file_begun(path, alone=True)
    else:
        _forget_predecessor(path)
        create(path)
    connection = _open(path, read_only=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: past the drive's cache, too
        reach("ledger.made")
        _migrate(connection)
    except sqlite3.Error:
        connection.close()
        raise
    with suppress(OSError):  # it is there already, and belongs to another user; or a full disk
        _begun_marker(path).touch()
    return connection


def _begun_marker(path: Path) -> Path:
    """Return the file that says of a ledger that it has had tables: so an empty one was emptied."""
    return path.with_suffix(".begun")


def _forget_predecessor(path: Path) -> None:
    """Clear what is left of a ledger that was moved away."""
    _begun_marker(path).unlink(missing_ok=True)
    Reserve(path).release()


def _back_up(path: Path, copy: sqlite3.Connection) -> None:
    """Copy a ledger; again, as others share it, if somebody has begun to write meanwhile."""
    before = _looks(path)
    with closing(_open(path, read_only=True, alone=True)) as source:
        try:
            source.backup(copy)
        except sqlite3.Error:
            if before == _looks(path):
                raise
    if before != _looks(path):
        with closing(_open(path, read_only=True)) as source:
            source.backup(copy)


def _looks(path: Path) -> list[tuple[int, int, int] | None]:
    """Return what differs once the ledger's files have changed."""
    looks: list[tuple[int, int, int] | None] = []
    for file in (path, _wal(path)):
        try:
            status = file.stat()
        except FileNotFoundError:
            looks.append(None)
        else:
            looks.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return looks


def _wal(path: Path) -> Path:
    """Return where SQLite keeps what is not in the database itself yet."""
    return path.with_name(path.name + "-wal")


def _connection(database: str, *, uri: bool = False) -> sqlite3.Connection:
    """Open a database whose rows are read by the names of their columns."""
    connection = sqlite3.connect(
        database, uri=uri, isolation_level=None, check_same_thread=False, timeout=30
    )
    connection.row_factory = sqlite3.Row
    return connection


def _open(path: Path, *, read_only: bool, alone: bool = False) -> sqlite3.Connection:
    """Open the file; where nobody can change it, without the files that are for sharing it."""
    mode = "ro" if read_only else "rwc"
    if read_only and _is_in_one_piece(path, alone=alone) and (alone or _is_closed(path.parent)):
        mode = "ro&immutable=1"
    return _connection(f"{path.absolute().as_uri()}?mode={mode}", uri=True)


def _is_in_one_piece(path: Path, *, alone: bool) -> bool:
    """Whether all of it is in the database; readers that come last leave an empty file beside it.

    To who is not alone that file may mean that somebody is about to write.
    """
    try:
        return _wal(path).stat().st_size == 0 and alone
    except FileNotFoundError:
        return True


def _is_closed(folder: Path) -> bool:
    """Whether SQLite could not even make its lock file there."""
    return not os.access(folder, os.W_OK)


def _is_file_begun(path: Path, *, alone: bool, is_checked: bool = False) -> bool:
    with closing(_open(path, read_only=True, alone=alone)) as connection:
        is_begun = _is_begun(path, connection)
        if is_begun and not is_checked:
            _check(connection)
        return is_begun


def _is_begun(path: Path, connection: sqlite3.Connection) -> bool:
    """Look at a ledger, or a copy; False where a run died before it had its tables."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    version = schema_version(connection)
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (application_id, version, tables) == (0, 0, 0):
        if _has_been_begun(path):
            raise sqlite3.DatabaseError("it has been emptied")
        return False
    if application_id != APPLICATION_ID:
        msg = f"{path} is not a ledger of batch-converter; nothing was touched"
        raise LedgerError(msg)
    if version > SCHEMA_VERSION:
        msg = (
            f"the ledger {path} was written by a newer version of batch-converter (schema"
            f" {version}, this one knows {SCHEMA_VERSION}); nothing was touched. Upgrade it"
        )
        raise LedgerError(msg)
    return True


def _check(connection: sqlite3.Connection) -> None:
    """Read all of a ledger and see that it is whole: a third of a second at 50,000 documents."""
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


def _has_been_begun(path: Path) -> bool:
    """Whether it has had tables; the first versions left no marker, but took the reserve then."""
    return _begun_marker(path).exists() or Reserve(path).is_there


def _migrate(connection: sqlite3.Connection) -> None:
    scripts = [_script(name) for name in MIGRATIONS]
    migrate(connection, scripts, application_id=APPLICATION_ID)


def _script(name: str) -> str:
    return resources.files(__package__).joinpath("migrations", name).read_text(encoding="utf-8")
