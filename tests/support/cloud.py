"""A small cloud of the tests' own, for clients that are processes.

It runs in a thread, does what a test tells it, and counts what a client did, so that a
client's own counts can be held against it.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import anyio
from aiohttp import web

from tests.support.cloud_api import LARGEST_BODY_BYTES, CloudApi
from tests.support.threaded_server import served_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType


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


class Cloud(CloudApi):
    """The service; a context manager.

    Attributes:
        latency_s: What every request takes at least, so that requests overlap.
        fillers: How much longer the PDF of a document is made, in bytes.
        calls: Requests by endpoint: token, submit, poll, cancel.
        peaks: The most of them at once.
        peak_in_flight: The most documents accepted and not fetched at once.
        submissions: How often each document came in, by its bytes.
        seen: Every request.
    """

    def __init__(self) -> None:
        super().__init__(client_id="acceptance-client", client_secret="s3cr3t+of/the=tests")
        self.base_url = ""
        self.latency_s = 0.0
        self.fillers: Counter[bytes] = Counter()
        self.calls: Counter[str] = Counter()
        self.peaks: Counter[str] = Counter()
        self.active: Counter[str] = Counter()
        self.peak_in_flight = 0
        self.submissions: Counter[bytes] = Counter()
        self.seen: list[Seen] = []
        self._script: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self._always: dict[str, Reply] = {}
        self._gates: dict[str, anyio.Event] = {}

    def __enter__(self) -> Self:
        self._server = served_in_thread(self._answer, max_body_bytes=LARGEST_BODY_BYTES)
        self._portal, self.base_url = self._server.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for kind in list(self._gates):
            self.release(kind)
        self._server.__exit__(exc_type, exc, traceback)

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
        return pdf_for(document, filler_bytes=self.fillers[document])

    # What it does

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        kind = self.kind_of(request)
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
        await request.read()
        if gate := self._gates.get(kind):
            await gate.wait()
        await anyio.sleep(self.latency_s)
        reply = self._next_reply(kind)
        usual = None if reply and not reply.acts else await self.answer(kind, request)
        if reply is None:
            assert usual is not None
            return usual
        if reply.drop and request.transport is not None:
            request.transport.close()
        return web.Response(status=reply.status, text=reply.body, headers=reply.headers)

    def _next_reply(self, kind: str) -> Reply | None:
        return self._script[kind].popleft() if self._script[kind] else self._always.get(kind)

    def take_in(self, document: bytes, settings: object = None) -> str:
        task_id = super().take_in(document, settings)
        self.submissions[document] += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        return task_id


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
