"""The state directory of a run: where it is, what lies in it, who holds it."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import cache
from secrets import token_hex
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
from filelock import FileLock, Timeout
from platformdirs import user_state_path

from batch_converter import working_folder
from batch_converter.clock import SystemClock
from batch_converter.config import STATE_DIR_NAME, move_dir
from batch_converter.errors import StateLockedError, UsageError
from batch_converter.ledger import LedgerReader
from batch_converter.objects import ObjectAddress, endpoint_of, is_object_address
from batch_converter.storage import check_takes_names, make_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from filelock import BaseFileLock

    from batch_converter.config import Settings

LEDGER_NAME: Final = "ledger.sqlite3"
SCRATCH_NAME: Final = "parts"
_LOCK_NAME: Final = "lock"
_DIGEST_LETTERS: Final = 12
_LONGEST_NAME: Final = 40


def output_place(settings: Settings) -> Path | ObjectAddress:
    """Return the absolute output folder, or the address in an object store.

    Raises:
        UsageError: None is configured, it is malformed, or it is relative to a folder that is
            gone.
    """
    place = settings.output.dir
    if place is None:
        raise UsageError("no output folder: give -o DIR or set output.dir in the configuration")
    if isinstance(place, str):
        return ObjectAddress.parse(place)
    with working_folder.needed_for(place):
        return place.absolute()


def moved_sources_dir(settings: Settings) -> Path | None:
    """Return the absolute folder that sources are moved to (`--after`); None where they stay.

    Raises:
        UsageError: It is relative to a folder that is gone.
    """
    folder = move_dir(settings.input.after)
    if folder is None:
        return None
    with working_folder.needed_for(folder):
        return folder.absolute()


def unsearched_dirs(settings: Settings) -> tuple[str, ...]:
    """Return the folders in which no source is looked for: our own, and that of moved sources.

    Raises:
        UsageError: One is relative to a folder that is gone.
    """
    moved = moved_sources_dir(settings)
    return (os.fspath(state_dir(settings)), *(() if moved is None else (os.fspath(moved),)))


def check_move_dir(settings: Settings, roots: Sequence[str], named: Sequence[str] = ()) -> None:
    """Make sure that sources can be moved where they are to go; blocking.

    Args:
        settings: Whether they are moved, and where to.
        roots: Addresses of the source folders.
        named: Sources as they were given.

    Raises:
        UsageError: A source folder is the place itself, or a source lies in an object store.
    """
    folder = moved_sources_dir(settings)
    if folder is None:
        return
    for source in filter(is_object_address, named):
        raise UsageError(
            f"--after moves files of this machine, and {source} is in an object store: leave"
            " --after out, or convert that source by itself"
        )
    real = os.path.realpath(folder)
    for root in roots:
        if "://" not in root and os.path.realpath(root) == real:
            raise UsageError(
                f"the source {root} is where --after moves sources to ({folder}): give another"
                " folder, which may lie in the source"
            )


def prepare_move_dir(settings: Settings) -> None:
    """Make the folder that sources are moved to, if there is one; blocking.

    Raises:
        UsageError: It cannot be made or written.
    """
    folder = moved_sources_dir(settings)
    if folder is None:
        return
    try:
        make_folder(folder)
        check_takes_names(folder)
    except OSError as error:
        msg = f"sources cannot be moved to {folder}: {error.strerror}; nothing was started"
        raise UsageError(msg) from error


@contextmanager
def moved_sources(settings: Settings) -> Iterator[Callable[[str], bool]]:
    """Give what says whether an earlier run has moved the source of an absolute path; blocking.

    The ledger is opened for the first that is not there, and then kept open: all of it is read
    as it is opened.
    """
    with ExitStack() as stack:

        @cache
        def ledger() -> LedgerReader | None:
            path = ledger_path(settings)
            return stack.enter_context(LedgerReader(path)) if path.exists() else None

        def was_moved(path: str) -> bool:
            if os.path.lexists(path):
                return False
            reader = ledger()
            return reader is not None and reader.was_moved(path)

        yield was_moved


def state_dir(settings: Settings) -> Path:
    """Return the absolute folder of ledger, lock and scratch files.

    Of an output in an object store it is one of the user's own, by the name of the place and
    a digest of where that is.

    Raises:
        UsageError: Neither it nor an output folder is configured, or it is relative
            to a folder that is gone.
    """
    if settings.output.state_dir is not None:
        with working_folder.needed_for(settings.output.state_dir):
            return settings.output.state_dir.absolute()
    place = output_place(settings)
    if not isinstance(place, ObjectAddress):
        return place / STATE_DIR_NAME
    whereabouts = f"{place} {endpoint_of(place, settings.remote)}".encode()
    digest = hashlib.sha256(whereabouts).hexdigest()[:_DIGEST_LETTERS]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", place.name)[:_LONGEST_NAME]
    return user_state_path("batch-converter", appauthor=False) / f"{name}-{digest}"


def ledger_path(settings: Settings) -> Path:
    """Return the absolute path of the ledger."""
    return state_dir(settings) / LEDGER_NAME


def new_run_id() -> str:
    """Return a name for a run that sorts by time."""
    return f"{SystemClock().now():%Y%m%dT%H%M%SZ}-{token_hex(3)}"


def require_ledger(settings: Settings) -> None:
    """Check that there is a ledger, so that none is made; blocking.

    Raises:
        LedgerError: There is none, or it cannot be used.
    """
    with LedgerReader(ledger_path(settings)):
        pass


@asynccontextmanager
async def held_state_dir(settings: Settings) -> AsyncIterator[Path]:
    """Create the state directory and hold its lock, which dies with the process.

    Raises:
        StateLockedError: Another process holds it.
        UsageError: It cannot be created.
    """
    folder = state_dir(settings)
    lock = FileLock(folder / _LOCK_NAME, blocking=False, thread_local=False)
    await anyio.to_thread.run_sync(_hold, folder, lock)
    try:
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(lock.release)


def _hold(folder: Path, lock: BaseFileLock) -> None:
    try:
        make_folder(folder)  # durably: the ledger in it holds what was paid for
        lock.acquire()
    except Timeout:
        msg = f"another run holds {folder}; wait for it, or use another --state-dir"
        raise StateLockedError(msg) from None
    except OSError as error:
        msg = f"the state directory {folder} cannot be used: {error.strerror}{_advice(error)}"
        raise UsageError(msg) from error


def _advice(error: OSError) -> str:
    """Say what to do where another user has made the folder."""
    if error.errno not in {errno.EACCES, errno.EPERM}:
        return ""
    return (
        f" ({error.filename}); run as its owner, or let a group that both users are in write the"
        " folder and all in it (chgrp, then chmod g+rwX; umask 002 keeps it so), or give your own"
        " --state-dir"
    )
