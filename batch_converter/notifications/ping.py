"""Pings a dead man's switch: somebody else who raises the alarm when a run does not come.

The form is healthchecks.io's ("Pinging API"): a GET of `URL/start` when a job begins, and of
`URL/EXIT-CODE` when it ends. Whoever knows the address may ping, so it is a secret: nothing
that is told of it names more than its host.
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

import aiohttp
import anyio
import structlog
from yarl import URL

from batch_converter.errors import UsageError
from batch_converter.foreign_text import trimmed
from batch_converter.notifications.names import LeavingResolver
from batch_converter.proxies import environment_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PATIENCE_S: Final = 10.0
"""Of one ping, its repetitions included: a run waits no longer for anybody who only watches."""

_PAUSES_S: Final = (0.5, 1.5)
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5
_PASSING: Final = frozenset({408, 425, 429})
_SHORTEST_KEY: Final = 12

log = structlog.get_logger()


class _Failure(NamedTuple):
    """Why a ping did not get through, and whether it may the next time."""

    reason: str
    passing: bool = True


class Ping:
    """A dead man's switch by its address.

    Raises:
        UsageError: It is no http or https address; the message does not tell it.
    """

    def __init__(
        self,
        url: str,
        *,
        patience_s: float = PATIENCE_S,
        pauses_s: Sequence[float] = _PAUSES_S,
    ) -> None:
        self._url = _parsed(trimmed(url))
        self._patience_s = patience_s
        self._pauses_s = pauses_s

    def secrets(self) -> Iterator[str]:
        """Yield what logs must mask: the address, and what in it nobody guesses.

        Words in it, such as the name of a job, stand in the names of files as well.
        """
        yield str(self._url)
        yield self._url.password or ""
        parts = [*self._url.parts, *self._url.query.values(), self._url.user or ""]
        yield from filter(_is_key, parts)

    async def send(self, word: str) -> None:
        """Send one ping, such as `start`; a failure is a warning in the log, and no more."""
        failure: _Failure | None = None
        with anyio.move_on_after(self._patience_s) as scope:
            failure = await self._sent(word)
        if scope.cancelled_caught:
            failure = _Failure(f"no answer within {self._patience_s:g} seconds")
        if failure is not None:
            log.warning("ping.failed", host=self._url.host, ping=word, reason=failure.reason)

    async def _sent(self, word: str) -> _Failure | None:
        address = self._url.with_path(f"{self._url.raw_path.rstrip('/')}/{word}", encoded=True)
        address = address.with_query(self._url.query)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=LeavingResolver()),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "batch-converter"},
        ) as session:
            failure = await _followed(session, address)
            for pause_s in self._pauses_s:
                if failure is None or not failure.passing:
                    break
                await anyio.sleep(pause_s)
                failure = await _followed(session, address)
        return failure


def _is_key(part: str) -> bool:
    """Whether it is no word: long, and with a digit after a letter, or cases mixed within."""
    mixed = re.search(r"[A-Za-z][0-9]|[0-9][A-Za-z]|[a-z][A-Z]", part) is not None
    return mixed and len(part) >= _SHORTEST_KEY


def _parsed(text: str) -> URL:
    if not text:
        raise UsageError("--ping-url is empty; is a variable not set?")
    wanted = "--ping-url must be an http or https address, without spaces in it"
    try:
        url = URL(text)
        usable = url.scheme in {"http", "https"} and url.host and url.port
    except ValueError:
        raise UsageError(wanted) from None
    if not usable or not text.isprintable() or " " in text:
        raise UsageError(wanted)
    return url.with_fragment(None)


async def _followed(session: aiohttp.ClientSession, address: URL) -> _Failure | None:
    """Get an address, and where it sends on to on the same server."""
    for _ in range(_MOST_REDIRECTS + 1):
        try:
            proxy = environment_proxy(address)
            async with session.get(address, allow_redirects=False, proxy=proxy) as answer:
                status, location = answer.status, answer.headers.get("Location", "")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _Failure(_reason(error))
        if status not in _REDIRECTS:
            return _judged(status)
        target = _target(address, location)
        if target is None:
            return _Failure("it sends on to another server, which is not followed", passing=False)
        address = target
    return _Failure("it sends on without end", passing=False)


def _judged(status: int) -> _Failure | None:
    if 200 <= status < 300:  # noqa: PLR2004  # HTTP's own classes
        return None
    return _Failure(f"it answered {status}", passing=status >= 500 or status in _PASSING)  # noqa: PLR2004  # HTTP's own classes


def _target(address: URL, location: str) -> URL | None:
    """Return where a redirect leads, if that is the same origin, or its host by https."""
    try:
        target = address.join(URL(location))
        is_same = target.origin() == address.origin()
    except ValueError:
        return None
    is_upgrade = target.scheme == "https" and target.host == address.host
    return target if is_same or is_upgrade else None


def _reason(error: Exception) -> str:
    """Say what happened in words that hold no address: those of aiohttp do."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its host is not known"
    if isinstance(error, aiohttp.ClientSSLError):
        return "its certificate is not trusted, or it speaks no TLS"
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
    if number is not None and number in errno.errorcode:
        return os.strerror(number)
    return f"the exchange broke off ({type(error).__name__})"
