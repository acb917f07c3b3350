"""A service that goes wrong on request, in the loop of the engine that is tested."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from batch_converter.config import AsposeSettings, RetrySettings
from batch_converter.engines.aspose import AsposeEngine
from batch_converter.engines.base import SourceDocument
from batch_converter.errors import BudgetSpentError, OutputError
from batch_converter.events import EventStream
from batch_converter.logs import log_event
from batch_converter.models import CallKind, CallOutcome, Task
from tests.support.clocks import LeapingClock
from tests.support.cloud_api import LARGEST_BODY_BYTES, CloudApi

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    from batch_converter.engines.base import Fetched, PdfTarget

    Answer = Awaitable[web.StreamResponse]
    Fault = Callable[["FaultServer", web.Request, Callable[[], Answer]], Answer]

CLIENT_ID = "an-id"
SECRET = "s3cret/with+signs&more"


class FaultServer(CloudApi):
    """The service; `plan` says which requests go wrong, in order."""

    def __init__(self) -> None:
        super().__init__(client_id=CLIENT_ID, client_secret=SECRET)
        self.plan: defaultdict[str, deque[Fault | None]] = defaultdict(deque)
        self.storm: Callable[[str], Fault | None] = lambda _: None
        self.seen: list[tuple[str, web.Request]] = []
        self.bodies: list[bytes] = []
        self.uploads = 0
        self.most_uploads = 0
        self.halted = anyio.Event()
        self.url = ""

    def expected(self, document: bytes) -> bytes:
        return b"%PDF-1.7\n" + document[::-1] + b"\n%%EOF\n"

    def count(self) -> Counter[str]:
        """Count the requests that arrived, by endpoint."""
        return Counter(name for name, _ in self.seen)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer as planned, else as documented."""
        name = self.kind_of(request) or "other"
        self.seen.append((name, request))
        planned = self.plan[name]
        fault = planned.popleft() if planned else self.storm(name)
        if fault is None:
            return await self.answer(name, request)
        return await fault(self, request, lambda: self.answer(name, request))

    async def answer(self, kind: str, request: web.Request) -> web.Response:
        """Answer as the documentation says; an upload is one until it is there."""
        if kind == "submit":
            await self._upload(request)
        return await super().answer(kind, request)

    async def _upload(self, request: web.Request) -> None:
        self.uploads += 1
        self.most_uploads = max(self.most_uploads, self.uploads)
        try:
            await request.read()
            await anyio.lowlevel.checkpoint()
        finally:
            self.uploads -= 1

    def submit(self, request: web.Request, body: bytes) -> web.Response:
        self.bodies.append(body)
        return super().submit(request, body)


@dataclass
class RecordedCalls:
    """A `CallRecorder` that remembers all."""

    calls: list[list[Any]] = field(default_factory=list)
    limit: int | None = None

    async def begin(self, kind: CallKind) -> int:
        if self.limit is not None and len(self.calls) >= self.limit:
            raise BudgetSpentError("the budget is spent")
        self.calls.append([kind, None, None])
        return len(self.calls) - 1

    def end(self, call_id: int, outcome: CallOutcome, *, http_status: int | None = None) -> None:
        assert self.calls[call_id][1] is None, "ended twice"
        self.calls[call_id][1:] = [outcome, http_status]

    def of(self, kind: str) -> list[tuple[str, int | None]]:
        """Return outcome and status of the requests of one kind."""
        return [(call[1].value, call[2]) for call in self.calls if call[0] == kind]

    def left(self) -> Counter[str]:
        """Count the requests that left, by endpoint."""
        assert all(call[1] is not None for call in self.calls), "a call was never ended"
        return Counter(call[0].value for call in self.calls if call[1] is not CallOutcome.UNSENT)


@dataclass
class MemorySink:
    """A `PdfTarget` in memory."""

    path: Path = Path("/nowhere")
    pdf: bytearray = field(default_factory=bytearray)
    failing_write: int = 0
    busy: bool = False

    async def restart(self) -> None:
        assert not self.busy, "restarted under a write"
        self.pdf.clear()

    async def write(self, data: bytes) -> None:
        assert not self.busy, "two writes at once"
        self.busy = True
        await anyio.wait_all_tasks_blocked()
        self.busy = False
        self.failing_write -= 1
        if not self.failing_write:
            raise OutputError("disk full")
        self.pdf += data


@dataclass
class Driven:
    """An engine and the calls that it records, as the run hands them over."""

    engine: AsposeEngine
    calls: RecordedCalls

    async def submit(self, source: SourceDocument) -> str:
        return await self.engine.submit(source, self.calls)

    async def fetch(self, source: SourceDocument, task: Task, target: PdfTarget) -> Fetched:
        return await self.engine.fetch(source, task.task_id, target, self.calls)

    async def cancel(self, source: SourceDocument, task: Task) -> None:
        await self.engine.cancel(source, task.task_id, self.calls)


@dataclass
class Bench:
    """Everything that a test of the engine needs."""

    server: FaultServer
    folder: Path
    clock: LeapingClock = field(default_factory=lambda: LeapingClock(0.0))
    calls: RecordedCalls = field(default_factory=RecordedCalls)
    retry: dict[str, Any] = field(default_factory=dict)
    max_submissions: int = 8

    @asynccontextmanager
    async def engine(self, **settings: Any) -> AsyncIterator[Driven]:  # noqa: ANN401  # as the model
        """Open an engine against the server, with such settings."""
        given: dict[str, Any] = {
            "base_url": self.server.url,
            "client_id": CLIENT_ID,
            "client_secret": SecretStr(SECRET),
        }
        async with AsposeEngine(
            AsposeSettings.model_validate(given | settings),
            RetrySettings.model_validate(self.retry),
            calls=self.calls,
            max_submissions=self.max_submissions,
            clock=self.clock,
            random=lambda: 0.0,
            events=EventStream([log_event]),
        ) as engine:
            yield Driven(engine, self.calls)

    def document(
        self, data: bytes = b"AT&TFORM\0\0\0\x04DJVU", name: str = "a.djvu"
    ) -> SourceDocument:
        """Write a file and return what the engine is given of it."""
        path = self.folder / name
        path.write_bytes(data)
        status = path.stat()
        return SourceDocument(
            number=1,
            name=name,
            path=str(path),
            size_bytes=status.st_size,
            mtime_ns=status.st_mtime_ns,
        )

    def sink(self) -> MemorySink:
        """Return a sink."""
        return MemorySink()

    def task(self, task_id: str) -> Task:
        """Return a task."""
        return Task(task_id=task_id, submitted_at=self.clock.now())

    def make_task(self, data: bytes = b"AT&TFORM") -> Task:
        """Put a finished task into the server."""
        return self.task(self.server.take_in(data))


@asynccontextmanager
async def serving(
    server: FaultServer, tls: ssl.SSLContext | None = None
) -> AsyncIterator[FaultServer]:
    """Run a server on a free port."""
    app = web.Application(client_max_size=LARGEST_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", server.handle)
    running = TestServer(app, scheme="http" if tls is None else "https", port=0)
    await running.start_server(ssl=tls)
    server.url = str(running.make_url("")).rstrip("/")
    try:
        yield server
    finally:
        server.halted.set()
        await running.close()


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    """A service on a free port."""
    async with serving(FaultServer()) as running:
        yield running


@pytest.fixture
async def other_server() -> AsyncIterator[FaultServer]:
    """Another origin."""
    async with serving(FaultServer()) as running:
        yield running


@pytest.fixture
def start_server() -> Callable[..., Any]:
    """How to run a server of one's own."""
    return serving


@pytest.fixture
def bench(server: FaultServer, tmp_path: Path) -> Bench:
    """An engine's surroundings."""
    return Bench(server=server, folder=tmp_path)


class Faults:
    """The ways in which an exchange goes wrong; each is a `Fault`."""

    @staticmethod
    def status(
        code: int, body: bytes = b"", content_type: str = "text/plain", **headers: str
    ) -> Fault:
        """Answer with a status, after reading the request."""

        async def fault(
            _: FaultServer, request: web.Request, __: Callable[[], Answer]
        ) -> web.StreamResponse:
            await request.read()
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(status=code, body=body, content_type=content_type, headers=named)

        return fault

    @staticmethod
    def body(body: bytes, content_type: str = "application/json", **headers: str) -> Fault:
        """Answer 200 with such a body."""
        return Faults.status(200, body, content_type, **headers)

    @staticmethod
    async def reset(
        _: FaultServer, request: web.Request, __: Callable[[], Answer]
    ) -> web.StreamResponse:
        """Reset the connection as soon as the head of the request is there."""
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    @staticmethod
    async def reset_in_body(
        _: FaultServer, request: web.Request, __: Callable[[], Answer]
    ) -> web.StreamResponse:
        """Reset the connection after the first part of the request's body."""
        await request.content.readany()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    @staticmethod
    async def lost(
        _: FaultServer, request: web.Request, proceed: Callable[[], Answer]
    ) -> web.StreamResponse:
        """Do the work, and close the connection without an answer."""
        await proceed()
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    @staticmethod
    async def silent(
        server: FaultServer, request: web.Request, _: Callable[[], Answer]
    ) -> web.StreamResponse:
        """Read the request and say nothing."""
        await request.read()
        await server.halted.wait()
        return web.Response()

    @staticmethod
    async def deaf(
        server: FaultServer, request: web.Request, _: Callable[[], Answer]
    ) -> web.StreamResponse:
        """Stop reading."""
        assert request.transport is not None
        request.transport.pause_reading()
        await server.halted.wait()
        return web.Response()

    @staticmethod
    def cut(share: float, *, declared: bool = True) -> Fault:
        """Do the work, but break off the answer's body after a share of it."""

        async def fault(
            _: FaultServer, request: web.Request, proceed: Callable[[], Answer]
        ) -> web.StreamResponse:
            whole = await proceed()
            assert isinstance(whole, web.Response)
            assert isinstance(whole.body, bytes)
            stump = whole.body[: int(len(whole.body) * share)]
            response = web.StreamResponse(headers={"Content-Type": whole.content_type})
            if declared:
                response.content_length = len(whole.body)
            else:
                response.force_close()
                response.headers["Connection"] = "close"
            await response.prepare(request)
            await response.write(stump)
            assert request.transport is not None
            request.transport.close()
            return response

        return fault

    @staticmethod
    def drip(body: bytes, size: int = 1) -> Fault:
        """Answer 200 with a body in many small parts."""

        async def fault(
            _: FaultServer, request: web.Request, __: Callable[[], Answer]
        ) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for at in range(0, len(body), size):
                await response.write(body[at : at + size])
            return response

        return fault

    @staticmethod
    async def early(
        _: FaultServer, __: web.Request, ___: Callable[[], Answer]
    ) -> web.StreamResponse:
        """Refuse by size, without reading the body."""
        return web.Response(status=413, text="Payload Too Large")


@pytest.fixture
def faults() -> type[Faults]:
    """The ways in which an exchange goes wrong."""
    return Faults
