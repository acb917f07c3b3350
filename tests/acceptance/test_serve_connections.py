"""`serve` among clients that say nothing, read nothing and go away."""

from __future__ import annotations

import base64
import json
import re
import resource
import socket
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import started, wait_until
from tests.support.djvu_files import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DESCRIPTORS = 1024
SILENT = 1100
CONVERT = "/v5.0/ocr/djvu2pdf"
FORM = b"grant_type=client_credentials&client_id=any&client_secret=pair"


class Caller:
    """A client of the service that opens a connection for each request."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._headers = {"Content-Type": "application/x-www-form-urlencoded"}
        token = json.loads(self.ask("POST", "/connect/token", FORM))["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        with closing(HTTPConnection(*self._address, timeout=60)) as connection:
            connection.request(method, path, body, self._headers)
            response = connection.getresponse()
            assert response.status == 200
            return response.read()

    def submit(self, document: bytes) -> str:
        body = json.dumps({"image": base64.b64encode(document).decode()})
        return self.ask("POST", CONVERT, body.encode()).decode()

    def state(self, task_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(
            self.ask("GET", f"/v5.0/ocr/Utilities/GetTaskStatus?id={task_id}")
        )
        return answer


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Let this process have more than the service."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * SILENT
    assert hard == resource.RLIM_INFINITY or hard >= wanted, "ulimit -Hn is too low for this test"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("descriptors")
def test_more_silent_connections_than_descriptors_keep_nobody_out(tmp_path: Path) -> None:
    document = (SAMPLES / "bitonal.djvu").read_bytes()
    limited = ("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}")
    arguments = ("serve", "--port", "0", "--data-dir", tmp_path / "data")
    with started(tmp_path / "serve", *arguments, through=limited) as service, ExitStack() as stack:
        wait_until(lambda: service.out or service.is_over, "the line that says it listens")
        match = re.fullmatch(r"listening on http://(127\.0\.0\.1):(\d+)\n", service.out)
        assert match, service.out
        caller = Caller(match[1], int(match[2]))
        task_ids = [caller.submit(document) for _ in range(3)]
        for _ in range(SILENT):
            stack.enter_context(socket.create_connection((match[1], int(match[2])), timeout=60))
        task_ids += [caller.submit(document) for _ in range(3)]
        states: list[dict[str, Any]] = []

        def all_ended() -> bool:
            states[:] = [caller.state(task_id) for task_id in task_ids]
            return all(one["taskStatus"] in {"Completed", "Error"} for one in states)

        wait_until(all_ended, "the end of all tasks")
        assert [one["taskStatus"] for one in states] == ["Completed"] * 6, states
        assert json.loads(caller.ask("GET", "/health"))["status"] == "ok"
        assert len(json.dumps(service.events)) < 50_000
        assert not [one for one in service.events if one["level"] in {"warning", "error"}]
