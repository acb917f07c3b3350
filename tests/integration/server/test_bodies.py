"""Bodies over real HTTP that are no submissions, and disks that fail."""

from __future__ import annotations

import base64
import json
import os
import re
import uuid
from typing import TYPE_CHECKING

import anyio
import pytest
from aiohttp import ClientPayloadError

from batch_converter.codec import READ_BYTES
from batch_converter.server.files import PdfReader
from batch_converter.server.queue import DocumentQueue
from batch_converter.server.storage import DataFolder
from tests.support.service import (
    CONVERT,
    DJVU,
    HandConverter,
    pdf_bytes,
    running,
    submission,
)

if TYPE_CHECKING:
    from pathlib import Path

    from structlog.typing import EventDict


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
        b'{"image":"QUJD","settings":0}',
        b'{"image":"QUJD","settings":""}',
        b'{"image":"QUJD","settings":[]}',
        b'{"image":"QUJD","settings":false}',
        b'{"image":' + b'"%s"' % base64.b64encode(bytes(3_000_000)) + b",oops}",
    ],
)
async def test_a_malformed_submission_is_refused_and_leaves_nothing(
    tmp_path: Path, engine: HandConverter, body: bytes
) -> None:
    async with running(tmp_path, engine) as client:
        async with client.post_body(body) as response:
            assert response.status == 400
            assert response.content_type == "application/problem+json"
            assert json.loads(await response.read())["detail"]
        await client.files_until()
        assert await client.submit()


NESTED = b'{"image":"QUJD","settings":{"a":' + b"[" * 60 + b"%b" + b"]" * 60 + b"}}"
SLOW = {
    "strings deep inside": NESTED % (b'"",' * 340_000 + b'""'),
    "few strings, long ones": NESTED % (b'"%b",' % (b"x" * 1000) * 1000 + b'""'),
    "keys": b'{"image":"QUJD",' + b",".join(b'"%d":0' % i for i in range(100_000)) + b"}",
    "a long number": b'{"image":"QUJD","settings":' + b"9" * 1_000_000 + b"}",
    "white space": b'{"image":"QUJD",' + b" " * 1_000_000 + b'"settings":{}}',
    "escapes": b'{"image":"QUJD","settings":{"a":"' + b'\\"' * 500_000 + b'"}}',
}


@pytest.mark.parametrize("name", SLOW)
async def test_a_body_made_to_be_slow_is_refused_by_name(
    tmp_path: Path, engine: HandConverter, name: str
) -> None:
    async with running(tmp_path, engine) as client:
        async with client.post_body(SLOW[name]) as response:
            assert (response.status, response.content_type) == (400, "application/problem+json")
            detail = json.loads(await response.read())["detail"]
            assert re.search("holds more than (64 KiB|4096 brackets.*) beside its data", detail)
        assert client.files() == []
        assert await client.submit()


async def test_an_upload_that_breaks_off_leaves_nothing(
    tmp_path: Path, engine: HandConverter
) -> None:
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
    tmp_path: Path, engine: HandConverter, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    monkeypatch.setattr(DataFolder, "upload_path", lambda _folder, _task_id: full)
    async with running(tmp_path, engine) as client:
        async with client.post_body(submission(os.urandom(size))) as response:
            assert (response.status, response.content_type) == (507, "application/problem+json")
        assert client.files() == []


async def test_a_disk_that_fails_otherwise_is_an_error_of_ours(
    tmp_path: Path, engine: HandConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "nowhere" / "file"
    monkeypatch.setattr(DataFolder, "upload_path", lambda _folder, _task_id: nowhere)
    async with (
        running(tmp_path, engine) as client,
        client.post_body(submission(DJVU)) as response,
    ):
        assert response.status == 503
        assert response.headers["Retry-After"]


async def test_a_fault_of_ours_is_logged_and_told_in_the_documented_form(
    tmp_path: Path, engine: HandConverter, monkeypatch: pytest.MonkeyPatch, logs: list[EventDict]
) -> None:
    async def fail(_queue: DocumentQueue, _id: str, _owner: str) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(DocumentQueue, "find", fail)
    async with running(tmp_path, engine) as client:
        url = f"{CONVERT}?id={uuid.uuid4()}"
        async with client.session.get(url, headers=client.headers) as response:
            assert response.status == 500
            assert b"a fault of ours" not in await response.read()
    assert [one["event"] for one in logs][1:] == ["server.request_crashed"]


async def test_an_answer_that_breaks_off_is_cut_and_not_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logs: list[EventDict]
) -> None:
    async def fail(_reader: PdfReader, _size: int) -> bytes:
        raise RuntimeError("a fault of ours")

    engine = HandConverter(pdf=pdf_bytes(2 * READ_BYTES))
    async with running(tmp_path, engine) as client:
        task_id = await client.submit()
        await client.end(task_id)
        monkeypatch.setattr(PdfReader, "read", fail)
        url = f"{CONVERT}?id={task_id}"
        async with client.session.get(url, headers=client.headers) as response:
            assert response.status == 200
            with pytest.raises(ClientPayloadError):
                await response.read()
    assert "server.request_crashed" in [one["event"] for one in logs]
