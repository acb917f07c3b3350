"""Whose fault it is when a worker dies: counted for each task, retried by one rule.

A task is blamed when it was under way on a worker that died. One or two may be bad luck, or
another task's doing on the same worker; so the third try is alone on its worker. Who is only
waiting on a worker, and who is on one that leaves in order, is blamed for nothing.
"""

from __future__ import annotations

from typing import Final

from batch_converter.errors import EngineError, NetworkError

MAX_DEATHS: Final = 3
_MAX_ACCIDENTS: Final = 20


class Losses:
    """What has happened to one task so far."""

    def __init__(self) -> None:
        self._deaths = 0
        self._accidents = 0

    @property
    def is_suspect(self) -> bool:
        """Whether the next try has to be alone on its worker."""
        return self._deaths >= MAX_DEATHS - 1

    def note_death(self) -> None:
        """Count a worker that died at it.

        Raises:
            EngineError: It was one too many.
        """
        self._deaths += 1
        if self._deaths >= MAX_DEATHS:
            raise EngineError(
                f"each of {self._deaths} workers of the cluster that converted it died, the last"
                " with nothing else to do; see the workers' own logs, most likely for want of"
                " memory"
            )

    def note_accident(self, reason: str) -> None:
        """Count a try that came to nothing without anybody's fault.

        Raises:
            NetworkError: There were too many in a row.
        """
        self._accidents += 1
        if self._accidents >= _MAX_ACCIDENTS:
            raise NetworkError(
                f"the cluster gave it up {self._accidents} times, in the end for this: {reason};"
                " run the same command again when its workers stay"
            )
