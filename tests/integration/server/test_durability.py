"""What was accepted outlasts the service, trouble of the machine, and other clients' haste."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from typing import TYPE_CHECKING, Any, NoReturn

import anyio
import pytest

from batch_converter.codec import READ_BYTES
from batch_converter.engines.base import Ready
from batch_converter.errors import (
    EngineError,
    MachineExhaustedError,
    OutputError,
    QueueWriteError,
    UnreadableError,
)
from batch_converter.output import MARGIN_BYTES
from batch_converter.server.conversions import PAUSE_S
from batch_converter.server.queue import DocumentQueue
from batch_converter.server.storage import DataFolder
from tests.support.clocks import ManualClock
from tests.support.service import (
    CONVERT,
    DJVU,
    PDF,
    Client,
    HandConverter,
    pdf_bytes,
    pdf_of,
    running,
    submission,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batch_converter.engines.base import PdfTarget, SourceDocument


async def test_a_restart_loses_no_task_and_no_result(tmp_path: Path) -> None:
    engine = HandConverter()
    async with running(tmp_path, engine, workers=1) as client:
        engine.gate.set()
        done = await client.submit(DJVU + b" done")
        await client.ask_until(done, "Completed")
        engine.gate = anyio.Event()
        begun = await client.submit(DJVU + b" begun")
        await client.ask_until(begun, "Processing")
        waiting = await client.submit(DJVU + b" waiting")
        cancelled = await client.submit(DJVU + b" cancelled")
        await client.cancel(cancelled)
    again = HandConverter()
    async with running(tmp_path, again, workers=1) as client:
        assert pdf_of(await client.ask(done)) == PDF
        assert (await client.ask(cancelled))["taskStatus"] == "NotExist"
        for task_id in (begun, waiting):
            assert pdf_of(await client.end(task_id)) == PDF
        await client.files_until(".pdf", ".pdf", ".pdf")
    assert again.documents == [DJVU + b" begun", DJVU + b" waiting"]


async def test_time_passes_while_the_service_is_down(tmp_path: Path) -> None:
    engine = HandConverter()
    async with running(tmp_path, engine, retention_hours=0.5) as client:
        task_id = await client.submit()
        await client.end(task_id)
    later = ManualClock()
    later.advance(1800)
    async with running(tmp_path, engine, clock=later, retention_hours=0.5) as client:
        assert (await client.ask(task_id))["taskStatus"] == "NotExist"
        await client.files_until()


def disk_error(number: int) -> OutputError:
    error = OutputError("cannot write")
    error.__cause__ = OSError(number, os.strerror(number))
    return error


@pytest.mark.parametrize(
    "trouble",
    [
        MachineExhaustedError("no process can be had"),
        disk_error(errno.ENOSPC),
        OSError(errno.EMFILE, "Too many open files"),
        MemoryError(),
    ],
)
async def test_trouble_of_the_machine_is_no_documents_end(
    tmp_path: Path, trouble: Exception
) -> None:
    engine = HandConverter(trouble)
    engine.gate.set()
    async with running(tmp_path, engine) as client:
        task_id = await client.submit()
        with anyio.fail_after(20):
            while (health := await health_of(client))["status"] == "ok":
                pass
        assert health["reasons"]
        assert (await client.ask(task_id))["taskStatus"] == "Pending"
        engine.outcome = Ready()
        client.clock.advance(PAUSE_S)
        assert pdf_of(await client.end(task_id)) == PDF
        assert (await health_of(client))["status"] == "ok"
    assert len(engine.documents) == 2


async def test_trouble_is_over_with_the_document_that_met_it(tmp_path: Path) -> None:
    engine = HandConverter(MachineExhaustedError("no process can be had"))
    engine.gate.set()
    async with running(tmp_path, engine) as client:
        task_id = await client.submit()
        with anyio.fail_after(20):
            while (await health_of(client))["status"] == "ok":
                pass
        await client.cancel(task_id)
        client.clock.advance(PAUSE_S)
        with anyio.fail_after(20):
            while (await health_of(client))["status"] != "ok":
                pass


async def health_of(client: Client) -> dict[str, object]:
    async with client.session.get("/health") as response:
        answer: dict[str, object] = await response.json()
        assert response.status == (200 if answer["status"] == "ok" else 503)
        return answer


@pytest.mark.parametrize("end", [ZeroDivisionError(), disk_error(errno.EBUSY)])
async def test_what_nobody_has_foreseen_is_tried_twice(tmp_path: Path, end: Exception) -> None:
    engine = HandConverter(end)
    engine.gate.set()
    async with running(tmp_path, engine) as client:
        answer = await client.end(await client.submit())
        assert await client.metric("batch_converter_server_conversion_seconds_count") == 1
        assert await client.metric("batch_converter_server_conversion_seconds_sum") == 0
    assert answer["taskStatus"] == "Error"
    assert len(engine.documents) == 2


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (EngineError("the document is too odd"), "the document is too odd"),
        (disk_error(errno.EFBIG), "cannot write"),
    ],
)
async def test_a_documents_own_failure_is_final(
    tmp_path: Path, end: Exception, message: str
) -> None:
    engine = HandConverter(end)
    engine.gate.set()
    async with running(tmp_path, engine) as client:
        answer = await client.end(await client.submit())
        assert answer["error"]["messages"] == [message]
        await client.files_until()
    assert len(engine.documents) == 1


async def test_what_is_no_pdf_is_no_result(tmp_path: Path) -> None:
    engine = HandConverter(pdf=b"<html>")
    async with running(tmp_path, engine) as client:
        answer = await client.end(await client.submit())
        await client.files_until()
    assert answer["taskStatus"] == "Error"


@pytest.mark.parametrize(
    ("limits", "document", "status"),
    [
        ({"max_queued": 2}, DJVU, 429),
        ({"max_queued_per_client": 2}, DJVU, 429),
        ({"max_disk_bytes": 50}, DJVU, 507),
        ({"max_body_bytes": 100}, bytes(101), 413),
    ],
)
async def test_limits_are_told_with_what_to_wait_for(
    tmp_path: Path, engine: HandConverter, limits: dict[str, Any], document: bytes, status: int
) -> None:
    async with running(tmp_path, engine, **limits) as client:
        accepted = [await client.submit(), await client.submit()]
        async with client.post_body(submission(document)) as response:
            assert (response.status, response.content_type) == (status, "application/problem+json")
            assert ("Retry-After" in response.headers) == (status != 413)
            assert json.loads(await response.read())["detail"]
        for task_id in accepted:
            assert pdf_of(await client.end(task_id)) == PDF


@pytest.mark.parametrize(("size", "status"), [(100, 200), (101, 413)])
async def test_the_longest_document_is_the_longest(
    tmp_path: Path, engine: HandConverter, size: int, status: int
) -> None:
    async with (
        running(tmp_path, engine, max_body_bytes=100) as client,
        client.post_body(submission(bytes(size))) as response,
    ):
        assert response.status == status


async def test_a_disk_without_room_takes_nothing_in_and_loses_nothing(
    tmp_path: Path, engine: HandConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, engine) as client:
        task_id = await client.submit()
        monkeypatch.setattr(DataFolder, "free_bytes", lambda _folder: 1 << 20)
        client.clock.advance(1)  # a look at the disk holds for a moment
        async with client.post_body(submission(DJVU)) as response:
            assert response.status == 507
            assert response.headers["Retry-After"]
        assert (await health_of(client))["status"] == "degraded"
        assert pdf_of(await client.end(task_id)) == PDF
        monkeypatch.setattr(DataFolder, "free_bytes", lambda _folder: 1 << 30)
        assert await client.submit()
        assert (await health_of(client))["status"] == "ok"


async def test_health_follows_the_disk_though_nobody_submits_anything(
    tmp_path: Path, engine: HandConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy sends nothing to a service that says it is not well."""
    async with running(tmp_path, engine) as client:
        for free_bytes, status in (
            (1 << 20, "degraded"),
            (1 << 30, "ok"),
            (MARGIN_BYTES - 1, "degraded"),
            (MARGIN_BYTES, "ok"),
        ):
            monkeypatch.setattr(DataFolder, "free_bytes", lambda _folder, free=free_bytes: free)
            client.clock.advance(1)  # a look at the disk holds for a moment
            assert (await health_of(client))["status"] == status
        async with client.post_body(submission(DJVU)) as response:
            assert response.status == 507
        assert (await health_of(client))["status"] == "degraded"  # as long as that has no room
        monkeypatch.setattr(DataFolder, "free_bytes", lambda _folder: 1 << 30)
        assert (await health_of(client))["status"] == "ok"


async def test_a_folder_that_cannot_be_looked_at_takes_nothing_in(
    tmp_path: Path, engine: HandConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_folder: DataFolder) -> int:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    async with running(tmp_path, engine) as client:
        with monkeypatch.context() as patched:
            patched.setattr(DataFolder, "free_bytes", fail)
            async with client.post_body(submission(DJVU)) as response:
                assert response.status == 503
                assert response.headers["Retry-After"]
            assert (await health_of(client))["status"] == "degraded"
        assert await client.submit()
        assert (await health_of(client))["status"] == "ok"


async def unwritable(
    _queue: DocumentQueue, _operation: Callable[[sqlite3.Connection], object]
) -> NoReturn:
    raise QueueWriteError("the queue cannot be written (disk I/O error)") from sqlite3.Error()


@pytest.mark.parametrize("size", [100, 2 * READ_BYTES])
async def test_what_has_come_to_its_end_is_given_though_that_cannot_be_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    engine = HandConverter(pdf=pdf_bytes(size))
    engine.gate.set()
    async with running(tmp_path, engine) as client:
        ready = await client.submit()
        await client.ask_until(ready, "Completed")
        engine.outcome = EngineError("the document is too odd")
        failed = await client.submit()
        await client.ask_until(failed, "Error")
        monkeypatch.setattr(DocumentQueue, "_recorded", unwritable)
        assert pdf_of(await client.ask(ready)) == engine.pdf
        assert (await client.ask(failed))["taskStatus"] == "Error"
        assert await client.metric("batch_converter_server_tasks_unfetched") == 2


async def test_a_queue_that_cannot_be_written_is_the_services_trouble(
    tmp_path: Path, engine: HandConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, engine) as client:
        task_id = await client.submit()
        await client.engine_until(running=1)
        with monkeypatch.context() as patched:
            patched.setattr(DocumentQueue, "_recorded", unwritable)
            url = f"{CONVERT}?id={task_id}"
            async with client.session.delete(url, headers=client.headers) as response:
                assert (response.status, response.headers["Retry-After"]) == (503, "60")
                assert response.content_type == "application/problem+json"
        assert pdf_of(await client.end(task_id)) == PDF


async def test_the_disk_is_asked_now_and_then_and_before_it_is_full(
    tmp_path: Path, engine: HandConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    free_bytes = 16 << 20  # of which half is a margin

    def look(_folder: DataFolder) -> int:
        looks.append(free_bytes)
        return free_bytes

    monkeypatch.setattr(DataFolder, "free_bytes", look)
    async with running(tmp_path, engine) as client:
        for _ in range(5):
            await client.submit(bytes(100 << 10))
        assert len(looks) == 1
        for _ in range(20):  # five times so much is asked for: room for the PDF, too
            await client.submit(bytes(100 << 10))
        assert len(looks) == 2
        client.clock.advance(0.11)
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(client.submit)
        assert len(looks) == 3


async def test_a_document_whose_file_has_vanished_is_told(tmp_path: Path) -> None:
    engine = HandConverter()
    async with running(tmp_path, engine, workers=1) as client:
        task_id = await client.submit()
    (tmp_path / f"task-{task_id}.djvu").unlink()
    async with running(tmp_path, engine, workers=1) as client:
        answer = await client.ask(task_id)
    assert answer["taskStatus"] == "Error"
    assert "send it again" in answer["error"]["messages"][0]


class Taker(HandConverter):
    """Has the document taken away before it is read."""

    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:
        if not self.called_off:
            self.called_off = 1
            await anyio.Path(source.path).unlink()
            error = UnreadableError("it cannot be read")
            error.__cause__ = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            raise error
        return await super().convert(source, target)


async def test_a_document_that_vanishes_fails_alone(tmp_path: Path) -> None:
    async with running(tmp_path, Taker(), workers=1) as client:
        lost, next_one = await client.submit(), await client.submit()
        answer = await client.end(lost)
        assert "send it again" in answer["error"]["messages"][0]
        assert pdf_of(await client.end(next_one)) == PDF
        assert (await health_of(client))["status"] == "ok"


async def test_control_characters_of_a_document_reach_no_answer(tmp_path: Path) -> None:
    engine = HandConverter(EngineError("page\x1b[31m \x00one"))
    async with running(tmp_path, engine) as client:
        answer = await client.end(await client.submit())
    assert answer["error"]["messages"] == ["page [31m  one"]
