"""Checking a pair: for a token of the interface as for a session of the page."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import structlog
from anyio import CapacityLimiter, to_thread

from batch_converter.server.callers import neighbourhood
from batch_converter.server.guesses import Guesses, Try

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch_converter.server.accounts import Accounts
    from batch_converter.server.credentials import Credentials

_log = structlog.get_logger()

_AT_ONCE: Final = 2
_MAX_WAITING: Final = 256
_MAX_WAITING_THERE: Final = 64
_BUSY_S: Final = 1
_SHOWN_CHARS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Nobody gets in with this; `retry_after_s` is given where the pair was not looked at."""

    retry_after_s: int | None = None


class SignIn:
    """Says whether a pair is right, without holding up the event loop or burning the machine.

    Hashing runs in a thread, for two pairs at once in all; only a few wait for their turn,
    of each address too. The log has the client and the address of all that are let in or
    refused; of a flood that is not listened to, the first of each wait.

    Args:
        accounts: Who is known.
        clock: Monotonic seconds.
    """

    def __init__(self, accounts: Accounts, *, clock: Callable[[], float]) -> None:
        self._accounts = accounts
        self._guesses = Guesses(clock)
        self._turns = CapacityLimiter(_AT_ONCE)
        self._waiting: Counter[str] = Counter()

    async def check(
        self, given: Credentials, address: str, *, purpose: Literal["token", "session"]
    ) -> str | Refusal:
        """Return the client that the pair proves, or refuse it.

        Where everybody is let in, that is the id that was given.

        Args:
            given: The pair.
            address: Where it came from, such as `192.0.2.7`.
            purpose: What it is to be exchanged for, as the log calls it.
        """
        tried = Try(client=given.client_id, address=address, digest=given.digest)
        refusal = self._early(tried) or await self._settle(given, tried)
        self._tell(tried, refusal, purpose)
        return given.client_id if refusal is None else refusal

    async def _settle(self, given: Credentials, tried: Try) -> Refusal | None:
        await to_thread.run_sync(self._accounts.refresh)
        if self._accounts.is_open:
            return None if given.is_legible else Refusal()
        refusal = None if self._accounts.knows(given) else await self._prove(given, tried)
        if refusal is None:
            self._guesses.welcome(tried)
        return refusal

    def _early(self, tried: Try) -> Refusal | None:
        """Refuse who has to wait, without looking at the pair."""
        wait_s = self._guesses.wait_s(tried)
        return Refusal(retry_after_s=math.ceil(wait_s)) if wait_s > 0 else None

    async def _prove(self, given: Credentials, tried: Try) -> Refusal | None:
        there = neighbourhood(tried.address)
        if self._waiting.total() >= _MAX_WAITING or self._waiting[there] >= _MAX_WAITING_THERE:
            return Refusal(retry_after_s=_BUSY_S)
        with self._standing_in_line(there):
            async with self._turns:
                if (refusal := self._early(tried)) or self._accounts.knows(given):
                    return refusal  # what came before it in the line has settled it
                return None if await self._is_right(given, tried) else Refusal()

    @contextmanager
    def _standing_in_line(self, there: str) -> Iterator[None]:
        self._waiting[there] += 1
        try:
            yield
        finally:
            self._waiting[there] -= 1
            self._waiting += Counter()  # drops what is zero

    async def _is_right(self, given: Credentials, tried: Try) -> bool:
        is_right = False
        try:
            stamp = await to_thread.run_sync(self._accounts.proven_stamp, given)
            is_right = stamp is not None and self._accounts.remember(given, stamp)
        finally:  # also of one who has hung up
            if not is_right:
                self._guesses.note(tried)
        return is_right

    def _tell(self, tried: Try, refusal: Refusal | None, purpose: str) -> None:
        who = {"client": tried.client[:_SHOWN_CHARS], "address": tried.address}
        if refusal is None:
            _log.info(f"server.{purpose}_granted", **who)
        elif refusal.retry_after_s is None or self._guesses.tell(tried):
            _log.warning(f"server.{purpose}_refused", **who, wait_s=refusal.retry_after_s)
