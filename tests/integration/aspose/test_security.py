"""Who gets to see what: credentials, documents, proxies, certificates."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
import traceback
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs

from batch_converter.engines.base import Ready
from batch_converter.errors import BatchConverterError, ConfigError, ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.aspose.conftest import Bench, Faults

SECRET = "s3cret/with+signs&more"


@pytest.mark.parametrize("endpoint", ["token", "submit", "poll"])
@pytest.mark.parametrize("status", [200, 400, 403, 500])
async def test_what_the_service_echoes_reaches_no_message_log_or_traceback(
    bench: Bench, endpoint: str, status: int
) -> None:
    djvu = b"AT&TFORM" + bytes(range(256))

    async def echo(_: object, request: web.Request, __: object) -> web.StreamResponse:
        body = await request.text()
        text = f"{dict(request.headers)} {body} {SECRET} {djvu!r}"
        return web.Response(status=status, text=text, reason=f"no {SECRET}")

    bench.server.plan[endpoint].extend([echo] * 9)
    document, task = bench.document(djvu), bench.make_task()
    told = ""
    with capture_logs() as logs:
        async with bench.engine() as engine:
            try:
                await engine.submit(document)
                await engine.fetch(document, task, bench.sink())
            except BatchConverterError as error:
                told = "".join(traceback.format_exception(error)) + repr(error)
    told += str(logs)
    assert "batch_converter" in told
    for token in bench.server.tokens:
        assert token not in told
    for secret in (SECRET, "s3cret", "QVQmVEZPUk0", base64.b64encode(djvu).decode(), "AT&TFORM"):
        assert secret not in told


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-Echo: " + SECRET.encode() + b"\r\nbroken " + SECRET.encode(),
        b"HTTP/9.9 what " + SECRET.encode(),
        b"SSH-2.0-OpenSSH " + SECRET.encode(),
        b"HTTP/1.1 200 OK\r\nContent-Length: " + SECRET.encode(),
        b"HTTP/1.1 200 OK\r\nX: " + SECRET.encode() * 2000,
    ],
)
async def test_an_answer_that_is_no_http_is_told_without_quoting_it(
    bench: Bench, head: bytes
) -> None:
    async def raw(_: object, request: web.Request, __: object) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(head + b"\r\n\r\n")
        request.transport.close()
        return web.Response()

    bench.server.plan["poll"].extend([raw] * 9)
    with capture_logs() as logs:
        async with bench.engine() as engine:
            with pytest.raises(BatchConverterError) as caught:
                await engine.fetch(bench.document(), bench.make_task(), bench.sink())
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + str(logs)
    assert bench.server.count()["poll"] == 6


async def test_engine_and_settings_show_no_secret(bench: Bench) -> None:
    async with bench.engine(proxy=None) as engine:
        await engine.submit(bench.document())
        assert SECRET not in repr(engine.engine) + repr(engine.engine._client) + repr(
            engine.engine._token_request()
        )


async def test_netrc_is_left_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with bench.engine() as engine:
        await engine.submit(bench.document())
    (_, token), (_, submit) = bench.server.seen
    assert "Authorization" not in token.headers
    assert submit.headers["Authorization"].startswith("Bearer ")


async def test_cookies_are_not_kept(bench: Bench, faults: type[Faults]) -> None:
    bench.server.plan["poll"].append(faults.status(500, Set_Cookie="spy=1"))
    async with bench.engine() as engine:
        await engine.fetch(bench.document(), bench.make_task(), bench.sink())
    assert "Cookie" not in bench.server.seen[-1][1].headers


# Proxies


@pytest.mark.parametrize("origin", ["environment", "setting"])
async def test_requests_go_through_the_proxy_and_only_it_sees_its_password(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    proxy = bench.server.url.replace("http://", "http://user:p%40ss@")
    settings: dict[str, Any] = {"base_url": "http://service.invalid", "allow_insecure_http": True}
    if origin == "environment":
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("http_proxy", proxy)
    else:
        settings["proxy"] = proxy
    async with bench.engine(**settings) as engine:
        fetched = await engine.fetch(bench.document(), bench.make_task(), bench.sink())
    assert fetched == Ready()
    for _, request in bench.server.seen:
        assert request.host == "service.invalid"
        assert request.headers["Proxy-Authorization"] == (
            "Basic " + base64.b64encode(b"user:p@ss").decode()
        )


async def test_a_proxy_may_be_given_without_its_scheme(bench: Bench) -> None:
    proxy = bench.server.url.removeprefix("http://")
    there = {"base_url": "http://service.invalid", "allow_insecure_http": True}
    async with bench.engine(proxy=proxy, **there) as engine:
        await engine.submit(bench.document())
    assert [request.host for _, request in bench.server.seen] == ["service.invalid"] * 2


async def test_no_proxy_is_obeyed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    async with bench.engine() as engine:
        await engine.submit(bench.document())
    assert bench.server.count() == {"token": 1, "submit": 1}


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://", "http://user:pw@[:1"])
async def test_an_unusable_proxy_is_a_configuration_error(bench: Bench, proxy: str) -> None:
    with pytest.raises(ConfigError, match="the proxy") as caught:
        async with bench.engine(proxy=proxy):
            pass
    assert "pw" not in str(caught.value)


async def test_through_a_tunnel_the_proxy_sees_neither_token_nor_path(
    bench: Bench, start_server: Callable[..., Any], tmp_path: Path
) -> None:
    heads: list[bytes] = []
    authority = trustme.CA()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(start_server(bench.server, tls_of(authority)))
        proxy = await stack.enter_async_context(tunnel(heads, bench.server.url))
        async with bench.engine(
            base_url=bench.server.url,
            ca_file=pem_of(authority, tmp_path),
            proxy=f"http://user:pw@127.0.0.1:{proxy}",
        ) as engine:
            await engine.submit(bench.document())
    assert bench.server.count() == {"token": 1, "submit": 1}
    assert all(head.startswith(b"CONNECT 127.0.0.1:") for head in heads)
    assert all(b"Proxy-Authorization: Basic" in head for head in heads)
    assert all(b"Bearer" not in head for head in heads)
    assert all("Proxy-Authorization" not in request.headers for _, request in bench.server.seen)


async def test_the_production_address_is_used_as_documented(
    bench: Bench, start_server: Callable[..., Any], tmp_path: Path
) -> None:
    heads: list[bytes] = []
    authority = trustme.CA()
    tls = tls_of(authority, "api.aspose.cloud")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(start_server(bench.server, tls))
        proxy = await stack.enter_async_context(tunnel(heads, bench.server.url))
        async with bench.engine(
            base_url="https://api.aspose.cloud",
            ca_file=pem_of(authority, tmp_path),
            proxy=f"http://127.0.0.1:{proxy}",
        ) as engine:
            task = bench.task(await engine.submit(bench.document()))
            assert await engine.fetch(bench.document(), task, bench.sink()) == Ready()
    assert {head.split()[1] for head in heads} == {b"api.aspose.cloud:443"}
    assert [request.host for _, request in bench.server.seen] == ["api.aspose.cloud"] * 3
    assert [request.path for _, request in bench.server.seen] == [
        "/connect/token",
        "/v5.0/ocr/djvu2pdf",
        "/v5.0/ocr/djvu2pdf",
    ]


@contextlib.asynccontextmanager
async def tunnel(heads: list[bytes], target: str) -> Any:  # noqa: ANN401  # of whichever library is measured
    """Run a proxy that knows CONNECT and leads all to one place; yields its port."""

    async def pump(source: Any, target: Any) -> None:  # noqa: ANN401  # of whichever library is measured
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError, OSError):
            while True:
                await target.send(await source.receive())
        with contextlib.suppress(anyio.BrokenResourceError, OSError):
            await target.send_eof()

    async def serve(client: Any) -> None:  # noqa: ANN401  # of whichever library is measured
        head = b""
        async with client:
            while b"\r\n\r\n" not in head:
                head += await client.receive()
            heads.append(head)
            async with await anyio.connect_tcp(
                "127.0.0.1", int(target.rpartition(":")[2])
            ) as origin:
                await client.send(b"HTTP/1.1 200 OK\r\n\r\n")
                async with anyio.create_task_group() as group:
                    group.start_soon(pump, client, origin)
                    group.start_soon(pump, origin, client)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # not Django's
        group.cancel_scope.cancel()


# TLS


def tls_of(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
    return context


def pem_of(authority: trustme.CA, folder: Path) -> Path:
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


async def test_a_given_authority_is_trusted_and_no_other(
    bench: Bench, start_server: Callable[..., Any], tmp_path: Path
) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    async with start_server(bench.server, tls_of(ours)):
        async with bench.engine(ca_file=pem_of(ours, tmp_path)) as engine:
            await engine.submit(bench.document())
        for ca_file in (None, pem_of(theirs, tmp_path)):
            async with bench.engine(ca_file=ca_file) as engine:
                with pytest.raises(ServiceUnavailableError, match="certificate"):
                    await engine.submit(bench.document())
    assert bench.server.count() == {"token": 1, "submit": 1}
    assert bench.calls.of("token")[1:] == [("unsent", None)] * 12


# TLS: the client's certificate


class Certificate:
    """A client's certificate and its key, together and apart."""

    def __init__(self, authority: trustme.CA, folder: Path) -> None:
        issued = authority.issue_cert("client@example.org")
        self.both, self.alone, self.key = (folder / f"{n}.pem" for n in ("both", "alone", "key"))
        issued.private_key_and_cert_chain_pem.write_to_path(str(self.both))
        issued.cert_chain_pems[0].write_to_path(str(self.alone))
        issued.private_key_pem.write_to_path(str(self.key))


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """A certificate of an authority that nobody asks about."""
    return Certificate(trustme.CA(), tmp_path)


async def test_every_request_shows_the_certificate_that_the_service_wants(
    bench: Bench, start_server: Callable[..., Any], tmp_path: Path
) -> None:
    authority = trustme.CA()
    ours, tls = Certificate(authority, tmp_path), tls_of(authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(tls)
    ca_file = pem_of(authority, tmp_path)
    async with start_server(bench.server, tls):
        for files in (
            {"client_cert_file": ours.both},
            {"client_cert_file": ours.alone, "client_key_file": ours.key},
        ):
            async with bench.engine(ca_file=ca_file, **files) as engine:
                task = bench.task(await engine.submit(bench.document()))
                assert await engine.fetch(bench.document(), task, bench.sink()) == Ready()
        assert bench.server.count() == {"token": 2, "submit": 2, "poll": 2}
        async with bench.engine(ca_file=ca_file) as engine:
            with pytest.raises(ServiceUnavailableError):
                await engine.submit(bench.document())
    assert bench.server.count() == {"token": 2, "submit": 2, "poll": 2}


def refuse(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Shake hands until the listener is closed, and say by TLS's alert why it did not work.

    asyncio's servers break the connection before their alert is out.
    """
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(into, out, server_side=True)
        with connection, contextlib.suppress(ssl.SSLError, OSError):
            while data := connection.recv(1 << 16):
                into.write(data)
                with contextlib.suppress(ssl.SSLWantReadError):
                    try:
                        tls.do_handshake()
                    finally:
                        connection.sendall(out.read())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_service_that_refuses_the_certificate_is_told_with_what_to_do(
    bench: Bench, certificate: Certificate, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    authority = trustme.CA()
    tls = tls_of(authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.maximum_version = version
    authority.configure_trust(tls)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, args=(listener, tls), daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        ca_file = pem_of(authority, tmp_path)
        for file, told in (
            (None, "set aspose.client_cert_file"),
            (certificate.both, f"does not take the certificate in {certificate.both}"),
        ):
            settings = {"base_url": url, "ca_file": ca_file, "client_cert_file": file}
            async with bench.engine(**settings) as engine:
                with pytest.raises(ServiceUnavailableError, match=told):
                    await engine.submit(bench.document())
        listener.shutdown(socket.SHUT_RDWR)


def encrypted(certificate: Certificate) -> bytes:
    key = serialization.load_pem_private_key(certificate.key.read_bytes(), password=None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a password"),
    )


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("gone", r"aspose\.client_key_file .*key\.pem cannot be read: No such file"),
        ("folder", r"aspose\.client_key_file .*key\.pem cannot be read: Is a directory"),
        ("encrypted", r"the key in .*key\.pem is encrypted.*openssl pkey"),
        ("another's", r"alone\.pem cannot be used: the key in .* belongs to another certificate"),
        ("empty", r"it must hold a certificate, and .*key\.pem its key, both in PEM(?! \(None)"),
    ],
)
async def test_a_key_that_cannot_be_used_is_a_configuration_error(
    bench: Bench, certificate: Certificate, kind: str, told: str
) -> None:
    key = certificate.key
    data = encrypted(certificate) if kind == "encrypted" else b""
    key.unlink()
    if kind == "another's":
        trustme.CA().issue_cert("x").private_key_pem.write_to_path(str(key))
    elif kind == "folder":
        key.mkdir()
    elif kind != "gone":
        key.write_bytes(data)
    with pytest.raises(ConfigError, match=told):
        async with bench.engine(client_cert_file=certificate.alone, client_key_file=key):
            pass


async def test_a_certificate_that_cannot_be_shown_is_a_configuration_error(
    bench: Bench, certificate: Certificate
) -> None:
    together, alone, key = certificate.both, certificate.alone, certificate.key
    together.write_bytes(alone.read_bytes() + encrypted(certificate))
    mixed = alone.with_name("mixed.pem")
    mixed.write_bytes(alone.read_bytes() + trustme.CA().issue_cert("x").private_key_pem.bytes())
    for cert_file, key_file, told in (
        (alone.parent, key, r"aspose\.client_cert_file .* cannot be read: Is a directory"),
        (together, None, r"the key in .*both\.pem is encrypted.*aspose\.client_key_file"),
        (alone, None, r"alone\.pem cannot be used: .*set aspose\.client_key_file too"),
        (mixed, None, r"the key in .*mixed\.pem belongs to another certificate"),
        (key, alone, r"key\.pem cannot be used: it must hold a certificate, and .* its key"),
    ):
        with pytest.raises(ConfigError, match=told):
            async with bench.engine(client_cert_file=cert_file, client_key_file=key_file):
                pass
