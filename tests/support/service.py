"""The service with an engine whose conversions end when a test says so, and a client for it."""

from __future__ import annotations

import base64
import io
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import anyio
from aiohttp import ClientSession
from anyio import to_thread

from batch_converter.config import ServeSettings
from batch_converter.engines.base import Ready
from batch_converter.server import open_application
from batch_converter.server.listening import answering, connection_limits, listen
from tests.support.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import TracebackType

    from aiohttp.client import _RequestContextManager as Answering

    from batch_converter.engines.base import PdfTarget, SourceDocument

CONVERT = "/v5.0/ocr/djvu2pdf"
STATUS = "/v5.0/ocr/Utilities/GetTaskStatus"
TOKEN = "/connect/token"
PDF = b"%PDF-1.7 made up %%EOF"


def pdf_bytes(size: int) -> bytes:
    """Return what a quick look takes for a PDF, so long."""
    return b"%PDF-1.7\n" + os.urandom(size - 14) + b"%%EOF"


DJVU = b"AT&TFORM made up"
ACCOUNT = {"client_id": "me", "client_secret": "the right secret"}


class HandConverter:
    """Gives `outcome` once the gate is open, or raises it; remembers what it was asked."""

    name = "hand"
    options_digest = "made up"
    capacity = 64
    keeps_damaged = False

    def __init__(self, outcome: Ready | Exception | None = None, *, pdf: bytes = PDF) -> None:
        self.outcome = outcome or Ready()
        self.pdf = pdf
        self.gate = anyio.Event()
        self.documents: list[bytes] = []
        self.called_off = 0
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

    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:
        self.documents.append(await anyio.Path(source.path).read_bytes())
        assert source.size_bytes == len(self.documents[-1])
        assert source.mtime_ns == (await anyio.Path(source.path).stat()).st_mtime_ns
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await self.gate.wait()
        except anyio.get_cancelled_exc_class():
            self.called_off += 1
            raise
        finally:
            self.running -= 1
        return await self._deliver(target)

    async def _deliver(self, target: PdfTarget) -> Ready:
        await anyio.Path(target.path).write_bytes(self.pdf)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class StreamingConverter(HandConverter):
    """Hands its PDF to the target piece by piece, and waits for nothing."""

    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:
        del source
        await target.write(b"a false start")
        await target.restart()
        for piece in (self.pdf[:5], self.pdf[5:]):
            await target.write(piece)
        return Ready(warnings=("page 2 is odd",))


@dataclass(kw_only=True)
class Client:
    """A service that runs, and what a client does with it."""

    session: ClientSession
    engine: HandConverter
    clock: ManualClock
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
        """Return the suffixes of the documents' files."""
        return sorted(path.suffix for path in self.data.glob("task-*"))

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
    given = {"data_dir": data, "port": 0, "client_id": "me", "client_secret": "the right secret"}
    return ServeSettings.model_validate(given | changes)


@asynccontextmanager
async def running(
    data: Path,
    engine: HandConverter,
    *,
    workers: int = 2,
    log_in: bool = True,
    clock: ManualClock | None = None,
    **changes: object,
) -> AsyncIterator[Client]:
    clock, settings = clock or ManualClock(), serve_settings(data, **changes)
    limits = await to_thread.run_sync(partial(connection_limits, settings, workers=workers))
    (bound,) = listen("127.0.0.1", 0, loopback_only=True)
    with bound:
        address = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        async with (
            open_application(settings, engine, workers=workers, clock=clock) as app,
            answering(app, [bound], limits),
            ClientSession(address) as session,
        ):
            client = Client(session=session, engine=engine, clock=clock, data=data)
            if log_in:
                await client.log_in()
            yield client
