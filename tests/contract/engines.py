"""The engines that the contract is held against: one line each."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
from pydantic import SecretStr

from batch_converter.config import AsposeSettings, LocalSettings, RetrySettings
from batch_converter.engines.aspose import AsposeEngine
from batch_converter.engines.base import Converter, SourceDocument, TaskService
from batch_converter.engines.dask.engine import DaskEngine
from batch_converter.engines.dask.settings import DaskSettings
from batch_converter.engines.local import LocalEngine
from batch_converter.errors import BudgetSpentError, EngineError, OutputError
from batch_converter.events import EventStream
from batch_converter.models import CallOutcome
from batch_converter.storage import FileBytes
from batch_converter.testing import FakeConverter, FakeTaskService
from batch_converter.threads import DiskThreads
from tests.contract.example_engine import ExampleEngine, ExampleSettings
from tests.support.cloud import Cloud
from tests.support.dask_cluster import shared_cluster
from tests.support.djvu_files import SAMPLES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from batch_converter.models import CallKind

GOOD: Final = SAMPLES / "bitonal.djvu"
BAD: Final = Path(__file__).parents[1] / "data" / "broken.djvu"
"""A DjVu by its headers, whose pictures no engine can decode."""


def source(path: Path, number: int = 1) -> SourceDocument:
    """Return what an engine is given of a file."""
    status = path.stat()
    return SourceDocument(
        number=number,
        name=path.name,
        path=str(path),
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
    )


@dataclass
class FileTarget:
    """A `PdfTarget` that is a plain file."""

    path: Path

    async def restart(self) -> None:
        await anyio.Path(self.path).write_bytes(b"")

    async def write(self, data: bytes) -> None:
        try:
            async with await anyio.open_file(self.path, "ab") as file:
                await file.write(data)
        except OSError as error:
            raise OutputError(str(error)) from error


@dataclass
class RecordedCalls:
    """A `CallRecorder` that remembers all, and lets no more than `limit` leave."""

    limit: int | None = None
    calls: list[tuple[CallKind, CallOutcome | None]] = field(default_factory=list)

    async def begin(self, kind: CallKind) -> int:
        if self.limit is not None and len(self.calls) >= self.limit:
            raise BudgetSpentError("the budget is spent")
        self.calls.append((kind, None))
        return len(self.calls) - 1

    def end(self, call_id: int, outcome: CallOutcome, *, http_status: int | None = None) -> None:
        del http_status
        kind, ended = self.calls[call_id]
        assert ended is None, "ended twice"
        self.calls[call_id] = (kind, outcome)

    def left(self) -> Counter[str]:
        """Count the requests that left, by kind; each must have ended."""
        assert all(outcome is not None for _, outcome in self.calls), "a call was never ended"
        return Counter(k.value for k, outcome in self.calls if outcome is not CallOutcome.UNSENT)


@asynccontextmanager
async def local() -> AsyncIterator[Converter]:
    """Open the embedded engine."""
    async with LocalEngine(LocalSettings(), workers=2) as engine:
        yield engine


@asynccontextmanager
async def dask() -> AsyncIterator[Converter]:
    """Open the embedded engine on a cluster that all tests share."""
    cluster = await anyio.to_thread.run_sync(shared_cluster)
    engine = DaskEngine(
        DaskSettings(scheduler=cluster.address),
        LocalSettings(),
        max_in_flight=8,
        threads=DiskThreads(),
        events=EventStream(),
        open_source=FileBytes,
    )
    async with engine:
        yield engine


@asynccontextmanager
async def example() -> AsyncIterator[Converter]:
    """Open the one that is to be copied."""
    async with ExampleEngine(ExampleSettings()) as engine:
        yield engine


@asynccontextmanager
async def fake_converter() -> AsyncIterator[Converter]:
    """Open the fake one; it fails where the embedded engine does."""
    converter = FakeConverter()
    converter.conversions[BAD.name].append(EngineError(f"{BAD.name}: made up"))
    async with converter:
        yield converter


@asynccontextmanager
async def aspose() -> AsyncIterator[TaskService]:
    """Open the client of a cloud that needs two questions for each document."""
    with Cloud() as cloud:
        cloud.questions_needed = 2
        settings = AsposeSettings(
            base_url=cloud.base_url,
            client_id=cloud.client_id,
            client_secret=SecretStr(cloud.client_secret),
        )
        engine = AsposeEngine(settings, RetrySettings(), calls=RecordedCalls(), max_submissions=2)
        async with engine:
            yield engine
        assert cloud.surprises == []


@asynccontextmanager
async def fake_service() -> AsyncIterator[TaskService]:
    """Open the fake service."""
    async with FakeTaskService(result_lifetime=timedelta(days=1)) as service:
        yield service


CONVERTERS: Final[Mapping[str, Callable[[], AbstractAsyncContextManager[Converter]]]] = {
    "local": local,
    "dask": dask,
    "example": example,
    "fake": fake_converter,
}
SLOW: Final = frozenset({"dask"})
"""Engines that take seconds to be there."""

SERVICES: Final[Mapping[str, Callable[[], AbstractAsyncContextManager[TaskService]]]] = {
    "aspose": aspose,
    "fake": fake_service,
}
