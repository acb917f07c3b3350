"""The service over real HTTP, on an engine whose conversions end when a test says so."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import re
import socket
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import anyio
import pytest
from aiohttp import ClientConnectorError, ClientSession
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from batch_converter.codec import READ_BYTES
from batch_converter.config.settings import ServeSettings
from batch_converter.engines.base import EngineTraits, Failed, Fetched, Gone, NotReady, Ready
from batch_converter.errors import EngineError, StateLockedError, UsageError
from batch_converter.models import Document, EngineName, Task
from batch_converter.server import open_application, serve
from batch_converter.server.storage import DataFolder
from batch_converter.server.tasks import RETENTION_S, TaskBoard
from batch_converter.server.tokens import TOKEN_LIFETIME_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    from types import TracebackType

    from aiohttp.client import _RequestContextManager as Answering
    from anyio import Event
    from structlog.typing import EventDict

    from batch_converter.engines.base import PdfSink

CONVERT = "/v5.0/ocr/djvu2pdf"
STATUS = "/v5.0/ocr/Utilities/GetTaskStatus"
TOKEN = "/connect/token"
EVERY_ADDRESS = ".".join("0000")
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

    async def submit(self, document: Document) -> str:
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

    def files(self) -> list[str]:
        return sorted(path.suffix for path in self.data.iterdir() if path.suffix != ".lock")

    async def files_until(self, *suffixes: str) -> None:
        with anyio.fail_after(20):
            while self.files() != list(suffixes):
                await self.session.get("/health")


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


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as captured:
        yield captured


@pytest.fixture
def engine() -> HandEngine:
    return HandEngine()


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


# Tokens


async def test_a_token_is_given_for_the_right_pair(tmp_path: Path, engine: HandEngine) -> None:
    async with (
        running(tmp_path, engine, log_in=False) as client,
        client.session.post(TOKEN, data=token_form()) as response,
    ):
        answer = await response.json()
    assert response.status == 200
    assert answer["expires_in"] == 3600
    assert answer["token_type"] == "bearer"
    assert answer["access_token"]


async def test_wrong_pairs_get_400_and_after_five_429_for_ten_minutes(
    tmp_path: Path, engine: HandEngine
) -> None:
    wrong = token_form(client_secret="wrong")
    seen = []
    async with running(tmp_path, engine, log_in=False) as client:
        for _ in range(6):
            async with client.session.post(TOKEN, data=wrong) as response:
                assert (await response.json()) == {"error": "invalid_client"}
                seen.append((response.status, response.headers.get("Retry-After")))
        client.clock.s += 600
        async with client.session.post(TOKEN, data=wrong) as response:
            seen.append((response.status, response.headers.get("Retry-After")))
    assert seen == [(400, None)] * 5 + [(429, "600"), (400, None)]


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (token_form(grant_type="password"), "unsupported_grant_type"),
        (token_form(client_secret=""), "invalid_client"),
        (token_form(client_id=""), "invalid_client"),
        ({str(number): "x" for number in range(50)}, "invalid_request"),
        (b"grant_type=client_credentials", "invalid_request"),
        ({}, "invalid_request"),
    ],
)
async def test_a_malformed_token_request_is_refused(
    tmp_path: Path, engine: HandEngine, form: object, error: str
) -> None:
    async with (
        running(tmp_path, engine, log_in=False, client_id=None, client_secret=None) as client,
        client.session.post(TOKEN, data=form) as response,
    ):
        assert (response.status, await response.json()) == (400, {"error": error})


async def test_a_form_of_many_bytes_is_refused(tmp_path: Path, engine: HandEngine) -> None:
    async with (
        running(tmp_path, engine, log_in=False) as client,
        client.session.post(TOKEN, data=token_form(client_id="x" * 100_000)) as response,
    ):
        assert (response.status, response.content_type) == (413, "application/problem+json")


async def test_without_an_account_any_pair_will_do(tmp_path: Path, engine: HandEngine) -> None:
    async with running(tmp_path, engine, client_id=None, client_secret=None) as client:
        assert await client.submit()


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer made-up", "Basic bWU6cmlnaHQ="])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", CONVERT), ("GET", CONVERT), ("DELETE", CONVERT), ("GET", STATUS)]
)
async def test_without_a_token_nothing_is_answered(
    tmp_path: Path, engine: HandEngine, header: str | None, method: str, path: str
) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with (
        running(tmp_path, engine) as client,
        client.session.request(method, f"{path}?id=x", headers=headers) as response,
    ):
        assert response.status == 401
        assert response.content_type == "application/problem+json"
        assert response.headers["WWW-Authenticate"] == "Bearer"
        problem = json.loads(await response.read())
    assert problem["status"] == 401
    assert problem["title"] == "Unauthorized"


async def test_a_token_ends_after_its_hour(tmp_path: Path, engine: HandEngine) -> None:
    async with running(tmp_path, engine) as client:
        client.clock.s += TOKEN_LIFETIME_S
        async with client.post_body(submission(DJVU)) as response:
            assert response.status == 401
        await client.log_in()
        assert await client.submit()


async def test_the_scheme_of_the_token_is_known_in_any_case(
    tmp_path: Path, engine: HandEngine
) -> None:
    async with running(tmp_path, engine) as client:
        client.headers["Authorization"] = client.headers["Authorization"].replace(
            "Bearer", "bearer"
        )
        assert await client.submit()


# The life of a task


async def test_a_document_goes_in_and_its_pdf_comes_out(tmp_path: Path, engine: HandEngine) -> None:
    async with running(tmp_path, engine) as client:
        task_id = await client.submit(settings={"language": "Czech"})
        assert str(uuid.UUID(task_id)) == task_id
        answer = await client.end(task_id)
        assert client.files() == [".pdf"]
    assert pdf_of(answer) == PDF
    assert answer == {
        "id": task_id,
        "taskStatus": "Completed",
        "responseStatusCode": "Ok",
        "results": [{"type": "Pdf", "data": base64.b64encode(PDF).decode()}],
        "error": None,
    }
    assert engine.documents == [DJVU]
    assert not engine.opened
    assert client.files() == []


async def test_paths_and_the_id_parameter_match_in_any_case(
    tmp_path: Path, engine: HandEngine
) -> None:
    async with running(tmp_path, engine) as client:
        body = submission(DJVU)
        url = "/V5.0/OCR/DjVu2PDF"
        async with client.session.post(url, data=body, headers=client.headers) as response:
            task_id = await response.text()
        await client.end(task_id)
        url = f"/v5.0/ocr/DJVU2PDF?ID={task_id.upper()}"
        async with client.session.get(url, headers=client.headers) as response:
            assert (await response.json())["id"] == task_id
        url = f"/v5.0/ocr/utilities/gettaskstatus?Id={{{task_id}}}"
        async with client.session.get(url, headers=client.headers) as response:
            assert (await response.json())["taskStatus"] == "Completed"
        async with client.session.post("/Connect/Token", data=token_form()) as response:
            assert response.status == 200


async def test_tasks_wait_as_pending_until_a_worker_is_free(
    tmp_path: Path, engine: HandEngine
) -> None:
    async with running(tmp_path, engine, workers=2) as client:
        task_ids = [await client.submit() for _ in range(5)]
        for task_id in task_ids[:2]:
            await client.ask_until(task_id, "Processing")
        for task_id in task_ids[2:]:
            answer = await client.ask(task_id)
            assert (answer["taskStatus"], answer["responseStatusCode"]) == ("Pending", "Ok")
            assert (answer["results"], answer["error"]) == (None, None)
        assert await client.metric('batch_converter_server_tasks{status="Pending"}') == 3
        assert await client.metric('batch_converter_server_tasks{status="Processing"}') == 2
        engine.gate.set()
        for task_id in task_ids:
            await client.ask_until(task_id, "Completed")
    assert engine.peak == 2


async def test_a_large_document_goes_through_in_pieces(tmp_path: Path) -> None:
    document, pdf = os.urandom(5_000_001), PDF + os.urandom(3 * READ_BYTES + 1)
    engine = HandEngine(pdf=pdf)
    body = submission(document)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100_003):
            yield body[start : start + 100_003]

    async with running(tmp_path, engine) as client:
        async with client.post_body(pieces()) as response:
            task_id = await response.text()
        answer = await client.end(task_id)
    assert engine.documents == [document]
    assert pdf_of(answer) == pdf


@pytest.mark.parametrize("size", [READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, READ_BYTES + 2])
async def test_the_length_is_exact_around_the_size_of_a_piece(tmp_path: Path, size: int) -> None:
    pdf = os.urandom(size)
    async with running(tmp_path, HandEngine(pdf=pdf)) as client:
        assert pdf_of(await client.end(await client.submit())) == pdf


async def test_a_compressed_submission_is_understood(tmp_path: Path, engine: HandEngine) -> None:
    async with running(tmp_path, engine) as client:
        client.headers["Content-Encoding"] = "gzip"
        async with client.post_body(gzip.compress(submission(DJVU))) as response:
            assert response.status == 200
            await client.end(await response.text())
    assert engine.documents == [DJVU]


async def test_an_engine_that_streams_has_its_pdf_stored(tmp_path: Path) -> None:
    async with running(tmp_path, StreamingEngine()) as client:
        answer = await client.end(await client.submit())
    assert pdf_of(answer) == PDF
    assert answer["error"] == {"messages": [], "warnings": ["page 2 is odd"]}


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Failed(messages=("page 3 is damaged",)), "page 3 is damaged"),
        (Failed(), "the document could not be converted"),
        (EngineError("the worker died"), "the worker died"),
        (NotReady(status="Pending"), "the conversion engine lost the document"),
        (Gone(status="NotExist"), "the conversion engine lost the document"),
        (RuntimeError("a fault of ours"), "the conversion ended with an internal error"),
    ],
)
async def test_a_failed_conversion_is_an_error_that_says_why(
    tmp_path: Path, outcome: Fetched | Exception, message: str
) -> None:
    engine = HandEngine(outcome)
    async with running(tmp_path, engine) as client:
        answer = await client.end(await client.submit())
        assert client.files() == []
        engine.outcome = Ready()
        assert pdf_of(await client.end(await client.submit())) == PDF
        ended = 'batch_converter_server_conversions_total{status="Error"}'
        assert await client.metric(ended) == 1
    assert (answer["taskStatus"], answer["responseStatusCode"]) == ("Error", "Error")
    assert answer["results"] is None
    assert answer["error"]["messages"] == [message]


class TalkativeEngine(HandEngine):
    async def submit(self, document: Document) -> str:
        msg = f"{document.source}: {document.path} is no DjVu"
        raise EngineError(msg)


async def test_messages_do_not_tell_where_the_service_keeps_its_files(tmp_path: Path) -> None:
    async with running(tmp_path, TalkativeEngine()) as client:
        answer = await client.end(await client.submit())
    assert answer["error"]["messages"] == ["document.djvu: document.djvu is no DjVu"]


async def test_an_unknown_task_does_not_exist(tmp_path: Path, engine: HandEngine) -> None:
    async with running(tmp_path, engine) as client:
        for name in (str(uuid.uuid4()), "made-up"):
            for path in (CONVERT, STATUS):
                answer = await client.ask(name, path)
                assert (answer["id"], answer["taskStatus"]) == (name, "NotExist")
                assert answer["responseStatusCode"] == "Error"
                assert answer["error"]["messages"]
            await client.cancel(name)


async def test_a_request_without_an_id_is_malformed(tmp_path: Path, engine: HandEngine) -> None:
    async with running(tmp_path, engine) as client:
        for query in ("", "?id=", "?task=x"):
            async with client.session.get(CONVERT + query, headers=client.headers) as response:
                assert response.status == 400
                assert response.content_type == "application/problem+json"


# Cancelling and forgetting


async def test_a_cancelled_task_does_not_exist_wherever_it_stood(
    tmp_path: Path, engine: HandEngine
) -> None:
    async with running(tmp_path, engine, workers=1) as client:
        processing, pending, last = [await client.submit() for _ in range(3)]
        await client.ask_until(processing, "Processing")
        for task_id in (pending, processing):
            await client.cancel(task_id)
            assert (await client.ask(task_id))["taskStatus"] == "NotExist"
        await client.end(last)
        await client.cancel(last)
        await client.cancel(last)
        assert (await client.ask(last))["taskStatus"] == "NotExist"
        await client.files_until()
    assert engine.cancelled == ["task 1"]
    assert len(engine.documents) == 2


async def test_an_engine_that_cannot_cancel_does_no_harm(tmp_path: Path) -> None:
    engine = HandEngine(EngineError("no"))
    async with running(tmp_path, engine, workers=1) as client:
        task_id = await client.submit()
        await client.ask_until(task_id, "Processing")
        await client.cancel(task_id)
        await client.files_until()
        assert (await client.end(await client.submit()))["taskStatus"] == "Error"
    assert engine.cancelled == ["task 1"]


async def test_results_are_kept_for_24_hours_after_submission(
    tmp_path: Path, engine: HandEngine
) -> None:
    async with running(tmp_path, engine) as client:
        task_id = await client.submit()
        await client.end(task_id)
        client.clock.s += RETENTION_S - 1
        await client.log_in()
        assert (await client.ask(task_id))["taskStatus"] == "Completed"
        client.clock.s += 1
        assert (await client.ask(task_id))["taskStatus"] == "NotExist"
        assert client.files() == []


async def test_a_result_that_was_taken_away_is_said_to_be_lost(
    tmp_path: Path, engine: HandEngine
) -> None:
    async with running(tmp_path, engine) as client:
        task_id = await client.submit()
        await client.end(task_id)
        (tmp_path / f"task-{task_id}.pdf").unlink()
        answer = await client.ask(task_id)
    assert answer["responseStatusCode"] == "ResultDataLost"
    assert answer["results"] is None


# Bodies that are no submissions


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"image":""}',
        b'{"image":null}',
        b'{"image":"QUJD!"}',
        b'{"image":"QUJ"}',
        b'{"image":"QUJD"',
        b'{"image":"QUJD","settings":3}',
        b'{"image":' + b'"%s"' % base64.b64encode(bytes(3_000_000)) + b",oops}",
    ],
)
async def test_a_malformed_submission_is_refused_and_leaves_nothing(
    tmp_path: Path, engine: HandEngine, body: bytes
) -> None:
    async with running(tmp_path, engine) as client:
        async with client.post_body(body) as response:
            assert response.status == 400
            assert response.content_type == "application/problem+json"
            assert json.loads(await response.read())["detail"]
        assert client.files() == []
        assert await client.submit()


async def test_a_damaged_transfer_is_refused(tmp_path: Path, engine: HandEngine) -> None:
    async with running(tmp_path, engine) as client:
        client.headers["Content-Encoding"] = "gzip"
        async with client.post_body(b"this is not gzip at all, far from it") as response:
            assert response.status == 400
        assert client.files() == []


async def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path, engine: HandEngine) -> None:
    body = submission(os.urandom(4_000_000))
    async with running(tmp_path, engine) as client:
        url = client.session._build_url(CONVERT)
        assert url.host
        stream = await anyio.connect_tcp(url.host, url.port or 80)
        head = f"POST {CONVERT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        head += f"Authorization: {client.headers['Authorization']}\r\n\r\n"
        await stream.send(head.encode() + body[:3_000_000])
        await client.files_until(".djvu")
        await stream.aclose()
        await client.files_until()
        assert await client.metric("batch_converter_server_tasks_unfetched") == 0


@pytest.mark.parametrize("size", [10, 3_000_000])
async def test_a_full_disk_is_said(
    tmp_path: Path, engine: HandEngine, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    monkeypatch.setattr(DataFolder, "upload_path", lambda _folder, _task_id: full)
    async with running(tmp_path, engine) as client:
        async with client.post_body(submission(os.urandom(size))) as response:
            assert (response.status, response.content_type) == (507, "application/problem+json")
        assert client.files() == []


async def test_a_disk_that_fails_otherwise_is_an_error_of_ours(
    tmp_path: Path, engine: HandEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "nowhere" / "file"
    monkeypatch.setattr(DataFolder, "upload_path", lambda _folder, _task_id: nowhere)
    async with (
        running(tmp_path, engine) as client,
        client.post_body(submission(DJVU)) as response,
    ):
        assert response.status == 500


async def test_a_fault_of_ours_is_logged_and_told_in_the_documented_form(
    tmp_path: Path, engine: HandEngine, monkeypatch: pytest.MonkeyPatch, logs: list[EventDict]
) -> None:
    def fail(_board: TaskBoard, _name: str) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(TaskBoard, "find", fail)
    async with running(tmp_path, engine) as client:
        url = f"{CONVERT}?id=x"
        async with client.session.get(url, headers=client.headers) as response:
            assert response.status == 500
            assert b"a fault of ours" not in await response.read()
    assert [one["event"] for one in logs] == ["server.request_crashed"]


# What it tells about itself


async def test_health_openapi_and_the_page_need_no_token(
    tmp_path: Path, engine: HandEngine
) -> None:
    async with running(tmp_path, engine, log_in=False) as client:
        async with client.session.get("/health") as response:
            assert (await response.json())["status"] == "ok"
        async with client.session.get("/openapi.json") as response:
            paths = (await response.json())["paths"]
        async with client.session.get("/") as response:
            assert response.content_type == "text/html"
            page = await response.text()
    assert set(paths[CONVERT]) == {"get", "post", "delete"}
    for path in paths:
        assert path in page or path == "/"


@pytest.mark.parametrize(
    ("request_line", "status", "allowed"),
    [("GET /nothing", 404, set()), (f"PUT {CONVERT}", 405, {"DELETE", "GET", "POST"})],
)
async def test_other_paths_and_methods_are_refused_as_problems(
    tmp_path: Path, engine: HandEngine, request_line: str, status: int, allowed: set[str]
) -> None:
    async with (
        running(tmp_path, engine) as client,
        client.session.request(*request_line.split()) as response,
    ):
        assert (response.status, response.content_type) == (status, "application/problem+json")
        assert set(filter(None, response.headers.get("Allow", "").split(","))) == allowed


async def test_the_metrics_count_what_was_asked(tmp_path: Path, engine: HandEngine) -> None:
    prefix = "batch_converter_server_"
    async with running(tmp_path, engine) as client:
        task_ids = [await client.submit() for _ in range(3)]
        assert await client.metric(prefix + "tasks_unfetched") == 3
        for task_id in task_ids:
            await client.end(task_id)
        await client.cancel(task_ids[0])
        await client.session.get(CONVERT)
        expected = {
            'requests_total{endpoint="token",status="200"}': 1,
            'requests_total{endpoint="submit",status="200"}': 3,
            'requests_total{endpoint="fetch",status="200"}': 3,
            'requests_total{endpoint="fetch",status="401"}': 1,
            'requests_total{endpoint="cancel",status="200"}': 1,
            'requests_in_progress{endpoint="fetch"}': 0,
            'requests_in_progress_peak{endpoint="fetch"}': 1,
            'tasks{status="Completed"}': 2,
            'conversions_total{status="Completed"}': 3,
            "conversion_seconds_count": 3,
            'document_bytes_total{direction="in"}': 3 * len(DJVU),
            'document_bytes_total{direction="out"}': 3 * len(PDF),
            "tasks_unfetched": 0,
            "tasks_unfetched_peak": 3,
        }
        seen = {line: await client.metric(prefix + line) for line in expected}
    assert seen == expected


async def test_no_secret_token_or_document_is_logged(
    tmp_path: Path, engine: HandEngine, logs: list[EventDict]
) -> None:
    async with running(tmp_path, engine) as client:
        await client.session.post(TOKEN, data=token_form(client_secret="wrong one"))
        await client.end(await client.submit())
        token = client.headers["Authorization"].split()[1]
    assert [one["event"] for one in logs] == [
        "server.token_refused",
        "server.task_submitted",
        "server.task_ended",
    ]
    for secret in ("right", "wrong one", token, base64.b64encode(DJVU).decode(), "made up"):
        assert secret not in repr(logs)


# Starting and stopping


async def test_an_engine_that_must_be_polled_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="engine of its own"):
        async with running(tmp_path, HandEngine(polled=True)):
            pytest.fail("it was opened")


@asynccontextmanager
async def served(settings: ServeSettings, engine: HandEngine) -> AsyncIterator[str]:
    ready = anyio.Event()
    addresses: list[str] = []

    def on_ready(address: str) -> None:
        addresses.append(address)
        ready.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(serve, settings, engine, workers=1, on_ready=on_ready))
        with anyio.fail_after(20):
            await ready.wait()
        yield addresses[0]
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
async def test_serve_says_where_it_listens_and_answers_there(
    tmp_path: Path, engine: HandEngine, host: str
) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("no IPv6 here")
    settings = serve_settings(tmp_path, host=host, client_id=None, client_secret=None)
    async with served(settings, engine) as address, ClientSession() as session:
        shown = f"[{host}]" if ":" in host else host
        assert re.fullmatch(rf"http://{re.escape(shown)}:[1-9]\d*", address)
        async with session.get(f"{address}/health") as response:
            assert response.status == 200


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_stopping_ends_conversions_and_clears_the_folder(
    tmp_path: Path, engine: HandEngine
) -> None:
    async with served(serve_settings(tmp_path), engine) as address:
        async with ClientSession(address) as session:
            client = Client(session=session, engine=engine, clock=HandClock(), data=tmp_path)
            await client.log_in()
            await client.ask_until(await client.submit(), "Processing")
        assert client.files() == [".djvu"]
    assert client.files() == []
    assert not engine.opened
    async with ClientSession() as session:
        with pytest.raises(ClientConnectorError):
            await session.get(address)


async def test_every_address_needs_credentials_but_loopback(
    tmp_path: Path, engine: HandEngine
) -> None:
    open_to_all = serve_settings(tmp_path, host=EVERY_ADDRESS, client_id=None, client_secret=None)
    with pytest.raises(UsageError, match="--client-id and --client-secret"):
        await serve(open_to_all, engine, workers=1, on_ready=pytest.fail)
    async with served(serve_settings(tmp_path, host=EVERY_ADDRESS), engine) as address:
        assert address.startswith(f"http://{EVERY_ADDRESS}:")


@pytest.mark.parametrize("half", ["client_id", "client_secret"])
async def test_half_of_the_credentials_is_refused(
    tmp_path: Path, engine: HandEngine, half: str
) -> None:
    settings = serve_settings(tmp_path, **{half: None})
    with pytest.raises(UsageError, match="or neither"):
        await serve(settings, engine, workers=1, on_ready=pytest.fail)


async def test_an_address_that_cannot_be_had_is_a_usage_error(
    tmp_path: Path, engine: HandEngine
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = serve_settings(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(UsageError, match="cannot listen on"):
            await serve(settings, engine, workers=1, on_ready=pytest.fail)
    for host in ("192.0.2.1", "no such host"):
        with pytest.raises(UsageError, match="cannot listen on"):
            await serve(
                serve_settings(tmp_path, host=host), engine, workers=1, on_ready=pytest.fail
            )


async def test_two_services_do_not_share_a_folder(tmp_path: Path, engine: HandEngine) -> None:
    async with running(tmp_path, engine):
        with pytest.raises(StateLockedError):
            await serve(serve_settings(tmp_path), engine, workers=1, on_ready=pytest.fail)
