"""Many clients that submit at once, in a process of their own; what each submission took.

Run by `__main__.py`: `-m benchmarks.service.clients URL CLIENTS COUNT [--document FILE]`. All
connect and get their token first; then each submits its part of COUNT, one after the other
without a pause. Requests are bytes made beforehand and answers are hardly looked at, since the
service shares the processors with us. Prints a JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import struct
import sys
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

TOKEN_FORM: Final = b"grant_type=client_credentials&client_id=bench&client_secret=any-of-them"
PATIENCE_S: Final = 300
OK: Final = 200


def tiny_djvu(number: int) -> bytes:
    """Return a blank page whose resolution, and so whose bytes, depend on the number."""
    info = struct.pack(">HHBB", 64 + number % 64, 64, 24, 0) + struct.pack("<HBB", 300, 22, 1)
    form = b"DJVUINFO" + struct.pack(">I", len(info)) + info
    return b"AT&TFORM" + struct.pack(">I", len(form)) + form


def request(host: str, path: str, kind: str, body: bytes, token: str = "") -> bytes:
    """Return a whole POST request."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """One client's: it stays open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, sent: bytes) -> bytes:
        """Send a request and return the body of its answer, which must be a good one."""
        self._writer.write(sent)
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        (length,) = [
            int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length")
        ]
        body = await self._reader.readexactly(length)
        if int(lines[0].split()[1]) != OK:
            raise SystemExit(f"{lines[0]!r}: {body!r}")
        return body


async def client(url: str, documents: list[bytes], start: asyncio.Barrier) -> list[float]:
    """Submit the documents one after the other; return the seconds that each took."""
    address = urlsplit(url)
    host = f"{address.hostname}:{address.port}"
    connection = Connection(*await asyncio.open_connection(address.hostname, address.port))
    form = request(host, "/connect/token", "application/x-www-form-urlencoded", TOKEN_FORM)
    token = json.loads(await connection.ask(form))["access_token"]
    bodies = [b'{"image":"' + base64.b64encode(one) + b'"}' for one in documents]
    path, taken = "/v5.0/ocr/djvu2pdf", []
    requests = [request(host, path, "application/json", body, token) for body in bodies]
    await start.wait()
    for one in requests:
        began_s = time.perf_counter()
        await connection.ask(one)
        taken.append(time.perf_counter() - began_s)
    return taken


async def run(url: str, clients: int, documents: list[bytes]) -> dict[str, object]:
    """Have all documents submitted by so many clients."""
    start = asyncio.Barrier(clients + 1)
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(client(url, documents[number::clients], start))
            for number in range(clients)
        ]
        await start.wait()
        began_s = time.perf_counter()
    taken = sorted(one for task in tasks for one in task.result())
    return {"wall_s": time.perf_counter() - began_s, "taken_s": taken}


def main() -> None:
    """Submit and say what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("clients", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--document", type=Path, help="submit this one in place of blank pages")
    given = parser.parse_args()
    if given.document:
        documents = [given.document.read_bytes()] * given.count
    else:
        documents = [tiny_djvu(number) for number in range(given.count)]
    json.dump(asyncio.run(run(given.url, given.clients, documents)), sys.stdout)


if __name__ == "__main__":
    main()
