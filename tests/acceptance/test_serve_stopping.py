"""How `serve` ends: at once for who is new, in a few seconds for who is being answered."""

from __future__ import annotations

import base64
import json
import os
import pty
import signal
import socket
import subprocess
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.test_serve_command import connect, serving
from tests.acceptance.test_serve_durability import SAMPLE
from tests.support.api_client import CONVERT, ApiClient
from tests.support.command import started, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.command import Running


class SlowUpload:
    """A submission whose last byte has not been sent."""

    def __init__(self, client: ApiClient, document: bytes = SAMPLE) -> None:
        body = json.dumps({"image": base64.b64encode(document).decode()}).encode()
        host, _, port = client.address.removeprefix("http://").partition(":")
        self.connection = socket.create_connection((host, int(port)), timeout=60)
        head = (
            f"POST {CONVERT} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(body)}\r\n"
            f"Content-Type: application/json\r\nAuthorization: Bearer {client.token}\r\n\r\n"
        )
        self.connection.sendall(head.encode() + body[:-1])
        self._last = body[-1:]

    def finish(self) -> bytes:
        """Send it, and return the whole answer."""
        with self.connection:
            self.connection.sendall(self._last)
            answer = b""
            while piece := self.connection.recv(65536):
                answer += piece
        return answer


def uploads_under_way(client: ApiClient) -> bool:
    line = 'batch_converter_server_requests_in_progress{endpoint="submit"} 1.0'
    return line in client.request("/metrics").decode()


def refuses(address: str) -> bool:
    try:
        connect(address)
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.slow
def test_a_request_under_way_comes_to_its_end_and_none_begins(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(tmp_path, "--data-dir", data) as (service, address):
        client = ApiClient(address)
        upload = SlowUpload(client)
        wait_until(partial(uploads_under_way, client), "the upload")
        service.signal(signal.SIGTERM)
        wait_until(partial(refuses, address), "a closed door")
        answer = upload.finish()
        done = service.finish()
    assert answer.startswith(b"HTTP/1.1 200"), answer
    task_id = answer.split(b"\r\n\r\n")[1].decode()
    assert (done.code, done.events[-1]["event"]) == (143, "server.stopped")
    with serving(tmp_path / "again", "--data-dir", data) as (service, address):
        wait_until(partial(ApiClient(address).is_ready, task_id), "its PDF")


@pytest.mark.slow
def test_who_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    with serving(tmp_path, "--data-dir", tmp_path / "data") as (service, address):
        client = ApiClient(address)
        upload = SlowUpload(client)
        wait_until(partial(uploads_under_way, client), "the upload")
        service.signal(signal.SIGTERM)
        done = service.finish()
        upload.connection.close()
    assert (done.code, done.events[-1]["event"]) == (143, "server.stopped")
    assert not list((tmp_path / "data").glob("task-*"))


@pytest.mark.slow
def test_a_second_signal_leaves_at_once_and_loses_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(tmp_path, "--data-dir", data) as (service, address):
        client = ApiClient(address)
        accepted = client.submit(SAMPLE)
        upload = SlowUpload(client)
        wait_until(partial(uploads_under_way, client), "the upload")
        service.signal(signal.SIGTERM)
        wait_until(partial(refuses, address), "a closed door")
        service.signal(signal.SIGINT)
        done = service.finish()
        upload.connection.close()
    assert done.code == 130
    assert not done.named("server.stopped")
    with serving(tmp_path / "again", "--data-dir", data) as (service, address):
        wait_until(partial(ApiClient(address).is_ready, accepted), "the PDF")


def test_a_hangup_is_passed_over_where_there_is_no_terminal(tmp_path: Path) -> None:
    with listening(tmp_path, "setsid") as (service, address):
        for count in (1, 2):
            service.signal(signal.SIGHUP)
            wait_until(partial(passed_over, service, count), "the line in the log")
        connect(address)
        service.signal(signal.SIGTERM)
        done = service.finish()
    assert done.code == 143
    assert [event["signal"] for event in done.named("server.stopping")] == ["SIGTERM"]


def test_it_ends_with_the_terminal_that_it_was_started_from(tmp_path: Path) -> None:
    main, side = pty.openpty()
    with listening(tmp_path, "setsid", "--ctty", stdin=side) as (service, address):
        os.close(side)
        service.signal(signal.SIGHUP)  # from somebody: the terminal is still there
        wait_until(partial(passed_over, service, 1), "the line in the log")
        connect(address)
        os.close(main)
        done = service.finish()
    assert done.code == 143
    assert [event["signal"] for event in done.named("server.stopping")] == ["SIGHUP"]


def passed_over(service: Running, count: int) -> bool:
    names = [event["event"] for event in service.events]
    return names.count("server.hangup_passed_over") == count


@contextmanager
def listening(
    folder: Path, *through: str, stdin: int = subprocess.DEVNULL
) -> Iterator[tuple[Running, str]]:
    arguments = ("serve", "--port", "0")
    with started(folder / "serve", *arguments, stdin=stdin, through=through) as service:
        wait_until(lambda: service.out.endswith("\n"), "the line that says it listens")
        yield service, service.out.split()[-1]
