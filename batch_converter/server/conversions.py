"""The work itself: waiting documents through the engine, as many at once as there are workers."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import anyio
import structlog

from batch_converter.engines.base import SourceDocument
from batch_converter.errors import (
    BatchConverterError,
    ErrorCode,
    FileError,
    OutputError,
    QueueWriteError,
    RunStoppedError,
    UnreadableError,
)
from batch_converter.naming import wanted_output
from batch_converter.output import check_pdf
from batch_converter.server.files import FileWriter
from batch_converter.server.queue import DocumentState
from batch_converter.shortage import shortage_of
from batch_converter.storage import sync_file

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from batch_converter.clock import Clock
    from batch_converter.engines.base import Converter, Ready
    from batch_converter.server.health import Health
    from batch_converter.server.metrics import ServerMetrics
    from batch_converter.server.queue import DocumentQueue, QueuedDocument
    from batch_converter.server.storage import DataFolder

_log = structlog.get_logger()
T = TypeVar("T")

PUBLIC_NAME: Final = "document.djvu"
"""What messages call a document without a name: the client knows no name of ours."""

PUBLIC_PDF: Final = "document.pdf"
"""The same for its PDF."""

PAUSE_S: Final = 5.0
"""Between two tries where the machine, not a document, is in trouble."""

_MAX_CRASHES: Final = 2
"""Times that something unforeseen may end a conversion before the document is blamed."""

_OF_THE_PDF: Final = frozenset({errno.EFBIG, errno.ENAMETOOLONG})
"""What a disk says of one file and of no other."""

_PLACE: Final = "conversions"

VANISHED: Final = "the document has vanished from the disk of the service; send it again"
"""Why a document fails whose file somebody has taken away."""


class _Settled(NamedTuple):
    """How a document ended, what its row says of that, and the log, which has no names of any."""

    state: DocumentState
    columns: Mapping[str, object]
    logged: Sequence[str] = ()


def _failed(code: ErrorCode, told: Sequence[str], logged: Sequence[str]) -> _Settled:
    columns = {"error_code": code.value, "messages": tuple(told)}
    return _Settled(DocumentState.FAILED, columns, logged)


class _Unsettled(Exception):  # noqa: N818  # no error of the document's
    """The conversion said nothing about the document: it is tried again.

    Attributes:
        crashed: Whether nobody has foreseen that: the document itself may be why.
    """

    def __init__(self, reason: str, *, crashed: bool) -> None:
        super().__init__(reason)
        self.crashed = crashed


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A conversion that has begun, and how others end it or wait for its end."""

    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    over: anyio.Event = field(default_factory=anyio.Event)


class Conversions:
    """Takes documents from waiting to their end.

    Trouble of the machine is never a document's end: the document waits again, everything
    pauses, and the service says that it is degraded until a conversion gets through.

    Args:
        converter: Where documents are converted.
        queue: Gives out documents, and learns what became of them.
        folder: Where they stand.
        workers: Conversions at once.
        metrics: Counts.
        health: Told of trouble.
        clock: Time.
    """

    def __init__(  # the parts of the service that it ties together
        self,
        converter: Converter,
        queue: DocumentQueue,
        folder: DataFolder,
        *,
        workers: int,
        metrics: ServerMetrics,
        health: Health,
        clock: Clock,
    ) -> None:
        self._converter = converter
        self._queue = queue
        self._folder = folder
        self._workers = workers
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._come = anyio.Event()
        self._resume_at_s = 0.0
        self._busy = 0
        self._under_way: dict[str, _UnderWay] = {}

    def wake(self) -> None:
        """Say that a document waits."""
        come, self._come = self._come, anyio.Event()
        come.set()

    def call_off(self, document_id: str) -> None:
        """End the conversion of a document that is not wanted any more, if it is under way."""
        if under_way := self._under_way.get(document_id):
            under_way.scope.cancel()

    async def let_go(self, document_id: str) -> None:
        """Return when nothing is at the document any more; one that waits may be begun soon."""
        if under_way := self._under_way.get(document_id):
            await under_way.over.wait()

    async def run(self) -> None:
        """Convert until cancelled; what is under way then waits for the next service.

        Long documents of one owner may take every worker for hours. Whoever has none being
        converted gets one begun beside them, as far as the converter takes more at once: it
        has the parts of all documents take turns.
        """
        async with anyio.create_task_group() as tasks:
            for number in range(max(self._workers, self._converter.capacity)):
                tasks.start_soon(self._work, number >= self._workers)

    async def _work(self, is_beside: bool) -> None:  # noqa: FBT001  # as task groups call it
        while True:
            await self._wait_out_pause()
            come = self._come
            document = None
            if not is_beside or self._is_one_wanted_beside():
                document = await self._recorded(
                    lambda: self._queue.claim(self._clock.now(), only_unserved=is_beside)
                )
            if document is None:
                if not is_beside:  # the queue is well, and nothing waits for more than that
                    self._health.clear(_PLACE)
                await come.wait()
                continue
            self._busy += not is_beside
            if self._is_one_wanted_beside():
                self.wake()
            try:
                await self._convert(document)
            finally:
                self._busy -= not is_beside

    def _is_one_wanted_beside(self) -> bool:
        return self._busy >= self._workers and self._queue.totals.is_anybody_unserved()

    async def _wait_out_pause(self) -> None:
        while self._clock.monotonic_s() < self._resume_at_s:
            await self._clock.wait_until(self._resume_at_s, anyio.Event())

    def _pause(self, reason: str) -> None:
        self._health.report(_PLACE, reason)
        self._resume_at_s = self._clock.monotonic_s() + PAUSE_S

    async def _recorded(self, record: Callable[[], Awaitable[T]]) -> T:
        """Have something recorded, however long the queue cannot be written."""
        while True:
            try:
                return await record()
            except QueueWriteError as error:
                self._pause(str(error))
            await self._wait_out_pause()

    async def _convert(self, document: QueuedDocument) -> None:
        under_way = self._under_way[document.id] = _UnderWay()
        try:
            await self._convert_within(under_way.scope, document)
        finally:
            del self._under_way[document.id]
            under_way.over.set()

    async def _convert_within(self, scope: anyio.CancelScope, document: QueuedDocument) -> None:
        began_s = self._clock.monotonic_s()
        try:
            with scope:
                settled = await self._attempt(document)
                self._health.clear(_PLACE)
                await self._settle(document, settled, began_s)
        except _Unsettled as trouble:
            await self._wait_again(document, trouble, began_s)
        if scope.cancelled_caught:
            await self._folder.remove_result(document.id)

    async def _settle(self, document: QueuedDocument, settled: _Settled, began_s: float) -> None:
        """Record the document's end, and delete what is not kept."""
        ended: dict[str, Any] = {"ended_at": self._clock.now(), **settled.columns}
        recorded = await self._recorded(
            lambda: self._queue.change(document.id, settled.state, **ended)
        )
        if recorded is None or settled.state is DocumentState.FAILED:
            await self._folder.remove_result(document.id)
        if recorded is None:  # called off meanwhile
            return
        if not recorded.keeps_source:
            await self._folder.remove_upload(document.id)
        seconds = self._clock.monotonic_s() - began_s
        self._metrics.conversion_ended(recorded.state, seconds)
        _log.info(
            "server.task_ended",
            task_id=document.id,
            owner=document.owner,
            state=recorded.state,
            bytes_in=document.size_bytes,
            bytes_out=recorded.pdf_bytes,
            seconds=round(seconds, 3),
            messages=settled.logged,
        )

    async def _wait_again(
        self, document: QueuedDocument, trouble: _Unsettled, began_s: float
    ) -> None:
        """Put the document back, and pause, unless it is to blame in the end."""
        if trouble.crashed and document.crashes + 1 >= _MAX_CRASHES:
            message = f"the conversion ended {_MAX_CRASHES} times without a verdict: {trouble}"
            settled = _failed(ErrorCode.ENGINE_ERROR, [message], [message])
            await self._settle(document, settled, began_s)
            return
        await self._folder.remove_result(document.id)
        if not trouble.crashed:
            self._pause(str(trouble))
        await self._recorded(lambda: self._queue.put_back(document, crashed=trouble.crashed))
        self.wake()

    async def _attempt(self, document: QueuedDocument) -> _Settled:
        """Convert once.

        Raises:
            _Unsettled: That has said nothing about the document.
        """
        target = FileWriter(self._folder.result_path(document.id), self._folder.threads)
        try:
            ready = await self._converter.convert(self._source(document), target)
            await target.close()
            return await self._pdf(document, ready)
        except BatchConverterError as error:
            if await self._folder.threads.run(self._folder.has_lost, document.id):
                return _failed(ErrorCode.UNREADABLE, [VANISHED], [VANISHED])
            if (reason := _machine_reason(error)) is not None:
                crashed = _errno_of(error) == errno.EBUSY  # met again and again: by this one, too?
                raise _Unsettled(reason, crashed=crashed) from error
            code = error.code if isinstance(error, FileError) else ErrorCode.ENGINE_ERROR
            told = self._public(document, (str(error),))
            return _failed(code, told, self._public(replace(document, name=""), (str(error),)))
        except Exception as error:
            if (reason := shortage_of(error) or _disk_reason(error)) is not None:
                raise _Unsettled(reason, crashed=False) from error
            _log.exception("server.task_crashed", task_id=document.id)
            raise _Unsettled("an internal error", crashed=True) from error
        finally:
            await target.discard()

    async def _pdf(self, document: QueuedDocument, ready: Ready) -> _Settled:
        """Look at the PDF and bring it to the disk with its name."""
        path = self._folder.result_path(document.id)
        pages, pdf_bytes = await self._folder.threads.run(_sealed, path)
        await self._folder.sync()
        warnings = self._public(document, ready.warnings)
        columns = {"pages": pages, "pdf_bytes": pdf_bytes, "warnings": warnings}
        return _Settled(DocumentState.READY, {**columns, "error_code": None, "messages": ()})

    def _source(self, document: QueuedDocument) -> SourceDocument:
        path = self._folder.upload_path(document.id)
        return SourceDocument(
            number=document.number,
            name=path.name,
            path=str(path),
            size_bytes=document.size_bytes,
            mtime_ns=document.mtime_ns,
        )

    def _public(self, document: QueuedDocument, texts: Iterable[str]) -> tuple[str, ...]:
        """Take our own names and paths, and control characters, out of what a client is told."""
        upload = self._folder.upload_path(document.id)
        result = self._folder.result_path(document.id)
        name = document.name.rpartition("/")[2]
        djvu, pdf = (name, wanted_output(name)) if name else (PUBLIC_NAME, PUBLIC_PDF)
        names = {str(upload): djvu, str(result): pdf}
        names |= {upload.name: djvu, result.name: pdf}
        return tuple(_replaced(text, names) for text in texts)


def _machine_reason(error: BatchConverterError) -> str | None:
    """Say what troubles the machine, where an error is that and not the document's."""
    if (lack := shortage_of(error)) is not None:
        return lack
    if _errno_of(error) in _OF_THE_PDF:
        return None
    if isinstance(error, OutputError | UnreadableError):
        return _disk_reason(error.__cause__) or "the disk does not do its part"
    return str(error) if isinstance(error, RunStoppedError) else None


def _errno_of(error: BatchConverterError) -> int | None:
    return error.__cause__.errno if isinstance(error.__cause__, OSError) else None


def _disk_reason(cause: BaseException | None) -> str | None:
    """Say what the disk does not do, without a path of ours."""
    if not isinstance(cause, OSError):
        return None
    return f"the disk of the data folder does not do its part: {cause.strerror}"


def _sealed(path: Path) -> tuple[int | None, int]:
    """Look at the PDF and bring it to the disk; returns its pages and its bytes. Blocks.

    It is the engine's own, made in a process that had read a hostile file: it is only looked at.
    """
    checked = check_pdf(path, verify="quick")
    with path.open("rb") as file:
        sync_file(file.fileno())
        return checked.pages, file.seek(0, 2)


def _replaced(text: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return "".join(letter if letter.isprintable() else " " for letter in text)
