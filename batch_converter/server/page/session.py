"""Signing in and out, and what the page has to know of the service before it does anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, SecretStr

from batch_converter.server.callers import CALLER
from batch_converter.server.credentials import Credentials
from batch_converter.server.openapi import VERSION
from batch_converter.server.origins import is_foreign
from batch_converter.server.page.asking import answer_json, read_json
from batch_converter.server.page.security import PAGE_POLICY
from batch_converter.server.page.uploads import CHUNK_BYTES
from batch_converter.server.sign_in import Refusal

if TYPE_CHECKING:
    from batch_converter.config import ServeSettings
    from batch_converter.server.page.assets import Assets
    from batch_converter.server.page.event_stream import EventStreams
    from batch_converter.server.page.security import SessionGuard
    from batch_converter.server.sessions import Session
    from batch_converter.server.sign_in import SignIn

_INDEX: Final = "index.html"


class Pair(BaseModel):
    """What a person signs in with."""

    model_config = ConfigDict(strict=True)

    client_id: str
    client_secret: SecretStr


class SessionDesk:
    """Begins sessions and ends them.

    Args:
        guard: Knows sessions again.
        sign_in: Checks pairs.
        streams: Ended with their session.
        assets: Where the page's HTML is.
        settings: What the page is told.
    """

    def __init__(
        self,
        guard: SessionGuard,
        sign_in: SignIn,
        streams: EventStreams,
        assets: Assets,
        settings: ServeSettings,
    ) -> None:
        self._guard = guard
        self._sign_in = sign_in
        self._streams = streams
        self._assets = assets
        self._settings = settings

    async def show_page(self, request: web.Request) -> web.Response:
        """Answer with the page.

        Where a link from elsewhere may have led here, without a session: the page asks for
        its session itself.
        """
        response = self._assets.response(_INDEX, headers=PAGE_POLICY)
        if not self._guard.needs_sign_in and not _may_be_led_from_elsewhere(request):
            self._session(request, response)
        return response

    async def show_session(self, request: web.Request) -> web.Response:
        """Answer with who this browser is to the service, and with its limits.

        Raises:
            HTTPForbidden: Another page asks, or a link that may be another page's.
        """
        if _may_be_led_from_elsewhere(request):
            raise web.HTTPForbidden(text="the page asks for this itself; open the page")
        holder = web.Response()
        session = self._session(request, holder)
        response = answer_json(
            {
                "signed_in": session.is_signed_in,
                "needs_sign_in": self._guard.needs_sign_in,
                "csrf": session.csrf,
                "retention_hours": self._settings.retention_hours,
                "max_body_bytes": self._settings.max_body_bytes,
                "chunk_bytes": CHUNK_BYTES,
                "version": VERSION,
            }
        )
        response.headers.extend(holder.headers)
        return response

    def _session(self, request: web.Request, response: web.Response) -> Session:
        """Return the request's session; a new one, or one that is due, is sent along."""
        current = self._guard.current(request)
        is_stuck = current is not None and not current.is_signed_in
        if current is None or (is_stuck and not self._guard.needs_sign_in):
            begun = self._guard.sessions.begin(None)
            self._guard.remember(request, response, begun)
            return begun
        if renewed := self._guard.sessions.renewed(current):
            self._guard.remember(request, response, renewed)
        return current

    async def sign_in(self, request: web.Request) -> web.Response:
        """Exchange credentials for a session that may do something."""
        self._guard.check_token(request, self._guard.current(request))
        pair = await read_json(request, Pair)
        response = web.Response(status=204)
        if not self._guard.needs_sign_in:
            self._session(request, response)
            return response
        given = Credentials(
            client_id=pair.client_id, client_secret=pair.client_secret.get_secret_value()
        )
        client = await self._sign_in.check(given, request[CALLER].address, purpose="session")
        if isinstance(client, Refusal):
            raise _refused(client)
        session = self._guard.sessions.begin(client, self._guard.cookie(request))
        self._guard.remember(request, response, session)
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session: nobody can reach its documents any more, and they go with their time."""
        response = web.Response(status=204)
        session = self._guard.current(request)
        if session is not None:
            self._guard.check_token(request, session)
            self._guard.sessions.end(session)
            self._streams.end(f"session:{session.key}")
        self._guard.forget(request, response)
        return response


def _may_be_led_from_elsewhere(request: web.Request) -> bool:
    """Whether another page asks, or a link of one may have led the browser here.

    With such a request a browser sends no cookie (`SameSite=Strict`): a new one would take the
    place of the one that it has, and nobody could reach the documents of that any more. Over
    plain HTTP browsers say of no request where it comes from; of those only what a person
    would be shown, which asks for HTML, has a cookie kept.
    """
    says_where_from = bool(request.headers.get("Sec-Fetch-Site"))
    is_shown = "text/html" in request.headers.get(hdrs.ACCEPT, "")
    return is_foreign(request) or (is_shown and not says_where_from)


def _refused(refusal: Refusal) -> web.HTTPException:
    if refusal.retry_after_s is None:
        return web.HTTPUnauthorized(text="the client id or its secret is wrong")
    return web.HTTPTooManyRequests(
        text="too many have tried to sign in; wait a moment",
        headers={"Retry-After": str(refusal.retry_after_s)},
    )
