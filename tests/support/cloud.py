"""A small cloud of the tests' own: the vendor's API as its documentation tells it.

It shares nothing with the package. It runs in a thread, does what a test tells it,
and counts what a client did, so that a client's own counts can be held against it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import Counter, defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import uuid4

import anyio
from aiohttp import web
from anyio.from_thread import start_blocking_portal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from anyio.from_thread import BlockingPortal

_LARGEST_BODY: Final = 256 << 20
_KINDS: Final = {
    ("POST", "/connect/token"): "token",
    ("POST", "/v5.0/ocr/djvu2pdf"): "submit",
    ("GET", "/v5.0/ocr/djvu2pdf"): "poll",
    ("DELETE", "/v5.0/ocr/djvu2pdf"): "cancel",
    ("GET", "/v5.0/ocr/utilities/gettaskstatus"): "poll",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a request is answered with instead of the usual.

    Attributes:
        drop: Close the connection without a word.
        acts: What was asked is done all the same: the answer is all that is lost.
    """

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    acts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it came in."""

    kind: str
    path: str
    headers: Mapping[str, str]
    task_id: str | None


@dataclass(slots=True)
class CloudTask:
    """A document at the service."""

    document: bytes
    asked: int = 0
    fetched: bool = False


class Cloud:
    """The service; a context manager.

    Attributes:
        client_id, client_secret: The one account.
        questions_needed: The question that finds a document done.
        latency_s: What every request takes at least, so that requests overlap.
        fillers: How much longer the PDF of a document is made, in bytes.
        fates: Document to the `taskStatus` answer that it gets instead of its PDF.
        calls: Requests by endpoint: token, submit, poll, cancel.
        peaks: The most of them at once.
        next_token: What is given out as token; a new one each time where absent.
        peak_in_flight: The most documents accepted and not fetched at once.
        submissions: How often each document came in, by its bytes.
        seen: Every request.
        surprises: What no client should have done.
    """

    def __init__(self) -> None:
        self.client_id = "acceptance-client"
        self.client_secret = "s3cr3t+of/the=tests"
        self.base_url = ""
        self.questions_needed = 1
        self.latency_s = 0.0
        self.fillers: Counter[bytes] = Counter()
        self.fates: dict[bytes, Mapping[str, Any]] = {}
        self.calls: Counter[str] = Counter()
        self.peaks: Counter[str] = Counter()
        self.active: Counter[str] = Counter()
        self.peak_in_flight = 0
        self.submissions: Counter[bytes] = Counter()
        self.tasks: dict[str, CloudTask] = {}
        self.tokens: list[str] = []
        self.next_token: str | None = None
        self.seen: list[Seen] = []
        self.surprises: list[str] = []
        self._script: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self._always: dict[str, Reply] = {}
        self._gates: dict[str, anyio.Event] = {}
        self._revoked: set[str] = set()

    def __enter__(self) -> Self:
        self._portal_scope = start_blocking_portal("asyncio")
        self._portal: BlockingPortal = self._portal_scope.__enter__()
        self._stop = self._portal.call(anyio.Event)
        ready = threading.Event()
        self._serving = self._portal.start_task_soon(self._serve, ready)
        assert ready.wait(10)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for kind in list(self._gates):
            self.release(kind)
        self._portal.call(self._stop.set)
        self._serving.result(10)
        self._portal_scope.__exit__(exc_type, exc, traceback)

    async def _serve(self, ready: threading.Event) -> None:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            self.base_url = f"http://{host}:{port}"
            ready.set()
            await self._stop.wait()
        finally:
            await runner.cleanup()

    # What a test says

    def reply(self, kind: str, *replies: Reply) -> None:
        """Answer the next requests of this kind so, one after the other."""
        self._script[kind].extend(replies)

    def always(self, kind: str, reply: Reply) -> None:
        """Answer every request of this kind so from now on."""
        self._always[kind] = reply

    def as_usual(self, kind: str) -> None:
        """Take `always` back."""
        del self._always[kind]

    def hold(self, kind: str) -> None:
        """Let requests of this kind wait, unanswered, until `release`."""
        self._gates[kind] = self._portal.call(anyio.Event)

    def release(self, kind: str) -> None:
        """Answer those that wait, and hold no more."""
        if gate := self._gates.pop(kind, None):
            self._portal.call(gate.set)

    def revoke_tokens(self) -> None:
        """No token that was given out is good any more."""
        self._revoked |= set(self.tokens)

    def forget_tasks(self) -> None:
        """Lose every document, as the service does after a day."""
        self.tasks.clear()

    @property
    def in_flight(self) -> int:
        """Documents accepted and not fetched."""
        return sum(not task.fetched for task in list(self.tasks.values()))

    def are_out(self, count: int) -> bool:
        """Whether so many documents are out and each was asked for: their ids are on record."""
        return sum(task.asked > 0 for task in list(self.tasks.values())) == count

    @property
    def billed(self) -> int:
        """All requests but those for tokens."""
        return self.calls.total() - self.calls["token"]

    def bill(self) -> dict[str, int]:
        """Return the calls as a report spells them."""
        kinds = {kind: self.calls[kind] for kind in ("token", "submit", "poll", "cancel")}
        return {**kinds, "billed": self.billed}

    def expected(self, document: bytes) -> bytes:
        """Return the PDF that is delivered for a document."""
        return pdf_for(document, filler_bytes=self.fillers[document])

    # What it does

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        kind = _KINDS.get((request.method, request.path.lower()))
        if kind is None:
            self.surprises.append(f"{request.method} {request.path}")
            return web.Response(status=404)
        self.calls[kind] += 1
        self.seen.append(
            Seen(
                kind=kind,
                path=request.path,
                headers=dict(request.headers),
                task_id=request.query.get("id"),
            )
        )
        with self._counted(kind):
            return await self._handled(kind, request)

    @contextmanager
    def _counted(self, kind: str) -> Iterator[None]:
        self.active[kind] += 1
        self.peaks[kind] = max(self.peaks[kind], self.active[kind])
        try:
            yield
        finally:
            self.active[kind] -= 1

    async def _handled(self, kind: str, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if gate := self._gates.get(kind):
            await gate.wait()
        await anyio.sleep(self.latency_s)
        reply = self._next_reply(kind)
        usual = None if reply and not reply.acts else await self._usual(kind, request, body)
        if reply is None:
            assert usual is not None
            return usual
        if reply.drop and request.transport is not None:
            request.transport.close()
        return web.Response(status=reply.status, text=reply.body, headers=reply.headers)

    def _next_reply(self, kind: str) -> Reply | None:
        return self._script[kind].popleft() if self._script[kind] else self._always.get(kind)

    async def _usual(self, kind: str, request: web.Request, body: bytes) -> web.Response:
        if kind == "token":
            return self._token(dict((await request.post()).items()))
        if not self._is_authorised(request):
            return web.json_response({"title": "Unauthorized", "status": 401}, status=401)
        if kind == "submit":
            return self._submit(request, body)
        task_id = request.query.get("id", "")
        if kind == "cancel":
            self.tasks.pop(task_id, None)
            return web.Response()
        return self._poll(task_id, fetches="djvu2pdf" in request.path.lower())

    def _token(self, form: Mapping[str, object]) -> web.Response:
        wanted = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        if form != wanted:
            return web.json_response({"error": "invalid_client"}, status=400)
        self.tokens.append(self.next_token or f"token-{uuid4().hex}")
        return web.json_response(
            {"access_token": self.tokens[-1], "expires_in": 3600, "token_type": "bearer"}
        )

    def _is_authorised(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme == "Bearer" and token in self.tokens and token not in self._revoked

    def _submit(self, request: web.Request, body: bytes) -> web.Response:
        if "Content-Length" not in request.headers:
            self.surprises.append("an upload without Content-Length")
        fields = json.loads(body)
        if set(fields) != {"image", "settings"} or request.content_type != "application/json":
            self.surprises.append(f"a submission with {sorted(fields)}")
        document = base64.b64decode(fields["image"], validate=True)
        self.submissions[document] += 1
        task_id = str(uuid4())
        self.tasks[task_id] = CloudTask(document=document)
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        return web.Response(text=task_id)

    def _poll(self, task_id: str, *, fetches: bool) -> web.Response:
        task = self.tasks.get(task_id)
        if task is None:
            return _envelope(task_id, "NotExist", "TaskNotFound")
        task.asked += 1
        if task.asked < self.questions_needed:
            return _envelope(task_id, "Processing" if task.asked > 1 else "Pending", "NotReady")
        task.fetched = True
        if fate := self.fates.get(task.document):
            return web.json_response({"id": task_id, "results": None, **fate})
        data = base64.b64encode(self.expected(task.document)).decode()
        results = [{"type": "Pdf", "data": data}] if fetches else None
        return _envelope(task_id, "Completed", "Ok", results)


def _envelope(task_id: str, status: str, code: str, results: object = None) -> web.Response:
    return web.json_response(
        {
            "id": task_id,
            "taskStatus": status,
            "responseStatusCode": code,
            "results": results,
            "error": None,
        }
    )


def pdf_for(document: bytes, *, filler_bytes: int = 0) -> bytes:
    """Return the PDF that the cloud makes of a document: its pages, and its own digest."""
    title = hashlib.sha256(document).hexdigest().encode()
    pages = range(4, 4 + max(1, document.count(b"DJVUINFO")))
    kids = b" ".join(b"%d 0 R" % number for number in pages)
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(pages)),
        b"<</Title(%s)>>" % title,
        *[b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 24 24]>>" for _ in pages],
    )
    out, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    if filler_bytes:
        out += b"%%%s\n" % (title * (filler_bytes // len(title) + 1))
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        table,
        b"<</Size %d/Root 1 0 R/Info 3 0 R>>" % size,
        len(out),
    )
