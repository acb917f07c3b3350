"""An S3 server over HTTP (moto), and a proxy before it that notes requests and injects faults."""

from __future__ import annotations

import http.client
import logging
import os
import re
import socket
import struct
import sys
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET: Final = "hF7kExample/SecretOfTheStore+0123456789"  # of a server of the test's own
ACCESS_KEY: Final = "AKIDEXAMPLEOFTHETEST"
VARIABLES: Final = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_RESET: Final = struct.pack("ii", 1, 0)
_NUMBERS: Final = count(1)
_ERRORS: Final = {"unavailable": (503, "SlowDown"), "denied": (403, "AccessDenied")}


class Request(NamedTuple):
    """A request that came in: its method, the key below the bucket, and the query."""

    method: str
    key: str
    query: str

    @property
    def is_listing(self) -> bool:
        """Whether it asks for a page of a listing."""
        return self.method == "GET" and "list-type=2" in self.query


@dataclass(slots=True)
class Faults:
    """What befalls requests that match; each once, in their order.

    `unavailable` is answered 503, `denied` 403; `reset` breaks off before the store has heard
    of it, `deaf` after it has done what was asked, `half` within the answer's body, where
    `held` calls `Bucket.in_body` and goes on; `stall` waits within the request's body for as
    long as the client does.
    """

    planned: deque[tuple[str, re.Pattern[str]]] = field(default_factory=deque)

    def add(self, kind: str, pattern: str, *, times: int = 1) -> None:
        """Let it befall the next requests whose `METHOD KEY?QUERY` begins so."""
        self.planned.extend([(kind, re.compile(pattern))] * times)

    def take(self, request: Request) -> str | None:
        """Return what befalls a request."""
        told = f"{request.method} {request.key}?{request.query}"
        for index, (kind, pattern) in enumerate(self.planned):
            if pattern.match(told):
                del self.planned[index]
                return kind
        return None


class Bucket:
    """A bucket of its own for a test, and the proxy that leads to it.

    Attributes:
        requests: What has come through the proxy.
        before: Called with each request before it is passed on, in a thread of the proxy.
        stalled: Whether a request has begun to stall.
        in_body: Called within the body of an answer that is `held`, which goes on afterwards.
    """

    def __init__(self, server: ObjectServer, name: str) -> None:
        self._server = server
        self.name = name
        self.requests: list[Request] = []
        self.faults = Faults()
        self.stalled = threading.Event()
        self.in_body: Callable[[], object] = bool
        self.before: Callable[[Request], object] | None = None
        server.client.create_bucket(Bucket=name)
        handler = type("Handler", (_Proxy,), {"bucket": self, "upstream": server.address})
        self._proxy = _ProxyServer(("127.0.0.1", 0), handler)
        self._proxy.daemon_threads = True
        self._thread = threading.Thread(target=self._proxy.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """The proxy's address."""
        return f"http://127.0.0.1:{self._proxy.server_port}"

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of a run needs."""
        return {**VARIABLES, "AWS_ENDPOINT_URL": self.endpoint}

    def put(self, key: str, data: bytes) -> None:
        """Put an object there, past the proxy."""
        self._server.client.put_object(Bucket=self.name, Key=key, Body=data)

    def put_in_parts(self, key: str, data: bytes) -> None:
        """Put it there as a multipart upload, which gives the same bytes another ETag."""
        client, place = self._server.client, {"Bucket": self.name, "Key": key}
        upload = client.create_multipart_upload(**place)["UploadId"]
        part = client.upload_part(**place, UploadId=upload, PartNumber=1, Body=data)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)

    def delete(self, key: str) -> None:
        """Delete an object, past the proxy."""
        self._server.client.delete_object(Bucket=self.name, Key=key)

    def get(self, key: str) -> bytes:
        """Return an object's bytes."""
        data: bytes = self._server.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data

    def keys(self, prefix: str = "") -> list[str]:
        """Return all keys below a prefix."""
        pages = self._server.client.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.name, Prefix=prefix)
        return [item["Key"] for page in found for item in page.get("Contents", ())]

    def open_uploads(self) -> list[str]:
        """Return the keys of multipart uploads that were neither completed nor aborted."""
        found = self._server.client.list_multipart_uploads(Bucket=self.name)
        return [upload["Key"] for upload in found.get("Uploads", ())]

    def close(self) -> None:
        """End the proxy."""
        self._proxy.shutdown()
        self._proxy.server_close()
        self._thread.join()


class ObjectServer:
    """One moto for a whole session; each test has a bucket of its own."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer  # noqa: PLC0415  # takes a second to load

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # noqa: TID251  # not our log
        self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._moto.start()
        self.address: tuple[str, int] = self._moto.get_host_and_port()

    @cached_property
    def client(self) -> Any:  # noqa: ANN401  # made by boto3 from a description
        """boto3's own client: another's view of what is there."""
        import boto3  # noqa: PLC0415  # takes a second to load

        host, port = self.address
        return boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # of a server of the test's own
            region_name="us-east-1",
        )

    @contextmanager
    def bucket(self) -> Iterator[Bucket]:
        """Lend a bucket and its proxy."""
        bucket = Bucket(self, f"bucket-{os.getpid()}-{next(_NUMBERS)}")
        try:
            yield bucket
        finally:
            bucket.close()

    def close(self) -> None:
        """End the server."""
        self._moto.stop()


class _ProxyServer(ThreadingHTTPServer):
    """Says nothing of clients that go away: tests kill them."""

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  # the base's
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Proxy(BaseHTTPRequestHandler):
    """Passes on a request and its answer, unless a fault befalls it."""

    protocol_version = "HTTP/1.1"
    bucket: ClassVar[Bucket]
    upstream: ClassVar[tuple[str, int]]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's own name
        """Say nothing."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        key = unquote(parts.path).removeprefix(f"/{self.bucket.name}").lstrip("/")
        request = Request(self.command, key, parts.query)
        fault = self.bucket.faults.take(request)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length // 2 if fault == "stall" else length)
        self.bucket.requests.append(request)
        if self.bucket.before is not None:
            self.bucket.before(request)
        if fault in {"reset", "stall"}:
            self.bucket.stalled.set()
            self.rfile.read(length - len(body))
            self._reset()
        elif fault in _ERRORS:
            status, code = _ERRORS[fault]
            self._answer(status, {}, f"<Error><Code>{code}</Code></Error>".encode())
        else:
            self._pass_on(body, fault)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815  # the base's own names

    def _pass_on(self, body: bytes, fault: str | None) -> None:
        connection = http.client.HTTPConnection(*self.upstream)
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        connection.request(self.command, self.path, body=body, headers=headers)
        answer = connection.getresponse()
        data, answered = answer.read(), dict(answer.getheaders())
        connection.close()
        if fault == "deaf":
            self._reset()
            return
        self._answer(answer.status, answered, data, fault)

    def _answer(
        self, status: int, headers: dict[str, str], data: bytes, fault: str | None = None
    ) -> None:
        self.send_response_only(status)
        length = headers.get("Content-Length", str(len(data)))
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(data)))
        self.end_headers()
        middle = len(data) // 2 if fault in {"half", "held"} else 0
        self.wfile.write(data[:middle])
        self.wfile.flush()
        if fault == "half":
            self._reset()
            return
        if fault == "held":
            self.bucket.in_body()
        self.wfile.write(data[middle:])

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close_connection = True
        self.connection.close()
