"""What the service tells about itself, in answers, metrics and logs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tests.support.service import (
    CONVERT,
    DJVU,
    PDF,
    TOKEN,
    HandConverter,
    running,
    token_form,
)

if TYPE_CHECKING:
    from pathlib import Path

    from structlog.typing import EventDict


async def test_health_openapi_and_the_page_need_no_token(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with running(tmp_path, engine, log_in=False) as client:
        async with client.session.get("/health") as response:
            assert (await response.json())["status"] == "ok"
        async with client.session.get("/openapi.json") as response:
            paths = (await response.json())["paths"]
        async with client.session.get("/") as response:
            assert response.content_type == "text/html"
    assert set(paths[CONVERT]) == {"get", "post", "delete"}


@pytest.mark.parametrize(
    ("request_line", "status", "allowed"),
    [("GET /nothing", 404, set()), (f"PUT {CONVERT}", 405, {"DELETE", "GET", "POST"})],
)
async def test_other_paths_and_methods_are_refused_as_problems(
    tmp_path: Path, engine: HandConverter, request_line: str, status: int, allowed: set[str]
) -> None:
    async with (
        running(tmp_path, engine) as client,
        client.session.request(*request_line.split()) as response,
    ):
        assert (response.status, response.content_type) == (status, "application/problem+json")
        assert set(filter(None, response.headers.get("Allow", "").split(","))) == allowed


async def test_the_metrics_count_what_was_asked(tmp_path: Path, engine: HandConverter) -> None:
    prefix = "batch_converter_server_"
    async with running(tmp_path, engine) as client:
        task_ids = [await client.submit() for _ in range(3)]
        assert await client.metric(prefix + "tasks_unfetched") == 3
        for task_id in task_ids:
            await client.end(task_id)
        await client.cancel(task_ids[0])
        async with client.session.get(CONVERT) as response:
            assert response.status == 401
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
    tmp_path: Path, engine: HandConverter, logs: list[EventDict]
) -> None:
    async with running(tmp_path, engine) as client:
        async with client.session.post(
            TOKEN, data=token_form(client_secret="wrong one")
        ) as response:
            assert response.status == 400
        await client.end(await client.submit())
        token = client.headers["Authorization"].split()[1]
    assert [one["event"] for one in logs] == [
        "server.token_granted",
        "server.token_refused",
        "server.task_submitted",
        "server.task_ended",
    ]
    for secret in (
        "the right secret",
        "wrong one",
        token,
        base64.b64encode(DJVU).decode(),
        "made up",
    ):
        assert secret not in repr(logs)
