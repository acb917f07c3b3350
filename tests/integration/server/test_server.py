"""The life of tasks over real HTTP."""

from __future__ import annotations

import base64
import os
import uuid
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from batch_converter.codec import READ_BYTES
from batch_converter.engines.base import Ready
from batch_converter.errors import EngineError
from tests.support.page_client import OPEN, another
from tests.support.service import (
    CONVERT,
    DJVU,
    PDF,
    STATUS,
    HandConverter,
    StreamingConverter,
    pdf_bytes,
    pdf_of,
    running,
    submission,
    token_form,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from batch_converter.engines.base import PdfTarget, SourceDocument


async def test_a_document_goes_in_and_its_pdf_comes_out(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with running(tmp_path, engine) as client:
        task_id = await client.submit(settings={"language": "Czech"})
        assert str(uuid.UUID(task_id)) == task_id
        answer = await client.end(task_id)
        await client.files_until(".pdf")
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
    assert client.files() == [".pdf"]


async def test_paths_and_the_id_parameter_match_in_any_case(
    tmp_path: Path, engine: HandConverter
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
    tmp_path: Path, engine: HandConverter
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
        while engine.peak < 2:  # a task is Processing a moment before the engine has it
            await client.ask(task_ids[0])
        engine.gate.set()
        for task_id in task_ids:
            await client.ask_until(task_id, "Completed")
    assert engine.peak == 2


async def test_a_large_document_goes_through_in_pieces(tmp_path: Path) -> None:
    document, pdf = os.urandom(5_000_001), pdf_bytes(3 * READ_BYTES + 1)
    engine = HandConverter(pdf=pdf)
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
    pdf = pdf_bytes(size)
    async with running(tmp_path, HandConverter(pdf=pdf)) as client:
        assert pdf_of(await client.end(await client.submit())) == pdf


async def test_an_engine_that_streams_has_its_pdf_stored(tmp_path: Path) -> None:
    async with running(tmp_path, StreamingConverter()) as client:
        answer = await client.end(await client.submit())
    assert pdf_of(answer) == PDF
    assert answer["error"] == {"messages": [], "warnings": ["page 2 is odd"]}


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (EngineError("the worker died"), "the worker died"),
        (
            RuntimeError("a fault of ours"),
            "the conversion ended 2 times without a verdict: an internal error",
        ),
    ],
)
async def test_a_failed_conversion_is_an_error_that_says_why(
    tmp_path: Path, outcome: Exception, message: str
) -> None:
    engine = HandConverter(outcome)
    async with running(tmp_path, engine) as client:
        answer = await client.end(await client.submit())
        await client.files_until()
        engine.outcome = Ready()
        assert pdf_of(await client.end(await client.submit())) == PDF
        ended = 'batch_converter_server_conversions_total{status="Error"}'
        assert await client.metric(ended) == 1
    assert (answer["taskStatus"], answer["responseStatusCode"]) == ("Error", "Error")
    assert answer["results"] is None
    assert answer["error"]["messages"] == [message]


class TalkativeConverter(HandConverter):
    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:  # noqa: ARG002  # the Protocol's
        msg = f"{source.name}: {source.path} is no DjVu"
        raise EngineError(msg)


async def test_messages_do_not_tell_where_the_service_keeps_its_files(tmp_path: Path) -> None:
    async with running(tmp_path, TalkativeConverter()) as client:
        answer = await client.end(await client.submit())
    assert answer["error"]["messages"] == ["document.djvu: document.djvu is no DjVu"]


async def test_an_unknown_task_does_not_exist(tmp_path: Path, engine: HandConverter) -> None:
    async with running(tmp_path, engine) as client:
        for name in (str(uuid.uuid4()), "made-up"):
            for path in (CONVERT, STATUS):
                answer = await client.ask(name, path)
                assert (answer["id"], answer["taskStatus"]) == (name, "NotExist")
                assert answer["responseStatusCode"] == "Error"
                assert answer["error"]["messages"]
            await client.cancel(name)


async def test_a_request_without_an_id_is_malformed(tmp_path: Path, engine: HandConverter) -> None:
    async with running(tmp_path, engine) as client:
        for query in ("", "?id=", "?task=x"):
            async with client.session.get(CONVERT + query, headers=client.headers) as response:
                assert response.status == 400
                assert response.content_type == "application/problem+json"


# Cancelling and forgetting


async def test_a_cancelled_task_does_not_exist_wherever_it_stood(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with running(tmp_path, engine, workers=1) as client:
        processing, pending, last = [await client.submit() for _ in range(3)]
        await client.engine_until(running=1)
        for task_id in (pending, processing):
            await client.cancel(task_id)
            assert (await client.ask(task_id))["taskStatus"] == "NotExist"
        await client.end(last)
        await client.cancel(last)
        await client.cancel(last)
        assert (await client.ask(last))["taskStatus"] == "NotExist"
        await client.files_until()
    assert engine.called_off == 1
    assert len(engine.documents) == 2


async def test_results_are_kept_for_24_hours_after_submission(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with running(tmp_path, engine) as client:
        task_id = await client.submit()
        await client.end(task_id)
        client.clock.at_s += 24 * 3600 - 1
        await client.log_in()
        assert (await client.ask(task_id))["taskStatus"] == "Completed"
        client.clock.advance(1)
        assert (await client.ask(task_id))["taskStatus"] == "NotExist"
        await client.files_until()


async def test_a_result_that_was_taken_away_is_said_to_be_lost(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with running(tmp_path, engine) as client:
        task_id = await client.submit()
        await client.end(task_id)
        (tmp_path / f"task-{task_id}.pdf").unlink()
        answer = await client.ask(task_id)
    assert answer["responseStatusCode"] == "ResultDataLost"
    assert answer["results"] is None


class LateConverter(HandConverter):
    """Is called off when the PDF is done already, and does not notice."""

    def __init__(self) -> None:
        super().__init__()
        self.call_off: Callable[[], Awaitable[None]] | None = None
        self.is_done = anyio.Event()

    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:
        outcome = await super().convert(source, target)
        assert self.call_off
        with anyio.CancelScope(shield=True):
            await self.call_off()
        self.is_done.set()
        return outcome


async def test_a_task_that_is_cancelled_in_the_last_moment_leaves_nothing(tmp_path: Path) -> None:
    engine = LateConverter()
    async with running(tmp_path, engine) as client:
        task_id = await client.submit()
        engine.call_off = partial(client.cancel, task_id)
        engine.gate.set()
        await engine.is_done.wait()
        assert (await client.ask(task_id))["taskStatus"] == "NotExist"
        await client.files_until()


@pytest.mark.parametrize(("capacity", "at_once"), [(64, 4), (3, 3), (1, 2)])
async def test_whoever_has_none_under_way_is_served_beside_the_long_documents_of_others(
    tmp_path: Path, engine: HandConverter, capacity: int, at_once: int
) -> None:
    engine.capacity = capacity
    async with (
        running(tmp_path, engine, workers=2, **OPEN) as client,
        another(client) as one,
        another(client) as other,
    ):
        for _ in range(4):
            await client.submit()
        await client.engine_until(running=2)
        uploads = [
            (browser, await browser.upload(name, sha256=False))
            for name in ("a.djvu", "b.djvu")
            for browser in (one, other)
        ]
        await client.engine_until(running=at_once)
        engine.gate.set()
        for browser, upload in uploads:
            await browser.until(upload, "ready")
        assert len(engine.documents) >= at_once
        assert engine.peak == at_once
