"""Whether and when a request is tried again. Pure: time and chance are arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_converter.errors import PassingError

THROTTLING_STATUSES: Final = frozenset({429, 503})
OVERLOAD_STATUSES: Final = frozenset({408, 429, 503, 504})
_PASSING_STATUSES: Final = frozenset({408, 425, 429})
_SERVER_FAULTS: Final = range(500, 600)
_MAX_DOUBLINGS: Final = 30
_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]*)?")
_LONGEST_S: Final = 1e9
"""What any longer wait is taken for: thirty years, and still a number to calculate with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A request that failed in passing.

    Attributes:
        error: What the document gets when no try is left.
        retry_after_s: How long the service asked to be left alone.
        throttled: The service says that it has too much to do: everybody slows down.
        overloaded: It may well have: fewer uploads at once.
        turn: The turn in which the request left, as the throttle gave it.
    """

    error: PassingError
    retry_after_s: float | None = None
    throttled: bool = False
    overloaded: bool = False
    turn: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently; see the `[retry]` section of the configuration."""

    attempts: int = 6
    initial_wait_s: float = 0.5
    max_wait_s: float = 60.0
    max_retry_after_s: float = 900.0


def is_passing(status: int) -> bool:
    """Whether the same request may well succeed later."""
    return status in _PASSING_STATUSES or status in _SERVER_FAULTS


def next_wait_s(
    policy: RetryPolicy, trouble: Trouble, *, attempt: int, random: Callable[[], float]
) -> float | None:
    """Return how long to wait after the `attempt`-th try failed; None to give up.

    The wait doubles from try to try up to `max_wait_s`, and chance takes away up to
    half of it, so that those who failed together do not come back together. What the
    service asks for only lengthens it: a `Retry-After` of no time, or of one gone by,
    would let all tries be made within a second.

    Args:
        policy: How often and how patiently.
        trouble: What happened.
        attempt: Tries made so far, 1 after the first.
        random: Returns a number from 0 to 1.
    """
    if attempt >= policy.attempts:
        return None
    return max(backoff_s(policy, attempt=attempt, random=random), trouble.retry_after_s or 0.0)


def backoff_s(policy: RetryPolicy, *, attempt: int, random: Callable[[], float]) -> float:
    """Return the least time between two tries, the `attempt`-th having failed."""
    doublings = min(attempt - 1, _MAX_DOUBLINGS)
    wait_s = min(policy.max_wait_s, policy.initial_wait_s * 2.0**doublings)
    return wait_s * (1 - random() / 2)


def reason_to_stop(policy: RetryPolicy, trouble: Trouble) -> str | None:
    """Say why the service's answer is no use to any document; None where waiting helps."""
    asked_s = trouble.retry_after_s
    if asked_s is not None and asked_s > policy.max_retry_after_s:
        return f"the service asks to be left alone for {asked_s:.0f} s"
    return None


def retry_after_s(value: str | None, *, date: str | None, now: datetime) -> float | None:
    """Read a `Retry-After` header: seconds, or an HTTP date.

    A date is compared with the answer's own `Date`, where there is one: the two
    machines' clocks may differ. A moment in the past is no wait. A number too large
    to be meant is a very long wait, not none. What cannot be read counts as absent.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _LONGEST_S)
    moment = _http_date(text)
    if moment is None:
        return None
    return max(0.0, (moment - (_http_date(date) or now)).total_seconds())


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):  # the latter where a number in it is very large
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
