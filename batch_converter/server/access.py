"""Which endpoints ask for what: closed unless declared otherwise where they are registered."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterable


class Access(Enum):
    """What a request has to bring to be answered."""

    OPEN = auto()
    """Nothing."""
    BEARER = auto()
    """An access token, as the vendor's clients send it."""
    SESSION = auto()
    """The page's cookie."""


DECLARED: Final = web.AppKey("declared", dict[web.AbstractRoute, Access])


def add_endpoints(
    app: web.Application, access: Access, routes: Iterable[web.AbstractRouteDef]
) -> None:
    """Register endpoints (and the HEAD that aiohttp adds to a GET) and what they ask for."""
    before = set(app.router.routes())
    app.add_routes(routes)
    declared = app.setdefault(DECLARED, {})
    declared |= dict.fromkeys(set(app.router.routes()) - before, access)


def access_of(request: web.Request) -> Access | None:
    """Return what the endpoint asks for; None where that was not declared, or there is none."""
    declared = request.app.get(DECLARED) or {}
    return declared.get(request.match_info.route)


async def check_declared(app: web.Application) -> None:
    """Refuse to start with an endpoint that nobody has declared.

    Raises:
        RuntimeError: There is one; the message names it.
    """
    declared = app.get(DECLARED) or {}
    for route in app.router.routes():
        if route not in declared:
            where = route.resource.canonical if route.resource else "?"
            msg = f"{route.method} {where} does not say what it asks for; see server/access.py"
            raise RuntimeError(msg)
