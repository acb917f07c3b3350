"""The service with an engine whose conversions end when a test says so, and a client for it."""

from __future__ import annotations

import base64
import io
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import anyio
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from batch_converter.config.settings import ServeSettings
from batch_converter.engines.base import EngineTraits, Fetched, Ready
from batch_converter.models import Document, EngineName, Task
from batch_converter.server import open_application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import TracebackType

    from aiohttp.client import _RequestContextManager as Answering
    from anyio import Event

    from batch_converter.engines.base import PdfSink

CONVERT = "/v5.0/ocr/djvu2pdf"
STATUS = "/v5.0/ocr/Utilities/GetTaskStatus"
TOKEN = "/connect/token"
PDF = b"%PDF-1.7 made up %%EOF"
DJVU = b"AT&TFORM made up"
ACCOUNT = {"client_id": "me", "client_secret": "right"}


class HandClock:
    def __init__(self) -> None:
        self.s = 5000.0

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return self.s

    async def wait_until(self, at_s: float, wake: Event) -> None:
        raise NotImplementedError


class HandEngine:
    """Gives `outcome` once the gate is open, or raises it; remembers what it was asked."""

    name = EngineName.LOCAL
    options_digest = "made up"

    def __init__(
        self, outcome: Fetched | Exception | None = None, *, pdf: bytes = PDF, polled: bool = False
    ) -> None:
        self.traits = EngineTraits(polled=polled, billed=False, tasks_outlive_run=False)
        self.outcome = outcome or Ready()
        self.pdf = pdf
        self.gate = anyio.Event()
        self.documents: list[bytes] = []
        self.cancelled: list[str] = []
        self.running = 0
        self.peak = 0
        self.opened = False

    async def __aenter__(self) -> Self:
        self.opened = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.opened = False

    async def submit(self, document: Document, *, content: bytes | None = None) -> str:
        assert content is None
        self.documents.append(await anyio.Path(document.path).read_bytes())
        assert document.size_bytes == len(self.documents[-1])
        assert document.mtime_ns == (await anyio.Path(document.path).stat()).st_mtime_ns
        return f"task {document.id}"

    async def fetch(self, document: Document, task: Task, sink: PdfSink) -> Fetched:
        assert task.task_id == f"task {document.id}"
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        await anyio.Path(sink.path).write_bytes(self.pdf)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def cancel(self, document: Document, task: Task) -> None:
        assert task.task_id == f"task {document.id}"
        self.cancelled.append(task.task_id)
        if isinstance(self.outcome, Exception):
            raise self.outcome


class StreamingEngine(HandEngine):
    """Hands its PDF to the sink piece by piece."""

    async def fetch(self, document: Document, task: Task, sink: PdfSink) -> Fetched:
        del document, task
        await sink.write(b"a false start")
        await sink.restart()
        for piece in (self.pdf[:5], self.pdf[5:]):
            await sink.write(piece)
        return Ready(warnings=("page 2 is odd",))


@dataclass(kw_only=True)
class Client:
    """A service that runs, and what a client does with it."""

    session: ClientSession
    engine: HandEngine
    clock: HandClock
    data: Path
    headers: dict[str, str] = field(default_factory=dict)

    async def log_in(self) -> None:
        async with self.session.post(TOKEN, data=token_form()) as response:
            answer = await response.json()
        self.headers["Authorization"] = f"Bearer {answer['access_token']}"

    async def submit(self, document: bytes = DJVU, **more: object) -> str:
        async with self.post_body(submission(document, **more)) as response:
            assert response.status == 200
            assert response.content_type == "text/plain"
            return await response.text()

    def post_body(self, body: bytes | AsyncIterator[bytes]) -> Answering:
        data = io.BytesIO(body) if isinstance(body, bytes) else body
        return self.session.post(CONVERT, data=data, headers=self.headers)

    async def ask(self, task_id: str, path: str = CONVERT) -> dict[str, Any]:
        url = f"{path}?id={task_id}"
        async with self.session.get(url, headers=self.headers) as response:
            assert response.status == 200
            assert response.content_type == "application/json"
            body = await response.read()
            assert response.headers["Content-Length"] == str(len(body))
            answer: dict[str, Any] = json.loads(body)
            return answer

    async def ask_until(self, task_id: str, *statuses: str) -> dict[str, Any]:
        with anyio.fail_after(20):
            while (answer := await self.ask(task_id, STATUS))["taskStatus"] not in statuses:
                assert answer["results"] is None
        return answer

    async def end(self, task_id: str) -> dict[str, Any]:
        self.engine.gate.set()
        await self.ask_until(task_id, "Completed", "Error")
        return await self.ask(task_id)

    async def cancel(self, task_id: str) -> None:
        async with self.session.delete(f"{CONVERT}?id={task_id}", headers=self.headers) as response:
            assert (response.status, await response.read()) == (200, b"")

    async def metric(self, line: str) -> float:
        async with self.session.get("/metrics") as response:
            lines = (await response.text()).splitlines()
        values = [one.rpartition(" ")[2] for one in lines if one.rpartition(" ")[0] == line]
        return float(values[0]) if values else 0.0

    async def breathe(self) -> None:
        async with self.session.get("/health") as response:
            await response.read()

    async def engine_until(self, *, running: int) -> None:
        with anyio.fail_after(20):
            while self.engine.running != running:
                await self.breathe()

    def files(self) -> list[str]:
        return sorted(path.suffix for path in self.data.iterdir() if path.suffix != ".lock")

    async def files_until(self, *suffixes: str) -> None:
        with anyio.fail_after(20):
            while self.files() != list(suffixes):
                await self.breathe()


def token_form(**changes: str) -> dict[str, str]:
    return {"grant_type": "client_credentials"} | ACCOUNT | changes


def submission(document: bytes, **more: object) -> bytes:
    return json.dumps({"image": base64.b64encode(document).decode(), **more}).encode()


def pdf_of(answer: dict[str, Any]) -> bytes:
    (result,) = answer["results"]
    assert result["type"] == "Pdf"
    return base64.b64decode(result["data"], validate=True)


def serve_settings(data: Path | None = None, **changes: object) -> ServeSettings:
    given = {"data_dir": data, "port": 0, "client_id": "me", "client_secret": "right"}
    return ServeSettings.model_validate(given | changes)


@asynccontextmanager
async def running(
    data: Path, engine: HandEngine, *, workers: int = 2, log_in: bool = True, **changes: object
) -> AsyncIterator[Client]:
    clock, settings = HandClock(), serve_settings(data, **changes)
    async with (
        open_application(settings, engine, workers=workers, clock=clock) as app,
        TestServer(app) as server,
        ClientSession(server.make_url("/")) as session,
    ):
        client = Client(session=session, engine=engine, clock=clock, data=data)
        if log_in:
            await client.log_in()
        yield client
