"""How a watch looks and waits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from batch_converter.errors import UsageError

_LEAST_POLL_S: Final = 1.0
_SETTLES_A_POLL: Final = 5
_PATIENCE: Final = 5

SETTLE_S: Final = 2.0
RESCAN_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """How a watch looks and waits.

    Attributes:
        settle_s: For how long a file must not have changed before it is taken up.
        rescan_s: How often everything is looked at again, whatever was heard.
        poll: Look now and then, and do not ask the system to tell of changes: it knows only
            of those of this machine, so that on a network mount it tells nothing.

    Raises:
        UsageError: A time is senseless.
    """

    settle_s: float = SETTLE_S
    rescan_s: float = RESCAN_S
    poll: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not 0 <= self.settle_s < math.inf:
            raise UsageError(f"settle must be 0 seconds or more, not {self.settle_s:g}")
        if not 0 < self.rescan_s < math.inf:
            raise UsageError(f"rescan must be more than 0 seconds, not {self.rescan_s:g}")

    @property
    def patience_s(self) -> float:
        """For how long a quiet file waits for others of its folder.

        An indirect document is an index and many files, and what comes together is converted
        together.
        """
        return _PATIENCE * self.settle_s

    @property
    def poll_s(self) -> float:
        """Seconds between two looks where nobody tells of changes."""
        return min(self.rescan_s, max(_LEAST_POLL_S, _SETTLES_A_POLL * self.settle_s))
