"""The page's endpoints, and the parts that answer them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from batch_converter.server.access import Access, add_endpoints
from batch_converter.server.page.actions import Actions
from batch_converter.server.page.asking import Documents
from batch_converter.server.page.documents import DocumentList, DocumentRows
from batch_converter.server.page.downloads import Downloads
from batch_converter.server.page.event_stream import ChangeFeed, EventStreams
from batch_converter.server.page.pictures import Pictures
from batch_converter.server.page.security import SessionGuard
from batch_converter.server.page.session import SessionDesk
from batch_converter.server.page.uploads import Uploads

if TYPE_CHECKING:
    from batch_converter.config import ServeSettings
    from batch_converter.server.accounts import Accounts
    from batch_converter.server.page.assets import Assets
    from batch_converter.server.routes import Api
    from batch_converter.server.sessions import Sessions
    from batch_converter.server.sign_in import SignIn


class Page:
    """The page at `/`, over the parts of the interface of programs.

    Args:
        api: What both work on: queue, files, admission, conversions.
        engine: The converter; pictures are there if it draws them.
        accounts: Who may sign in.
        sign_in: Checks pairs.
        sessions: Knows browsers again.
        assets: The page's files.
        settings: What the page is told.
    """

    def __init__(
        self,
        api: Api,
        engine: object,
        *,
        accounts: Accounts,
        sign_in: SignIn,
        sessions: Sessions,
        assets: Assets,
        settings: ServeSettings,
    ) -> None:
        queue, folder, clock = api.queue, api.folder, api.clock
        documents = Documents(queue, api.retention)
        rows = DocumentRows(queue, api.retention)
        admission, conversions = api.admission, api.conversions
        self._assets = assets
        self.guard = SessionGuard(sessions, accounts)
        self._list = DocumentList(queue, rows)
        self._streams = EventStreams(queue, ChangeFeed(queue, rows), sessions, clock)
        self._desk = SessionDesk(self.guard, sign_in, self._streams, assets, settings)
        self._actions = Actions(
            documents, queue, folder, admission=admission, conversions=conversions, clock=clock
        )
        self.uploads = Uploads(
            documents,
            queue,
            folder,
            admission=admission,
            conversions=conversions,
            metrics=api.metrics,
            clock=clock,
        )
        self._pictures = Pictures(documents, queue, folder, engine)
        self._downloads = Downloads(documents, queue, folder, metrics=api.metrics, clock=clock)

    def add_to(self, app: web.Application) -> None:
        """Register all endpoints, and what ends with the application."""
        add_endpoints(app, Access.OPEN, self._open_routes())
        add_endpoints(app, Access.SESSION, self._session_routes())
        app.on_response_prepare.append(self.guard.renew)
        app.on_shutdown.append(self._streams.close)

    def _open_routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._desk.show_page),
            web.get("/assets/{name}", self._assets.send_asset),
            web.get("/api/session", self._desk.show_session),
            web.post("/api/session", self._desk.sign_in),
            web.delete("/api/session", self._desk.sign_out),
        ]

    def _session_routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/documents", self._list.list_documents),
            web.post("/api/documents", self._actions.act_on_all),
            web.post("/api/documents/{id}/cancel", self._actions.cancel_document),
            web.post("/api/documents/{id}/retry", self._actions.retry_document),
            web.delete("/api/documents/{id}", self._actions.remove_document),
            web.get("/api/changes", self._streams.list_changes, allow_head=False),
            web.get("/api/events", self._streams.stream_events, allow_head=False),
            web.post("/api/uploads", self.uploads.start_upload),
            web.get("/api/uploads/{id}", self.uploads.tell_offset),
            web.patch("/api/uploads/{id}", self.uploads.take_piece),
            web.get("/documents/{id}/pdf", self._downloads.send_pdf),
            web.get("/documents/{id}/picture", self._pictures.send_picture),
            web.get("/documents.zip", self._downloads.send_all, allow_head=False),
        ]
