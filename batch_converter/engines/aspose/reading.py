"""Bodies of answers, read no further than they may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from batch_converter.codec import EnvelopeScanner, Signal
from batch_converter.errors import BadResponseError
from batch_converter.wire import MAX_BODY_BYTES

if TYPE_CHECKING:
    from batch_converter.codec import Envelope
    from batch_converter.engines.base import PdfSink


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
    scanner = EnvelopeScanner()
    async for chunk in response.content.iter_any():
        for piece in scanner.feed(chunk):
            if piece is Signal.RESTART:
                await sink.restart()
            else:
                await sink.write(piece)
    return scanner.finish()
