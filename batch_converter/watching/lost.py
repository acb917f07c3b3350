"""Sources that cannot be reached any more: a disk that was unmounted, a folder that was moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.events import WatchSourceBack, WatchSourceLost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batch_converter.events import RunEvent


class LostSources:
    """Which sources are away, each told once."""

    def __init__(self, emit: Callable[[RunEvent], object]) -> None:
        self._emit = emit
        self._lost: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._lost)

    def note(self, lost: Mapping[str, str]) -> bool:
        """Note which are away now.

        Args:
            lost: Why, by what the user gave.

        Returns:
            Whether one has come back.
        """
        back = self._lost - lost.keys()
        for path in sorted(lost.keys() - self._lost):
            self._emit(WatchSourceLost(path=path, reason=lost[path]))
        for path in sorted(back):
            self._emit(WatchSourceBack(path=path))
        self._lost = set(lost)
        return bool(back)
