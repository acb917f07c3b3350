"""Hears what changes in folders, by inotify through the library watchfiles (extra `[watch]`).

Each folder is listened to by itself, as the walk enters it: the library's own way down a tree
enters links and hidden folders too, and says nothing where it may not listen to a part.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Collection
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

import anyio
import anyio.to_thread

from batch_converter.errors import UsageError

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

_STEP_MS: Final = 250
_LONGEST_GROUP_MS: Final = 1_000
_MODIFIED: Final = 2
"""watchfiles' `Change.modified`."""


class Change(NamedTuple):
    """Something has happened to a path.

    Attributes:
        is_written: It was there before, and was written or touched.
    """

    path: str
    is_written: bool


class CannotListenError(Exception):
    """The system does not tell of changes; the message says why. Never leaves this room."""


class FolderGoneError(Exception):
    """A folder that a walk has entered cannot be listened to now. Never leaves this room."""


class Listener(Protocol):
    """Hears of changes until it is closed."""

    async def changes(self) -> frozenset[Change] | None:
        """Return the next changes; None where some cannot be told, so that all must be looked at.

        After None it hears nothing any more.
        """
        ...

    async def aclose(self) -> None:
        """Stop; what was heard and not returned is lost."""
        ...


Listen = Callable[[Collection[str]], Awaitable[Listener]]
"""Begins to listen to folders by their absolute paths; raises as `FolderListener.open` does."""


class FolderListener:
    """Hears of changes of what lies in some folders; not of what lies in folders of these."""

    def __init__(self, notify: RustNotify) -> None:
        self._notify = notify
        self._stopped = threading.Event()
        self._thread = anyio.CapacityLimiter(1)

    @classmethod
    async def open(cls, folders: Collection[str]) -> Self:
        """Listen to folders by their absolute paths.

        Raises:
            CannotListenError: The system, or the library, cannot.
            FolderGoneError: One has gone in the meantime.
        """
        return cls(await anyio.to_thread.run_sync(_listening, folders))

    async def changes(self) -> frozenset[Change] | None:
        """Return the next changes; see `Listener`."""
        from watchfiles._rust_notify import WatchfilesRustInternalError  # noqa: PLC0415  # an extra

        wait = (_LONGEST_GROUP_MS, _STEP_MS, 0, self._stopped)
        try:
            with anyio.CancelScope(shield=True):
                heard = await anyio.to_thread.run_sync(
                    lambda: self._notify.watch(*wait), limiter=self._thread
                )
        except WatchfilesRustInternalError:  # of a name that is not UTF-8, and for good
            return None
        if isinstance(heard, str):
            return None
        return frozenset(Change(path, kind == _MODIFIED) for kind, path in heard)

    async def aclose(self) -> None:
        """Stop listening."""
        self._stopped.set()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._notify.close, limiter=self._thread)


def require_listening() -> None:
    """Make sure that the library is there.

    Raises:
        UsageError: It is not.
    """
    if find_spec("watchfiles") is None:
        raise UsageError(
            "watchfiles is not installed: pip install 'batch-converter[watch]', or use --poll"
        )


def _listening(folders: Collection[str]) -> RustNotify:
    from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError  # noqa: PLC0415  # an extra

    try:
        return RustNotify(
            list(folders),
            False,  # noqa: FBT003  # by position alone: no debugging
            False,  # noqa: FBT003  # no polling by the library
            0,
            False,  # noqa: FBT003  # not what lies below
            False,  # noqa: FBT003  # what is forbidden is an error
        )
    except (FileNotFoundError, PermissionError) as error:
        raise FolderGoneError(f"a folder cannot be watched: {error}") from error
    except UnicodeEncodeError:
        raise CannotListenError("a folder's name is not UTF-8") from None
    except (OSError, WatchfilesRustInternalError) as error:
        raise CannotListenError(_reason(error)) from error


def _reason(error: Exception) -> str:
    text = str(error)
    if "watch limit" in text:
        return "the system's limit of watched folders is reached; raise fs.inotify.max_user_watches"
    if "os error 24" in text:
        return (
            "the system's limit of open files or of watchers is reached; raise it (ulimit -n, or"
            " fs.inotify.max_user_instances)"
        )
    return text
