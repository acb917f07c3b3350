"""An engine that does what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING, Self

import anyio

from batch_converter.engines.base import EngineTraits, Failed, Gone, NotReady, Ready
from batch_converter.models import CallKind, CallOutcome, EngineName
from tests.support.pdfs import pdf_bytes

if TYPE_CHECKING:
    from types import TracebackType

    from batch_converter.engines.base import CallMeter, Fetched, PdfSink
    from batch_converter.models import Document, Task

Step = Exception | NotReady | Failed | Gone | bytes | None


class FakeEngine:
    """Converts every document at the first question, unless a script says otherwise.

    Attributes:
        submits: Source to what its submissions do, in order: an exception is
            raised, None lets it pass.
        fetches: Source to what its fetches do, in order: an exception is raised,
            an answer is given, bytes are delivered as the PDF.
        submitted: How often each source was submitted.
        contents: Source to the bytes that its submissions came with.
        fetched: How often each source was asked for.
    """

    name = EngineName.ASPOSE

    def __init__(self, meter: CallMeter, *, billed: bool = True, options: str = "0") -> None:
        self._meter = meter
        self._ids = itertools.count(1)
        self._known: set[str] = set()
        self.traits = EngineTraits(polled=billed, billed=billed, tasks_outlive_run=billed)
        self.options_digest = options
        self.submits: defaultdict[str, deque[Step]] = defaultdict(deque)
        self.fetches: defaultdict[str, deque[Step]] = defaultdict(deque)
        self.submitted: Counter[str] = Counter()
        self.contents: defaultdict[str, list[bytes | None]] = defaultdict(list)
        self.fetched: Counter[str] = Counter()
        self.cancelled: list[str] = []
        self.uploading = anyio.Event()
        self.hold_uploads: anyio.Event | None = None
        self.in_flight = 0
        self.peak_in_flight = 0
        if not billed:
            self.name = EngineName.LOCAL

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    async def submit(self, document: Document, *, content: bytes | None = None) -> str:
        call = await self._begin(CallKind.SUBMIT, document)
        self.submitted[document.source] += 1
        self.contents[document.source].append(content)
        step = self.submits[document.source].popleft() if self.submits[document.source] else None
        self.uploading.set()
        if self.hold_uploads is not None:
            await self.hold_uploads.wait()
        if isinstance(step, Exception):
            self._end(call, CallOutcome.LOST)
            raise step
        self._end(call, CallOutcome.ANSWERED)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        task_id = f"task-{next(self._ids)}"
        self._known.add(task_id)
        return task_id

    async def fetch(self, document: Document, task: Task, sink: PdfSink) -> Fetched:  # noqa: ARG002  # the Protocol's
        call = await self._begin(CallKind.POLL, document)
        self.fetched[document.source] += 1
        step = self.fetches[document.source].popleft() if self.fetches[document.source] else None
        self._end(call, CallOutcome.ANSWERED)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, NotReady):
            return step
        self.in_flight -= 1
        if isinstance(step, Gone | Failed):
            return step
        await sink.restart()
        await sink.write(pdf_bytes() if step is None else step)
        return Ready()

    async def cancel(self, document: Document, task: Task) -> None:  # noqa: ARG002  # the Protocol's
        self._end(await self._begin(CallKind.CANCEL, document), CallOutcome.ANSWERED)
        self.cancelled.append(document.source)

    async def _begin(self, kind: CallKind, document: Document) -> int | None:
        return await self._meter.begin(kind, document) if self.traits.billed else None

    def _end(self, call: int | None, outcome: CallOutcome) -> None:
        if call is not None:
            self._meter.end(call, outcome, http_status=200)
