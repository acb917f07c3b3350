"""Whose documents a request of the page is about, and whether its own page has sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from batch_converter.server.callers import CALLER
from batch_converter.server.guards import OWNER
from batch_converter.server.origins import is_foreign
from batch_converter.server.sessions import Session

if TYPE_CHECKING:
    from batch_converter.server.accounts import Accounts
    from batch_converter.server.sessions import Sessions

CSRF_HEADER: Final = "X-CSRF-Token"
_READING: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})

SESSION: Final = web.RequestKey("session", Session)
"""Where a request that was let in holds its session."""

PAGE_POLICY: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
}
"""What the page may load: its own files, and nothing that stands in its HTML."""


class SessionGuard:
    """Lets in requests of a session that has signed in, where one has to.

    A browser sends the cookie with what pages of other ports of this host ask for as well
    (`SameSite` does not know ports), so each request has to come from the page itself.

    Args:
        sessions: Knows cookies again.
        accounts: Whether anybody has to sign in.
    """

    def __init__(self, sessions: Sessions, accounts: Accounts) -> None:
        self._sessions = sessions
        self._accounts = accounts

    @property
    def sessions(self) -> Sessions:
        """What knows cookies again."""
        return self._sessions

    @property
    def needs_sign_in(self) -> bool:
        """Whether a session has to show credentials."""
        return not self._accounts.is_open

    def current(self, request: web.Request) -> Session | None:
        """Return the session of the request's cookie, signed in or not."""
        return self._sessions.read(self.cookie(request))

    def cookie(self, request: web.Request) -> str | None:
        """Return the value of the request's cookie, whatever it is worth."""
        return request.cookies.get(self._sessions.cookie_name)

    def admit(self, request: web.Request) -> None:
        """Note the session and the owner of its documents on the request.

        Raises:
            HTTPUnauthorized: Nobody has signed in.
            HTTPForbidden: Another page has sent the request.
        """
        if is_foreign(request):
            raise web.HTTPForbidden(text="a page from elsewhere may not ask for this")
        session = self.current(request)
        if session is None or not session.is_signed_in:
            raise web.HTTPUnauthorized(text="sign in first, or load the page anew")
        if request.method not in _READING:
            self.check_token(request, session)
        request[SESSION], request[OWNER] = session, session.owner

    def check_token(self, request: web.Request, session: Session | None) -> None:
        """See that a request that changes something comes from the session's own page.

        Raises:
            HTTPForbidden: It does not say so.
        """
        if session is None or not session.wrote(request.headers.get(CSRF_HEADER)):
            raise web.HTTPForbidden(
                text=f"the header {CSRF_HEADER} does not hold what api/session gives"
            )

    async def renew(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Send the cookie anew where that is due; aiohttp calls this before each answer."""
        if isinstance(request, web.Request) and (session := request.get(SESSION)) is not None:
            renewed = self._sessions.renewed(session)
            if renewed is not None:
                self.remember(request, response, renewed)

    def remember(
        self, request: web.Request, response: web.StreamResponse, session: Session
    ) -> None:
        """Have the browser keep the session."""
        cookie = self._sessions.cookie(session, secure=_is_secure(request), path=_path(request))
        response.headers.add(hdrs.SET_COOKIE, cookie)

    def forget(self, request: web.Request, response: web.StreamResponse) -> None:
        """Have the browser forget its session."""
        cookie = self._sessions.removal(secure=_is_secure(request), path=_path(request))
        response.headers.add(hdrs.SET_COOKIE, cookie)


def _is_secure(request: web.Request) -> bool:
    return request[CALLER].scheme == "https"


def _path(request: web.Request) -> str:
    """Return where the page stands for its browser."""
    return request[CALLER].prefix + "/"
