"""Who may use the service: credentials become tokens, tokens open the doors."""

from __future__ import annotations

import hmac
import math
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.server.credentials import Credentials
from batch_converter.wire import TokenAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TOKEN_LIFETIME_S", "Credentials", "TokenDesk", "TokenRefusal"]

TOKEN_LIFETIME_S: Final = 3600.0
FAILURES_ALLOWED: Final = 5
LOCKOUT_S: Final = 600.0
_MAX_STRANGERS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefusal:
    """No token; `retry_after_s` is given while the pair is locked out."""

    retry_after_s: int | None = None


@dataclass(slots=True)
class _Failures:
    count: int
    latest_s: float


class TokenDesk:
    """Issues tokens and knows them again; nothing survives the process.

    Args:
        account: The only pair that is accepted; None accepts every pair.
        clock: Monotonic seconds.
    """

    def __init__(
        self, account: Credentials | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._account = account.digest if account else None
        self._clock = clock
        self._ends_s: dict[str, float] = {}
        self._strangers: dict[bytes, _Failures] = {}

    def issue(self, given: Credentials) -> TokenAnswer | TokenRefusal:
        """Return a fresh token, or refuse: after five failures with one pair for ten minutes."""
        pair = given.digest
        locked_s = self._locked_s(pair)
        if locked_s > 0:
            return TokenRefusal(retry_after_s=math.ceil(locked_s))
        if self._account is not None and not hmac.compare_digest(pair, self._account):
            self._note_failure(pair)
            return TokenRefusal()
        return self._fresh_token()

    def admits(self, token: str) -> bool:
        """Whether this desk issued the token and it has not expired."""
        return self._clock() < self._ends_s.get(token, -math.inf)

    def _fresh_token(self) -> TokenAnswer:
        self._forget_expired()
        token = secrets.token_urlsafe(32)
        self._ends_s[token] = self._clock() + TOKEN_LIFETIME_S
        return TokenAnswer(access_token=token, lifetime_s=TOKEN_LIFETIME_S)

    def _forget_expired(self) -> None:
        """Drop from the front: all live equally long, so the oldest end first."""
        while self._ends_s and not self.admits(oldest := next(iter(self._ends_s))):
            del self._ends_s[oldest]

    def _locked_s(self, pair: bytes) -> float:
        failures = self._strangers.get(pair)
        if failures is None or failures.count < FAILURES_ALLOWED:
            return 0.0
        return failures.latest_s + LOCKOUT_S - self._clock()

    def _note_failure(self, pair: bytes) -> None:
        """Count it, forgetting failures that are over and, under attack, the oldest pairs."""
        now_s = self._clock()
        known = self._strangers.pop(pair, None)
        fresh = known is None or known.latest_s + LOCKOUT_S <= now_s
        count = 1 if known is None or fresh else known.count + 1
        self._strangers[pair] = _Failures(count=count, latest_s=now_s)
        if len(self._strangers) > _MAX_STRANGERS:
            del self._strangers[next(iter(self._strangers))]
