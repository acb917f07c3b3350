"""One SQLite connection, owned by one thread, with grouped commits.

Operations of one turn of the event loop set out together, queue up while a commit
is on its way to the disk and share the next one, so that durability
(`synchronous=FULL`) costs one flush a group, not one a statement. An awaited
operation is durable when it returns. A cancelled await still executes: operations
must be right to run whether or not anybody waits, and to run again where the group
that they were in was rolled back.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio.to_thread

from batch_converter.errors import LedgerError, LedgerWriteError
from batch_converter.fault_points import reach
from batch_converter.ledger.permissions import check_permission, create
from batch_converter.ledger.reserve import Reserve
from batch_converter.threads import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

APPLICATION_ID: Final = 0x446A5650  # "DjVP"
MIGRATIONS: Final = ("schema.sql", "parts.sql", "warnings.sql")
"""What made and changed the tables, in order; once released, a script is never changed."""

SCHEMA_VERSION: Final = len(MIGRATIONS)
_MAX_GROUP: Final = 1_000
_FULL: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
)
_FORBIDDEN: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})
_PRIMARY: Final = 0xFF  # the lower byte of an extended result code

T = TypeVar("T")


@dataclass(slots=True)
class _Job:
    operation: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any] | None
    result: Any = None


def connect(path: Path, *, read_only: bool, told: Path | None = None) -> sqlite3.Connection:
    """Open the ledger, creating it where it is missing and may be written.

    Whoever is to write must hold its folder: then nobody else does.

    Args:
        path: Where it is.
        read_only: Whether it must be there already, and stays as it is.
        told: What messages call it, where `path` is that of a copy.

    Raises:
        LedgerError: It is damaged, no ledger, or written by a newer version; the
            file was not touched.
    """
    told = told or path
    check_permission(path, told, read_only=read_only)
    try:
        if not (path.exists() and _is_begun(path, told, alone=not read_only)) and read_only:
            msg = f"there is no ledger at {told}: nothing was converted into this folder yet"
            raise LedgerError(msg)
        if not (read_only or path.exists()):
            Reserve(path).release()  # of a ledger that was moved away
            create(path, told)
        connection = _open(path, read_only=read_only)
        if not read_only:
            _prepare(connection)
    except sqlite3.Error as error:
        msg = (
            f"the ledger {told} cannot be used ({error}); nothing was touched. Restore it from a"
            " backup, or move it away to start a new one"
        )
        raise LedgerError(msg) from error
    except OSError as error:
        raise LedgerError(f"the ledger {told} cannot be used: {error.strerror}") from error
    return connection


def _open(path: Path, *, read_only: bool, alone: bool = False) -> sqlite3.Connection:
    """Open the file; where nobody can change it, without the files that are for sharing it."""
    mode = "ro" if read_only else "rwc"
    if read_only and _is_in_one_piece(path) and (alone or _is_closed(path.parent)):
        mode = "ro&immutable=1"
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=30,
    )


def _is_in_one_piece(path: Path) -> bool:
    return not path.with_name(path.name + "-wal").exists()


def _is_closed(folder: Path) -> bool:
    """Whether SQLite could not even make its lock file there."""
    return not os.access(folder, os.W_OK)


def _is_begun(path: Path, told: Path, *, alone: bool) -> bool:
    """Look at a file that is there; False where a run died before it had its tables."""
    connection = _open(path, read_only=True, alone=alone)
    try:
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if (application_id, version, tables) == (0, 0, 0):
            if Reserve(path).is_there:  # it is taken once there are tables
                raise sqlite3.DatabaseError("it has been emptied")
            return False
        if application_id != APPLICATION_ID:
            msg = f"{told} is not a ledger of batch-converter; nothing was touched"
            raise LedgerError(msg)
        if version > SCHEMA_VERSION:
            msg = (
                f"the ledger {told} was written by a newer version of batch-converter (schema"
                f" {version}, this one knows {SCHEMA_VERSION}); nothing was touched. Upgrade it"
            )
            raise LedgerError(msg)
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
    finally:
        connection.close()
    return True


def _prepare(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: past the drive's cache, too
        reach("ledger.made")
        migrate(connection, [_script(name) for name in MIGRATIONS])
    except sqlite3.Error:
        connection.close()
        raise


def _script(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def migrate(connection: sqlite3.Connection, scripts: Sequence[str]) -> None:
    """Bring a ledger up to date: the n-th script leads from version n - 1 to n.

    Each is a transaction of its own; one that fails leaves the version before it.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, script in enumerate(scripts[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script}"
            f"PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {number}; COMMIT;"
        )


def is_full(error: Exception | None) -> bool:
    """Whether the disk, or what this user may have of it, is full."""
    return getattr(error, "sqlite_errorcode", None) in _FULL


def _advice(error: sqlite3.Error) -> str:
    """Say what to do about a ledger that could not be written."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    if is_full(error):
        return "Free some space"
    if code & _PRIMARY in _FORBIDDEN:
        return "See that this user may write it and its folder (permission, read-only mount)"
    if code & _PRIMARY == sqlite3.SQLITE_CANTOPEN:
        return "See that its folder is there, and that it and open files are within the limits"
    return "See that its disk is well"


class Store:
    """Runs operations on the connection, in order, in groups."""

    def __init__(self, connection: sqlite3.Connection, reserve: Reserve) -> None:
        self._connection = connection
        self._reserve = reserve
        self._loop = asyncio.get_running_loop()
        self._jobs: Outbox[_Job] = Outbox()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._serve, name="ledger", daemon=True)
        self._thread.start()

    async def execute(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run `operation` in a transaction; its effects are on disk at return.

        Raises:
            LedgerWriteError: The disk is full or gone; nothing of the group counts.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(operation, future), self._loop)
        return await future

    def post(self, operation: Callable[[sqlite3.Connection], object]) -> None:
        """Queue `operation` without waiting; it runs before any later one.

        What fails here is raised by the next `execute`.
        """
        self._jobs.put(_Job(operation, None), self._loop)

    async def close(self) -> None:
        """Finish what is queued and close the connection."""
        self._jobs.send()
        self._jobs.sent.put(None)
        await anyio.to_thread.run_sync(self._end)

    def _end(self) -> None:
        self._thread.join()
        self._connection.close()

    def _serve(self) -> None:
        self._reserve.fill()
        going = True
        while going:
            group, going = self._next_group()
            if group:
                self._commit(group)

    def _next_group(self) -> tuple[list[_Job], bool]:
        group: list[_Job] = []
        jobs = self._jobs.sent
        job = jobs.get()
        while job is not None:
            group.append(job)
            if len(group) == _MAX_GROUP or jobs.empty():
                return group, True
            job = jobs.get()
        return group, False

    def _commit(self, group: Sequence[_Job]) -> None:
        """Bring a group to the disk and tell who waits; an operation at fault fails alone."""
        error = self._attempt(group)
        if is_full(error) and self._reserve.release():
            error = self._attempt(group)
        if error is None or len(group) == 1 or isinstance(error, sqlite3.OperationalError):
            self._loop.call_soon_threadsafe(self._deliver, group, error)
            return
        for job in group:
            self._commit([job])

    def _attempt(self, group: Sequence[_Job]) -> Exception | None:
        """Commit all or nothing; returns why nothing was committed."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in group:
                job.result = job.operation(self._connection)
            reach("ledger.committing")
            self._connection.execute("COMMIT")
            reach("ledger.committed")
        except Exception as error:  # noqa: BLE001  # handed to the awaiting coroutine
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return error
        return None

    def _deliver(self, group: Sequence[_Job], error: Exception | None) -> None:
        translated = self._translated(error)
        for job in group:
            if job.future is None:
                self._failure = self._failure or translated
            elif job.future.done():
                continue
            elif translated is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(translated)

    def _translated(self, error: Exception | None) -> Exception | None:
        if not isinstance(error, sqlite3.Error):
            return error
        lost = LedgerWriteError(
            f"the ledger could not be written ({error}); the run stops so that nothing is paid for"
            f" without being recorded. {_advice(error)} and run the same command again"
        )
        lost.__cause__ = error
        return lost
