"""Bodies of answers, read no further than they may go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aiohttp
import anyio

from batch_converter.codec import EnvelopeScanner, Signal
from batch_converter.errors import BadResponseError, FileError
from batch_converter.wire import MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup

    from batch_converter.codec import Envelope, Piece
    from batch_converter.engines.base import PdfSink

PIECE_BYTES: Final = 512 * 1024
"""What the sink is given at once, at least, but for the last."""


async def read_beginning(response: aiohttp.ClientResponse) -> bytes:
    """Return the beginning of an error's body; one that is cut off says less."""
    try:
        return await read_bounded(response)
    except (aiohttp.ClientError, TimeoutError, OSError, BadResponseError):
        return b""


async def read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """Return a body that has to be small.

    Raises:
        BadResponseError: It is not.
    """
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BadResponseError("the service's answer is far longer than documented")
    return body


async def read_envelope(response: aiohttp.ClientResponse, sink: PdfSink) -> Envelope:
    """Read a status answer as it arrives; the PDF in it goes to the sink.

    Raises:
        BadResponseError: It is not the documented JSON.
        OutputError: The PDF cannot be written.
    """
    async with anyio.create_task_group() as group:
        result = await _received(response, _Outlet(sink, group))
    if isinstance(result, Exception):
        raise result
    return result


async def _received(response: aiohttp.ClientResponse, outlet: _Outlet) -> Envelope | Exception:
    """Read to the end; errors are returned, since a task group would wrap them."""
    scanner = EnvelopeScanner()
    try:
        async for chunk in _parts(response):
            for piece in scanner.feed(chunk):
                await outlet.take(piece)
        await outlet.finish()
        return scanner.finish()
    except (aiohttp.ClientError, TimeoutError, OSError, FileError) as error:
        return error


def _parts(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the body as it came off the line, where that is in large parts.

    `iter_any` joins what has arrived, which the scanner does again; but a chunked or
    compressed body comes in parts so small that handling each would cost more.
    """
    if response.content_length is None or "Content-Encoding" in response.headers:
        return response.content.iter_any()
    return (data async for data, _ in response.content.iter_chunks())


class _Outlet:
    """Hands a PDF to a sink in large pieces, one at a time, while the next ones arrive.

    A sink writes and hashes in a thread: waiting for it would leave the line idle. A
    PDF of one piece is handed over at the end, without a task of its own.
    """

    def __init__(self, sink: PdfSink, group: TaskGroup) -> None:
        self._sink = sink
        self._group = group
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._written = anyio.Event()
        self._written.set()
        self._failure: FileError | None = None

    async def take(self, piece: Piece) -> None:
        """Take the scanner's next piece or signal.

        Raises:
            OutputError: An earlier piece could not be written.
        """
        if piece is Signal.RESTART:
            self._gather_anew()
            await self._settle()
            await self._sink.restart()
            return
        self._gathered.append(piece)
        self._gathered_bytes += len(piece)
        if self._gathered_bytes >= PIECE_BYTES:
            await self._settle()
            self._written = anyio.Event()
            self._group.start_soon(self._write, b"".join(self._gathered), self._written)
            self._gather_anew()

    async def finish(self) -> None:
        """Hand over what is left.

        Raises:
            OutputError: Something could not be written.
        """
        await self._settle()
        if self._gathered:
            await self._sink.write(b"".join(self._gathered))

    def _gather_anew(self) -> None:
        self._gathered = []
        self._gathered_bytes = 0

    async def _settle(self) -> None:
        await self._written.wait()
        if self._failure is not None:
            raise self._failure

    async def _write(self, data: bytes, written: anyio.Event) -> None:
        try:
            await self._sink.write(data)
        except FileError as error:
            self._failure = error
        finally:
            written.set()
