"""One token for all: asked for once, renewed once, compared by value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio

from batch_converter.errors import AccountRefusedError
from batch_converter.events import TokenObtained

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batch_converter.clock import Clock
    from batch_converter.events import EventStream
    from batch_converter.wire import TokenAnswer

_MARGIN_S: Final = 60.0
_MARGIN_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    token: str = field(repr=False)
    renew_at_s: float
    replaces_refused: bool


class TokenKeeper:
    """Keeps the token that all requests share.

    While one coroutine asks for it the others wait and share its answer. A refusal
    of the credentials is final: everybody gets it, and nobody asks again, since
    the service locks an account out that keeps knocking. So is that of a token which took
    the place of a refused one and has never worked, whichever request it was refused to.

    Args:
        ask: Makes the request, with its retries.
        clock: The time.
        events: Told when there is a new one.
    """

    def __init__(
        self, ask: Callable[[], Awaitable[TokenAnswer]], *, clock: Clock, events: EventStream
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._events = events
        self._lock = anyio.Lock()
        self._held: _Held | None = None
        self._refusal: str | None = None
        self._working: str | None = None

    async def current(self) -> str:
        """Return a token that is valid for a while yet.

        Raises:
            AccountRefusedError: The credentials are wrong.
            FileError: The token could not be fetched now.
            RunStoppedError: It cannot be fetched at all.
        """
        held = self._fresh()
        if held and not self._lock.locked():  # nobody overtakes those who wait
            return held.token
        async with self._lock:
            held = self._fresh() or await self._fetched(replaces_refused=False)
            return held.token

    def works(self, token: str) -> None:
        """Note that the service has answered a request with this token.

        A late answer to one that was replaced since says nothing of the token that is held.
        """
        if self._held is not None and self._held.token == token:
            self._working = token

    async def renew(self, *, stale: str, refusal: AccountRefusedError) -> str:
        """Return another token than `stale`, which the service has refused.

        Args:
            stale: The token.
            refusal: What it means if that one was as good as new.

        Raises:
            As `current`.
        """
        async with self._lock:
            held = self._fresh()
            if held is None or held.token == stale:
                if held and held.replaces_refused and self._working != stale:
                    self._refusal = self._refusal or str(refusal)
                held = await self._fetched(replaces_refused=True)
            return held.token

    def _fresh(self) -> _Held | None:
        held = self._held
        return held if held and self._clock.monotonic_s() < held.renew_at_s else None

    async def _fetched(self, *, replaces_refused: bool) -> _Held:
        if self._refusal is not None:
            raise AccountRefusedError(self._refusal)
        asked_at_s = self._clock.monotonic_s()
        try:
            answer = await self._ask()
        except AccountRefusedError as error:
            self._refusal = str(error)
            raise
        margin_s = min(_MARGIN_S, answer.lifetime_s * _MARGIN_SHARE)
        self._held = _Held(
            token=answer.access_token,
            renew_at_s=asked_at_s + answer.lifetime_s - margin_s,
            replaces_refused=replaces_refused,
        )
        self._events.emit(TokenObtained(lifetime_s=answer.lifetime_s))
        return self._held
