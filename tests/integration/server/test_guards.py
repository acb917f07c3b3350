"""What stands before every handler, over real sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import anyio
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from batch_converter.errors import UsageError
from batch_converter.server.access import Access, add_endpoints, check_declared
from batch_converter.server.answers import HARDENING
from batch_converter.server.application import open_application
from batch_converter.server.callers import Proxies
from batch_converter.server.guards import admitting
from tests.support.service import (
    CONVERT,
    DJVU,
    TOKEN,
    Client,
    HandConverter,
    running,
    serve_settings,
    submission,
    token_form,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import SocketStream
    from structlog.typing import EventDict

OPEN: dict[str, Any] = {"client_id": None, "client_secret": None}
FORM = urlencode(token_form()).encode()
FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


async def connected(client: Client) -> SocketStream:
    url = client.session._build_url("/")
    assert url.host
    return await anyio.connect_tcp(url.host, url.port or 80)


async def asked(
    client: Client, first: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Ask by hand, so that every header is as it is given here; returns the last answer."""
    lines = [first, *(f"{name}: {value}" for name, value in (headers or {}).items())]
    async with await connected(client) as stream:
        await stream.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        with anyio.fail_after(20):
            return await answer(stream)


async def answer(stream: SocketStream) -> tuple[int, dict[str, str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive()
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    while len(body) < int(headers.get("Content-Length", 0)):
        body += await stream.receive()
    return int(first.split()[1]), headers, body


# Access


async def hidden(_request: web.Request) -> web.Response:
    return web.Response(text="a secret")


async def test_a_service_with_an_endpoint_that_nobody_declared_does_not_start(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with open_application(serve_settings(tmp_path), engine, workers=1) as app:
        await check_declared(app)
        app.add_routes([web.get("/new", hidden)])
        runner = web.AppRunner(app)
        with pytest.raises(RuntimeError, match="/new does not say what it asks for"):
            await runner.setup()
        await runner.cleanup()


@pytest.mark.parametrize("access", [None, Access.SESSION])
async def test_what_was_not_opened_is_closed(access: Access | None) -> None:
    app = web.Application(middlewares=[admitting({Access.OPEN: lambda _request: None})])
    add_endpoints(app, Access.OPEN, [web.get("/open", hidden)])
    if access is None:
        app.add_routes([web.get("/new", hidden)])
    else:
        add_endpoints(app, access, [web.get("/new", hidden)])
    app.freeze()
    seen: list[int] = []
    for path in ("/open", "/new"):
        for method in ("GET", "HEAD"):
            request = make_request(app, method, path)
            try:
                seen.append((await app._handle(request)).status)
            except web.HTTPException as error:
                seen.append(error.status)
    assert seen == [200, 200, 401, 401]


def make_request(
    app: web.Application, method: str, path: str, headers: dict[str, str] | None = None
) -> web.Request:
    return make_mocked_request(method, path, headers, app=app)


# Names


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost.:8080", 200),
        ("a.localhost", 200),
        ("127.0.0.1:1", 200),
        ("127.8.9.10", 200),
        ("[::1]:8080", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8080", 421),
        ("192.168.0.1", 421),
        ("[2001:db8::1]", 421),
        ("0.0.0.0:80", 421),
        ("", 400),
        ("evil.example@localhost", 400),
        ("localhost/evil", 400),
        ("local host", 400),
        ("localhost:99999999", 400),
    ],
)
async def test_without_an_account_only_loopback_names_are_answered(
    tmp_path: Path, engine: HandConverter, host: str, status: int
) -> None:
    async with running(tmp_path, engine, log_in=False, **OPEN) as client:
        for line in ("GET /health HTTP/1.1", "GET / HTTP/1.1", "GET /nothing HTTP/1.1"):
            seen, headers, body = await asked(client, line, {"Host": host})
            assert seen == (404 if status == 200 and "nothing" in line else status)
            if status == 421:
                assert headers["Content-Type"] == "application/problem+json"
                assert "--add-client" in json.loads(body)["detail"]


async def test_a_target_with_a_name_of_its_own_is_judged_by_that(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with running(tmp_path, engine, log_in=False, **OPEN) as client:
        local = {"Host": "localhost"}
        assert (await asked(client, "GET http://evil.example/ HTTP/1.1", local))[0] == 421
        assert (await asked(client, "GET http://localhost/ HTTP/1.1", local))[0] == 200


async def test_a_request_without_a_name_is_one_of_http_1_0(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with running(tmp_path, engine, log_in=False, **OPEN) as client:
        assert (await asked(client, "GET / HTTP/1.1"))[0] == 400
        assert (await asked(client, "GET / HTTP/1.0"))[0] == 200
        assert (await asked(client, "GET / HTTP/1.0", {"Host": "evil.example"}))[0] == 421


@pytest.mark.parametrize(
    ("hosts", "host", "status"),
    [
        ([], "anything.example", 200),
        (["ocr.example", "192.168.0.1", "[2001:db8::1]"], "OCR.example.:80", 200),
        (["ocr.example", "192.168.0.1", "[2001:db8::1]"], "192.168.0.1:8080", 200),
        (["ocr.example", "192.168.0.1", "[2001:db8::1]"], "[2001:db8::1]:8080", 200),
        (["ocr.example"], "localhost", 200),
        (["ocr.example"], "www.ocr.example", 421),
        (["ocr.example"], "example", 421),
    ],
)
async def test_with_an_account_the_names_that_are_answered_can_be_listed(
    tmp_path: Path, engine: HandConverter, hosts: list[str], host: str, status: int
) -> None:
    async with running(tmp_path, engine, log_in=False, hosts=hosts) as client:
        seen, _, body = await asked(client, "GET /health HTTP/1.1", {"Host": host})
        assert seen == status
        assert seen == 200 or "serve.hosts" in json.loads(body)["detail"]


async def test_names_without_an_account_are_refused_at_the_start(
    tmp_path: Path, engine: HandConverter
) -> None:
    settings = serve_settings(tmp_path, hosts=["ocr.example"], **OPEN)
    with pytest.raises(UsageError, match=r"serve\.hosts"):
        async with open_application(settings, engine, workers=1):
            pass


# Proxies


FORWARDED = {
    "Host": "backend:8080",
    "X-Forwarded-For": "6.6.6.6, 192.0.2.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "ocr.example",
    "X-Forwarded-Prefix": "/tools/ocr/",
}


def caller_of(proxies: list[str], peer: str, headers: dict[str, str]) -> tuple[str, ...]:
    request = make_request(web.Application(), "GET", "/", headers).clone(remote=peer)
    caller = Proxies(proxies).caller(request)
    return (caller.address, caller.scheme, caller.authority or "", caller.prefix)


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1"])
def test_a_named_proxy_is_believed(peer: str) -> None:
    assert caller_of(["10.0.0.0/8"], peer, FORWARDED) == (
        "192.0.2.7",
        "https",
        "ocr.example",
        "/tools/ocr",
    )


@pytest.mark.parametrize("proxies", [[], ["10.0.0.2/32"], ["2001:db8::/32"]])
def test_nobody_else_is(proxies: list[str]) -> None:
    assert caller_of(proxies, "10.0.0.1", FORWARDED) == ("10.0.0.1", "http", "backend:8080", "")


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        ("6.6.6.6,10.0.0.3,10.0.0.2", "6.6.6.6"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("6.6.6.6, unknown", "10.0.0.1"),
        ("6.6.6.6, made up, 10.0.0.2", "10.0.0.2"),
        ("", "10.0.0.1"),
        (",", "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxys(forwarded: str, address: str) -> None:
    headers = {"Host": "x", "X-Forwarded-For": forwarded}
    assert caller_of(["10.0.0.0/8"], "10.0.0.1", headers)[0] == address


def test_what_a_client_wrote_before_the_proxys_own_words_does_not_count() -> None:
    headers = {
        "Host": "backend",
        "X-Forwarded-For": "6.6.6.6, 192.0.2.7, 10.0.0.2",
        "X-Forwarded-Proto": "http, https, http",
        "X-Forwarded-Host": "evil.example, ocr.example, inner",
        "X-Forwarded-Prefix": "/evil, /ocr, /inner",
    }
    assert caller_of(["10.0.0.0/8"], "10.0.0.1", headers)[1:] == ("https", "ocr.example", "/ocr")


@pytest.mark.parametrize("prefix", ["//evil.example", "/a/../b?x", "evil", "/a b", '/"><script>'])
def test_a_prefix_that_is_no_path_is_none(prefix: str) -> None:
    headers = FORWARDED | {"X-Forwarded-Prefix": prefix, "X-Forwarded-Proto": "gopher"}
    assert caller_of(["10.0.0.1"], "10.0.0.1", headers)[1::2] == ("http", "")


async def test_the_name_that_a_proxy_was_asked_by_is_the_one_that_counts(
    tmp_path: Path, engine: HandConverter
) -> None:
    through = {"X-Forwarded-Host": "evil.example", "Host": "localhost"}
    async with running(
        tmp_path, engine, log_in=False, trusted_proxies=["127.0.0.0/8"], **OPEN
    ) as client:
        assert (await asked(client, "GET / HTTP/1.1", through))[0] == 421
    async with running(tmp_path, engine, log_in=False, **OPEN) as client:
        assert (await asked(client, "GET / HTTP/1.1", through))[0] == 200


# Origins


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:8080"}, 200),
        ({"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://127.0.0.1:8080"}, 403),
        ({"Origin": "http://127.0.0.1:8081"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://[evil"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "Same-Site"}, 403),
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-site"}, 403),
    ],
)
async def test_a_foreign_page_gets_no_token(
    tmp_path: Path, engine: HandConverter, headers: dict[str, str], status: int
) -> None:
    headers = {"Host": "127.0.0.1:8080", "Content-Length": str(len(FORM))} | FORM_HEADERS | headers
    async with running(tmp_path, engine, log_in=False) as client:
        assert (await asked(client, f"POST {TOKEN} HTTP/1.1", headers, FORM))[0] == status


async def test_reading_and_requests_with_a_token_are_not_asked_for_their_origin(
    tmp_path: Path, engine: HandConverter
) -> None:
    foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    async with running(tmp_path, engine) as client:
        async with client.session.get("/health", headers=foreign) as response:
            assert response.status == 200
        client.headers |= foreign
        assert await client.submit()


async def test_behind_a_proxy_an_origin_is_compared_with_the_name_outside(
    tmp_path: Path, engine: HandConverter
) -> None:
    headers = {
        "Host": "backend",
        "X-Forwarded-Host": "ocr.example",
        "X-Forwarded-Proto": "https",
        "Origin": "https://ocr.example",
        "Content-Length": str(len(FORM)),
    } | FORM_HEADERS
    for proxies, status in (["127.0.0.1"], 200), ([], 403):
        async with running(tmp_path, engine, log_in=False, trusted_proxies=proxies) as client:
            assert (await asked(client, f"POST {TOKEN} HTTP/1.1", headers, FORM))[0] == status


# Bodies


def expecting(client: Client, size: int, **more: str) -> dict[str, str]:
    return (
        {
            "Host": "localhost",
            "Expect": "100-continue",
            "Content-Length": str(size),
        }
        | client.headers
        | more
    )


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"Authorization": "Bearer made up"}, 401),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Length": "1000000"}, 413),
        ({"Expect": "miracles"}, 417),
        ({"Host": "evil.example"}, 421),
    ],
)
async def test_a_body_is_asked_for_only_when_it_is_wanted(
    tmp_path: Path, engine: HandConverter, more: dict[str, str], status: int
) -> None:
    async with running(tmp_path, engine, max_body_bytes=10_000, hosts=["localhost"]) as client:
        headers = expecting(client, 100, **more)
        assert (await asked(client, f"POST {CONVERT} HTTP/1.1", headers))[0] == status
        nowhere = await asked(client, "POST /nothing HTTP/1.1", expecting(client, 100))
        assert nowhere[0] == 404


async def test_a_body_that_is_wanted_is_asked_for(tmp_path: Path, engine: HandConverter) -> None:
    body = submission(DJVU)
    async with running(tmp_path, engine) as client, await connected(client) as stream:
        lines = [f"{name}: {value}" for name, value in expecting(client, len(body)).items()]
        head = "\r\n".join([f"POST {CONVERT} HTTP/1.1", *lines])
        await stream.send(head.encode() + b"\r\n\r\n")
        with anyio.fail_after(20):
            assert await stream.receive() == b"HTTP/1.1 100 Continue\r\n\r\n"
            await stream.send(body)
            assert (await answer(stream))[0] == 200


@pytest.mark.parametrize(
    ("encoding", "status"),
    [
        ("identity", 200),
        ("", 200),
        ("Identity", 200),
        ("gzip", 415),
        ("GZIP", 415),
        ("deflate", 415),
        ("br", 415),
        ("zstd", 415),
        ("made-up", 415),
        ("identity, gzip", 415),
    ],
)
async def test_bodies_are_taken_as_they_are(
    tmp_path: Path, engine: HandConverter, encoding: str, status: int
) -> None:
    async with running(tmp_path, engine) as client:
        client.headers["Content-Encoding"] = encoding
        async with client.session.post(
            CONVERT, data=submission(DJVU), headers=client.headers, compress=False
        ) as response:
            assert response.status == status
            if status == 415:
                assert response.content_type == "application/problem+json"
                assert response.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("in_chunks", [False, True])
async def test_a_body_beyond_the_limit_is_refused_and_leaves_nothing(
    tmp_path: Path, engine: HandConverter, *, in_chunks: bool
) -> None:
    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(body), 1000):
            yield body[at : at + 1000]

    async def submit(body: bytes) -> int:
        async with client.post_body(pieces(body) if in_chunks else body) as response:
            if response.status == 413:
                assert response.content_type == "application/problem+json"
            return response.status

    async with running(tmp_path, engine, max_body_bytes=100_000) as client:
        assert await submit(submission(bytes(70_000))) == 200
        assert await submit(submission(bytes(600_000))) == 413
        # Line breaks are passed over, and are bytes all the same.
        assert await submit(b'{"image":"' + b"\\n" * 300_000 + b'QUJD"}') == 413
        assert len([name for name in client.files() if name == ".djvu"]) == 1


async def test_a_damaged_body_is_refused_without_a_traceback(
    tmp_path: Path,
    engine: HandConverter,
    logs: list[EventDict],
    caplog: pytest.LogCaptureFixture,
) -> None:
    chunked = {"Host": "localhost", "Transfer-Encoding": "chunked"}
    async with running(tmp_path, engine) as client:
        for path, headers in (TOKEN, FORM_HEADERS), (CONVERT, client.headers):
            status, _, body = await asked(
                client, f"POST {path} HTTP/1.1", chunked | headers, b"5\r\nhello\r\nzz\r\n"
            )
            assert (status, json.loads(body)["status"]) == (400, 400)
        assert not [name for name in client.files() if name == ".djvu"]
    assert not caplog.records
    assert not [one for one in logs if one["log_level"] == "error"]


async def test_a_client_that_goes_away_is_one_line_in_the_log(
    tmp_path: Path,
    engine: HandConverter,
    logs: list[EventDict],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(tmp_path, engine) as client:
        headers = {"Host": "localhost", "Content-Length": "1000000"} | client.headers
        lines = [f"POST {CONVERT} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        before = len(logs)
        async with await connected(client) as stream:
            await stream.send("\r\n".join(lines).encode() + b'\r\n\r\n{"image":"QUJD')
            with anyio.fail_after(20):
                while (
                    await client.metric(
                        'batch_converter_server_requests_in_progress{endpoint="submit"}'
                    )
                    != 1
                ):
                    await client.breathe()
        with anyio.fail_after(20):
            while len(logs) == before:
                await client.breathe()
    assert [one["event"] for one in logs[before:]] == ["server.client_disconnected"]
    assert logs[before]["client"] == "127.0.0.1"
    assert not caplog.records


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", "/nothing", 404),
        ("PUT", CONVERT, 405),
        ("GET", CONVERT, 401),
        ("POST", TOKEN, 400),
    ],
)
async def test_every_answer_is_hardened(
    tmp_path: Path, engine: HandConverter, method: str, path: str, status: int
) -> None:
    async with (
        running(tmp_path, engine, log_in=False) as client,
        client.session.request(method, path) as response,
    ):
        assert response.status == status
        for name in HARDENING:
            assert response.headers[name]
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Server"] == "batch-converter"


async def test_an_id_that_is_given_twice_is_refused(tmp_path: Path, engine: HandConverter) -> None:
    async with running(tmp_path, engine) as client:
        for query in ("id=a&id=b", "id=a&ID=a", "id=", ""):
            url = f"{CONVERT}?{query}"
            async with client.session.get(url, headers=client.headers) as response:
                assert response.status == 400
