"""Whom the service answers by name, and whose pages may make it do something.

A page from elsewhere that has its own name resolve to this machine (DNS rebinding) is
told apart by the name that its requests are addressed to; one that just sends requests
here, by what browsers add to them and pages cannot change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import HttpVersion10, web

from batch_converter.config import is_loopback
from batch_converter.errors import UsageError
from batch_converter.server.access import Access, access_of
from batch_converter.server.callers import CALLER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.typedefs import Handler, Middleware

    from batch_converter.server.accounts import Accounts
    from batch_converter.server.callers import Caller

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FOREIGN_SITES: Final = frozenset({"cross-site", "same-site"})
_MISDIRECTED: Final = 421
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


class Names:
    """The names that are answered.

    Args:
        hosts: Beside loopback's; empty is any.
        accounts: Who is let in. While that is everybody, a name that is not loopback's
            may be a foreign page's for this machine.

    Raises:
        UsageError: Names are given, and everybody is let in.
    """

    def __init__(self, hosts: Sequence[str], accounts: Accounts) -> None:
        if hosts and accounts.is_open:
            raise UsageError(
                "serve.hosts is given, and there is no client: without any only this machine is"
                " served, by loopback names; let one in with --add-client, or give --client-id"
            )
        self._hosts = frozenset(hosts)
        self._accounts = accounts

    def answer(self, host: str) -> bool:
        """Whether requests to this name are answered."""
        if is_loopback(host) or host in self._hosts:
            return True
        return not self._hosts and not self._accounts.is_open

    def refusal(self, host: str) -> str:
        """Return why they are not, and what to do."""
        advice = (
            "without any client only names such as localhost are answered: let one in with"
            " --add-client or --client-id, and name in serve.hosts what else is to be answered"
            if self._accounts.is_open
            else "name it in serve.hosts of the service's configuration"
        )
        return f"this service does not answer to the name {host}; {advice}"


class _Misdirected(web.HTTPClientError):
    """The name is not one of ours (RFC 9110, 15.5.20)."""

    status_code = _MISDIRECTED


def answering_to(names: Names) -> Middleware:
    """Refuse requests that are addressed to another name."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        caller = request[CALLER]
        host = caller.host
        if host is not None and not names.answer(host):
            raise _Misdirected(text=names.refusal(host))
        # Only HTTP/1.0 may leave the name out, and no browser speaks it.
        if host is None and (caller.authority is None or request.version > HttpVersion10):
            raise web.HTTPBadRequest(text="the request's Host is missing or is no name")
        return await handler(request)

    return check


@web.middleware
async def own_pages_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a page from elsewhere would have the service do.

    Endpoints that ask for a token need no such care: a foreign page has none.
    """
    reads_only = request.method in _READING
    if not reads_only and access_of(request) is not Access.BEARER and is_foreign(request):
        raise web.HTTPForbidden(
            text="a page from elsewhere may not do this; behind a proxy, name the proxy in"
            " serve.trusted_proxies and let it set X-Forwarded-Host and X-Forwarded-Proto"
        )
    return await handler(request)


def is_foreign(request: web.Request) -> bool:
    """Whether a browser says so; other programs say nothing."""
    site = request.headers.get("Sec-Fetch-Site", "").strip().casefold()
    if site in _FOREIGN_SITES:
        return True
    origins = request.headers.getall("Origin", ())
    # A browser that says `same-origin` has compared schemes itself, before any proxy.
    return not all(
        _is_own(origin, request[CALLER], any_scheme=site == "same-origin") for origin in origins
    )


def _is_own(origin: str, caller: Caller, *, any_scheme: bool) -> bool:
    scheme, _, authority = origin.strip().lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    if port is None or not caller.authority:
        return False
    same = authority.removesuffix(port) == caller.authority.removesuffix(port)
    return same and (any_scheme or scheme == caller.scheme)
