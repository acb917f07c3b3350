"""A service that costs next to nothing: it sends and receives blocks made beforehand.

`GET ...?id=KIND-SIZE` answers with a completed task whose PDF has SIZE bytes; KIND is
`plain`, or `dense` where every `/` and `+` of the Base64 text is escaped. `POST` reads
the body and answers with a GUID. The tokens are what nobody checks.
"""

from __future__ import annotations

import base64
import random
import re
import socket
import threading
from typing import Final

BLOCK_BYTES: Final = 768 * 1024
CONVERT: Final = "/v5.0/ocr/djvu2pdf"
RECEIVE_BYTES: Final = 1024 * 1024
TOKEN: Final = b'{"access_token": "a-token", "expires_in": 3600, "token_type": "bearer"}'
GUID: Final = b"c4b60313-4f78-45f8-b708-069eb98dc22e"
BEFORE: Final = (
    b'{"id": "%b", "taskStatus": "Completed", "responseStatusCode": "Ok",'
    b' "results": [{"type": "Pdf", "data": "'
)
AFTER: Final = b'"}], "error": null}'


def pdf_block() -> bytes:
    """Return the block that the PDF repeats: random, the same in every process."""
    return random.Random(1).randbytes(BLOCK_BYTES)  # reproducible


def blocks() -> dict[str, bytes]:
    """Return the Base64 text that the answer repeats, by kind."""
    plain = base64.b64encode(pdf_block())
    return {
        "plain": plain,
        "dense": plain.replace(b"/", rb"\u002F").replace(b"+", rb"\u002B"),
    }


class Service:
    """Serves one connection at a time per thread, on a free port."""

    def __init__(self) -> None:
        self._blocks = blocks()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            rest = b""
            while head := self._head(connection, rest):
                head, _, rest = head.partition(b"\r\n\r\n")
                rest = self._receive(connection, head, rest)
                self._answer(connection, head)

    @staticmethod
    def _head(connection: socket.socket, begun: bytes) -> bytes:
        while b"\r\n\r\n" not in begun:
            more = connection.recv(65536)
            if not more:
                return b""
            begun += more
        return begun

    @staticmethod
    def _receive(connection: socket.socket, head: bytes, begun: bytes) -> bytes:
        match = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        left = (int(match.group(1)) if match else 0) - len(begun)
        buffer = memoryview(bytearray(RECEIVE_BYTES))
        while left > 0:
            left -= connection.recv_into(buffer, min(left, RECEIVE_BYTES))
        return b""

    def _answer(self, connection: socket.socket, head: bytes) -> None:
        wanted = re.search(rb"id=(plain|dense)-(\d+)", head)
        if wanted:
            self._send_pdf(connection, wanted.group(1).decode(), int(wanted.group(2)))
        elif b"/connect/token" in head:
            self._send(connection, TOKEN, b"application/json")
        else:
            self._send(connection, GUID, b"text/plain")

    @staticmethod
    def _send(connection: socket.socket, body: bytes, content_type: bytes) -> None:
        connection.sendall(_head(len(body), content_type) + body)

    def _send_pdf(self, connection: socket.socket, kind: str, size: int) -> None:
        block, before = self._blocks[kind], BEFORE % f"{kind}-{size}".encode()
        blocks = size // BLOCK_BYTES
        length = len(before) + blocks * len(block) + len(AFTER)
        connection.sendall(_head(length, b"application/json") + before)
        for _ in range(blocks):
            connection.sendall(block)
        connection.sendall(AFTER)


def _head(length: int, content_type: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (
        content_type,
        length,
    )
