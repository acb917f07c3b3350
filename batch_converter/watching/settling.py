"""When a file that has arrived may be taken up: once it has been quiet for long enough.

Pure: what a file looks like and what time it is are arguments. Who writes a file does not say
when it is whole; that nothing of it has changed for a while is all that can be known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_converter.watching.options import WatchOptions

HEARD_S: Final = 0.5
"""What a file is listened to at least, though it was last changed long ago: whoever is still
writing it says so within that time."""


class Key(NamedTuple):
    """What a file is known by.

    Attributes:
        given: The source as the user gave it.
        path: The absolute path.
    """

    given: str
    path: str


class Look(NamedTuple):
    """What a file looks like from outside; of what is no file, sizes below 0 say what it is."""

    size_bytes: int
    mtime_ns: int


PASSED: Final = Look(-1, 0)
"""What a run passes over, and tells of in its log alone: a link that leads nowhere, a pipe."""

UNREADABLE: Final = Look(-2, 0)


@dataclass(slots=True)
class _Waiting:
    """A file that is not taken up yet.

    Attributes:
        quiet_at_s: When it will have been quiet for long enough.
    """

    look: Look
    quiet_at_s: float


class Settling:
    """The files that have arrived and are not taken up yet.

    Args:
        options: For how long a file must not have changed, and waits for others.
    """

    def __init__(self, options: WatchOptions) -> None:
        self._settle_s = options.settle_s
        self._patience_s = options.patience_s
        self._folders: dict[str, dict[Key, _Waiting]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._folders.values()))

    def see(
        self, key: Key, look: Look, *, at_s: float, quiet_s: float = 0.0, is_written: bool = False
    ) -> bool:
        """Note what a file looks like.

        Args:
            key: The file.
            look: Its size and time of change.
            at_s: Now, on the clock that all moments here are of.
            quiet_s: For how long it says itself that it has not changed; believed at the first
                look only.
            is_written: Whether it was heard to be written since, whatever it looks like.

        Returns:
            Whether it was not known yet.
        """
        folder = self._folders.setdefault(_folder_of(key), {})
        known = folder.get(key)
        if known is None:
            left_s = self._settle_s - max(0.0, quiet_s)
            least_s = min(self._settle_s, HEARD_S)
            folder[key] = _Waiting(look, at_s + max(least_s, left_s))
        elif is_written or known.look != look:
            folder[key] = _Waiting(look, at_s + self._settle_s)
        return known is None

    def forget(self, key: Key) -> None:
        """Drop a file: it has gone."""
        folder = self._folders.get(_folder_of(key), {})
        if folder.pop(key, None) is not None and not folder:
            del self._folders[_folder_of(key)]

    def ready(self, at_s: float) -> list[Key]:
        """Return what may be taken up: quiet, and none of its folder is waited for any more."""
        return [
            key
            for folder in self._folders.values()
            if self._moment_s(folder) <= at_s
            for key, waiting in folder.items()
            if waiting.quiet_at_s <= at_s
        ]

    def take(self, at_s: float) -> dict[Key, Look]:
        """Take out what may be taken up, with what it looks like."""
        taken = {}
        for key in self.ready(at_s):
            taken[key] = self._folders[_folder_of(key)][key].look
            self.forget(key)
        return taken

    @property
    def next_at_s(self) -> float:
        """When something may be ready; infinite where nothing waits."""
        return min(map(self._moment_s, self._folders.values()), default=math.inf)

    def _moment_s(self, folder: Mapping[Key, _Waiting]) -> float:
        moments_s = [waiting.quiet_at_s for waiting in folder.values()]
        return min(max(moments_s), min(moments_s) + self._patience_s)


class Taken:
    """The files that were taken up, as they looked then: two numbers each, whatever their names."""

    def __init__(self) -> None:
        self._looks: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._looks)

    def add(self, key: Key, look: Look) -> None:
        """Note a file."""
        self._looks[_digest(*key)] = _digest(*look)

    def forget(self, key: Key) -> None:
        """Have a file be taken up once more, however it looks."""
        self._looks.pop(_digest(*key), None)

    def has(self, key: Key, look: Look) -> bool:
        """Whether a file was taken up as it looks now."""
        return self._looks.get(_digest(*key)) == _digest(*look)


def _digest(*values: object) -> bytes:
    text = "\0".join(map(str, values))
    return blake2b(text.encode(errors="surrogateescape"), digest_size=16).digest()


def _folder_of(key: Key) -> str:
    return f"{key.given}\0{key.path.rpartition('/')[0]}"
