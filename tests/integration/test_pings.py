"""Pings over real HTTP: how they are written, tried again, followed, bounded and told."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.testing import capture_logs

from batch_converter.errors import UsageError
from batch_converter.logs import configure_logging
from batch_converter.notifications import hook, ping
from batch_converter.notifications.ping import Ping
from batch_converter.redaction import MASK, Redactor
from tests.support.ping_server import (
    PingServer,
    babble,
    break_off,
    hang,
    hang_in_body,
    redirect,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from pathlib import Path

    from tests.support.ping_server import Answer

KEY = "5f0b3c1e-7a51-4f6e-9c55-6a8d3b1c2e4f"


@pytest.fixture
def server() -> Iterator[PingServer]:
    with PingServer() as server:
        yield server


async def sent(
    url: str, word: str = "start", *, patience_s: float = 10
) -> MutableMapping[str, Any] | None:
    """Send a ping, and return the warning that it left, without its level and name."""
    with capture_logs() as lines:
        await Ping(url, patience_s=patience_s, pauses_s=(0, 0)).send(word)
    for line in lines:
        assert (line.pop("event"), line.pop("log_level")) == ("ping.failed", "warning")
        assert KEY not in str(line)
    assert len(lines) <= 1
    return lines[0] if lines else None


# How it is written


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (f"/{KEY}", f"/{KEY}/start"),
        (f"/{KEY}/", f"/{KEY}/start"),
        ("", "/start"),
        ("/", "/start"),
        ("/ping/key/slug", "/ping/key/slug/start"),
        ("/a%2Fb%20c/caf%C3%A9", "/a%2Fb%20c/caf%C3%A9/start"),
        (f"/{KEY}?create=1&rid=a%20b", f"/{KEY}/start?create=1&rid=a%20b"),
        (f"/{KEY}#part", f"/{KEY}/start"),
        (f"/{KEY}\r\n", f"/{KEY}/start"),
    ],
)
async def test_the_word_is_the_last_part_of_the_path(
    server: PingServer, path: str, asked: str
) -> None:
    assert await sent(server.url + path) is None
    (got,) = server.got
    assert got.replace("+", "%20") == asked


async def test_a_user_and_a_password_in_the_address_are_sent(server: PingServer) -> None:
    url = server.url.replace("http://", "http://me:open%20sesame@")
    assert await sent(f"{url}/{KEY}", "0") is None
    assert server.authorizations == ["Basic bWU6b3BlbiBzZXNhbWU="]


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "hc-ping.com/KEY",
        "ftp://hc-ping.com/KEY",
        "file:///KEY",
        "//hc-ping.com/KEY",
        "https://",
        "https:///KEY",
        "https://hc-ping.com:0/KEY",
        "https://hc-ping.com:99999/KEY",
        "https://hc-ping.com:x/KEY",
        "https://hc ping.com/KEY",
        "https://hc-ping.com/KEY and more",
        "https://hc-ping.com/KEY\nX: y",
        "https://[::1/KEY",
    ],
)
def test_what_is_no_address_is_refused_and_not_told(url: str) -> None:
    with pytest.raises(UsageError, match="--ping-url") as caught:
        Ping(url)
    assert "KEY" not in str(caught.value)
    assert caught.value.__cause__ is None


# What it answers


@pytest.mark.parametrize("code", [200, 201, 204, 299])
async def test_any_success_will_do(server: PingServer, code: int) -> None:
    server.answer(status(code, ""))
    assert await sent(server.url) is None
    assert len(server.got) == 1


@pytest.mark.parametrize("code", [300, 304, 400, 403, 404, 410])
async def test_what_the_server_will_not_have_is_told_and_not_repeated(
    server: PingServer, code: int
) -> None:
    server.always(status(code))
    warning = await sent(f"{server.url}/{KEY}", "130")
    assert warning == {"host": "127.0.0.1", "ping": "130", "reason": f"it answered {code}"}
    assert len(server.got) == 1


@pytest.mark.parametrize(
    "answer",
    [status(408), status(429), status(500), status(503), break_off, babble],
    ids=["408", "429", "500", "503", "broken off", "no HTTP"],
)
async def test_what_may_pass_is_tried_again_and_then_told(
    server: PingServer, answer: Answer
) -> None:
    server.answer(answer)
    assert await sent(f"{server.url}/{KEY}") is None
    first = len(server.got)
    server.always(answer)
    warning = await sent(f"{server.url}/{KEY}")
    assert warning is not None
    assert len(server.got) - first >= 3


async def test_nobody_there_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        warning = await sent(f"http://127.0.0.1:{port}/{KEY}")
    assert warning is not None
    assert warning["reason"] == "Connection refused"


async def test_a_host_that_does_not_exist_is_told() -> None:
    warning = await sent(f"http://nobody.invalid/{KEY}")
    assert warning is not None
    assert warning["host"] == "nobody.invalid"


async def test_a_server_without_tls_is_told(server: PingServer) -> None:
    warning = await sent(f"{server.url.replace('http:', 'https:')}/{KEY}")
    assert warning is not None
    assert "certificate" in warning["reason"]


async def test_a_server_that_never_answers_is_given_up(server: PingServer) -> None:
    server.always(hang)
    warning = await sent(f"{server.url}/{KEY}", patience_s=0.3)
    assert warning is not None
    assert warning["reason"] == "no answer within 0.3 seconds"


async def test_a_body_without_end_is_not_waited_for(server: PingServer) -> None:
    server.always(hang_in_body)
    assert await sent(f"{server.url}/{KEY}") is None


# Redirects


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_on_the_same_server_is_followed(server: PingServer, code: int) -> None:
    server.answer(redirect("/other/start", code), redirect(f"{server.url}/third", code))
    assert await sent(f"{server.url}/{KEY}") is None
    assert server.got == [f"/{KEY}/start", "/other/start", "/third"]


@pytest.mark.parametrize("location", ["mailto:me@example.org", "http://[", "ftp://127.0.0.1/x"])
async def test_a_redirect_to_what_is_no_address_is_not_followed(
    server: PingServer, location: str
) -> None:
    server.answer(redirect(location))
    warning = await sent(f"{server.url}/{KEY}")
    assert warning is not None
    assert "another server" in warning["reason"]


async def test_a_redirect_to_another_server_is_not_followed(server: PingServer) -> None:
    with PingServer() as other:
        server.answer(redirect(f"{other.url}/{KEY}"))
        warning = await sent(f"{server.url}/{KEY}")
        assert not other.got
    assert warning is not None
    assert "another server" in warning["reason"]


async def test_a_redirect_without_end_is_given_up(server: PingServer) -> None:
    server.always(redirect("/again"))
    warning = await sent(f"{server.url}/{KEY}")
    assert warning is not None
    assert "without end" in warning["reason"]
    assert len(server.got) == 6


# Proxies and secrets


async def test_the_proxy_of_the_environment_is_used(
    server: PingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    assert await sent(f"http://ping.example.org/{KEY}") is None
    assert server.got == [f"http://ping.example.org/{KEY}/start"]
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with PingServer() as direct:
        assert await sent(f"{direct.url}/{KEY}") is None
        assert direct.got == [f"/{KEY}/start"]


@pytest.mark.parametrize(
    ("key", "is_masked"),
    [
        (KEY, True),
        ("fqOOd6-52MMuCkKGHzzfkQ", True),
        ("abcdefgh1jkl", True),
        ("nightly", False),
        ("scans-of-the-library", False),
        ("library-2024-05", False),
        ("LIBRARY-SCANS", False),
    ],
)
def test_what_nobody_guesses_is_masked_wherever_it_stands_and_words_are_not(
    tmp_path: Path, key: str, *, is_masked: bool
) -> None:
    ping = Ping(f"https://me:s3same@ping.example.org/ping/{key}/job?token=a1b2c3d4e5f6")
    file = tmp_path / "log"
    told = f"https://me:s3same@ping.example.org/ping/{key}/job?token=a1b2c3d4e5f6/start"
    with configure_logging(file=file, redactor=Redactor(*ping.secrets())):
        log = structlog.get_logger()
        log.info("some.event", told=told, source=f"scans/{key}.djvu", others="s3same a1b2c3d4e5f6")
    line = json.loads(file.read_text())
    assert line["told"] == f"{MASK}/start"
    assert line["source"] == f"scans/{MASK if is_masked else key}.djvu"
    assert line["others"] == f"{MASK} {MASK}"


async def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(60) and [])
    warning = await sent(f"http://ping.example.org/{KEY}", patience_s=0.3)
    assert warning is not None
    assert warning["reason"] == "no answer within 0.3 seconds"
    answered.set()


async def test_a_name_is_looked_up(server: PingServer) -> None:
    assert await sent(f"{server.url.replace('127.0.0.1', 'localhost')}/{KEY}") is None


def test_patience_is_as_agreed() -> None:
    assert (ping.PATIENCE_S, hook.PATIENCE_S) == (10, 300)
