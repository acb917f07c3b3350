"""How long somebody who has guessed wrong waits before he may try again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from batch_converter.server.callers import neighbourhood

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

K = TypeVar("K", bound="Hashable")

_MAX_DOUBLINGS: Final = 20
_MAX_KEYS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffPolicy:
    """How failures slow the next try.

    Attributes:
        free: Failures after which nothing happens yet.
        first_wait_s: After one more; it doubles with each that follows.
        longest_wait_s: Where doubling ends.
        forgiven_s: How long it takes until one failure is forgotten.
    """

    free: int
    first_wait_s: float
    longest_wait_s: float
    forgiven_s: float


PAIR: Final = BackoffPolicy(free=5, first_wait_s=600, longest_wait_s=600, forgiven_s=120)
"""The vendor's rule: five failures with one pair, then ten minutes of nothing."""

ADDRESS: Final = BackoffPolicy(free=5, first_wait_s=10, longest_wait_s=600, forgiven_s=1800)
"""At most some 15 guesses in the first hour, and 6 in each that follows."""

CLIENT: Final = BackoffPolicy(free=20, first_wait_s=10, longest_wait_s=600, forgiven_s=120)
"""For guesses from many addresses; 6 an hour from a single one never add up to it."""


@dataclass(slots=True)
class _Failures:
    count: int
    latest_s: float
    forgiven_until_s: float
    is_told: bool = False


class Slowdown(Generic[K]):
    """Counts the failures of each key, and forgets the oldest keys under a flood."""

    def __init__(self, policy: BackoffPolicy) -> None:
        self._policy = policy
        self._failures: OrderedDict[K, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def wait_s(self, key: K, now_s: float) -> float:
        """Return how long the next try has to wait; 0 where it need not."""
        known, policy = self._failures.get(key), self._policy
        if known is None or known.count < policy.free:
            return 0.0
        doublings = min(known.count - policy.free, _MAX_DOUBLINGS)
        wait_s = min(policy.first_wait_s * 2.0**doublings, policy.longest_wait_s)
        return max(0.0, known.latest_s + wait_s - now_s)

    def note(self, key: K, now_s: float) -> None:
        """Count a failure."""
        known = self._failures.pop(key, None) or _Failures(0, now_s, now_s)
        forgiven = int((now_s - known.forgiven_until_s) / self._policy.forgiven_s)
        left = max(0, known.count - forgiven)
        anchor_s = known.forgiven_until_s + forgiven * self._policy.forgiven_s if left else now_s
        self._failures[key] = _Failures(left + 1, now_s, anchor_s)
        if len(self._failures) > _MAX_KEYS:
            self._failures.popitem(last=False)

    def forget(self, key: K) -> None:
        """Count nothing of the key any more."""
        self._failures.pop(key, None)

    def tell(self, key: K) -> bool:
        """Whether this is the first that is told of the key's wait since its last failure."""
        known = self._failures.get(key)
        if known is None or known.is_told:
            return False
        known.is_told = True
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """Who tries to get in, from where, with what (as a digest)."""

    client: str
    address: str
    digest: bytes


class Guesses:
    """Slows guesses by pair, by address and by client id, in bounded memory.

    A client that has got in from an address before is not slowed by what others do: only
    failures with its own id from that address count for it. So a flood locks nobody out
    from elsewhere, and not even a neighbour behind the same proxy who was there first.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pairs: Slowdown[Hashable] = Slowdown(PAIR)
        self._addresses: Slowdown[Hashable] = Slowdown(ADDRESS)
        self._clients: Slowdown[Hashable] = Slowdown(CLIENT)
        self._at_home: Slowdown[Hashable] = Slowdown(ADDRESS)
        self._homes: OrderedDict[Hashable, None] = OrderedDict()

    def wait_s(self, tried: Try) -> float:
        """Return how long this one has to wait before he is heard; 0 where he need not."""
        now_s = self._clock()
        return max(slow.wait_s(key, now_s) for slow, key in self._counts(tried))

    def note(self, tried: Try) -> None:
        """The pair was wrong."""
        now_s = self._clock()
        for slow, key in self._counts(tried):
            slow.note(key, now_s)

    def welcome(self, tried: Try) -> None:
        """The pair was right: from this address the client is at home from now on."""
        home = _home(tried)
        self._at_home.forget(home)
        self._homes[home] = None
        self._homes.move_to_end(home)
        if len(self._homes) > _MAX_KEYS:
            self._homes.popitem(last=False)

    def tell(self, tried: Try) -> bool:
        """Whether a refusal of this one says anything that has not been told."""
        told = [slow.tell(key) for slow, key in self._counts(tried)]  # each of them
        return any(told)

    def _counts(self, tried: Try) -> tuple[tuple[Slowdown[Hashable], Hashable], ...]:
        pair = (self._pairs, tried.digest)
        if (home := _home(tried)) in self._homes:
            return pair, (self._at_home, home)
        return (
            pair,
            (self._addresses, neighbourhood(tried.address)),
            (self._clients, tried.client),
        )


def _home(tried: Try) -> tuple[str, str]:
    return tried.client, neighbourhood(tried.address)
