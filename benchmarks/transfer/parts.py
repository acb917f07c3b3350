"""Each part of fetching a PDF alone: what the whole can cost at least.

Candidates like those of `candidate`, each in a process of its own. Only `part_receive` and
`part_socket` need the service; the others work on one block in the processor's cache, again and
again, as a run finds what it has just received. So their sum is a lower bound.
"""

from __future__ import annotations

import hashlib
import re
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import orjson
import pybase64

from batch_converter.cli.allocator import keep_freed_memory
from batch_converter.codec.base64_text import ESCAPED_SLICE_BYTES
from benchmarks.transfer.service import BLOCK_BYTES, CONVERT, blocks, pdf_block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RECEIVE_BYTES: Final = 256 * 1024
_LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


async def receive(url: str, size: int, path: Path, start: Callable[[], None]) -> None:
    """Take the answer off the HTTP client, and throw it away."""
    await _received(url, size, start, "plain")
    del path


async def receive_dense(url: str, size: int, path: Path, start: Callable[[], None]) -> None:
    """The same, with every `/` and `+` escaped."""
    await _received(url, size, start, "dense")
    del path


async def _received(url: str, size: int, start: Callable[[], None], kind: str) -> None:
    import aiohttp  # noqa: PLC0415  # the other parts have no need of it

    async with aiohttp.ClientSession(read_bufsize=RECEIVE_BYTES) as session:
        start()
        async with session.get(f"{url}{CONVERT}?id={kind}-{size}") as response:
            async for _ in response.content.iter_any():
                pass


async def raw_socket(url: str, size: int, path: Path, start: Callable[[], None]) -> None:
    """Take the same bytes off the socket, into one buffer: the least that a program can do."""
    del path
    address = urlsplit(url)
    buffer = memoryview(bytearray(RECEIVE_BYTES))
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        start()
        connection.sendall(f"GET {CONVERT}?id=plain-{size} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        begun = b""
        while b"\r\n\r\n" not in begun:
            begun += connection.recv(RECEIVE_BYTES)
        head, _, body = begun.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        left = int(length[1]) - len(body) if length else 0
        while left > 0:
            left -= connection.recv_into(buffer)


async def scan(url: str, size: int, path: Path, start: Callable[[], None]) -> None:
    """Look for the end of the field: for a quotation mark."""
    del url, path
    text = blocks()["plain"]
    start()
    for _ in _each_block(size):
        text.find(b'"')


async def scan_dense(url: str, size: int, path: Path, start: Callable[[], None]) -> None:
    """The same in the longer text."""
    del url, path
    text = blocks()["dense"]
    start()
    for _ in _each_block(size):
        text.find(b'"')


async def unescape(url: str, size: int, path: Path, start: Callable[[], None]) -> None:
    """Undo escapes by the JSON library, a slice at a time."""
    del url, path
    keep_freed_memory()
    text = blocks()["dense"]
    slices = [
        b'"%b"' % piece
        for piece in re.findall(rb"(?s:(?:\\u....|[^\\]){1,%d})" % ESCAPED_SLICE_BYTES, text)
    ]
    start()
    for _ in _each_block(size):
        for piece in slices:
            orjson.loads(piece)


async def decode(url: str, size: int, path: Path, start: Callable[[], None]) -> None:
    """Decode the Base64, strictly."""
    del url, path
    keep_freed_memory()
    text = blocks()["plain"]
    start()
    for _ in _each_block(size):
        pybase64.b64decode(text, validate=True)


async def write(url: str, size: int, path: Path, start: Callable[[], None]) -> None:
    """Write the PDF, block by block."""
    del url
    block = pdf_block()
    with path.open("wb", buffering=0) as file:
        start()
        for _ in _each_block(size):
            file.write(block)


async def digest(url: str, size: int, path: Path, start: Callable[[], None]) -> None:
    """Make the SHA-256 of the PDF."""
    del url, path
    block, made = pdf_block(), hashlib.sha256()
    start()
    for _ in _each_block(size):
        made.update(block)


def _each_block(size: int) -> Iterator[int]:
    return iter(range(size // BLOCK_BYTES))


CANDIDATES: Final = {
    "part_receive": receive,
    "part_receive_dense": receive_dense,
    "part_socket": raw_socket,
    "part_scan": scan,
    "part_scan_dense": scan_dense,
    "part_unescape": unescape,
    "part_decode": decode,
    "part_write": write,
    "part_digest": digest,
}
