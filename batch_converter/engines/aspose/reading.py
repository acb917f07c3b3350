"""Bodies of answers, read no further than they may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from batch_converter.codec import EnvelopeScanner, Signal
from batch_converter.errors import BadResponseError
from batch_converter.wire import MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from batch_converter.codec import Envelope
    from batch_converter.engines.base import PdfTarget


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


async def read_envelope(response: aiohttp.ClientResponse, sink: PdfTarget) -> Envelope:
    """Read a status answer as it arrives; the PDF in it goes to the sink.

    Raises:
        BadResponseError: It is not the documented JSON.
        OutputError: The PDF cannot be written.
    """
    scanner = EnvelopeScanner()
    async for chunk in _parts(response):
        for piece in scanner.feed(chunk):
            if piece is Signal.RESTART:
                await sink.restart()
            else:
                await sink.write(piece)
    return scanner.finish()


def _parts(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the body as it came off the line, where that is in large parts.

    `iter_any` joins what has arrived, which the scanner does again; but a chunked or
    compressed body comes in parts so small that handling each would cost more.
    """
    if response.content_length is None or "Content-Encoding" in response.headers:
        return response.content.iter_any()
    return (data async for data, _ in response.content.iter_chunks())
