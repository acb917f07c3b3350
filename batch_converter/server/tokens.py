"""Tokens: each belongs to the client whose credentials it was given for."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_converter.server.sign_in import Refusal
from batch_converter.wire import TokenAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_converter.server.accounts import Accounts
    from batch_converter.server.credentials import Credentials
    from batch_converter.server.sign_in import SignIn

TOKEN_LIFETIME_S: Final = 3600.0
_MAX_TOKENS: Final = 100_000
_MAX_TOKENS_EACH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    client: str
    stamp: bytes | None
    ends_s: float


class TokenDesk:
    """Issues tokens and knows whose they are; nothing of them survives the process.

    A token ends with its hour, with the removal of its client, and when the client gets
    another secret. Of a client who asks for more than a thousand the oldest ends.

    Args:
        sign_in: Checks credentials.
        accounts: Who is known.
        clock: Monotonic seconds.
    """

    def __init__(
        self, sign_in: SignIn, accounts: Accounts, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sign_in = sign_in
        self._accounts = accounts
        self._clock = clock
        self._tokens: dict[bytes, _Token] = {}
        self._of_client: dict[str, deque[bytes]] = {}

    async def issue(self, given: Credentials, address: str) -> TokenAnswer | Refusal:
        """Return a fresh token, or refuse.

        Args:
            given: The pair.
            address: Where it came from.
        """
        client = await self._sign_in.check(given, address, purpose="token")
        return client if isinstance(client, Refusal) else self._fresh_token(client)

    def client_of(self, token: str) -> str | None:
        """Return whose token this is; None where it is nobody's, or over."""
        known = self._tokens.get(_digest(token))
        if known is None or self._clock() >= known.ends_s:
            return None
        stamp = self._accounts.stamp_of(known.client)
        return known.client if stamp is not None and stamp == known.stamp else None

    def _fresh_token(self, client: str) -> TokenAnswer:
        self._make_room(client)
        token = secrets.token_urlsafe(32)
        digest = _digest(token)
        stamp = self._accounts.stamp_of(client)
        ends_s = self._clock() + TOKEN_LIFETIME_S
        self._tokens[digest] = _Token(client=client, stamp=stamp, ends_s=ends_s)
        self._of_client.setdefault(client, deque()).append(digest)
        return TokenAnswer(access_token=token, lifetime_s=TOKEN_LIFETIME_S)

    def _make_room(self, client: str) -> None:
        """Drop what has expired, from the front: all live equally long; and what is too many."""
        now_s = self._clock()
        while self._tokens and (len(self._tokens) >= _MAX_TOKENS or self._oldest.ends_s <= now_s):
            self._drop_oldest_of(self._oldest.client)
        if len(self._of_client.get(client, ())) >= _MAX_TOKENS_EACH:
            self._drop_oldest_of(client)

    @property
    def _oldest(self) -> _Token:
        return next(iter(self._tokens.values()))

    def _drop_oldest_of(self, client: str) -> None:
        own = self._of_client[client]
        del self._tokens[own.popleft()]
        if not own:
            del self._of_client[client]


def _digest(token: str) -> bytes:
    """Return what is kept of a token: where it is looked up, its characters tell no time."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
