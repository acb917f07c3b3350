"""A document on its way out: read in pieces, and watched while it is."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import aiohttp
import anyio

from batch_converter.codec import READ_BYTES, Base64Frame
from batch_converter.errors import UnreadableError
from batch_converter.storage import SourceStatus
from batch_converter.wire import submission_frame

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping

    from batch_converter.engines.aspose.session import Departure
    from batch_converter.engines.base import SourceDocument
    from batch_converter.storage import OpenSource
    from batch_converter.threads import DiskThreads

T = TypeVar("T")

_CHECKS_PER_TIMEOUT: Final = 8


class _SourceReader:
    """The document, read from its beginning to its end in worker threads; the methods block.

    A small one is opened, read and closed with one trip to a thread.
    """

    def __init__(self, source: SourceDocument, open_source: OpenSource) -> None:
        self._source = source
        self._offset = 0
        self._ahead = b""
        self._bytes = self._guarded(lambda: open_source(source.path))
        try:
            self._check_unchanged()
            if source.size_bytes <= READ_BYTES:
                self._ahead = self._all()
        except UnreadableError:
            self._bytes.close()
            raise

    def _all(self) -> bytes:
        data = self.read(self._source.size_bytes)
        if len(data) == self._source.size_bytes:
            self._bytes.close()
        return data

    def take_ahead(self) -> bytes:
        """Return what has been read already, once; does not block."""
        ahead, self._ahead = self._ahead, b""
        return ahead

    def read(self, size: int) -> bytes:
        """Return at most so many bytes; the last only if the source is still the same.

        Raises:
            UnreadableError: It is not, or cannot be read.
        """
        data = self._guarded(lambda: self._bytes.at(self._offset, size))
        self._offset += len(data)
        if self._offset == self._source.size_bytes:
            self._check_unchanged()
        return data

    def close(self) -> None:
        """Close it; reads under way go on."""
        self._bytes.close()

    def _check_unchanged(self) -> None:
        source = self._source
        as_found = SourceStatus(source.size_bytes, source.mtime_ns)
        if not self._guarded(self._bytes.status).is_same(as_found):
            msg = f"{source.name} changed while it was read; the next run takes it up"
            raise UnreadableError(msg)

    def _guarded(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except OSError as error:
            msg = f"{self._source.name} cannot be read: {error.strerror or error}"
            raise UnreadableError(msg) from error


class DocumentBody:
    """The body of one submission, made from the document once and never again.

    Attributes:
        content_length: Its exact length.
        is_whole: The last piece was handed over: the service may have all of it.
        failure: Why it stopped before; aiohttp would bury that.
    """

    def __init__(
        self,
        read: Callable[[int], Awaitable[bytes]],
        payload_bytes: int,
        settings: Mapping[str, object],
    ) -> None:
        before, after = submission_frame(settings)
        self._read = read
        self._frame = Base64Frame(before=before, payload_bytes=payload_bytes, after=after)
        self.content_length = self._frame.content_length
        self.is_whole = False
        self.failure: UnreadableError | None = None

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        """Yield the pieces; the last only if the file is still the same.

        Raises:
            UnreadableError: It is not, or cannot be read.
        """
        left = self.content_length
        try:
            async for piece in self._frame.pieces(self._read):
                left -= len(piece)
                self.is_whole = not left
                yield piece
        except UnreadableError as error:
            self.failure = error
            raise


class UploadOrder:
    """Documents go out in the order in which they were handed over.

    Several files are opened at once, and any may be open first; but the calls that a
    budget still allows belong to those that came first.
    """

    def __init__(self) -> None:
        self._last = anyio.Event()
        self._last.set()

    @contextmanager
    def turn(self) -> Iterator[anyio.Event]:
        """Take the next turn; yields what is set when those before have had theirs."""
        before, mine = self._last, anyio.Event()
        self._last = mine
        try:
            yield before
        finally:
            mine.set()


@asynccontextmanager
async def opened(
    source: SourceDocument,
    settings: Mapping[str, object],
    threads: DiskThreads,
    order: UploadOrder,
    open_source: OpenSource,
) -> AsyncGenerator[DocumentBody, None]:
    """Open the document for one submission, read in one of the threads.

    Args:
        source: What is sent.
        settings: What goes beside it.
        threads: Where it is read.
        order: Keeps it behind those that were handed over before.
        open_source: Opens it.

    Raises:
        UnreadableError: It cannot be opened, or is not the file that was found.
    """
    with ExitStack() as stack:
        with order.turn() as come:
            reader = await threads.run(_SourceReader, source, open_source)
            stack.callback(reader.close)
            await come.wait()

        async def read(size: int) -> bytes:
            return reader.take_ahead() or await threads.run(reader.read, size)

        yield DocumentBody(read, source.size_bytes, settings)


class StallWatch:
    """Cancels a scope when an upload makes no progress for a while.

    aiohttp's own timeout looks at what is received only: without this a service that
    stops reading would hold an upload for ever. Progress is counted in bytes that
    the kernel took, so that a slow line is no stall.
    """

    def __init__(
        self,
        body: DocumentBody,
        departure: Departure,
        scope: anyio.CancelScope,
        *,
        timeout_s: float,
    ) -> None:
        self.tracker = aiohttp.UploadTracker()
        self._body = body
        self._departure = departure
        self._scope = scope
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._seen = -1
        self._since_s = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._look()

    def _look(self) -> None:
        now_s, sent = self._loop.time(), self.tracker.bytes_written
        if sent != self._seen or not self._departure.left:
            self._seen, self._since_s = sent, now_s
        if sent >= self._body.content_length:
            return
        if now_s - self._since_s >= self._timeout_s:
            self._scope.cancel()
            return
        self._timer = self._loop.call_later(self._timeout_s / _CHECKS_PER_TIMEOUT, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
