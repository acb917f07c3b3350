"""Fake engines that follow a script, for tests of this package and of other programs.

::

    service = FakeTaskService()
    service.fetches["a.djvu"] += [NotReady(status="Processing"), Gone(status="NotExist")]
    async with open_run(settings, sources, engines=[service.spec]) as (run, opened):
        summary = await run.execute(opened.found, opened.roots)
    assert service.submitted["a.djvu"] == 2
"""

from __future__ import annotations

import io
import uuid
from collections import Counter, defaultdict, deque
from functools import cache
from typing import TYPE_CHECKING, Final, Self

import anyio
import pikepdf

from batch_converter.engines.base import Failed, Gone, NotReady, Ready, TaskService
from batch_converter.engines.spec import EngineSpec
from batch_converter.models import CallKind, CallOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from types import TracebackType

    from batch_converter.config import Settings
    from batch_converter.engines.base import (
        CallRecorder,
        Engine,
        Fetched,
        PdfTarget,
        SourceDocument,
    )
    from batch_converter.engines.spec import Finding
    from batch_converter.redaction import Redactor

FAKE: Final = "fake"
_SMALL: Final = (24, 24)


@cache
def blank_pdf(
    pages: int = 1, *, size_points: tuple[float, float] = _SMALL, filler_bytes: int = 0
) -> bytes:
    """Return a PDF of blank pages, the same for the same arguments.

    Args:
        pages: How many.
        size_points: Width and height of each; 100 pixels at 300 dots an inch where absent.
        filler_bytes: By how much it is longer than it need be.
    """
    out = io.BytesIO()
    with pikepdf.new() as pdf:
        for _ in range(pages):
            pdf.add_blank_page(page_size=size_points)
        if filler_bytes:
            pdf.Root.Filler = pdf.make_stream(b"x" * filler_bytes)
        pdf.save(out, deterministic_id=True, compress_streams=False)
    return out.getvalue()


class _FakeEngine:
    """What both fakes have in common: a name, options, and nothing to open."""

    def __init__(self, name: str, options: str) -> None:
        self.name = name
        self.options_digest = options

    @property
    def spec(self) -> EngineSpec:
        """A row of a registry that gives out this very engine."""
        return EngineSpec(
            name=self.name,
            is_configured=lambda _: True,
            validate=lambda _: None,
            build=lambda _settings, _resources: self._engine(),
            diagnose=_nothing_found,
            has_tasks=isinstance(self, TaskService),
        )

    def _engine(self) -> Engine:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


async def _nothing_found(_settings: Settings, _redactor: Redactor) -> Sequence[Finding]:
    return ()


class FakeConverter(_FakeEngine):
    """Converts every document into a blank page, unless a script says otherwise.

    Attributes:
        conversions: Document's name to what its conversions do, in order: an exception
            is raised, bytes are delivered as the PDF.
        converted: How often each document was handed over.
        keeps_damaged: What it says of itself.
        gate: Where set, conversions wait for it once they have begun.
        capacity: What it says of itself.
        in_flight: Documents that are being converted.
        peak_in_flight: The most that were so at once.
    """

    def __init__(self, name: str = FAKE, *, options: str = "0", capacity: int = 64) -> None:
        super().__init__(name, options)
        self._capacity = capacity
        self.conversions: defaultdict[str, deque[Exception | bytes]] = defaultdict(deque)
        self.keeps_damaged = False
        self.converted: Counter[str] = Counter()
        self.gate: anyio.Event | None = None
        self.in_flight = 0
        self.peak_in_flight = 0

    @property
    def capacity(self) -> int:
        """What the test says."""
        return self._capacity

    def _engine(self) -> Engine:
        return self

    def deliver(self, name: str, *pdfs: bytes) -> None:
        """Have the next conversions of a document deliver these."""
        self.conversions[name].extend(pdfs)

    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:
        """Do what the script says; see `Converter.convert`."""
        self.converted[source.name] += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            if self.gate is not None:
                await self.gate.wait()
            return await self._deliver(source, target)
        finally:
            self.in_flight -= 1

    async def _deliver(self, source: SourceDocument, target: PdfTarget) -> Ready:
        script = self.conversions[source.name]
        step = script.popleft() if script else blank_pdf()
        if isinstance(step, Exception):
            raise step
        await target.restart()
        await target.write(step)
        return Ready()


class FakeTaskService(_FakeEngine):
    """Converts every document at the first question, unless a script says otherwise.

    Attributes:
        submits: Document's name to what its submissions do, in order: an exception is
            raised, None lets it pass.
        fetches: Document's name to what its fetches do, in order: an exception is
            raised, an answer is given, bytes are delivered as the PDF.
        tasks: The ids that it knows; a later service that is given them knows them too.
        submitted: How often each document was submitted.
        fetched: How often each document was asked for.
        cancelled: The documents whose tasks were called off.
        uploading: Set once a submission is on its way.
        hold_uploads: Where set, submissions wait for it.
        in_flight: Documents that are out.
        peak_in_flight: The most that were so at once.
    """

    def __init__(
        self,
        name: str = FAKE,
        *,
        options: str = "0",
        result_lifetime: timedelta | None = None,
        tasks: set[str] | None = None,
    ) -> None:
        super().__init__(name, options)
        self._result_lifetime = result_lifetime
        self.tasks = set() if tasks is None else tasks
        self.submits: defaultdict[str, deque[Exception | None]] = defaultdict(deque)
        self.fetches: defaultdict[str, deque[Exception | Fetched | bytes]] = defaultdict(deque)
        self.submitted: Counter[str] = Counter()
        self.fetched: Counter[str] = Counter()
        self.cancelled: list[str] = []
        self.uploading = anyio.Event()
        self.hold_uploads: anyio.Event | None = None
        self.in_flight = 0
        self.peak_in_flight = 0

    @property
    def address(self) -> str:
        """A made-up address."""
        return f"https://{self.name}.invalid"

    @property
    def result_lifetime(self) -> timedelta | None:
        """What the test says; for good, where it says nothing."""
        return self._result_lifetime

    def _engine(self) -> Engine:
        return self

    def deliver(self, name: str, *pdfs: bytes) -> None:
        """Have the next fetches of a document deliver these."""
        self.fetches[name].extend(pdfs)

    async def submit(self, source: SourceDocument, calls: CallRecorder) -> str:
        """Do what the script says; see `TaskService.submit`."""
        call = await calls.begin(CallKind.SUBMIT)
        self.submitted[source.name] += 1
        script = self.submits[source.name]
        step = script.popleft() if script else None
        self.uploading.set()
        if self.hold_uploads is not None:
            await self.hold_uploads.wait()
        if step is not None:
            calls.end(call, CallOutcome.LOST)
            raise step
        calls.end(call, CallOutcome.ANSWERED, http_status=200)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        task_id = str(uuid.uuid4())
        self.tasks.add(task_id)
        return task_id

    async def fetch(
        self, source: SourceDocument, task_id: str, target: PdfTarget, calls: CallRecorder
    ) -> Fetched:
        """Do what the script says; see `TaskService.fetch`."""
        calls.end(await calls.begin(CallKind.POLL), CallOutcome.ANSWERED, http_status=200)
        self.fetched[source.name] += 1
        script = self.fetches[source.name]
        usual = blank_pdf() if task_id in self.tasks else Gone(status="NotExist")
        step = script.popleft() if script else usual
        if isinstance(step, Exception):
            raise step
        if isinstance(step, NotReady):
            return step
        self.in_flight -= 1
        if isinstance(step, Ready | Gone | Failed):
            return step
        await target.restart()
        await target.write(step)
        return Ready()

    async def cancel(self, source: SourceDocument, task_id: str, calls: CallRecorder) -> None:
        """Forget the task, and note whose it was."""
        self.tasks.discard(task_id)
        calls.end(await calls.begin(CallKind.CANCEL), CallOutcome.ANSWERED, http_status=200)
        self.cancelled.append(source.name)
