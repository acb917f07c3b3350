"""Who is asked sooner than need be, since the answer teaches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from batch_converter.polling.belief import Belief
    from batch_converter.polling.forecast import Place
    from batch_converter.polling.plan import End

_FIRST_PROBES: Final = 3
_PROBE_EVERY: Final = 14
_PROBE_SHARE: Final = 0.75
_EARLY_PROBE_EVERY: Final = 4
_EARLY_PROBE_SHARE: Final = 0.4
_FAILED_ENOUGH: Final = 2
_USUAL_SHARE: Final = 0.02
_CHECK_EVERY: Final = 64
_CHECK_AFTER: Final = 1.2
_SLUMP: Final = 0.5
_SLUMP_PROBE: Final = 1.2


class Lessons:
    """Picks who is to teach, and when."""

    def __init__(self, belief: Belief) -> None:
        self._belief = belief
        self._failed = 0
        self._learned = 0
        self._usual_level = belief.level

    def failed(self) -> None:
        """Count a question that came too early."""
        self._failed += 1

    def learned(self) -> None:
        """Let the usual level follow the belief, slowly."""
        self._learned += 1
        share = max(_USUAL_SHARE, 1.0 / self._learned)
        self._usual_level += share * (self._belief.level - self._usual_level)

    def check_s(self, place: Place) -> float:
        """Return when to ask a document as if nobody queued; never, for most.

        A queue that is only imagined keeps the service idle, and a service that idles looks
        slow: whoever waits for it never finds out.
        """
        every = max(_CHECK_EVERY, self._belief.forecast.max_in_flight)
        if place.asked_at_s is not None or (place.sequence + 1) % every:
            return math.inf
        return place.submitted_at_s + _CHECK_AFTER * place.weight * math.exp(self._belief.level)

    def probe_s(self, place: Place, ends: list[End]) -> float:
        """Return when to ask a document early; never, for most.

        More are asked until two were asked too early, and in a slump.
        """
        learning = self._failed < _FAILED_ENOUGH
        every = _EARLY_PROBE_EVERY if learning else _PROBE_EVERY
        if place.sequence < _FIRST_PROBES or place.sequence % every == 0:
            return ends[int(len(ends) * (_EARLY_PROBE_SHARE if learning else _PROBE_SHARE))].at_s
        if place.sequence % _EARLY_PROBE_EVERY == 0 and self._is_slump():
            usual_s = place.weight * math.exp(self._usual_level)
            return place.submitted_at_s + _SLUMP_PROBE * usual_s
        return math.inf

    def _is_slump(self) -> bool:
        """Whether the service has become far slower, without a queue: it may be over soon."""
        belief = self._belief
        slow = belief.level > self._usual_level + _SLUMP
        return slow and belief.servers >= belief.forecast.max_in_flight
