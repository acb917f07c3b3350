"""A service of the page's interface that lives in memory, for what a real one takes too long to do.

Thousands of rows, answers of proxies, streams that do not pass: a test sets these directly.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ASSETS: Final = Path(str(files("batch_converter.server") / "assets"))
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
STATES: Final = ("uploading", "waiting", "converting", "ready", "failed", "cancelled")
ENDED: Final = {"ready", "failed", "cancelled"}
SUBMITTED: Final = datetime(2030, 5, 5, 9, 30, tzinfo=UTC)
_GRACE_S: Final = 0.05

TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def row(name: str, state: str = "ready", **facts: object) -> dict[str, Any]:
    """Return a document as the interface gives it; `facts` take the place of the usual ones."""
    ended = state in ENDED
    error = {"code": "engine_error", "message": "page 3 is damaged", "advice": "Scan it again."}
    document = {
        "id": str(uuid4()),
        "name": name,
        "pdf_name": name.rpartition(".")[0] + ".pdf",
        "state": state,
        "size_bytes": 3_120_000,
        "received_bytes": 1_240_000 if state == "uploading" else 3_120_000,
        "pages": 12 if state in {"ready", "converting"} else None,
        "pdf_bytes": 1_810_000 if state == "ready" else None,
        "place": None,
        "submitted_at": SUBMITTED.isoformat(),
        "started_at": SUBMITTED.isoformat() if ended or state == "converting" else None,
        "ended_at": (SUBMITTED + timedelta(seconds=4)).isoformat() if ended else None,
        "kept_until": (SUBMITTED + timedelta(hours=24)).isoformat() if ended else None,
        "error": error if state == "failed" else None,
        "warnings": [],
        "sequence": 0,
    }
    return document | facts


@dataclass
class StandIn:
    """Documents in memory, and the faults that a test has put in the way.

    Attributes:
        converts: What becomes of a document that has been uploaded.
        largest_piece_bytes: A proxy's limit; pieces beyond it are answered 413 in HTML.
        refuse: Asked before every request; an answer that it gives is sent instead.
        buffers_streams: A proxy that hands no event on.
        again: The state of a document that is tried again.
        offsets: Where the pieces began that came.
        largest_seen_bytes: The largest of them, in bytes.
    """

    documents: list[dict[str, Any]] = field(default_factory=list)
    account: tuple[str, str] | None = None
    signed_in: bool = False
    converts: str = "ready"
    largest_piece_bytes: int = 1 << 20
    refuse: Callable[[web.Request], web.Response | None] = lambda _request: None
    buffers_streams: bool = False
    chunk_bytes: int = 65536
    sequence: int = 0
    requests: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    largest_seen_bytes: int = 0
    again: str = "waiting"
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    gap_too_large: bool = False
    _transports: set[asyncio.Transport] = field(default_factory=set)
    _removed: list[tuple[int, str]] = field(default_factory=list)

    def drop_streams(self) -> None:
        """End all streams, as a restart does."""
        for transport in self._transports:
            transport.abort()

    def soon(self, what: Callable[[], object]) -> None:
        """Do something to it in its own thread, from a test's."""
        self.loop.call_soon_threadsafe(what)

    def refusing(
        self, method: str, ending: str, status: int, detail: str, *, times: int = 10**6
    ) -> Callable[[web.Request], web.Response | None]:
        """Return a `refuse` that answers so many requests of this kind with an error."""
        left = times

        def refuse(request: web.Request) -> web.Response | None:
            nonlocal left
            if request.method != method or not request.path.endswith(ending) or not left:
                return None
            left -= 1
            return problem(status, detail)

        return refuse

    def touch(self, document: dict[str, Any], **facts: object) -> None:
        """Change a document and let the streams know."""
        self.sequence += 1
        document.update(facts, sequence=self.sequence)
        self._wake()

    def add(self, document: dict[str, Any]) -> dict[str, Any]:
        self.documents.append(document)
        self.touch(document)
        return document

    def remove(self, document: dict[str, Any]) -> None:
        self.documents.remove(document)
        self.sequence += 1
        self._removed.append((self.sequence, document["id"]))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def totals(self) -> dict[str, int]:
        totals = dict.fromkeys(STATES, 0)
        for document in self.documents:
            totals[document["state"]] += 1
        return totals | {
            "documents": len(self.documents),
            "bytes_in": sum(one["size_bytes"] for one in self.documents),
            "bytes_out": sum(one["pdf_bytes"] or 0 for one in self.documents),
        }

    def changes_after(self, sequence: int) -> dict[str, Any]:
        return {
            "sequence": self.sequence,
            "documents": [one for one in self.documents if one["sequence"] > sequence],
            "removed": [one for at, one in self._removed if at > sequence],
            "totals": self.totals(),
        }

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=1 << 24)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/assets/{name}", self._asset),
                web.get("/api/session", self._session),
                web.post("/api/session", self._sign_in),
                web.delete("/api/session", self._sign_out),
                web.get("/api/documents", self._documents),
                web.post("/api/documents", self._bulk),
                web.get("/api/changes", self._changes),
                web.get("/api/events", self._events),
                web.post("/api/uploads", self._upload),
                web.get("/api/uploads/{id}", self._offset),
                web.patch("/api/uploads/{id}", self._piece),
                web.post("/api/documents/{id}/{action:cancel|retry}", self._act),
                web.delete("/api/documents/{id}", self._remove),
                web.get("/documents/{id}/picture", self._picture),
                web.get("/documents/{id}/pdf", self._pdf),
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        refusal = self.refuse(request)
        if refusal is not None:
            return refusal
        if request.method != "GET" and request.headers.get("X-CSRF-Token") != "token":
            return problem(403, "no header token")
        closed = request.path.startswith("/api/") and request.path != "/api/session"
        if closed and self.account and not self.signed_in:
            return problem(401, "sign in")
        return await handler(request)

    async def _page(self, _request: web.Request) -> web.Response:
        return _file("index.html", {"Content-Security-Policy": POLICY})

    async def _asset(self, request: web.Request) -> web.Response:
        return _file(request.match_info["name"], {})

    async def _session(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "signed_in": self.signed_in,
                "needs_sign_in": self.account is not None,
                "csrf": "token",
                "retention_hours": 24,
                "max_body_bytes": 1 << 30,
                "chunk_bytes": self.chunk_bytes,
                "version": "0.2.0",
            }
        )

    async def _sign_in(self, request: web.Request) -> web.Response:
        given = await request.json()
        if (given["client_id"], given["client_secret"]) != self.account:
            return problem(401, "wrong")
        self.signed_in = True
        return web.Response(status=204)

    async def _sign_out(self, _request: web.Request) -> web.Response:
        self.signed_in = False
        return web.Response(status=204)

    async def _documents(self, request: web.Request) -> web.Response:
        query = request.query
        text, state = query.get("filter", "").lower(), query.get("state", "")
        found = [
            one
            for one in self.documents
            if text in one["name"].lower() and state in {"", one["state"]}
        ]
        offset, limit = int(query["offset"]), int(query["limit"])
        return web.json_response(
            {
                "documents": found[offset : offset + limit],
                "total": len(found),
                "totals": self.totals(),
                "sequence": self.sequence,
            }
        )

    async def _bulk(self, request: web.Request) -> web.Response:
        action = (await request.json())["action"]
        touched = [one for one in self.documents if _is_meant(action, one["state"])]
        for document in touched:
            if action == "remove_ended":
                self.remove(document)
            else:
                self.touch(document, **self._after(retried=action == "retry_failed"))
        return web.json_response({"count": len(touched)})

    async def _changes(self, request: web.Request) -> web.Response:
        return web.json_response(self.changes_after(int(request.query["after"])))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b":\n\n")
        sequence = int(request.query["after"])
        transport = request.transport
        assert transport is not None
        self._transports.add(transport)
        try:
            while True:
                changed = self._changed
                if sequence < self.sequence and not self.buffers_streams:
                    change = self.changes_after(sequence)
                    sequence = self.sequence
                    if self.gap_too_large:
                        self.gap_too_large = False
                        await response.write(b"event: reload\ndata: {}\n\n")
                        continue
                    text = f"event: change\nid: {sequence}\ndata: {json.dumps(change)}\n\n"
                    await response.write(text.encode())
                await changed.wait()
                await asyncio.sleep(_GRACE_S)
        finally:
            self._transports.discard(transport)

    async def _upload(self, request: web.Request) -> web.Response:
        upload = await request.json()
        document = row(upload["name"], "uploading", **_unknown(upload["size_bytes"]))
        self.add(document)
        return web.json_response({"id": document["id"], "offset": 0}, status=201)

    async def _offset(self, request: web.Request) -> web.Response:
        return web.json_response({"offset": self._find(request)["received_bytes"]})

    async def _piece(self, request: web.Request) -> web.Response:
        document = self._find(request)
        piece = await request.read()
        if len(piece) > self.largest_piece_bytes:
            page = "<h1>413 Request Entity Too Large</h1>"
            return web.Response(status=413, text=page, content_type="text/html")
        offset = int(request.headers["Upload-Offset"])
        self.offsets.append(offset)
        self.largest_seen_bytes = max(self.largest_seen_bytes, len(piece))
        if offset != document["received_bytes"]:
            return _at(document, 409)
        if offset == 0 and not piece.startswith(b"AT&TFORM"):
            reason = "It does not begin as a DjVu."
            error = {"code": "not_djvu", "message": reason, "advice": None}
            self.touch(document, state="failed", error=error)
            return problem(415, reason, code="not_djvu")
        received = offset + len(piece)
        whole = received == document["size_bytes"]
        self.touch(document, received_bytes=received, **({"state": "waiting"} if whole else {}))
        if whole and self.converts != "waiting":
            done = row(document["name"], self.converts)
            facts = ("state", "pages", "pdf_bytes", "started_at", "ended_at", "kept_until", "error")
            self.touch(document, **{fact: done[fact] for fact in facts})
        return _at(document, 204)

    async def _act(self, request: web.Request) -> web.Response:
        retried = request.match_info["action"] == "retry"
        self.touch(self._find(request), **self._after(retried=retried))
        return web.Response(status=204)

    async def _remove(self, request: web.Request) -> web.Response:
        self.remove(self._find(request))
        return web.Response(status=204)

    async def _picture(self, request: web.Request) -> web.Response:
        self._find(request)
        return web.Response(body=PICTURE, content_type="image/svg+xml")

    async def _pdf(self, request: web.Request) -> web.Response:
        self._find(request)
        return web.Response(body=b"%PDF-1.7", headers={"Content-Disposition": "attachment"})

    def _after(self, *, retried: bool) -> dict[str, object]:
        if not retried:
            return {"state": "cancelled"}
        return {"state": self.again, "error": None, "ended_at": None, "kept_until": None}

    def _find(self, request: web.Request) -> dict[str, Any]:
        for document in self.documents:
            if document["id"] == request.match_info["id"]:
                return document
        raise web.HTTPNotFound


PICTURE: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 60"><rect width="48" height="60"'
    b' fill="#fdfbf4"/><path d="M12 9h24M7 17h34M7 22h34M7 27h30M7 35h34M7 40h34M7 45h22"'
    b' stroke="#8d8878" stroke-width="1.6"/></svg>'
)


def problem(status: int, detail: str, **more: str) -> web.Response:
    """Return a ProblemDetails."""
    body = {"status": status, "title": "refused", "detail": detail} | more
    return web.json_response(body, status=status, content_type="application/problem+json")


def _file(name: str, headers: dict[str, str]) -> web.Response:
    path = ASSETS / name
    if not path.is_file():
        raise web.HTTPNotFound
    return web.Response(
        body=path.read_bytes(),
        content_type=TYPES[path.suffix],
        charset="utf-8",
        headers=headers,
    )


def _at(document: dict[str, Any], status: int) -> web.Response:
    return web.Response(status=status, headers={"Upload-Offset": str(document["received_bytes"])})


def _unknown(size_bytes: int) -> dict[str, Any]:
    return {"size_bytes": size_bytes, "received_bytes": 0, "pages": None}


def _is_meant(action: str, state: str) -> bool:
    if action == "retry_failed":
        return state == "failed"
    return (state in ENDED) == (action == "remove_ended")


@contextmanager
def standing_in(stand_in: StandIn, below: str = "/") -> Iterator[str]:
    """Serve it from a thread of its own, below a path; give its address."""
    started, port = threading.Event(), 0
    loop, over = stand_in.loop, asyncio.Event()

    async def serve() -> None:
        nonlocal port
        app = stand_in.application()
        if below != "/":
            (outer := web.Application()).add_subapp(below, app)
            app = outer
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        started.set()
        await over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        started.wait(20)
        yield f"http://127.0.0.1:{port}{below}"
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(20)
        loop.close()
